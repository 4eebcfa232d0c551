from pathlib import Path

import pytest

from artificer.images.files import NoSuchFile, copy_entries, index_of, read_file
from artificer.images.layout import find_in_layout, write_layout
from artificer.images.named import find_in_store
from artificer.images.place import Corrupt, NotFound, image_for, platforms
from artificer.images.pull import pull
from artificer.layers.entry import Span
from artificer.oci.descriptor import Descriptor
from artificer.oci.document import dump
from artificer.oci.image import Artifact, Blob, Image, Index, Remote, Stored
from artificer.oci.platform import Platform
from artificer.oci.reference import Layout, StoreName, parse_repository
from tests.images.made import (
    FakeRegistry,
    hard,
    image_of,
    index_of_images,
    layer_of,
    link,
    reach_of,
    tar_of,
    with_origin,
)

ONE = tar_of(("a/one", b"1" * 700), ("a/two", hard("a/one")), ("l", link("a/one")))
TWO = tar_of(("b/three", hard("a/one")))


def test_a_broken_index_is_made_again(tmp_path: Path) -> None:
    reach, _ = reach_of(f"{tmp_path}/store")
    layer = layer_of(reach.store, ONE)
    good = index_of(layer, reach)
    reach.store.set_record("index", layer.diff_id, b"nonsense")

    again = index_of(layer, reach)

    assert again.pack() == good.pack()
    assert reach.store.record("index", layer.diff_id) == good.pack()


def test_a_file_of_a_remote_layer_is_read_out_of_the_stream(tmp_path: Path) -> None:
    registry = FakeRegistry()
    maker, _ = reach_of(f"{tmp_path}/maker", registry)
    made = image_of(maker.store, ONE)
    registry.hold(made, "a.example/x:1")
    image = with_origin(made, Remote(parse_repository("a.example/x")))
    reach, _ = reach_of(f"{tmp_path}/store", registry)

    assert read_file(image, "/l", 700, reach) == b"1" * 700
    assert reach.store.has(image.layers[0].blob.digest) is None
    layer = image.layers[0]
    reach.store.put(ONE.replace(b"1" * 700, b"2" * 700))
    changed = reach.store.put(ONE.replace(b"1" * 700, b"2" * 700))
    wrong = Image(
        image.manifest, image.config, {layer.blob.digest: Remote(parse_repository("b/c"))}
    )
    Path(reach.store.blob_path(changed)).rename(reach.store.blob_path(layer.diff_id))
    with pytest.raises(Corrupt, match="changed since"):
        read_file(wrong, "/l", 700, reach)


def test_a_hard_link_to_a_lower_layer_is_copied_as_the_file(tmp_path: Path) -> None:
    reach, _ = reach_of(f"{tmp_path}/store")
    image = image_of(reach.store, ONE, TWO)

    (entry,) = copy_entries(image, "/b/three", "/out", reach)

    assert (entry.path, entry.kind, entry.size) == ("out", "0", 700)
    assert isinstance(entry.source, Span)
    kinds = {one.path: (one.kind, one.link) for one in copy_entries(image, "/", None, reach)}
    assert kinds == {
        "a": ("5", ""),
        "a/one": ("0", ""),
        "a/two": ("1", "a/one"),
        "b": ("5", ""),
        "b/three": ("1", "a/one"),
        "l": ("2", "a/one"),
    }


def test_a_hard_link_to_nothing_is_an_error(tmp_path: Path) -> None:
    reach, _ = reach_of(f"{tmp_path}/store")
    image = image_of(reach.store, TWO)

    with pytest.raises(NoSuchFile, match="which is no file"):
        copy_entries(image, "/b", None, reach)
    with pytest.raises(NoSuchFile) as error:
        copy_entries(image, "/nowhere/x", None, reach)
    assert error.value.hint is None


def test_an_artifact_is_pulled_with_its_blobs(tmp_path: Path) -> None:
    reach, _ = reach_of(f"{tmp_path}/store")
    (tmp_path / "sbom").write_bytes(b"sbom")
    blob = Blob(Descriptor.for_bytes("text/plain", b"sbom"), Stored(f"{tmp_path}/sbom"))
    manifest = {"schemaVersion": 2, "config": blob.descriptor.document, "layers": []}
    image = image_of(reach.store, ONE)
    artifact = Artifact(dump(manifest), (blob,))
    index = index_of_images(image)

    pulled = pull(Index(index.manifest, (image, artifact)), reach)

    assert isinstance(pulled, Index)
    member = pulled.members[1]
    assert isinstance(member, Artifact)
    assert member.blobs[0].origin == Stored(reach.store.blob_path(blob.digest))


def test_a_layout_of_one_image_a_platform_is_taken_for_an_index(tmp_path: Path) -> None:
    reach, _ = reach_of(f"{tmp_path}/store")
    amd = image_of(reach.store, ONE)
    arm = image_of(reach.store, TWO, platform="linux/arm64")
    index = index_of_images(amd, arm)
    write_layout(index, Layout(f"{tmp_path}/l", "x"), reach)
    (tmp_path / "l" / "index.json").write_bytes(index.manifest)

    found = find_in_layout(Layout(f"{tmp_path}/l"))

    assert len(platforms(found)) == 2
    assert image_for(found, Platform.parse("arm64")) == arm


def test_a_name_whose_blobs_were_pruned_says_so(tmp_path: Path) -> None:
    reach, _ = reach_of(f"{tmp_path}/store")
    image = image_of(reach.store, ONE)
    reach.store.set_name("Odd Name", image.descriptor)
    with pytest.raises(NotFound, match="the store lacks") as error:
        image_for(find_in_store(StoreName("Odd Name"), reach.store), None)
    assert "pull it again" in (error.value.hint or "")

    reach.store.put(image.manifest)
    reach.store.put(image.config)
    reach.store.discard(image.layers[0].blob.digest)
    with pytest.raises(NotFound, match="lacks the blob"):
        image_for(find_in_store(StoreName("Odd Name"), reach.store), None)
    empty, _ = reach_of(f"{tmp_path}/empty")
    with pytest.raises(NotFound) as error:
        find_in_store(StoreName("x:1"), empty.store)
    assert "it has none" in (error.value.hint or "")
