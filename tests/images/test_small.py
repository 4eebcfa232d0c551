"""Small files that are kept of a layer, so that it is read once for its index and for them."""

from pathlib import Path

import pytest

from artificer import limits
from artificer.images.files import NoSuchFile, read_file, read_files, tree_of
from artificer.images.reach import Reach
from artificer.images.small import small_files
from artificer.layers.index import Small, index_of
from artificer.layers.read import layer_members
from artificer.oci.image import Image
from tests.images.made import hard, image_of, reach_of, tar_of

STATUS = "var/lib/dpkg/status"
LIST = "etc/apt/sources.list"
FILES = tar_of(
    (STATUS, b"Package: a\n"),
    ("var/lib/dpkg/info/a.md5sums", b"sums"),
    (LIST, b"deb x y z\n"),
    ("etc/apt/again", hard(LIST)),
    ("usr/bin/a", b"#!a"),
)
OTHER = tar_of(("usr/bin/b", b"#!b"))


@pytest.fixture
def reach(tmp_path: Path) -> Reach:
    return reach_of(f"{tmp_path}/store")[0]


@pytest.fixture
def image(reach: Reach) -> Image:
    return image_of(reach.store, FILES, OTHER)


def lose(image: Image, reach: Reach) -> None:
    for layer in image.layers:
        Path(reach.store.blob_path(layer.blob.digest)).unlink()


def test_what_is_asked_again_needs_the_layer_no_more(image: Image, reach: Reach) -> None:
    tree = tree_of(image, reach, small=True)
    lose(image, reach)

    found = read_files(image, tree, [STATUS, LIST, "etc/apt/again"], 99, reach)

    assert found == {
        STATUS: b"Package: a\n",
        LIST: b"deb x y z\n",
        "etc/apt/again": b"deb x y z\n",
    }
    assert len(tree_of(image, reach, small=True).listdir("usr/bin")) == 2


def test_other_files_are_not_kept(image: Image, reach: Reach) -> None:
    tree_of(image, reach, small=True)

    kept = small_files(image.layers[0].diff_id, reach.store)

    assert sorted(kept.values()) == [b"Package: a\n", b"deb x y z\n"]
    assert small_files(image.layers[1].diff_id, reach.store) == {}


def test_files_are_kept_of_a_layer_that_was_looked_into_before(image: Image, reach: Reach) -> None:
    tree_of(image, reach)
    assert small_files(image.layers[0].diff_id, reach.store) == {}

    tree_of(image, reach, small=True)

    assert len(small_files(image.layers[0].diff_id, reach.store)) == 2


@pytest.mark.parametrize("cut", [0, 1, 39, 45, -1])
def test_what_was_damaged_is_read_out_of_the_layer(image: Image, reach: Reach, cut: int) -> None:
    tree = tree_of(image, reach, small=True)
    diff_id = image.layers[0].diff_id
    (kind,) = [one for one in reach.store.kinds() if one.startswith("small")]
    whole = reach.store.record(kind, diff_id)
    assert whole is not None

    for damaged in (whole[:cut], whole[:45] + b"X" + whole[46:], bytes(len(whole)), b"\xff" * 99):
        reach.store.set_record(kind, diff_id, damaged)
        assert read_files(image, tree, [STATUS, LIST], 99, reach)[STATUS] == b"Package: a\n"


def test_limits_are_those_of_the_reader(image: Image, reach: Reach) -> None:
    tree_of(image, reach, small=True)

    with pytest.raises(NoSuchFile, match="more than 3"):
        read_file(image, STATUS, 3, reach)


def test_no_more_is_kept_than_there_is_room_for() -> None:
    small = Small(lambda path: path != LIST, 12)

    index = index_of(layer_members([FILES]), small)

    assert list(small.found.values()) == [b"Package: a\n"]
    assert index.pack() == index_of(layer_members([FILES])).pack()
    assert limits.SMALL_FILES_BYTES > 12
