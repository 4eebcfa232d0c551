"""The cache repository: an artifact for each key, so that machines share what they built.

``REPO:layer-KEY`` is an artifact whose config is a record that explains the key, and whose blob
is the layer; or the layers, where a step comes to several. No time is in it: whoever builds the
same writes the same bytes.
"""

from collections.abc import Callable, Sequence

from artificer import limits
from artificer.builder.keys import key as key_of
from artificer.builder.recipe import Cache
from artificer.errors import ArtificerError, Cancelled
from artificer.events import Warned
from artificer.images.fetch import find_in_registry, place_of
from artificer.images.parallel import Work, run_all
from artificer.images.place import NotFound
from artificer.images.push import THREADS, Delivery, push
from artificer.images.reach import Reach
from artificer.images.used import mark_used
from artificer.oci.descriptor import Descriptor
from artificer.oci.document import dump
from artificer.oci.edit import artifact
from artificer.oci.image import (
    Artifact,
    Blob,
    Layer,
    Stored,
    config_descriptor,
    layer_descriptors,
    manifest_document,
)
from artificer.oci.reference import Named

ARTIFACT_TYPE = "application/vnd.artificer.cache.v1+json"


def cached_layer(cache: Cache, key: str, reach: Reach) -> Descriptor | None:
    """The layer that the cache repository has under *key*; a cache that fails is a warning."""
    descriptors = cached_layers(cache, key, reach)
    return descriptors[0] if len(descriptors) == 1 else None


def cached_layers(cache: Cache, key: str, reach: Reach) -> tuple[Descriptor, ...]:
    """All layers that the cache repository has under *key*, lowest first."""
    name = _name(cache, key)
    try:
        found = find_in_registry(name, reach)
        place = place_of(name.repository, reach)
        document = manifest_document(place.read(found.descriptor, limits.MANIFEST_BYTES))
        descriptors = tuple(layer_descriptors(document))
    except Cancelled:
        raise
    except NotFound:
        return ()
    except ArtificerError as error:
        tell_unused(cache, error, reach)
        return ()
    tell_use(cache, [(name, config_descriptor(document))], reach)
    return descriptors


def tell_unused(cache: Cache, error: ArtificerError, reach: Reach) -> None:
    """Warn that the cache repository cannot be read, and say what becomes of the build."""
    text = f"the cache {cache.name.repository} is not used: {error.message}"
    way_out = error.hint or "see that it can be reached and read from here"
    reach.report(Warned(text, f"what it has is built again; {way_out}"))


def share(cache: Cache, layers: Sequence[tuple[str, Layer]], reach: Reach) -> None:
    """Write *layers*, each under its key, into the cache repository; failure is a warning.

    Those of one key are together what it stands for, lowest first.
    """
    if cache.readonly or not layers:
        return
    by_key: dict[str, dict[str, Layer]] = {}
    for key, layer in layers:
        by_key.setdefault(key, {})[layer.diff_id] = layer
    deliveries = [
        Delivery(_artifact(key, tuple(one.values()), reach), _name(cache, key))
        for key, one in by_key.items()
    ]
    deliver(cache, deliveries, reach)


def deliver(cache: Cache, deliveries: Sequence[Delivery], reach: Reach) -> None:
    """Write *deliveries* into the cache repository; failure is a warning, and nothing more."""
    try:
        push(deliveries, reach)
    except Cancelled:
        raise
    except ArtificerError as error:
        reach.report(
            Warned(
                f"the cache {cache.name.repository} was not written: {error.message}",
                "what was built is done; --cache-readonly does not try",
            )
        )
        return
    used = []
    for content, target in deliveries:
        used.append((target, config_descriptor(manifest_document(content.manifest))))
    tell_use(cache, used, reach)


def tell_use(cache: Cache, used: Sequence[tuple[Named, Descriptor]], reach: Reach) -> None:
    """Tell that artifacts, given as names and configs, are used; failure is a warning."""
    if not cache.tells_use:
        return
    try:
        work = [_telling(cache, name, config, reach) for name, config in used]
        run_all(work, threads=THREADS, stop=reach.stop)
    except Cancelled:
        raise
    except ArtificerError as error:
        reach.report(
            Warned(
                f"the cache {cache.name.repository} does not learn what is used: {error.message}",
                "--cache-readonly does not try",
            )
        )


def _telling(cache: Cache, name: Named, config: Descriptor, reach: Reach) -> Work:
    def work(check: Callable[[], None]) -> None:
        check()
        mark_used(name, config, cache.day, reach)

    return work


def _name(cache: Cache, key: str) -> Named:
    return cache.name._replace(tag=f"layer-{key_of('layer', key)}")


def _artifact(key: str, layers: Sequence[Layer], reach: Reach) -> Artifact:
    record = dump({"key": key, "diff_id": " ".join(layer.diff_id for layer in layers)})
    manifest = artifact(ARTIFACT_TYPE, record, layers)
    reach.store.put(record)
    config = Descriptor.for_bytes(ARTIFACT_TYPE, record)
    where = Stored(reach.store.blob_path(config.digest))
    return Artifact(manifest, (Blob(config, where), *(layer.blob for layer in layers)))
