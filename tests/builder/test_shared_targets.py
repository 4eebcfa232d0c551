"""Machines share targets through a repository, and what was built is pushed all at once."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from artificer.builder.build import Sources
from artificer.builder.graph import make
from artificer.builder.known import Known
from artificer.builder.outcome import Outcome
from artificer.builder.products import Done, Images
from artificer.builder.recipe import Cache
from artificer.builder.running import (
    NoPlace,
    Where,
    insecure_registries,
    loaded,
    pushed,
)
from artificer.builder.targets import (
    Command,
    ImageTarget,
    LayerTarget,
    Load,
    Output,
    Pull,
    Push,
    TargetId,
    Wishes,
)
from artificer.builder.task import GraphOptions
from artificer.errors import Misused
from artificer.events import BlobSent, LayerWritten
from artificer.images.reach import Reach
from artificer.oci.image import Image
from artificer.oci.reference import Named, parse_name
from artificer.stop import Stop
from artificer.store.blobs import open_store
from tests.builder.graphs import Workspace, put, reasons, started
from tests.parts.commands import Command as Program
from tests.parts.images import BaseImage
from tests.registry.clients import Client

Machine = Callable[[str], Reach]


@pytest.fixture
def client() -> Iterator[Client]:
    client = Client()
    yield client
    client.close()


@pytest.fixture
def machine(client: Client, tmp_path: Path) -> Machine:
    """A machine by name: a store of its own, and the registries."""

    def reach(name: str) -> Reach:
        store = open_store(str(tmp_path / name))
        return Reach(store, client.registry, client.events.append, Stop())

    return reach


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "workspace")


@pytest.fixture
def cache(fresh_repository: str) -> Cache:
    return Cache(parse_name(fresh_repository))


def graph(workspace: Workspace, base: BaseImage) -> TargetId:
    """An image on a base of the registry, of a layer and of what a command makes."""
    name = parse_name(f"{base.reference}@{base.digest}")
    assert isinstance(name, Named)
    pull = workspace.add("@base//image:image", Pull(name))
    made = workspace.add("//p:made", Command("date +%s%N | tee $@", "p", ("out",)))
    layer = workspace.add("//p:layer", LayerTarget(put(workspace.file("logo", "x" * 9999))))
    image = ImageTarget(Output(pull, "image.tar"), (layer,), put(made), Wishes(user="7"))
    return workspace.add("//p:image", image)


def outcome(
    workspace: Workspace, ids: list[TargetId], reach: Reach, cache: Cache | None = None
) -> Outcome:
    done = make(ids, workspace.graph, Sources(reach, Known(reach)), GraphOptions(cache=cache))
    done.check()
    return done


def test_a_second_machine_makes_nothing(
    workspace: Workspace, machine: Machine, client: Client, cache: Cache, alpine: BaseImage
) -> None:
    one = graph(workspace, alpine)
    first = outcome(workspace, [one], machine("first"), cache)
    client.events.clear()

    second = outcome(workspace, [one], machine("second"), cache)

    assert started(client.events) == []
    assert reasons(client.events) == {
        "@base//image:image": "found",
        "//p:made": "shared",
        "//p:layer": "shared",
        "//p:image": "shared",
    }
    assert second.products[one] == first.products[one]
    assert not any(isinstance(event, LayerWritten) for event in client.events)


def test_a_cache_that_is_only_read_is_not_written(
    workspace: Workspace, machine: Machine, client: Client, cache: Cache, alpine: BaseImage
) -> None:
    one = graph(workspace, alpine)
    outcome(workspace, [one], machine("first"), cache._replace(readonly=True))
    client.events.clear()

    outcome(workspace, [one], machine("second"), cache)

    assert started(client.events)


def test_what_a_second_machine_was_told_can_be_pushed(
    workspace: Workspace,
    machine: Machine,
    cache: Cache,
    alpine: BaseImage,
    fresh_repository: str,
    skopeo: Program,
) -> None:
    one = graph(workspace, alpine)
    push = workspace.add("//p:push", Push(one, repository=f"{fresh_repository}/app", tags=("1",)))
    outcome(workspace, [push], machine("first"), cache)
    second = machine("second")
    done = outcome(workspace, [push], second, cache)

    lines = pushed([push], done, workspace.graph, second, Where())

    image = done.products[one]
    assert isinstance(image, Image)
    assert lines[push] == Done((f"{fresh_repository}/app@{image.digest}",))
    digest = skopeo.output(
        "inspect", "--format", "{{.Digest}}", f"docker://{fresh_repository}/app:1"
    )
    assert digest == image.digest


def test_the_base_is_told_in_the_annotations(
    workspace: Workspace, machine: Machine, alpine: BaseImage
) -> None:
    one = graph(workspace, alpine)

    image = outcome(workspace, [one], machine("first")).products[one]

    assert isinstance(image, Image)
    assert image.annotations["org.opencontainers.image.base.digest"] == alpine.digest
    assert image.annotations["org.opencontainers.image.base.name"] == alpine.reference


def test_all_pushes_send_a_blob_once_and_tags_come_last(
    workspace: Workspace, machine: Machine, client: Client, fresh_repository: str
) -> None:
    one = workspace.add("//:i", ImageTarget(content=put(workspace.file("f", "x"))))
    pushes = [
        workspace.add(f"//:p{n}", Push(one, repository=fresh_repository, tags=(tag,)))
        for n, tag in enumerate(("a", "b"))
    ]
    reach = machine("first")
    done = outcome(workspace, pushes, reach)

    lines = pushed(pushes, done, workspace.graph, reach, Where())

    assert set(lines) == set(pushes)
    assert sum(isinstance(event, BlobSent) for event in client.events) == 2


@pytest.mark.parametrize(
    ("where", "wanted"),
    [
        (Where(names=("{}/x:9",)), ["{}/x:9"]),
        (Where(repository="{}/y"), ["{}/y:1"]),
        (Where(tags=("7", "8")), ["{}:7", "{}:8"]),
        (Where(repository="{}/z", tags=("7",)), ["{}/z:7"]),
    ],
)
def test_the_command_line_says_where_to_push_instead(
    workspace: Workspace,
    machine: Machine,
    fresh_repository: str,
    skopeo: Program,
    where: Where,
    wanted: list[str],
) -> None:
    one = workspace.add("//:i", ImageTarget())
    push = workspace.add("//:p", Push(one, repository=fresh_repository, tags=("1",)))
    reach = machine("first")
    here = Where(
        tuple(name.format(fresh_repository) for name in where.names),
        where.repository.format(fresh_repository),
        where.tags,
    )

    pushed([push], outcome(workspace, [push], reach), workspace.graph, reach, here)

    for name in wanted:
        skopeo.run("inspect", f"docker://{name.format(fresh_repository)}")


def test_without_tags_an_image_is_pushed_by_its_digest_alone(
    workspace: Workspace, machine: Machine, fresh_repository: str, client: Client
) -> None:
    one = workspace.add("//:i", ImageTarget())
    push = workspace.add("//:p", Push(one, repository=fresh_repository))
    reach = machine("first")
    done = outcome(workspace, [push], reach)

    pushed([push], done, workspace.graph, reach, Where())

    image = done.products[one]
    assert isinstance(image, Image)
    name = parse_name(fresh_repository)
    assert client.registry.head_manifest(name._replace(digest=image.digest)) is not None
    assert client.registry.head_manifest(name._replace(tag="latest")) is None


def test_a_push_without_a_place_is_an_error(workspace: Workspace, machine: Machine) -> None:
    one = workspace.add("//:i", ImageTarget())
    push = workspace.add("//:p", Push(one))
    reach = machine("first")
    done = outcome(workspace, [push], reach)

    with pytest.raises(NoPlace, match="//:p says no repository"):
        pushed([push], done, workspace.graph, reach, Where())
    with pytest.raises(Misused, match="no push target"):
        pushed([one], done, workspace.graph, reach, Where())


def test_a_push_that_needs_no_tls_names_its_registry(
    workspace: Workspace, machine: Machine
) -> None:
    one = workspace.add("//:i", ImageTarget())
    push = workspace.add("//:p", Push(one, "host:5000", "a", ("1",), insecure=True))
    done = outcome(workspace, [push], machine("first"))

    assert insecure_registries([push, one], done, workspace.graph) == {"host:5000"}


def test_loading_is_done_by_whoever_knows_engines(workspace: Workspace, machine: Machine) -> None:
    one = workspace.add("//:i", ImageTarget())
    load = workspace.add("//:l", Load(one, ("name:1",)))
    done = outcome(workspace, [load], machine("first"))

    def into_engine(images: Images, target: Load) -> tuple[str, ...]:
        return tuple(f"{target.format} {name}" for name, _ in images.images)

    assert loaded([load], done, workspace.graph, into_engine) == {load: Done(("docker name:1",))}
