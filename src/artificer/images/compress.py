"""Layers that are not compressed, compressed: before they go where bytes cost time."""

from collections.abc import Iterable, Iterator
from typing import get_args

from artificer import limits
from artificer.images.bytes_of import chunks_of
from artificer.images.reach import Reach
from artificer.layers.encode import PIECE, Encoder
from artificer.oci import media
from artificer.oci.descriptor import Descriptor
from artificer.oci.document import dump, parse
from artificer.oci.image import Image, Layer, Stored

_KIND = "compressed"


def compressed(image: Image, encoder: Encoder, reach: Reach) -> Image:
    """Return *image* with every plain layer compressed by *encoder*, and put into the store.

    The tars stay as they are, byte for byte, and so do the diff_ids and the config. What was
    compressed before is found again by its diff_id and the encoder's identity.
    """
    if encoder.compress is None:
        return image
    origins = dict(image.origins)
    layers = []
    for layer, document in zip(image.layers, image.manifest_document["layers"], strict=True):
        if media.compression_of(layer.descriptor.media_type) == "none":
            made = _made(layer, encoder, reach)
            media_type = media.layer_type(image.format, compression_by(encoder))
            document = {**document, **made.changed(mediaType=media_type).document}
            origins[made.digest] = Stored(reach.store.blob_path(made.digest))
        layers.append(document)
    manifest = {**image.manifest_document, "layers": layers}
    return Image(dump(manifest), image.config, origins)


def compression_by(encoder: Encoder) -> media.Compression:
    """Return what layers of *encoder* are compressed with, as media types say it."""
    return next(one for one in get_args(media.Compression) if one == encoder.kind)


def _made(layer: Layer, encoder: Encoder, reach: Reach) -> Descriptor:
    key = f"{layer.diff_id} {encoder.identity}"
    known = reach.store.record(_KIND, key)
    if known is not None:
        return Descriptor.of(parse(known, limit=limits.MANIFEST_BYTES, what="a record"))
    chunks = _packed(chunks_of(layer.blob, reach), encoder)
    digest = reach.store.put_chunks(chunks)
    size = reach.store.has(digest) or 0
    made = Descriptor.make(media.layer_type("oci", compression_by(encoder)), digest, size)
    reach.store.set_record(_KIND, key, made.raw.encode(), needs=[digest])
    return made


def _packed(chunks: Iterable[bytes], encoder: Encoder) -> Iterator[bytes]:
    compress = encoder.compress
    assert compress is not None  # noqa: S101 - asked before
    piece = bytearray()
    for chunk in chunks:
        piece += chunk
        while len(piece) >= PIECE:
            yield bytes(compress(memoryview(bytes(piece[:PIECE]))))
            del piece[:PIECE]
    if piece:
        yield bytes(compress(memoryview(piece)))
