"""An image's files without its layers: exported as one tar, or made into one layer."""

from collections.abc import Iterator

from artificer.images.compress import compression_by
from artificer.images.files import copy_entries
from artificer.images.reach import Reach
from artificer.layers.encode import Encoder
from artificer.layers.entry import Entry, Span
from artificer.layers.tar import BLOCK_SIZE, END, header
from artificer.layers.write import Written, write_layer
from artificer.oci import media
from artificer.oci.descriptor import Descriptor
from artificer.oci.document import dump
from artificer.oci.edit import EPOCH
from artificer.oci.image import Blob, Image, Layer, Stored
from artificer.store.blobs import Store

_CHUNK = 1 << 20


def flattened_entries(image: Image, reach: Reach) -> list[Entry]:
    """Return all files of *image* as the entries of one layer; their bytes are in the store."""
    return copy_entries(image, "/", None, reach)


def flattened_layer(image: Image, encoder: Encoder, reach: Reach) -> Layer:
    """Return one layer, in the store, with all the files of *image*."""
    written = write_layer(flattened_entries(image, reach), encoder, reach.store, stop=reach.stop)
    return layer_in_store(written, image.format, encoder, reach.store)


def flattened(image: Image, encoder: Encoder, reach: Reach) -> Image:
    """Return *image* with one layer instead of its own; settings and unknown fields stay."""
    layer = flattened_layer(image, encoder, reach)
    line = {
        "created": image.config_document.get("created", EPOCH),
        "created_by": f"artificer flatten ({len(image.layers)} layers)",
        "comment": "artificer",
    }
    rootfs = {"type": "layers", "diff_ids": [str(layer.diff_id)]}
    config = dump({**image.config_document, "rootfs": rootfs, "history": [line]})
    manifest = {
        **image.manifest_document,
        "config": Descriptor.for_bytes(image.config_descriptor.media_type, config).document,
        "layers": [layer.descriptor.document],
    }
    return Image(dump(manifest), config, {layer.blob.digest: layer.blob.origin})


def exported(image: Image, reach: Reach) -> Iterator[bytes]:
    """Yield the tar of *image*'s root filesystem: the same image gives the same bytes."""
    for entry in flattened_entries(image, reach):
        reach.stop.check()
        yield header(entry)
        if isinstance(entry.source, Span):
            yield from _span(entry.source, entry.size)
            yield bytes(-entry.size % BLOCK_SIZE)
    yield END


def layer_in_store(
    written: Written, image_format: media.Format, encoder: Encoder, store: Store
) -> Layer:
    """Return what `write_layer` wrote as a layer of an image."""
    media_type = media.layer_type(image_format, compression_by(encoder))
    descriptor = Descriptor.make(media_type, written.digest, written.size)
    return Layer(Blob(descriptor, Stored(store.blob_path(written.digest))), written.diff_id)


def _span(span: Span, size: int) -> Iterator[bytes]:
    with open(span.path, "rb") as file:
        file.seek(span.offset)
        while size and (chunk := file.read(min(size, _CHUNK))):
            size -= len(chunk)
            yield chunk
