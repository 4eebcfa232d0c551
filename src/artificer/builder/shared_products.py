"""Products in the cache repository: an artifact for each key, so that machines share targets.

``REPO:target-KEY`` has a record as its config: what the key stands for, and the product. Its
blobs are the layers that were made for it; of files, one tar with all of them. Base layers are
not among them: they are where the base is.
"""

from collections.abc import Sequence

from artificer import __version__, limits
from artificer.builder.products import Files, Layers, Passed
from artificer.builder.recipe import Cache
from artificer.builder.results import Kept, Made, NotPortable, packed, unpacked
from artificer.builder.shared import ARTIFACT_TYPE, deliver, tell_unused, tell_use
from artificer.errors import ArtificerError, Cancelled
from artificer.images.fetch import find_in_registry, place_of
from artificer.images.place import NotFound
from artificer.images.push import Delivery
from artificer.images.reach import Reach
from artificer.layers.encode import encoder
from artificer.layers.entry import FILE, Entry
from artificer.layers.read import layer_members
from artificer.layers.write import write_layer
from artificer.oci import media
from artificer.oci.descriptor import Descriptor
from artificer.oci.digest import Digest
from artificer.oci.document import dump, parse
from artificer.oci.edit import artifact
from artificer.oci.image import (
    Artifact,
    Blob,
    Image,
    Layer,
    Origin,
    Remote,
    Stored,
    config_descriptor,
    layer_descriptors,
    manifest_document,
)
from artificer.oci.reference import Named
from artificer.store.blobs import Store

_RECORD_BYTES = 64 * limits.MIB


def cached_product(cache: Cache, key: str, reach: Reach) -> Kept | None:
    """What the cache repository has under *key*; one that cannot be used is a warning."""
    try:
        return _cached(cache, key, reach)
    except (Cancelled, NotFound) as error:
        if isinstance(error, Cancelled):
            raise
        return None
    except ArtificerError as error:
        tell_unused(cache, error, reach)
        return None


def share_products(cache: Cache, products: Sequence[Made], reach: Reach) -> None:
    """Write *products* into the cache repository, each under its key; failure is a warning."""
    if cache.readonly:
        return
    deliveries = []
    for made in products:
        content = _artifact(made, Remote(cache.name.repository), reach)
        if content is not None:
            deliveries.append(Delivery(content, _name(cache, made.key)))
    deliver(cache, deliveries, reach)


def _name(cache: Cache, key: str) -> Named:
    return cache.name._replace(tag=f"target-{key}")


def _cached(cache: Cache, key: str, reach: Reach) -> Kept | None:
    name = _name(cache, key)
    found = find_in_registry(name, reach)
    place = place_of(name.repository, reach)
    document = manifest_document(place.read(found.descriptor, limits.MANIFEST_BYTES))
    data = place.read(config_descriptor(document), _RECORD_BYTES)
    record = parse(data, limit=_RECORD_BYTES, what="a record of the cache")
    blobs = {one.digest: one for one in layer_descriptors(document)}

    def elsewhere(digest: Digest) -> Origin | None:
        return Remote(name.repository) if digest in blobs else None

    tell_use(cache, [(name, config_descriptor(document))], reach)
    product = unpacked(str(record.get("product")).encode(), reach.store, elsewhere)
    if isinstance(product, Files):
        for descriptor in blobs.values():
            _take_files(descriptor, name, reach)
        if any(reach.store.has(file.digest) is None for file in product.files):
            return None
    return product


def _take_files(descriptor: Descriptor, name: Named, reach: Reach) -> None:
    chunks = reach.registry.blob_chunks(name.repository, descriptor)
    for member in layer_members(chunks):
        if member.entry.kind == FILE:
            reach.stop.check()
            reach.store.put_chunks(member.chunks(), Digest(f"sha256:{member.entry.path}"))


def _artifact(made: Made, cache: Remote, reach: Reach) -> Artifact | None:
    blobs = _blobs(made.product, cache, reach)
    if blobs is None:
        return None
    try:
        data = packed(_as_made_here(made.product, cache, reach.store), reach.store).data
    except NotPortable:
        return None
    # No time is in it: whoever builds the same writes the same bytes.
    document = {
        "label": made.label,
        "key": made.key,
        "artificer": __version__,
        "parts": dict(made.parts),
        "product": data.decode(),
    }
    record = dump(document)
    reach.store.put(record)
    config = Descriptor.for_bytes(ARTIFACT_TYPE, record)
    where = Stored(reach.store.blob_path(config.digest))
    manifest = artifact(ARTIFACT_TYPE, record, [blob.descriptor for blob in blobs])
    return Artifact(manifest, (Blob(config, where), *blobs))


def _as_made_here(product: Kept, cache: Remote, store: Store) -> Kept:
    """*product* as it would be if nobody had been quicker to put parts of it into *cache*.

    Of several machines that build the same at once, each then writes the same bytes.
    """

    def origin(digest: Digest, known: Origin) -> Origin:
        return Stored(store.blob_path(digest)) if known == cache else known

    match product:
        case Image():
            origins = {digest: origin(digest, one) for digest, one in product.origins.items()}
            return Image(product.manifest, product.config, origins)
        case Layers(layers):
            blobs = (
                Blob(one.descriptor, origin(one.blob.digest, one.blob.origin)) for one in layers
            )
            here = (Layer(blob, one.diff_id) for blob, one in zip(blobs, layers, strict=True))
            return product._replace(layers=tuple(here))
        case _:
            return product


def _blobs(product: Kept, cache: Remote, reach: Reach) -> tuple[Blob, ...] | None:
    """The blobs that another machine needs to have; None if there is more that only we have."""
    match product:
        case Passed():
            return ()
        case Files(files):
            digests = sorted({file.digest for file in files})
            return (_tar_of(digests, reach),) if digests else ()
        case Layers(layers):
            return _own([layer.blob for layer in layers], cache)
        case Image():
            return _own(product.blobs, cache)


def _own(blobs: Sequence[Blob], cache: Remote) -> tuple[Blob, ...] | None:
    own = [blob for blob in blobs if isinstance(blob.origin, Stored) or blob.origin == cache]
    if any(blob.origin.offset for blob in own if isinstance(blob.origin, Stored)):
        return None  # in an archive that the other machine imports itself
    return tuple(own)


def _tar_of(digests: Sequence[Digest], reach: Reach) -> Blob:
    entries = []
    for digest in digests:
        size = reach.store.has(digest) or 0
        path = reach.store.blob_path(digest)
        entries.append(Entry(digest.hex, FILE, 0o644, 0, 0, size, 0, "", path))
    written = write_layer(entries, encoder("zstd"), reach.store, stop=reach.stop)
    descriptor = Descriptor.make(media.OCI_LAYER_ZSTD, written.digest, written.size)
    return Blob(descriptor, Stored(reach.store.blob_path(written.digest)))
