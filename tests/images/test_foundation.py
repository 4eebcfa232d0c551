from pathlib import Path

import pytest

from artificer.images.foundation import Foundation, Unfit, check_fit, foundation_of, system_of
from artificer.images.reach import Reach
from artificer.oci.image import Image
from tests.images.made import image_of, link, reach_of, tar_of

RELEASE = b'NAME="Debian"\nID=debian\nVERSION_ID="12"\n'
LOADER = ("lib64/ld-linux-x86-64.so.2", b"elf")


def image(reach: Reach, *members: tuple[str, object]) -> Image:
    return image_of(reach.store, tar_of(*members))


@pytest.mark.parametrize(
    ("text", "system"),
    [
        ('ID=debian\nVERSION_ID="12"\n', "debian 12"),
        ("ID=alpine\nVERSION_ID=3.19.1\n", "alpine 3.19"),
        ("ID='arch'\nVERSION=1\n", "arch"),
        ("# ID=no\nBUILD_ID=1\n  ID=ubuntu  \nVERSION_ID=22.04", "ubuntu 22.04"),
        ("", ""),
    ],
)
def test_a_system_is_its_id_and_the_first_numbers_of_its_version(text: str, system: str) -> None:
    assert system_of(text) == system


def test_what_programs_stand_on_is_found_also_behind_links(tmp_path: Path) -> None:
    reach, _ = reach_of(str(tmp_path))
    merged = image(
        reach,
        ("etc/os-release", link("../usr/lib/os-release")),
        ("lib64", link("usr/lib64")),
        ("usr/bin/python3.11", b"elf"),
        ("usr/bin/python3", link("python3.11")),
        ("usr/lib/os-release", RELEASE),
        ("usr/lib64/ld-linux-x86-64.so.2", b"elf"),
        ("usr/lib64/ld-linux-notes.txt", b"no"),
    )

    assert foundation_of(merged, reach) == Foundation(
        "debian 12", ("/lib64/ld-linux-x86-64.so.2",), ("/usr/bin/python3.11",)
    )
    assert foundation_of(image(reach, ("x", b"")), reach) == Foundation("", (), ())


def test_the_same_foundation_with_more_upon_it_fits(tmp_path: Path) -> None:
    reach, _ = reach_of(str(tmp_path))
    old = image(reach, ("etc/os-release", RELEASE), LOADER)
    new = image(reach, ("etc/os-release", RELEASE), LOADER, ("usr/bin/python3.13", b""))

    check_fit(old, new, reach)


@pytest.mark.parametrize(
    ("members", "problem"),
    [
        (
            (("etc/os-release", b"ID=debian\nVERSION_ID=13\n"), LOADER),
            "is debian 13, not debian 12",
        ),
        ((LOADER,), "is no known system, not debian 12"),
        ((("etc/os-release", RELEASE),), "it has no /lib64/ld-linux-x86-64.so.2"),
        (
            (("etc/os-release", RELEASE), ("lib/ld-musl-x86_64.so.1", b"")),
            "it has no /lib64/ld-linux-x86-64.so.2",
        ),
        ((("etc/os-release", RELEASE), LOADER), "it has no /usr/local/bin/python3.11"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(
    tmp_path: Path, members: tuple[tuple[str, object], ...], problem: str
) -> None:
    reach, _ = reach_of(str(tmp_path))
    old = image(reach, ("etc/os-release", RELEASE), LOADER, ("usr/local/bin/python3.11", b"elf"))

    with pytest.raises(Unfit, match=problem):
        check_fit(old, image(reach, *members), reach)
