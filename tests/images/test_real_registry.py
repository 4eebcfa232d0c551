from collections.abc import Iterator
from pathlib import Path

import pytest

from artificer.events import BlobMounted, BlobSent
from artificer.images.deliver import Order, deliver
from artificer.images.files import read_file, tree_of
from artificer.images.find import find
from artificer.images.place import NotFound, image_for, platforms, whole
from artificer.images.push import Delivery, push
from artificer.images.reach import Reach
from artificer.images.unpack import unpack
from artificer.oci.edit import Stamp, appended
from artificer.oci.platform import Platform
from artificer.oci.reference import (
    DockerArchive,
    Layout,
    OciArchive,
    Reference,
    RootFs,
    StoreName,
    parse_name,
)
from artificer.stop import Stop
from artificer.store.blobs import open_store
from tests.images.made import layer_of, tar_of
from tests.parts.commands import Command
from tests.parts.images import BaseImage
from tests.parts.registries import Registry
from tests.registry.clients import Client

HELLO = tar_of(("srv/hello", b"hello\n" * 1000))


@pytest.fixture
def client() -> Iterator[Client]:
    client = Client()
    yield client
    client.close()


@pytest.fixture
def reach(client: Client, tmp_path: Path) -> Reach:
    store = open_store(f"{tmp_path}/store")
    return Reach(store, client.registry, client.events.append, Stop())


def test_a_base_of_the_registry_is_built_upon_without_moving_its_layers(
    reach: Reach,
    client: Client,
    alpine: BaseImage,
    fresh_repository: str,
    open_registry: Registry,
    skopeo: Command,
) -> None:
    before = len(open_registry.requests())
    base = image_for(find(parse_name(alpine.reference), reach), None)
    image = appended(base, [layer_of(reach.store, HELLO)], ["hello"], Stamp())

    push([Delivery(image, parse_name(f"{fresh_repository}:1"))], reach)

    requests = open_registry.requests()[before:]
    assert len(requests) <= 14, requests
    assert len([event for event in client.events if isinstance(event, BlobMounted)]) == len(
        base.layers
    )
    sent = [event.size for event in client.events if isinstance(event, BlobSent)]
    assert len(sent) == 2
    digest = skopeo.output("inspect", "--format", "{{.Digest}}", f"docker://{fresh_repository}:1")
    assert digest == image.digest
    before = len(open_registry.requests())
    push([Delivery(image, parse_name(f"{fresh_repository}:1"))], reach)
    assert len(open_registry.requests()) == before + 1


def test_an_index_is_copied_whole(
    reach: Reach, multi: BaseImage, fresh_repository: str, skopeo: Command
) -> None:
    found = find(parse_name(multi.reference), reach)
    content = whole(found)
    assert {str(one) for one in platforms(found)} == {"linux/amd64", "linux/arm64"}

    push([Delivery(content, parse_name(f"{fresh_repository}:all"))], reach)

    raw = skopeo.run("inspect", "--raw", f"docker://{fresh_repository}:all").stdout
    assert raw.encode() == content.manifest
    copied = whole(find(parse_name(f"{fresh_repository}:all"), reach))
    assert copied == content
    arm = image_for(find(parse_name(f"{fresh_repository}:all"), reach), Platform.parse("arm64"))
    assert str(arm.platform) == "linux/arm64"


def test_every_kind_of_place_takes_an_image_and_gives_it_back(
    reach: Reach, alpine: BaseImage, fresh_repository: str, tmp_path: Path
) -> None:
    image = image_for(find(parse_name(alpine.reference), reach), None)
    targets: list[Reference] = [
        Layout(f"{tmp_path}/layout", "a"),
        OciArchive(f"{tmp_path}/oci.tar", "a"),
        DockerArchive(f"{tmp_path}/docker.tar", parse_name("a:1")),
        StoreName("a"),
        RootFs(f"{tmp_path}/root"),
        parse_name(f"{fresh_repository}:a"),
    ]

    deliver([Order(image, target) for target in targets], reach)

    for target in targets:
        back = image_for(find(target, reach), None)
        if not isinstance(target, RootFs):
            assert back.config == image.config
            assert [one.diff_id for one in back.layers] == [one.diff_id for one in image.layers]
        if not isinstance(target, RootFs | DockerArchive):
            assert back == image


def test_files_of_a_base_are_read_through_its_index(
    reach: Reach, alpine: BaseImage, open_registry: Registry, tmp_path: Path
) -> None:
    image = image_for(find(parse_name(alpine.reference), reach), None)

    tree = tree_of(image, reach)
    unpack(image, f"{tmp_path}/root", reach)

    assert {file.path for file in tree} == {
        str(path.relative_to(tmp_path / "root")) for path in (tmp_path / "root").rglob("*")
    }
    passwd = read_file(image, "/etc/passwd", 1 << 20, reach)
    assert passwd == (tmp_path / "root/etc/passwd").read_bytes()
    before = len(open_registry.requests())
    tree_of(image, reach)
    assert len(open_registry.requests()) == before


def test_a_base_that_is_not_there_is_told(reach: Reach, open_registry: Registry) -> None:
    with pytest.raises(NotFound, match="no such image") as error:
        find(parse_name(f"{open_registry.host}/library/nothing:1"), reach)
    assert "artificer ls" in (error.value.hint or "")


def test_podman_runs_what_was_pushed(
    reach: Reach, alpine: BaseImage, fresh_repository: str, podman: Command
) -> None:
    base = image_for(find(parse_name(alpine.reference), reach), None)
    image = appended(base, [layer_of(reach.store, HELLO)], ["hello"], Stamp())
    push([Delivery(image, parse_name(f"{fresh_repository}:run"))], reach)

    said = podman.output("run", "--rm", f"{fresh_repository}:run", "head", "-n1", "/srv/hello")

    assert said == "hello"
