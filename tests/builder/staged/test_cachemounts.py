from pathlib import Path
from typing import Any

import pytest

from artificer.builder.recipe import Cache
from artificer.builder.staged.options import Options
from artificer.events import Warned
from artificer.layers.read import layer_members
from artificer.oci.reference import parse_name
from artificer.sandbox.command import Cache as CacheMount
from tests.builder.staged.kit import Workshop
from tests.images.made import DIR, FakeRegistry, image_of, tar_of

NAME = parse_name("example.com/team/cache")
TEXT = "FROM base\nRUN --mount=type=cache,target=/c,id=pip make"


@pytest.fixture
def registry() -> Any:
    return FakeRegistry()


def machine(folder: Path, store: str, registry: Any) -> Workshop:
    made = Workshop(folder, store)
    made.reach = made.reach._replace(registry=registry)
    made.images["base"] = image_of(made.reach.store, tar_of(("bin", DIR)))
    return made


def mounted(shop: Workshop) -> CacheMount:
    (mount,) = shop.sandbox.ran[-1][1].mounts
    assert isinstance(mount, CacheMount)
    return mount


def test_a_machine_without_a_cache_begins_with_the_shared_one(
    tmp_path: Path, registry: Any
) -> None:
    one, other = machine(tmp_path, "one", registry), machine(tmp_path, "other", registry)
    one.sandbox.caches["pip"] = tar_of(("wheels", DIR), ("wheels/x", b"1" * 5000))
    one.build(TEXT, Options(mounts=Cache(NAME)))
    assert mounted(one).chain == ()

    other.build(TEXT, Options(mounts=Cache(NAME, readonly=True)))

    (tree,) = mounted(other).chain
    data = Path(tree.path).read_bytes()
    assert [one.entry.path for one in layer_members([data])] == ["wheels", "wheels/x"]
    other.build(f"{TEXT} again", Options(mounts=Cache(NAME, readonly=True)))
    assert mounted(other).chain == ()


def test_only_what_changed_in_a_cache_is_sent(tmp_path: Path, registry: Any) -> None:
    one = machine(tmp_path, "one", registry)
    names = [f"d{n}/f" for n in range(40)]
    files = {name: name.encode() * 200_000 for name in names}
    one.sandbox.caches["pip"] = tar_of(*files.items())
    one.build(TEXT, Options(mounts=Cache(NAME)))
    before = len(registry.requests)
    files["d7/f"] = b"other"
    one.sandbox.caches["pip"] = tar_of(*files.items())

    one.build(f"{TEXT} again", Options(mounts=Cache(NAME)))

    sent = [line for line in registry.requests[:before] if line.startswith("SEND")]
    again = [line for line in registry.requests[before:] if line.startswith("SEND")]
    assert len(sent) > 4
    assert len(again) <= 2


def test_platforms_and_ids_have_tags_of_their_own(tmp_path: Path, registry: Any) -> None:
    one = machine(tmp_path, "one", registry)
    one.sandbox.caches["/root/.cache"] = tar_of(("x", b"1"))

    one.build(
        "FROM base\nRUN --mount=type=cache,target=/root/.cache make", Options(mounts=Cache(NAME))
    )

    tags = [tag for _, tag in registry.manifests if tag.startswith("cache-")]
    assert len(tags) == 1
    assert tags[0].startswith("cache-root-cache-")
    assert tags[0].endswith("-linux-amd64")


def test_a_repository_that_fails_is_a_warning(tmp_path: Path) -> None:
    class Broken(FakeRegistry):
        def head_manifest(self, name: Any) -> Any:
            from artificer.errors import Unavailable

            raise Unavailable("not reached")

    one = machine(tmp_path, "one", Broken())

    one.build(TEXT, Options(mounts=Cache(NAME, readonly=True)))

    assert [event.text for event in one.heard if isinstance(event, Warned)] == [
        "the cache mount pip starts empty: not reached"
    ]


def test_a_cache_that_is_in_use_is_not_shared(tmp_path: Path, registry: Any) -> None:
    one = machine(tmp_path, "one", registry)

    one.build(TEXT, Options(mounts=Cache(NAME)))

    assert registry.manifests == {}
