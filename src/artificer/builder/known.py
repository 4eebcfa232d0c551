"""Who may know a layer that is about to be made: key 2, asked before anything is compressed.

Key 2 names the plain tar's digest and the encoder. It stands in an annotation of each layer, so
the image that is at the target now answers for its layers, on a machine that never built it.
What such an annotation says is a claim of whoever may push there; it is used for that very
repository, which its writers could fill with anything anyway.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

from artificer import limits
from artificer.builder.kind import LAYER_KEY, Kind
from artificer.builder.recipe import Cache
from artificer.builder.shared import cached_layer, cached_layers
from artificer.errors import ArtificerError, Cancelled
from artificer.events import Warned
from artificer.images.fetch import find_in_registry, place_of
from artificer.images.place import NotFound
from artificer.images.reach import Reach
from artificer.oci.descriptor import Descriptor
from artificer.oci.digest import Digest
from artificer.oci.document import InvalidDocument, parse
from artificer.oci.image import (
    Index,
    InvalidImage,
    Layer,
    Origin,
    Remote,
    Stored,
    layer_descriptors,
    manifest_document,
)
from artificer.oci.media import is_index
from artificer.oci.reference import Named

_KIND = "layer"
_FILES = "layer-files"


class Answer(NamedTuple):
    """A blob that holds the layer, where it can be had, and who said so."""

    descriptor: Descriptor
    origin: Origin
    why: str


class Known:
    """Answers for key 2, nearest first: the store, the targets, the cache repository.

    Others are asked at most once, and only when something has to be made. One that cannot be
    read is no obstacle: it is told, and the push will show. With *afresh*, nothing is believed
    by the stats of files (key 1): every input is read.
    """

    def __init__(
        self,
        reach: Reach,
        targets: Sequence[Named] = (),
        cache: Cache | None = None,
        *,
        afresh: bool = False,
    ) -> None:
        self.afresh = afresh
        self._reach = reach
        self._targets = targets
        self._cache = cache
        self._elsewhere: dict[str, Answer] | None = None

    @property
    def alone(self) -> bool:
        """Whether there is no cache repository, which could know what the store does not."""
        return self._cache is None

    def answer(self, kind: Kind, diff_id: Digest) -> Answer | None:
        """Where the layer is that *kind* would make of the tar *diff_id*."""
        key = kind.second_key(diff_id)
        return self._stored(key) or self._at_targets().get(key) or self._cached(key)

    def beyond(self, digests: Collection[str]) -> bool:
        """Whether others could know layers besides those that have *digests*.

        Then it pays to hash before compressing.
        """
        if self._cache is not None:
            return True
        found = self._at_targets().values()
        return any(answer.descriptor.digest not in digests for answer in found)

    def by_files(self, first_key: str) -> tuple[Digest, Answer] | None:
        """The diff_id and the place of the layer that was made of the very same files (key 1)."""
        if self.afresh:
            return None
        data = self._reach.store.record(_FILES, first_key)
        text, _, raw = (data or b"").partition(b"\n")
        if not raw:
            return None
        answer = self._in_store(raw, "its files are unchanged")
        return None if answer is None else (Digest(text.decode("ascii", "replace")), answer)

    def shared(self, key: str) -> tuple[tuple[Descriptor, ...], Origin, str] | None:
        """The layers that the cache repository has under *key*, where they are, and who said so.

        What they are is told by their annotations; whoever may write the cache may lie.
        """
        if self._cache is None or self.afresh:
            return None
        found = cached_layers(self._cache, key, self._reach)
        if not found:
            return None
        repository = self._cache.name.repository
        return found, Remote(repository), f"the cache {repository} has it"

    def remember(self, kind: Kind, layer: Layer, first_key: str | None) -> None:
        """Keep in the store that *layer*, whose blob is there, has key 2, and key 1 if given."""
        store, needs = self._reach.store, [layer.blob.digest]
        raw = layer.descriptor.raw.encode()
        store.set_record(_KIND, kind.second_key(layer.diff_id), raw, needs=needs)
        if first_key is not None:
            store.set_record(_FILES, first_key, layer.diff_id.encode() + b"\n" + raw, needs=needs)

    def _stored(self, key: str) -> Answer | None:
        data = self._reach.store.record(_KIND, key)
        return None if data is None else self._in_store(data, "the store has its content")

    def _in_store(self, raw: bytes, why: str) -> Answer | None:
        store = self._reach.store
        try:
            document = parse(raw, limit=limits.MANIFEST_BYTES, what="a record of the store")
            descriptor = Descriptor.of(document)
        except InvalidDocument:
            return None
        if store.has(descriptor.digest) != descriptor.size:
            return None
        return Answer(descriptor, Stored(store.blob_path(descriptor.digest)), why)

    def _at_targets(self) -> Mapping[str, Answer]:
        if self._elsewhere is None:
            self._elsewhere = {}
            for name in self._targets:
                try:
                    self._elsewhere.update(_answers_at(name, self._reach))
                except Cancelled:
                    raise
                except NotFound:
                    continue
                except ArtificerError as error:
                    text = f"{name} is not asked for its layers: {error.message}"
                    self._reach.report(Warned(text))
        return self._elsewhere

    def _cached(self, key: str) -> Answer | None:
        if self._cache is None:
            return None
        found = cached_layer(self._cache, key, self._reach)
        if found is None:
            return None
        repository = self._cache.name.repository
        return Answer(found, Remote(repository), f"the cache {repository} has it")


def layers_at(name: Named, reach: Reach) -> Iterator[Descriptor]:
    """The layers of the image, or of all images of the index, that *name* stands for now.

    A manifest that nobody can read has none.
    """
    found = find_in_registry(name, reach)
    place = place_of(name.repository, reach)
    manifests = [found.descriptor]
    if is_index(found.descriptor.media_type):
        manifests = list(Index(place.read(found.descriptor, limits.MANIFEST_BYTES)).descriptors)
    for manifest in manifests:
        try:
            document = manifest_document(place.read(manifest, limits.MANIFEST_BYTES))
            descriptors = layer_descriptors(document)
        except (InvalidDocument, InvalidImage):
            continue
        yield from descriptors


def _answers_at(name: Named, reach: Reach) -> dict[str, Answer]:
    answers: dict[str, Answer] = {}
    for descriptor in layers_at(name, reach):
        key = descriptor.annotations.get(LAYER_KEY)
        if key is not None:
            answers[key] = Answer(descriptor, Remote(name.repository), f"{name} has it")
    return answers
