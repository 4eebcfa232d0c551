"""Cache mounts in the cache repository: a machine that has none yet begins with another's.

``REPO:cache-ID-PLATFORM`` is an artifact whose layers are the files of the cache. They are cut as
large trees are, so that only what changed is sent; whoever writes last wins, and what is in there
is part of no key.
"""

import re
from typing import NamedTuple

from artificer import limits
from artificer.builder.keys import key as key_of
from artificer.builder.kind import LAYER_KEY, Kind, kind_of
from artificer.builder.known import Known
from artificer.builder.recipe import Cache, Compress
from artificer.errors import ArtificerError, Cancelled
from artificer.events import Note, Warned
from artificer.images.bytes_of import into_store
from artificer.images.fetch import find_in_registry, place_of
from artificer.images.place import NotFound
from artificer.images.plain import spanned
from artificer.images.push import Delivery, push
from artificer.images.reach import Reach
from artificer.layers.archive import path_of
from artificer.layers.entry import Entry
from artificer.layers.split import Sizes, partition
from artificer.layers.write import Known as KnownBlob
from artificer.layers.write import Tar, write_layer
from artificer.oci.descriptor import Descriptor
from artificer.oci.digest import Digest, InvalidDigest
from artificer.oci.document import dump
from artificer.oci.edit import artifact
from artificer.oci.image import (
    Artifact,
    Blob,
    Layer,
    Remote,
    Stored,
    layer_descriptors,
    manifest_document,
)
from artificer.oci.reference import Named
from artificer.sandbox.command import Chain, TreeLayer

ARTIFACT_TYPE = "application/vnd.artificer.cache-mount.v1+json"

_KIND = "cache-mount"
_SIZES = Sizes(whole=16 << 20, bucket=8 << 20)


class CacheMounts(NamedTuple):
    """The cache mounts of one platform that *cache* holds. What fails is told, and no more."""

    cache: Cache
    platform: str
    reach: Reach
    known: Known

    def seed(self, identity: str) -> Chain:
        """What a new cache *identity* begins with; nothing, once this store has had one."""
        store = self.reach.store
        name = self._name(identity)
        if store.record(_KIND, str(name)) is not None:
            return ()
        try:
            chain = self._fetched(name)
        except Cancelled:
            raise
        except NotFound:
            chain = ()
        except ArtificerError as error:
            self.reach.report(Warned(f"the cache mount {identity} starts empty: {error.message}"))
            return ()
        store.set_record(_KIND, str(name), b"")
        return chain

    def keep(self, identity: str, tar: Tar) -> None:
        """Put the files of the cache *identity*, which are in *tar*, into the repository."""
        name, kind = self._name(identity), kind_of(Compress("zstd"), "oci")
        if self.cache.readonly:
            return
        with self.reach.store.spool() as spool:
            for chunk in tar.chunks:
                self.reach.stop.check()
                spool.write(chunk)
            spool.flush()
            parts = partition(list(spanned(path_of(spool))), sizes=_SIZES)
            layers = [self._layer(part, kind) for part in parts]
        try:
            push([Delivery(self._artifact(identity, layers), name)], self.reach)
        except Cancelled:
            raise
        except ArtificerError as error:
            self.reach.report(
                Warned(f"the cache mount {identity} was not shared: {error.message}")
            )

    def _name(self, identity: str) -> Named:
        shown = re.sub(r"[^A-Za-z0-9]+", "-", identity).strip("-")[:32]
        platform = self.platform.replace("/", "-").replace(":", "-")
        tag = f"cache-{shown}-{key_of(identity)[:12]}-{platform}"
        return self.cache.name._replace(tag=tag, digest=None)

    def _fetched(self, name: Named) -> Chain:
        found = find_in_registry(name, self.reach)
        place = place_of(name.repository, self.reach)
        document = manifest_document(place.read(found.descriptor, limits.MANIFEST_BYTES))
        self.reach.report(Note(f"a cache mount begins as {name} is"))
        return tuple(self._tree(one, name) for one in layer_descriptors(document))

    def _tree(self, descriptor: Descriptor, name: Named) -> TreeLayer:
        _, _, diff_id = descriptor.annotations.get(LAYER_KEY, "").partition("@")
        try:
            digest = Digest(diff_id)
        except InvalidDigest as error:
            raise NotFound(f"{name} is no cache mount") from error
        return TreeLayer(digest, into_store(Blob(descriptor, Remote(name.repository)), self.reach))

    def _layer(self, part: list[Entry], kind: Kind) -> Layer:
        reach = self.reach

        def known(diff_id: Digest) -> KnownBlob | None:
            answer = self.known.answer(kind, diff_id)
            here = answer is not None and reach.store.has(answer.descriptor.digest) is not None
            if answer is None or not here:
                return None
            return KnownBlob(answer.descriptor.digest, answer.descriptor.size)

        made = write_layer(part, kind.encoder, reach.store, known=known, stop=reach.stop)
        origin = Stored(reach.store.blob_path(made.digest))
        layer = kind.layer(made.digest, made.size, made.diff_id, origin)
        self.known.remember(kind, layer, None)
        return layer

    def _artifact(self, identity: str, layers: list[Layer]) -> Artifact:
        record = dump({"id": identity, "platform": self.platform})
        manifest = artifact(ARTIFACT_TYPE, record, layers)
        self.reach.store.put(record)
        config = Descriptor.for_bytes(ARTIFACT_TYPE, record)
        where = Stored(self.reach.store.blob_path(config.digest))
        return Artifact(manifest, (Blob(config, where), *(layer.blob for layer in layers)))
