import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from artificer.errors import ArtificerError
from artificer.images.bytes_of import ForeignLayer, chunks_of
from artificer.images.check import faults_of
from artificer.images.compress import compressed
from artificer.images.daemon import find_in_daemon, load_into_daemon
from artificer.images.deliver import Order, deliver
from artificer.images.docker_archive import saved_as, write_docker_archive
from artificer.images.find import find
from artificer.images.flatten import flattened
from artificer.images.parts import parts_of
from artificer.images.place import NotAnImage, image_for
from artificer.images.push import Delivery, push
from artificer.images.unpack import unpack
from artificer.images.unwritable import Unwritable
from artificer.layers.encode import encoder
from artificer.layers.inflate import plain
from artificer.oci import media
from artificer.oci.descriptor import Descriptor
from artificer.oci.digest import Digest
from artificer.oci.edit import Stamp, appended
from artificer.oci.image import Blob, Image, Layer, Urls
from artificer.oci.reference import Daemon, Layout, Scratch, parse_name
from tests.images.made import FakeRegistry, image_of, reach_of, tar_of
from tests.parts.commands import Command
from tests.parts.waiting import wait_until

BIG = tar_of(("etc/one", b"".join(b"%08d: line\n" % number for number in range(200_000))))
TWO = tar_of(("etc/two", b"2"), ("etc/.wh.one", b""))


def _with_foreign_layer(image: Image) -> Image:
    url = "https://layers.example/1"
    descriptor = Descriptor.make(
        media.OCI_FOREIGN_LAYER_GZIP, Digest.of(b"windows"), 7, urls=[url]
    )
    layer = Layer(Blob(descriptor, Urls((url,))), Digest.of(b"tar"))
    return appended(image, [layer], ["windows"], Stamp())


@pytest.mark.parametrize("kind", ["gzip", "zstd"])
def test_plain_layers_are_compressed_without_changing_their_tars(
    tmp_path: Path, kind: str
) -> None:
    reach, _ = reach_of(f"{tmp_path}/store")
    image = image_of(reach.store, BIG, TWO, compressed=False)

    small = compressed(image, encoder(kind), reach)

    assert small.config == image.config
    assert [layer.diff_id for layer in small.layers] == [layer.diff_id for layer in image.layers]
    assert b"".join(plain(chunks_of(small.layers[0].blob, reach))) == BIG
    assert small.layers[0].descriptor.size < len(BIG) // 2
    assert {media.compression_of(one.descriptor.media_type) for one in small.layers} == {kind}
    assert list(faults_of(small, reach)) == []
    assert compressed(image, encoder(kind), reach) == small
    assert compressed(small, encoder("gzip"), reach) == small
    assert compressed(image, encoder("none"), reach) is image


def test_a_flattened_image_has_one_layer_and_the_same_files(tmp_path: Path) -> None:
    reach, _ = reach_of(f"{tmp_path}/store")
    image = image_of(reach.store, BIG, TWO)

    flat = flattened(image, encoder("gzip"), reach)

    assert len(flat.layers) == 1
    assert flat.settings == image.settings
    assert flat.platform == image.platform
    assert list(faults_of(flat, reach)) == []
    unpack(flat, f"{tmp_path}/root", reach)
    assert [path.name for path in (tmp_path / "root" / "etc").iterdir()] == ["two"]


def test_a_foreign_layer_keeps_its_urls_and_is_never_sent(tmp_path: Path) -> None:
    registry = FakeRegistry()
    reach, _ = reach_of(f"{tmp_path}/store", registry)
    image = _with_foreign_layer(image_of(reach.store, TWO))
    foreign = image.layers[1].blob.digest
    layout = Layout(f"{tmp_path}/l", "x")

    push([Delivery(image, parse_name("a.example/x:1"))], reach)
    deliver([Order(image, layout)], reach)

    assert [blob.digest for blob in parts_of(image).foreign] == [foreign]
    assert not [line for line in registry.requests if foreign in line]
    for reference in (parse_name("a.example/x:1"), layout):
        again = image_for(find(reference, reach), None)
        assert again == image
        assert again.layers[1].blob.origin == Urls(("https://layers.example/1",))
    with pytest.raises(ForeignLayer, match="may only be fetched from"):
        unpack(image, f"{tmp_path}/root", reach)
    with pytest.raises(NotAnImage, match="a foreign one"):
        write_docker_archive([saved_as(image, None)], f"{tmp_path}/a.tar", reach)
    assert not (tmp_path / "a.tar").exists()


def test_a_full_disk_is_a_clear_error(tmp_path: Path) -> None:
    reach, _ = reach_of(f"{tmp_path}/store")
    image = image_of(reach.store, BIG)

    with pytest.raises(Unwritable, match="/dev/full: cannot be written: no space left"):
        write_docker_archive([saved_as(image, None)], "/dev/full", reach)
    with pytest.raises(Unwritable, match="cannot be written"):
        write_docker_archive([saved_as(image, None)], f"{tmp_path}/no/such/a.tar", reach)
    (tmp_path / "file").write_text("")
    with pytest.raises(Unwritable):
        deliver([Order(image, Layout(f"{tmp_path}/file/l"))], reach)


def test_scratch_is_an_image_without_layers_and_no_target(tmp_path: Path) -> None:
    reach, _ = reach_of(f"{tmp_path}/store")

    image = image_for(find(Scratch(), reach), None)

    assert image.layers == ()
    with pytest.raises(ArtificerError, match="scratch is a base"):
        deliver([Order(image, Scratch())], reach)


@pytest.fixture
def podman_socket(podman: Command, parts_folder: Path) -> Iterator[str]:
    """The docker-compatible socket of podman."""
    path = parts_folder / "podman.sock"
    environ = dict(podman.environ)
    words = [podman.path, *podman.words, "system", "service", "--time=0", f"unix://{path}"]
    with subprocess.Popen(words, env=environ, stderr=subprocess.DEVNULL) as service:
        try:
            wait_until(lambda: _answers(path), "podman does not serve")
            yield f"unix://{path}"
        finally:
            service.terminate()


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as asking:
        return asking.connect_ex(str(path)) == 0


def test_podman_takes_and_gives_images_like_docker(tmp_path: Path, podman_socket: str) -> None:
    reach, _ = reach_of(f"{tmp_path}/store")
    image = image_of(reach.store, BIG, TWO)
    reference = Daemon(parse_name("artificer/podman:1"))

    load_into_daemon(image, reference, podman_socket, reach)
    found = image_for(find_in_daemon(reference, podman_socket, reach), None)

    assert found.config == image.config
    assert [layer.diff_id for layer in found.layers] == [one.diff_id for one in image.layers]
