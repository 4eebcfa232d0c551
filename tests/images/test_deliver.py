from pathlib import Path

import pytest

from artificer.errors import ArtificerError
from artificer.images.deliver import see_places
from artificer.images.directory import UnusableDirectory
from artificer.images.layout import NotALayout, write_layout
from artificer.images.unwritable import Unwritable
from artificer.oci.reference import Layout, parse_reference
from tests.images.made import image_of, reach_of, tar_of


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A directory with a layout, one with something else in it, and an empty one."""
    reach, _ = reach_of(f"{tmp_path}/store")
    image = image_of(reach.store, tar_of(("etc/one", b"1")))
    write_layout(image, Layout(f"{tmp_path}/p/layout", "a"), reach)
    for name in ("layout/notes", "other/notes"):
        (tmp_path / "p" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "p" / name).touch()
    (tmp_path / "p/empty").mkdir()
    return tmp_path / "p"


@pytest.mark.parametrize(
    "text",
    [
        *("oci:{}/layout:b", "oci:{}/empty:b", "oci:{}/new:b", "oci:{}/new/and/deep:b"),
        *("oci-archive:{}/new.tar:b", "docker-archive:{}/layout/notes", "oci-archive:/dev/null"),
        *("rootfs:{}/empty", "rootfs:{}/new/and/deep", "rootfs:{}/new.tar"),
        *("store:x", "docker-daemon:x", "localhost:5000/x"),
    ],
)
def test_that_a_place_could_be_written_is_seen_without_a_trace(text: str, place: Path) -> None:
    before = sorted(place.rglob("*"))

    see_places([parse_reference(text.format(place))])

    assert sorted(place.rglob("*")) == before


@pytest.mark.parametrize(
    ("text", "kind", "why"),
    [
        ("oci:{}/other/notes/below:b", Unwritable, "other/notes is not a directory"),
        ("oci:{}/other:b", NotALayout, "has other files"),
        ("oci-archive:{}/other/notes/a.tar", Unwritable, "not a directory"),
        ("docker-archive:{}/none/a.tar", Unwritable, "no such file or directory"),
        ("docker-archive:{}/empty", Unwritable, "it is a directory"),
        ("rootfs:{}/other", UnusableDirectory, "is not empty"),
        ("rootfs:{}/other/notes", Unwritable, "other/notes is not a directory"),
        ("rootfs:{}/none/a.tar", Unwritable, "no such file or directory"),
    ],
)
def test_that_a_place_could_not_be_written_is_seen_without_a_trace(
    text: str, kind: type[ArtificerError], why: str, place: Path
) -> None:
    before = sorted(place.rglob("*"))

    with pytest.raises(kind, match=why) as caught:
        see_places([parse_reference(text.format(place))])

    assert caught.value.hint
    assert sorted(place.rglob("*")) == before
