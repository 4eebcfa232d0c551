"""The cache repository: an artifact for each key, so that machines share what they built.

``REPO:layer-KEY`` is an artifact whose config is a record that explains the key, and whose one
blob is the layer. No time is in it: whoever builds the same writes the same bytes.
"""

from collections.abc import Sequence

from artificer import limits
from artificer.builder.keys import key as key_of
from artificer.builder.recipe import Cache
from artificer.errors import ArtificerError, Cancelled
from artificer.events import Warned
from artificer.images.fetch import find_in_registry, place_of
from artificer.images.place import NotFound
from artificer.images.push import Delivery, push
from artificer.images.reach import Reach
from artificer.oci.descriptor import Descriptor
from artificer.oci.document import dump
from artificer.oci.edit import artifact
from artificer.oci.image import (
    Artifact,
    Blob,
    Layer,
    Stored,
    layer_descriptors,
    manifest_document,
)
from artificer.oci.reference import Named

ARTIFACT_TYPE = "application/vnd.artificer.cache.v1+json"


def cached_layer(cache: Cache, key: str, reach: Reach) -> Descriptor | None:
    """The layer that the cache repository has under *key*; a cache that fails is a warning."""
    name = _name(cache, key)
    try:
        found = find_in_registry(name, reach)
        place = place_of(name.repository, reach)
        document = manifest_document(place.read(found.descriptor, limits.MANIFEST_BYTES))
        descriptors = layer_descriptors(document)
    except Cancelled:
        raise
    except NotFound:
        return None
    except ArtificerError as error:
        reach.report(Warned(f"the cache {cache.name.repository} is not used: {error.message}"))
        return None
    return descriptors[0] if len(descriptors) == 1 else None


def share(cache: Cache, layers: Sequence[tuple[str, Layer]], reach: Reach) -> None:
    """Write *layers*, each under its key 2, into the cache repository; failure is a warning."""
    if cache.readonly or not layers:
        return
    deliveries = [
        Delivery(_artifact(key, layer, reach), _name(cache, key)) for key, layer in layers
    ]
    try:
        push(deliveries, reach)
    except Cancelled:
        raise
    except ArtificerError as error:
        reach.report(
            Warned(
                f"the cache {cache.name.repository} was not written: {error.message}",
                "the image itself is done; --cache-readonly does not try",
            )
        )


def _name(cache: Cache, key: str) -> Named:
    return cache.name._replace(tag=f"layer-{key_of('layer', key)}")


def _artifact(key: str, layer: Layer, reach: Reach) -> Artifact:
    record = dump({"key": key, "diff_id": layer.diff_id})
    manifest = artifact(ARTIFACT_TYPE, record, [layer])
    reach.store.put(record)
    config = Descriptor.for_bytes(ARTIFACT_TYPE, record)
    where = Stored(reach.store.blob_path(config.digest))
    return Artifact(manifest, (Blob(config, where), layer.blob))
