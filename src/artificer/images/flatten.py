"""An image's files without its layers: exported as one tar, or made into one layer."""

from collections.abc import Iterator
from typing import get_args

from artificer.images.files import copy_entries
from artificer.images.reach import Reach
from artificer.layers.encode import Encoder
from artificer.layers.entry import Entry, Span
from artificer.layers.tar import BLOCK_SIZE, END, header
from artificer.layers.write import Written, write_layer
from artificer.oci import media
from artificer.oci.descriptor import Descriptor
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
    compression = next(one for one in get_args(media.Compression) if one == encoder.kind)
    media_type = media.layer_type(image_format, compression)
    descriptor = Descriptor.make(media_type, written.digest, written.size)
    return Layer(Blob(descriptor, Stored(store.blob_path(written.digest))), written.diff_id)


def _span(span: Span, size: int) -> Iterator[bytes]:
    with open(span.path, "rb") as file:
        file.seek(span.offset)
        while size and (chunk := file.read(min(size, _CHUNK))):
            size -= len(chunk)
            yield chunk
