from pathlib import Path
from typing import Any

import pytest

from artificer.builder.recipe import Cache
from artificer.builder.staged.options import InlineCache, Options, StepCache
from artificer.builder.staged.steps import STEP_KEY
from artificer.events import Warned
from artificer.oci.reference import parse_name
from tests.builder.staged.kit import Workshop
from tests.images.made import FakeRegistry

TEXT = "FROM scratch\nCOPY a /a\nWORKDIR /w"
NAME = parse_name("example.com/team/cache")


class Shared:
    """Two machines with a store each, one registry and the same context."""

    def __init__(self, folder: Path) -> None:
        self.registry: Any = FakeRegistry()
        self.one = self.machine(folder, "one")
        self.other = self.machine(folder, "other")
        self.one.files(a="1")

    def machine(self, folder: Path, store: str) -> Workshop:
        made = Workshop(folder, store)
        made.reach = made.reach._replace(registry=self.registry)
        return made


@pytest.fixture
def shared(tmp_path: Path) -> Shared:
    return Shared(tmp_path)


def with_caches(*caches: StepCache, inline: bool = False) -> Options:
    return Options(caches=caches, inline=inline)


def test_a_cache_repository_gives_what_another_machine_made(shared: Shared) -> None:
    first = shared.one.build(TEXT, with_caches(Cache(NAME))).image

    second = shared.other.build(TEXT, with_caches(Cache(NAME))).image

    assert shared.other.started == []
    assert second == first
    assert not any(shared.other.reach.store.has(one.blob.digest) for one in second.layers)


def test_what_lies_on_a_cached_layer_finds_its_files(shared: Shared) -> None:
    shared.one.build(TEXT, with_caches(Cache(NAME)))

    image = shared.other.build(f"{TEXT}\nCOPY a /w/b", with_caches(Cache(NAME))).image

    assert shared.other.started == ["COPY a /w/b"]
    assert sorted(shared.other.tree(image)) == ["a", "w", "w/b"]


def test_a_readonly_cache_repository_is_asked_and_not_written(shared: Shared) -> None:
    readonly = with_caches(Cache(NAME, readonly=True))
    shared.one.build(TEXT, readonly)
    assert shared.registry.manifests == {}
    shared.one.build(f"{TEXT}\nWORKDIR /x", with_caches(Cache(NAME)))

    shared.other.build(f"{TEXT}\nWORKDIR /x", readonly)

    assert shared.other.started == ["COPY a /a", "WORKDIR /w"]


def test_a_cache_that_fails_is_told_once_and_the_build_goes_on(shared: Shared) -> None:
    class Broken(FakeRegistry):
        def head_manifest(self, name: Any) -> Any:
            from artificer.errors import Unavailable

            raise Unavailable("not reached")

    broken: Any = Broken()
    shared.one.reach = shared.one.reach._replace(registry=broken)

    shared.one.build(TEXT, with_caches(Cache(NAME, readonly=True)))

    warned = [event for event in shared.one.heard if isinstance(event, Warned)]
    assert len(warned) == 1
    assert len(shared.one.started) == 2


def test_an_image_with_an_inline_cache_is_a_cache(shared: Shared) -> None:
    image = shared.one.build(TEXT, with_caches(inline=True)).image
    assert all(STEP_KEY in one.descriptor.annotations for one in image.layers)
    shared.registry.hold(image, "example.com/team/app:1")
    cache = InlineCache(parse_name("example.com/team/app:1"))

    again = shared.other.build(TEXT, with_caches(cache, inline=True)).image

    assert shared.other.started == []
    assert again == image


def test_an_image_that_is_not_there_is_no_cache(shared: Shared) -> None:
    cache = InlineCache(parse_name("example.com/team/app:1"))

    shared.one.build(TEXT, with_caches(cache))

    assert len(shared.one.started) == 2
