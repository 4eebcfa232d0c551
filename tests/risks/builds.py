"""Builds inside this process, from the words of a command line, in any store."""

import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from artificer.builder.build import Sources, build
from artificer.builder.known import Known
from artificer.cli.oneline.grammar import build_parser
from artificer.cli.oneline.target import target_of
from artificer.events import Event
from artificer.images.reach import Reach
from artificer.oci.image import Image, Index
from artificer.stop import Stop
from artificer.store.blobs import Store, open_store


class Offline:
    """Stands where registries are reached: any use of it fails the test."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"a registry was asked: {name}")


def built(
    words: Sequence[str],
    store: Store,
    environ: Mapping[str, str] | None = None,
    heard: list[Event] | None = None,
    *,
    afresh: bool = False,
) -> Image | Index:
    """What the one-line build of *words* makes, here and now."""
    offline: Any = Offline()
    told = [] if heard is None else heard
    reach = Reach(store, offline, told.append, Stop())
    args = build_parser("test").parse_args(list(words))
    target = target_of(args, environ or {})
    sources = Sources(reach, Known(reach, afresh=afresh))
    with store.in_use():
        return build(target, sources.base(target.base), sources).content


@contextmanager
def fresh_store() -> Iterator[Store]:
    """An empty store, while inside."""
    folder = tempfile.mkdtemp(prefix="artificer-store-")
    try:
        yield open_store(folder)
    finally:
        shutil.rmtree(folder)


def from_scratch(words: Sequence[str], environ: Mapping[str, str] | None = None) -> Image | Index:
    """The same in an empty store, where nothing can be remembered wrongly."""
    with fresh_store() as store:
        return built(words, store, environ)


def written(folder: Path, files: Mapping[str, str | bytes]) -> Path:
    """*folder* with *files* in it."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder
