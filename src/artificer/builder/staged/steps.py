"""What instructions came to before, by key: asked of the store, then of caches."""

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from artificer.builder.explain import changes, explanation
from artificer.builder.kind import LAYER_KEY, Kind
from artificer.builder.known import layers_at
from artificer.builder.recipe import Cache
from artificer.builder.shared import cached_layer, share
from artificer.builder.staged.options import InlineCache, LocalCache, StepCache
from artificer.errors import ArtificerError, Cancelled
from artificer.events import Event, Warned
from artificer.images.bytes_of import into_store
from artificer.images.reach import Reach
from artificer.oci.descriptor import Descriptor
from artificer.oci.digest import Digest, InvalidDigest
from artificer.oci.image import Blob, Layer, Origin, Remote, Stored
from artificer.store.blobs import Store, open_store

STEP_KEY = "dev.artificer.step.key"
"""The annotation of a layer that says which instruction it is, where a cache is inline."""

_KIND = "step"
_PARTS = "step-parts"


class Known(NamedTuple):
    """The layer of an instruction, and who had it."""

    layer: Layer
    why: str


class Steps:
    """The layers of instructions by key; a cache that fails is told once, and asked no more."""

    def __init__(self, reach: Reach, caches: Sequence[StepCache] = ()) -> None:
        self._reach = reach
        self._caches = list(caches)
        self._inline: dict[InlineCache, dict[str, Known]] = {}
        self._lock = threading.Lock()
        self._locks: dict[str, threading.Lock] = {}
        self._done: dict[str, Layer] = {}

    @contextmanager
    def alone(self, key: str) -> Iterator[None]:
        """While inside, no other stage is inside with *key*: the next finds it done."""
        with self._lock:
            lock = self._locks.setdefault(key, threading.Lock())
        with lock:
            yield

    def note(self, key: str, layer: Layer) -> None:
        """Remember for this build that the instruction with *key* came to *layer*."""
        self._done[key] = layer

    def done_here(self, key: str) -> Layer | None:
        """Return what the instruction with *key* came to in this very build."""
        return self._done.get(key)

    def find(self, key: str, kind: Kind) -> Known | None:
        """Return the layer of the instruction with *key*, if anybody knows it."""
        found = self._in(self._reach.store, key, kind)
        if found is not None:
            return Known(found, "nothing that it depends on has changed")
        for cache in tuple(self._caches):
            known = self._asked(cache, key, kind)
            if known is not None:
                self.keep(key, known.layer)
                return known
        return None

    def keep(self, key: str, layer: Layer) -> None:
        """Remember that *layer*, if its blob is in the store, is what *key* comes to."""
        _keep(self._reach.store, key, layer)

    def explain(self, places: Sequence[str], parts: Mapping[str, str]) -> tuple[str, ...]:
        """Say what of *parts* differs from the last time, and remember them.

        The last time is what is remembered for the first of *places* that anything is.
        """
        store = self._reach.store
        found = (store.record(_PARTS, place) for place in places)
        before = next((data for data in found if data is not None), None)
        for place in places:
            store.set_record(_PARTS, place, explanation(parts))
        return () if before is None else changes(before, parts)

    def share(self, layers: Sequence[tuple[str, Layer]]) -> None:
        """Put *layers*, each under its key, into the caches that may be written."""
        for cache in self._caches:
            match cache:
                case Cache():
                    share(cache, layers, self._reach)
                case LocalCache(path, readonly=False):
                    self._copy(layers, path)
                case _:
                    pass

    def _asked(self, cache: StepCache, key: str, kind: Kind) -> Known | None:
        match cache:
            case Cache(name):
                failed: list[Event] = []
                reach = self._reach._replace(report=failed.append)
                descriptor = cached_layer(cache, key, reach)
                for event in failed:
                    self._reach.report(event)
                    if isinstance(event, Warned):
                        self._caches = [one for one in self._caches if one != cache]
                origin: Origin = Remote(name.repository)
                return _known(descriptor, origin, kind, f"the cache {name.repository} has it")
            case LocalCache(path):
                return self._local(path, key, kind)
            case InlineCache():
                return self._in_image(cache, kind).get(key)

    def _local(self, path: str, key: str, kind: Kind) -> Known | None:
        try:
            layer = self._in(open_store(path, create=False), key, kind)
            if layer is None:
                return None
            into_store(layer.blob, self._reach)
        except Cancelled:
            raise
        except ArtificerError:
            return None
        return Known(layer, f"the cache {path} has it")

    def _copy(self, layers: Sequence[tuple[str, Layer]], path: str) -> None:
        try:
            store = open_store(path)
            reach = self._reach._replace(store=store)
            for key, layer in layers:
                here = Stored(self._reach.store.blob_path(layer.blob.digest))
                known = self._reach.store.has(layer.blob.digest) is not None
                into_store(Blob(layer.descriptor, here) if known else layer.blob, reach)
                _keep(store, key, layer)
        except Cancelled:
            raise
        except ArtificerError as error:
            self._reach.report(Warned(f"the cache {path} was not written: {error.message}"))

    def _in_image(self, cache: InlineCache, kind: Kind) -> dict[str, Known]:
        if cache not in self._inline:
            self._inline[cache] = {}
            try:
                self._inline[cache] = _told_by(cache, kind, self._reach)
            except Cancelled:
                raise
            except ArtificerError as error:
                text = f"{cache.name} is not asked for its layers: {error.message}"
                self._reach.report(Warned(text))
        return self._inline[cache]

    def _in(self, store: Store, key: str, kind: Kind) -> Layer | None:
        data = store.record(_KIND, key)
        if data is None:
            return None
        try:
            diff_id, digest, size = json.loads(data)
            origin = Stored(store.blob_path(Digest(digest)))
            return kind.layer(Digest(digest), int(size), Digest(diff_id), origin)
        except (ValueError, TypeError, InvalidDigest):
            return None


def _keep(store: Store, key: str, layer: Layer) -> None:
    digest, size = layer.blob.digest, layer.descriptor.size
    if store.has(digest) == size:
        data = json.dumps([layer.diff_id, digest, size]).encode()
        store.set_record(_KIND, key, data, needs=[digest])


def _known(descriptor: Descriptor | None, origin: Origin, kind: Kind, why: str) -> Known | None:
    """Return what *descriptor* says of itself, if it was made as *kind* makes layers."""
    if descriptor is None:
        return None
    identity, _, diff_id = descriptor.annotations.get(LAYER_KEY, "").partition("@")
    if identity != kind.identity:
        return None
    try:
        layer = kind.layer(descriptor.digest, descriptor.size, Digest(diff_id), origin)
    except InvalidDigest:
        return None
    return Known(layer, why)


def _told_by(cache: InlineCache, kind: Kind, reach: Reach) -> dict[str, Known]:
    name = cache.name
    told: dict[str, Known] = {}
    for descriptor in layers_at(name, reach):
        known = _known(descriptor, Remote(name.repository), kind, f"{name} has it")
        key = descriptor.annotations.get(STEP_KEY)
        if known is not None and key is not None:
            told[key] = known
    return told
