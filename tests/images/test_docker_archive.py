import gzip
import json
import lzma
import subprocess
import tarfile
from pathlib import Path

import pytest

from artificer.images.archive import InvalidArchive
from artificer.images.bytes_of import chunks_of
from artificer.images.docker_archive import (
    Saved,
    find_in_docker_archive,
    saved_as,
    write_docker_archive,
)
from artificer.images.oci_archive import write_oci_archive
from artificer.images.place import NotAnImage, NotFound, image_for
from artificer.layers.encode import encoder
from artificer.layers.inflate import plain
from artificer.oci.digest import Digest
from artificer.oci.edit import Stamp, appended, empty
from artificer.oci.image import Image, InvalidImage
from artificer.oci.platform import LINUX_AMD64
from artificer.oci.reference import DockerArchive, OciArchive, parse_name
from tests.images.made import hard, image_of, index_of_images, link, reach_of, tar_of
from tests.parts.commands import Command
from tests.parts.engines import DockerDaemon

ONE = tar_of(("etc/one", b"1" * 5000))
TWO = tar_of(("etc/two", b"2"))


def _diff_ids(image: Image) -> list[Digest]:
    return [layer.diff_id for layer in image.layers]


def _zstd_image(tmp_path: Path) -> Image:
    from artificer.images.flatten import layer_in_store
    from artificer.layers.entry import FILE, Entry
    from artificer.layers.write import write_layer

    reach, _ = reach_of(f"{tmp_path}/store")
    kind = encoder("zstd")
    entry = Entry("etc/z", FILE, 0o644, 0, 0, 1, 0, "", b"z")
    written = write_layer([entry], kind, reach.store, stop=reach.stop)
    layer = layer_in_store(written, "oci", kind, reach.store)
    return appended(empty(LINUX_AMD64, "oci"), [layer], ["z"], Stamp())


def _legacy(path: Path, image: Image) -> None:
    """Write what docker before 25 saved: a folder a layer, links to layers that it had before."""
    config = image.config
    tars = {"a": ONE, "b": TWO}
    listing = [
        {
            "Config": "c.json",
            "RepoTags": ["demo:1"],
            "Layers": ["a/layer.tar", "b/layer.tar"],
        }
    ]
    data = tar_of(
        ("real/layer.tar", tars["a"]),
        ("a/layer.tar", link("../real/layer.tar")),
        ("b/real.tar", tars["b"]),
        ("b/layer.tar", hard("b/real.tar")),
        ("c.json", config),
        ("manifest.json", json.dumps(listing).encode()),
    )
    path.write_bytes(data)


@pytest.mark.parametrize("compressed", [True, False])
def test_what_is_saved_is_the_same_image_when_read(tmp_path: Path, compressed: bool) -> None:
    reach, _ = reach_of(f"{tmp_path}/store")
    image = image_of(reach.store, ONE, TWO, compressed=compressed)
    name = parse_name("demo:1")

    write_docker_archive([Saved(image, (name,))], f"{tmp_path}/a.tar", reach)
    fresh, _ = reach_of(f"{tmp_path}/s2")
    read = image_for(find_in_docker_archive(DockerArchive(f"{tmp_path}/a.tar"), fresh), None)

    assert read.config == image.config
    assert _diff_ids(read) == _diff_ids(image)
    assert [layer.blob.digest for layer in read.layers] == [
        layer.blob.digest for layer in image.layers
    ]
    assert b"".join(plain(chunks_of(read.layers[0].blob, fresh))) == ONE


@pytest.mark.parametrize("kind", ["gz", "xz", "bz2", "zst"])
def test_a_compressed_archive_is_read_too(tmp_path: Path, kind: str) -> None:
    reach, _ = reach_of(f"{tmp_path}/store")
    image = image_of(reach.store, ONE, TWO)
    _legacy(tmp_path / "a.tar", image)
    command = {"gz": "gzip", "xz": "xz", "bz2": "bzip2", "zst": "zstd"}[kind]
    packed = tmp_path / f"a.{kind}"
    with packed.open("wb") as file:
        subprocess.run([command, "-c", tmp_path / "a.tar"], stdout=file, check=True)

    read = image_for(find_in_docker_archive(DockerArchive(str(packed)), reach), None)

    assert _diff_ids(read) == _diff_ids(image)
    assert b"".join(chunks_of(read.layers[1].blob, reach)) == TWO


def test_several_images_need_a_name(tmp_path: Path) -> None:
    reach, _ = reach_of(f"{tmp_path}/store")
    one, two = image_of(reach.store, ONE), image_of(reach.store, ONE, TWO)
    saved = [Saved(one, (parse_name("a:1"),)), Saved(two, (parse_name("b:latest"),))]
    path = f"{tmp_path}/a.tar"

    write_docker_archive(saved, path, reach)

    found = find_in_docker_archive(DockerArchive(path, parse_name("b")), reach)
    assert image_for(found, None).config == two.config
    with pytest.raises(NotFound, match="holds several images"):
        find_in_docker_archive(DockerArchive(path), reach)
    with pytest.raises(NotFound) as error:
        find_in_docker_archive(DockerArchive(path, parse_name("c")), reach)
    assert error.value.hint == "it has a:1, b:latest"
    with tarfile.open(path) as tar:
        assert len(tar.getnames()) == len(set(tar.getnames())) == 5


def test_an_index_of_several_platforms_is_refused(tmp_path: Path) -> None:
    reach, _ = reach_of(f"{tmp_path}/store")
    amd = image_of(reach.store, ONE)
    arm = image_of(reach.store, ONE, platform="linux/arm64")

    assert saved_as(index_of_images(amd), None).image == amd
    with pytest.raises(NotAnImage, match="of one platform"):
        saved_as(index_of_images(amd, arm), None)


def test_a_zstd_layer_is_saved_uncompressed(tmp_path: Path) -> None:
    image = _zstd_image(tmp_path)
    reach, _ = reach_of(f"{tmp_path}/store")

    write_docker_archive([Saved(image, ())], f"{tmp_path}/a.tar", reach)

    read = image_for(find_in_docker_archive(DockerArchive(f"{tmp_path}/a.tar"), reach), None)
    assert read.layers[0].blob.digest == image.layers[0].diff_id


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"hello", InvalidArchive),
        (b"", InvalidArchive),
        (tar_of(("x", b"")), InvalidArchive),
        (tar_of(("manifest.json", b"{}")), InvalidArchive),
        (tar_of(("manifest.json", b'[{"Config": 1}]')), InvalidArchive),
        (tar_of(("manifest.json", b'[{"Config": "gone.json"}]')), NotFound),
        (
            tar_of(("manifest.json", b'[{"Config":"c","Layers":["l"]}]'), ("c", b"{}")),
            InvalidImage,
        ),
        (tar_of(("manifest.json", link("manifest.json"))), NotFound),
        (tar_of(("../manifest.json", b"[]")), InvalidArchive),
        (ONE[:1000], InvalidArchive),
        (gzip.compress(tar_of(("x", b"")), mtime=0)[:-10], None),
    ],
)
def test_a_broken_archive_is_a_clear_error(
    tmp_path: Path, data: bytes, error: type[Exception] | None
) -> None:
    reach, _ = reach_of(f"{tmp_path}/store")
    (tmp_path / "a.tar").write_bytes(data)
    from artificer.errors import ArtificerError

    with pytest.raises(error or ArtificerError):
        find_in_docker_archive(DockerArchive(f"{tmp_path}/a.tar"), reach)


def test_a_bomb_fills_no_disk(tmp_path: Path) -> None:
    from artificer.layers.inflate import Bomb

    reach, _ = reach_of(f"{tmp_path}/store")
    (tmp_path / "a.tar.xz").write_bytes(lzma.compress(bytes(64 << 20)) * 17)

    with pytest.raises(Bomb):
        find_in_docker_archive(DockerArchive(f"{tmp_path}/a.tar.xz"), reach)
    assert not list((tmp_path / "store" / "tmp").iterdir())


def test_skopeo_reads_what_we_save_and_we_read_what_it_saves(
    tmp_path: Path, skopeo: Command
) -> None:
    reach, _ = reach_of(f"{tmp_path}/store")
    image = image_of(reach.store, ONE, TWO)
    write_docker_archive([saved_as(image, parse_name("demo"))], f"{tmp_path}/a.tar", reach)

    skopeo.run("copy", f"docker-archive:{tmp_path}/a.tar:demo", f"dir:{tmp_path}/d")
    skopeo.run(
        "copy", f"docker-archive:{tmp_path}/a.tar", f"docker-archive:{tmp_path}/b.tar:demo:2"
    )
    document = json.loads((tmp_path / "d" / "manifest.json").read_bytes())
    assert document["config"]["digest"] == image.config_descriptor.digest
    theirs = DockerArchive(f"{tmp_path}/b.tar", parse_name("demo:2"))
    assert _diff_ids(image_for(find_in_docker_archive(theirs, reach), None)) == _diff_ids(image)


def test_podman_loads_both_kinds_of_archive(tmp_path: Path, podman: Command) -> None:
    reach, _ = reach_of(f"{tmp_path}/store")
    image = image_of(reach.store, ONE, TWO)
    write_docker_archive([saved_as(image, parse_name("saved:1"))], f"{tmp_path}/a.tar", reach)
    write_oci_archive(image, OciArchive(f"{tmp_path}/b.tar", "docker.io/library/oci:1"), reach)

    assert "saved:1" in podman.output("load", "-i", f"{tmp_path}/a.tar")
    assert "oci" in podman.output("load", "-i", f"{tmp_path}/b.tar")


def test_docker_loads_both_kinds_of_archive(tmp_path: Path, docker_daemon: DockerDaemon) -> None:
    reach, _ = reach_of(f"{tmp_path}/store")
    image = image_of(reach.store, ONE, TWO)
    write_docker_archive([saved_as(image, parse_name("saved:1"))], f"{tmp_path}/a.tar", reach)
    write_oci_archive(image, OciArchive(f"{tmp_path}/b.tar", "docker.io/library/oci:1"), reach)

    assert "saved:1" in docker_daemon.run("load", "-i", f"{tmp_path}/a.tar").stdout
    assert "oci:1" in docker_daemon.run("load", "-i", f"{tmp_path}/b.tar").stdout
    identity = docker_daemon.run("inspect", "--format", "{{.Id}}", "saved:1").stdout.strip()
    assert identity == image.config_descriptor.digest
    docker_daemon.run("save", "-o", f"{tmp_path}/c.tar", "saved:1")
    theirs = find_in_docker_archive(DockerArchive(f"{tmp_path}/c.tar"), reach)
    assert _diff_ids(image_for(theirs, None)) == _diff_ids(image)
