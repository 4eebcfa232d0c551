"""The image below packages, wherever it lies."""

from pathlib import Path

from artificer.builder.debian.ground import ground
from artificer.images.files import read_files
from artificer.images.reach import Reach
from artificer.oci.image import Image, Remote
from artificer.oci.reference import parse_repository
from tests.images.made import FakeRegistry, image_of, reach_of, tar_of, with_origin

STATUS = "var/lib/dpkg/status"
FILES = tar_of((STATUS, b"Package: a\n"), ("usr/bin/a", b"#!a"))


def remote(tmp_path: Path) -> tuple[Image, Reach]:
    registry = FakeRegistry()
    maker, _ = reach_of(f"{tmp_path}/maker", registry)
    made = image_of(maker.store, FILES)
    registry.hold(made, "a.example/x:1")
    reach, _ = reach_of(f"{tmp_path}/store", registry)
    return with_origin(made, Remote(parse_repository("a.example/x"))), reach


def test_what_has_to_be_read_is_brought_into_the_store(tmp_path: Path) -> None:
    image, reach = remote(tmp_path)
    (layer,) = image.layers

    tree = ground(image, reach)

    assert reach.store.has(layer.blob.digest) == layer.descriptor.size
    assert read_files(image, tree, [STATUS], 99, reach) == {STATUS: b"Package: a\n"}


def test_what_is_known_of_is_not_brought_again(tmp_path: Path) -> None:
    image, reach = remote(tmp_path)
    (layer,) = image.layers
    ground(image, reach)
    Path(reach.store.blob_path(layer.blob.digest)).unlink()

    tree = ground(image, reach)

    assert read_files(image, tree, [STATUS], 99, reach) == {STATUS: b"Package: a\n"}
    assert reach.store.has(layer.blob.digest) is None
