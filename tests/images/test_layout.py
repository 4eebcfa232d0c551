import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from artificer import limits
from artificer.images.docker_archive import saved_as, write_docker_archive
from artificer.images.layout import NotALayout, find_in_layout, write_layout
from artificer.images.oci_archive import find_in_oci_archive, write_oci_archive
from artificer.images.place import Corrupt, NotFound, WrongPlatform, image_for, platforms, whole
from artificer.images.reach import Reach
from artificer.images.written import copy_to
from artificer.oci.document import InvalidDocument
from artificer.oci.image import Image, InvalidImage, Stored
from artificer.oci.platform import Platform
from artificer.oci.reference import Layout, OciArchive
from tests.images.made import image_of, index_of_images, reach_of, schema_1, tar_of
from tests.parts.commands import Command

ONE = tar_of(("etc/one", b"1"))
TWO = tar_of(("etc/two", b"2"))


def test_what_is_written_is_read_back_from_an_empty_store(tmp_path: Path) -> None:
    reach, _ = reach_of(f"{tmp_path}/store")
    image = image_of(reach.store, ONE, TWO)
    layout = Layout(f"{tmp_path}/layout", "a")

    write_layout(image, layout, reach)
    found = image_for(find_in_layout(layout), None)

    assert found == image
    assert all(isinstance(layer.blob.origin, Stored) for layer in found.layers)
    reach_2, _ = reach_of(f"{tmp_path}/store2")
    write_layout(found, Layout(f"{tmp_path}/copy", "a"), reach_2)
    assert image_for(find_in_layout(Layout(f"{tmp_path}/copy", "a")), None) == image


def test_a_layout_keeps_its_other_images_and_unknown_files(tmp_path: Path) -> None:
    reach, _ = reach_of(f"{tmp_path}/store")
    one, two, three = (image_of(reach.store, tar_of((name, b""))) for name in "abc")
    write_layout(one, Layout(f"{tmp_path}/l", "one"), reach)
    (tmp_path / "l" / "notes.txt").write_text("mine")
    write_layout(two, Layout(f"{tmp_path}/l", "two"), reach)
    write_layout(three, Layout(f"{tmp_path}/l", "one"), reach)

    assert image_for(find_in_layout(Layout(f"{tmp_path}/l", "one")), None) == three
    assert image_for(find_in_layout(Layout(f"{tmp_path}/l", "two")), None) == two
    assert (tmp_path / "l" / "notes.txt").read_text() == "mine"


def _write(kind: str, image: Image, path: str, reach: Reach) -> None:
    match kind:
        case "oci":
            write_layout(image, Layout(path, "a"), reach)
        case "oci-archive":
            write_oci_archive(image, OciArchive(path, "a"), reach)
        case _:
            write_docker_archive([saved_as(image, None)], path, reach)


@pytest.mark.parametrize("kind", ["oci", "oci-archive", "docker-archive"])
def test_damage_in_the_store_is_noticed_goes_nowhere_and_is_removed(
    tmp_path: Path, kind: str
) -> None:
    reach, _ = reach_of(f"{tmp_path}/store")
    image = image_of(reach.store, ONE, TWO)
    digest = image.layers[1].blob.digest
    path = Path(reach.store.blob_path(digest))
    path.chmod(0o644)
    path.write_bytes(bytes(path.stat().st_size))
    with pytest.raises(Corrupt, match="it was damaged in the store") as caught:
        _write(kind, image, f"{tmp_path}/out", reach)

    assert caught.value.hint is not None
    assert reach.store.has(digest) is None
    left = {path.name for path in (tmp_path / "out").rglob("*")} if kind == "oci" else ()
    assert "index.json" not in left
    assert digest.hex not in left
    assert kind == "oci" or not (tmp_path / "out").exists()


def test_many_writers_of_one_layout_lose_nothing(tmp_path: Path) -> None:
    reach, _ = reach_of(f"{tmp_path}/store")
    images = [image_of(reach.store, ONE, tar_of((f"n{number}", b""))) for number in range(8)]
    targets = [Layout(f"{tmp_path}/l", f"t{number}") for number in range(8)]

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write_layout, images, targets, [reach] * 8))

    for image, target in zip(images, targets, strict=True):
        assert image_for(find_in_layout(target), None) == image
    assert not list((tmp_path / "l").rglob("*.partial*"))


def test_without_a_tag_the_only_image_is_meant(tmp_path: Path) -> None:
    reach, _ = reach_of(f"{tmp_path}/store")
    write_layout(image_of(reach.store, ONE), Layout(f"{tmp_path}/l", "one"), reach)
    assert find_in_layout(Layout(f"{tmp_path}/l"))

    write_layout(image_of(reach.store, TWO), Layout(f"{tmp_path}/l", "two"), reach)

    with pytest.raises(NotFound) as error:
        find_in_layout(Layout(f"{tmp_path}/l"))
    assert error.value.hint == "say which: it has one, two"
    with pytest.raises(NotFound, match="no such image"):
        find_in_layout(Layout(f"{tmp_path}/l", "three"))


def test_an_index_is_written_whole_and_a_platform_chosen_from_it(tmp_path: Path) -> None:
    reach, _ = reach_of(f"{tmp_path}/store")
    amd = image_of(reach.store, ONE)
    arm = image_of(reach.store, TWO, platform="linux/arm64")
    index = index_of_images(amd, arm)
    write_layout(index_of_images(amd, arm), Layout(f"{tmp_path}/l", "x"), reach)

    found = find_in_layout(Layout(f"{tmp_path}/l", "x"))

    assert whole(found) == index
    assert image_for(found, Platform.parse("arm64")) == arm
    assert image_for(found, None) == amd
    assert [str(one) for one in platforms(found)] == ["linux/amd64", "linux/arm64"]
    with pytest.raises(WrongPlatform, match="no linux/s390x image") as error:
        image_for(found, Platform.parse("s390x"))
    assert error.value.hint == "it has linux/amd64, linux/arm64; choose with `--platform`"


def test_a_lone_image_of_another_platform_is_refused(tmp_path: Path) -> None:
    reach, _ = reach_of(f"{tmp_path}/store")
    image = image_of(reach.store, ONE, platform="linux/arm64")
    write_layout(image, Layout(f"{tmp_path}/l", "x"), reach)
    found = find_in_layout(Layout(f"{tmp_path}/l", "x"))

    assert image_for(found, None) == image
    with pytest.raises(WrongPlatform, match="has no linux/amd64 image"):
        image_for(found, Platform.parse("linux/amd64"))


def test_a_nested_index_is_opened_but_not_without_end(tmp_path: Path) -> None:
    reach, _ = reach_of(f"{tmp_path}/store")
    content = index_of_images(image_of(reach.store, ONE))
    for depth in range(5):
        document = json.loads(content.manifest)
        document["manifests"] = [content.descriptor.document]
        manifest = json.dumps(document).encode()
        content = type(content)(manifest, (content,))
        write_layout(content, Layout(f"{tmp_path}/l", f"d{depth + 2}"), reach)

    assert image_for(find_in_layout(Layout(f"{tmp_path}/l", "d4")), None).layers
    with pytest.raises(InvalidImage, match="nested deeper"):
        image_for(find_in_layout(Layout(f"{tmp_path}/l", "d5")), None)
    with pytest.raises(InvalidImage, match="nested deeper"):
        whole(find_in_layout(Layout(f"{tmp_path}/l", "d6")))


def test_indexes_in_indexes_list_no_more_than_one_may(tmp_path: Path) -> None:
    reach, _ = reach_of(f"{tmp_path}/store")
    content = index_of_images(image_of(reach.store, ONE))
    half = limits.INDEX_MEMBERS // 2
    for tag, times in (("fits", half - 1), ("more", half)):
        document = json.loads(content.manifest)
        document["manifests"] = document["manifests"] * times
        inner = type(content)(json.dumps(document).encode(), content.members)
        document["manifests"] = [inner.descriptor.document] * 2
        outer = type(content)(json.dumps(document).encode(), (inner,))
        write_layout(outer, Layout(f"{tmp_path}/l", tag), reach)

    fits, more = (find_in_layout(Layout(f"{tmp_path}/l", tag)) for tag in ("fits", "more"))
    assert image_for(fits, None).layers
    assert image_for(fits, None) == whole(fits).members[0].members[0]  # type: ignore[union-attr]
    for act in (platforms, whole):
        with pytest.raises(InvalidImage, match="more than 1000 manifests"):
            act(more)


def test_a_damaged_document_is_found_out(tmp_path: Path) -> None:
    reach, _ = reach_of(f"{tmp_path}/store")
    image = image_of(reach.store, ONE)
    write_layout(image, Layout(f"{tmp_path}/l", "x"), reach)
    path = tmp_path / "l" / "blobs" / "sha256" / image.digest.hex
    path.write_bytes(path.read_bytes().replace(b"layers", b"LAYERS"))

    with pytest.raises(Corrupt, match="are not those that its digest names"):
        image_for(find_in_layout(Layout(f"{tmp_path}/l", "x")), None)


def test_a_damaged_layer_never_gets_into_another_place(tmp_path: Path) -> None:
    reach, _ = reach_of(f"{tmp_path}/store")
    image = image_of(reach.store, ONE, compressed=False)
    write_layout(image, Layout(f"{tmp_path}/l", "x"), reach)
    blob = image.layers[0].blob
    path = tmp_path / "l" / "blobs" / "sha256" / blob.digest.hex
    data = path.read_bytes()
    path.unlink()
    path.write_bytes(data.replace(b"1", b"2"))
    fresh, _ = reach_of(f"{tmp_path}/fresh")
    copy = image_for(find_in_layout(Layout(f"{tmp_path}/l", "x")), None)

    with pytest.raises(Corrupt):
        copy_to(copy.layers[0].blob, f"{tmp_path}/copied", fresh)
    assert not list(tmp_path.glob("copied*"))


def test_what_is_no_layout_is_named(tmp_path: Path) -> None:
    reach, _ = reach_of(f"{tmp_path}/store")
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "file").write_text("")

    with pytest.raises(NotFound, match="no such directory"):
        find_in_layout(Layout(f"{tmp_path}/missing"))
    with pytest.raises(NotALayout, match="it has no oci-layout"):
        find_in_layout(Layout(f"{tmp_path}/x"))
    with pytest.raises(NotALayout, match="has other files"):
        write_layout(image_of(reach.store, ONE), Layout(f"{tmp_path}/x", "a"), reach)
    (tmp_path / "x" / "oci-layout").write_text('{"imageLayoutVersion":"9.0.0"}')
    with pytest.raises(NotALayout, match=r"unknown version '9\.0\.0'"):
        find_in_layout(Layout(f"{tmp_path}/x"))
    (tmp_path / "x" / "oci-layout").write_text("[]")
    with pytest.raises(InvalidDocument):
        find_in_layout(Layout(f"{tmp_path}/x"))


def test_schema_1_is_refused_by_name(tmp_path: Path) -> None:
    reach, _ = reach_of(f"{tmp_path}/store")
    write_layout(image_of(reach.store, ONE), Layout(f"{tmp_path}/l", "x"), reach)
    from artificer.oci.descriptor import Descriptor

    entry = Descriptor.for_bytes("application/vnd.oci.image.manifest.v1+json", schema_1())
    (tmp_path / "l" / "blobs" / "sha256" / entry.digest.hex).write_bytes(schema_1())
    (tmp_path / "l" / "index.json").write_text(
        json.dumps({"schemaVersion": 2, "manifests": [entry.document]})
    )

    with pytest.raises(InvalidImage, match="schema 1"):
        image_for(find_in_layout(Layout(f"{tmp_path}/l")), None)


def test_an_archive_is_read_where_it_lies(tmp_path: Path) -> None:
    reach, _ = reach_of(f"{tmp_path}/store")
    image = image_of(reach.store, ONE, TWO)
    archive = OciArchive(f"{tmp_path}/a.tar", "t")

    write_oci_archive(image, archive, reach)
    found = image_for(find_in_oci_archive(archive, reach_of(f"{tmp_path}/s2")[0]), None)

    assert found == image
    origin = found.layers[1].blob.origin
    assert isinstance(origin, Stored)
    assert origin.path == f"{tmp_path}/a.tar"
    assert origin.offset % 512 == 0


def test_the_same_image_gives_the_same_archive(tmp_path: Path) -> None:
    reach, _ = reach_of(f"{tmp_path}/store")
    image = image_of(reach.store, ONE, TWO)

    write_oci_archive(image, OciArchive(f"{tmp_path}/a.tar", "t"), reach)
    write_oci_archive(image, OciArchive(f"{tmp_path}/b.tar", "t"), reach)

    assert (tmp_path / "a.tar").read_bytes() == (tmp_path / "b.tar").read_bytes()


def test_skopeo_reads_what_we_write(tmp_path: Path, skopeo: Command) -> None:
    reach, _ = reach_of(f"{tmp_path}/store")
    image = image_of(reach.store, ONE, TWO)
    write_layout(image, Layout(f"{tmp_path}/l", "x"), reach)
    write_oci_archive(image, OciArchive(f"{tmp_path}/a.tar", "x"), reach)

    for source in (f"oci:{tmp_path}/l:x", f"oci-archive:{tmp_path}/a.tar:x"):
        skopeo.run("copy", source, f"dir:{tmp_path}/dir")
        assert (tmp_path / "dir" / "manifest.json").read_bytes() == image.manifest


def test_we_read_what_skopeo_writes(tmp_path: Path, skopeo: Command) -> None:
    reach, _ = reach_of(f"{tmp_path}/store")
    image = image_of(reach.store, ONE, TWO)
    write_layout(image, Layout(f"{tmp_path}/l", "x"), reach)
    skopeo.run("copy", f"oci:{tmp_path}/l:x", f"oci:{tmp_path}/theirs:y")
    skopeo.run("copy", f"oci:{tmp_path}/l:x", f"oci-archive:{tmp_path}/theirs.tar:y")

    assert image_for(find_in_layout(Layout(f"{tmp_path}/theirs", "y")), None) == image
    found = find_in_oci_archive(OciArchive(f"{tmp_path}/theirs.tar", "y"), reach)
    assert image_for(found, None) == image
