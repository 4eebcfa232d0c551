"""`artificer packages` and `diff --packages`, as a person types them."""

import json
from pathlib import Path

import pytest

from artificer.cli.debian.packages import packages_of
from tests.cli.outside import Cli
from tests.images.made import image_of, reach_of, tar_of

LIBC = """\
Package: libc6
Status: install ok installed
Architecture: amd64
Source: glibc
Version: 2.36-9
Installed-Size: 12699
"""
BASH = LIBC.replace("libc6", "bash").replace("Source: glibc\n", "").replace("2.36-9", "5.2-15")


def image(cli: Cli, work: Path, reference: str, *stanzas: str) -> str:
    database = work / "var/lib/dpkg/status"
    database.parent.mkdir(parents=True, exist_ok=True)
    database.write_text("\n".join(stanzas))
    (work / "etc").mkdir(exist_ok=True)
    (work / "etc/os-release").write_text(
        'ID=debian\nVERSION_ID="12"\nPRETTY_NAME="Debian 12"\nVERSION_CODENAME=bookworm\n'
    )
    cli("-b", "scratch", "-f", "var", "etc", "-t", reference)
    return reference


def test_packages_of_an_image_are_listed_with_version_architecture_and_source(
    cli: Cli, work: Path, layout: Path
) -> None:
    it = image(cli, work, f"oci:{layout}:it", LIBC, BASH)

    lines = cli("packages", "list", it).stdout.splitlines()

    assert [line.split() for line in lines] == [
        ["NAME", "VERSION", "ARCHITECTURE", "SOURCE"],
        ["bash", "5.2-15", "amd64", "bash"],
        ["libc6", "2.36-9", "amd64", "glibc"],
    ]


@pytest.mark.parametrize("kind", ["oci-archive:it.tar", "store:it", "docker-archive:it.docker"])
def test_an_image_lists_its_packages_wherever_it_is(cli: Cli, work: Path, kind: str) -> None:
    it = image(cli, work, kind, LIBC)

    told = json.loads(cli("packages", "list", it, "--format", "json").stdout)

    assert told["distribution"] == {
        "id": "debian",
        "version": "12",
        "name": "Debian 12",
        "codename": "bookworm",
    }
    assert told["packages"] == [
        {
            "name": "libc6",
            "version": "2.36-9",
            "architecture": "amd64",
            "source": "glibc",
            "source_version": "2.36-9",
            "status": "installed",
            "purl": "pkg:deb/debian/libc6@2.36-9?arch=amd64&distro=bookworm",
            "installed_size": 13003776,
            "read_from": "/var/lib/dpkg/status",
        }
    ]


def test_packages_of_status_d_are_listed_too(cli: Cli, work: Path, layout: Path) -> None:
    pieces = work / "var/lib/dpkg/status.d"
    pieces.mkdir(parents=True)
    for name in ("tzdata", "base-files"):
        (pieces / name).write_text(f"Package: {name}\nVersion: 1\nArchitecture: all\n")
        (pieces / f"{name}.md5sums").write_text("no: stanza\n")
    cli("-b", "scratch", "-f", "var", "-t", f"oci:{layout}:it")

    told = cli("packages", "list", f"oci:{layout}:it").stdout

    assert [line.split()[0] for line in told.splitlines()] == ["NAME", "base-files", "tzdata"]


PIECES = "var/lib/dpkg/status.d"


def piece(name: str, version: str = "1") -> tuple[str, bytes]:
    """The file of *name* below `status.d`."""
    return f"{PIECES}/{name}", f"Package: {name}\nVersion: {version}\n".encode()


@pytest.mark.parametrize(
    ("above", "found"),
    [
        ((piece("b", "2"), (f"{PIECES}/.wh.a", b"")), ["b 2"]),
        ((piece("c"), (f"{PIECES}/.wh..wh..opq", b"")), ["c 1"]),
        ((("var/lib/.wh..wh..opq", b""), piece("c")), ["c 1"]),
        ((("var/lib/.wh.dpkg", b""),), []),
        ((("var/lib/dpkg/status", LIBC.encode()),), ["a 1", "b 1", "libc6 2.36-9"]),
    ],
)
def test_a_layer_takes_packages_away_by_taking_their_files(
    tmp_path: Path, above: tuple[tuple[str, bytes], ...], found: list[str]
) -> None:
    reach, _ = reach_of(f"{tmp_path}/store")
    image = image_of(reach.store, tar_of(piece("a"), piece("b")), tar_of(*above))

    assert [f"{one.name} {one.version}" for one in packages_of(image, reach)] == found


def test_an_image_without_packages_says_so_and_is_no_failure(
    cli: Cli, work: Path, layout: Path
) -> None:
    (work / "a").write_text("a")
    cli("-b", "scratch", "-f", "a", "-t", f"oci:{layout}:it")

    done = cli("packages", "list", f"oci:{layout}:it")

    assert done.stdout == ""
    assert "no dpkg database" in done.stderr


def test_a_database_that_is_none_is_an_error_with_its_line(
    cli: Cli, work: Path, layout: Path
) -> None:
    it = image(cli, work, f"oci:{layout}:it", LIBC, "\x1b[2J no field")

    done = cli("packages", "list", it, code=1)

    assert "/var/lib/dpkg/status:" in done.error
    assert "\x1b" not in done.stderr


def test_a_difference_of_packages_is_told_by_version(cli: Cli, work: Path, layout: Path) -> None:
    one = image(cli, work, f"oci:{layout}:one", LIBC, BASH)
    two = image(
        cli, work, f"oci:{layout}:two", LIBC.replace("-9", "-10"), BASH.replace("bash", "zsh")
    )

    done = cli("diff", one, two, "--packages", code=1)
    told = json.loads(cli("diff", one, two, "--packages", "--format", "json", code=1).stdout)

    assert done.stdout.splitlines() == [
        "- bash:amd64 5.2-15",
        "~ libc6:amd64 2.36-9 → 2.36-10",
        "+ zsh:amd64 5.2-15",
    ]
    assert not told["same"]
    assert told["packages"][1] == {
        "name": "libc6",
        "architecture": "amd64",
        "before": "2.36-9",
        "after": "2.36-10",
    }
    assert cli("diff", one, one, "--packages").stdout == ""


def test_a_part_that_does_not_exist_is_misuse(cli: Cli) -> None:
    assert "list" in cli("packages", "lst", code=2).hint
    assert "list" in cli("packages", code=2).hint
