"""Whether what an image says about itself is true: every digest, size, count and type."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from artificer import limits
from artificer.errors import ArtificerError, Cancelled
from artificer.images.bytes_of import original_chunks
from artificer.images.inflate import magic_of
from artificer.images.parts import images_of, is_foreign
from artificer.images.reach import Reach
from artificer.layers.inflate import plain
from artificer.layers.read import members
from artificer.layers.tape import StreamTape
from artificer.oci import media
from artificer.oci.digest import hasher_of
from artificer.oci.image import Artifact, Blob, Content, Image, Index, Layer
from artificer.oci.platform import select

if TYPE_CHECKING:
    from hashlib import _Hash

_HEAD = 512


class Fault(NamedTuple):
    """A statement that is not true: what it is about, and what is wrong."""

    subject: str
    problem: str


def faults_of(content: Content, reach: Reach) -> Iterator[Fault]:
    """Read all of *content* and yield every statement about it that is not true.

    That the manifest, the config and their digests agree was checked when they were read.
    """
    if isinstance(content, Index):
        yield from _index_faults(content)
    if isinstance(content, Artifact):
        for blob in content.blobs:
            yield from _blob_faults(blob, reach)
    for image in images_of(content):
        yield from _document_faults(image)
        for layer in image.layers:
            if not is_foreign(layer.blob):
                yield from _layer_faults(layer, reach)


def _index_faults(index: Index) -> Iterator[Fault]:
    members = {member.digest: member for member in index.members}
    for entry in index.descriptors:
        subject = f"the index's entry {entry.digest}"
        member = members.get(entry.digest)
        if member is None:
            yield Fault(subject, "is not where the index is")
            continue
        if entry.size != member.descriptor.size:
            yield Fault(subject, f"states {entry.size} bytes, not {member.descriptor.size}")
        if entry.media_type != member.descriptor.media_type:
            yield Fault(subject, f"states the type {entry.media_type}")
        if isinstance(member, Image) and entry.platform and member.platform:
            unknown = entry.platform.os == "unknown"
            if not unknown and select([entry], member.platform) is None:
                yield Fault(
                    subject, f"states {entry.platform}, its config states {member.platform}"
                )


def _document_faults(image: Image) -> Iterator[Fault]:
    subject = f"the config {image.config_descriptor.digest}"
    if image.platform is None:
        yield Fault(subject, "states no os and architecture")
    if image.config_descriptor.size != len(image.config):
        yield Fault(subject, f"is stated to have {image.config_descriptor.size} bytes")
    filled = [line for line in image.history if not line.get("empty_layer")]
    if image.history and len(filled) != len(image.layers):
        yield Fault(
            subject, f"tells of {len(filled)} layers in its history, and has {len(image.layers)}"
        )
    if len(image.layers) > limits.LAYERS:
        yield Fault(f"the image {image.digest}", f"has more than {limits.LAYERS} layers")
    rootfs = image.config_document.get("rootfs")
    if not isinstance(rootfs, dict) or rootfs.get("type") != "layers":
        yield Fault(subject, "has a rootfs that is not of the type layers")
    for descriptor in (image.config_descriptor, *(layer.descriptor for layer in image.layers)):
        if media.format_of(descriptor.media_type) != image.format:
            yield Fault(
                f"the image {image.digest}",
                f"is of the {image.format} format, but has a part of the type "
                f"{descriptor.media_type}",
            )


def _layer_faults(layer: Layer, reach: Reach) -> Iterator[Fault]:
    """Read the layer once: blob digest and size, compression, diff_id, and that it is a tar."""
    subject = f"the layer {layer.blob.digest}"
    hasher = hasher_of(layer.diff_id.algorithm)
    head = bytearray()
    try:
        tar = plain(_seen(original_chunks(layer.blob, reach), head))
        count = sum(1 for _ in members(StreamTape(_hashed(tar, hasher))))
    except Cancelled:
        raise
    except ArtificerError as error:
        yield Fault(subject, error.message)
        return
    found, stated = magic_of(bytes(head)), media.compression_of(layer.descriptor.media_type)
    if found != stated:
        yield Fault(subject, f"is compressed with {found}, its type says {stated}")
    if hasher.hexdigest() != layer.diff_id.hex:
        actual = f"{hasher.name}:{hasher.hexdigest()}"
        yield Fault(subject, f"is the tar {actual} ({count} entries), not {layer.diff_id}")


def _blob_faults(blob: Blob, reach: Reach) -> Iterator[Fault]:
    try:
        for _ in original_chunks(blob, reach):
            pass
    except Cancelled:
        raise
    except ArtificerError as error:
        yield Fault(f"the blob {blob.digest}", error.message)


def _seen(chunks: Iterable[bytes], head: bytearray) -> Iterator[bytes]:
    for chunk in chunks:
        if len(head) < _HEAD:
            head += chunk[:_HEAD]
        yield chunk


def _hashed(chunks: Iterable[bytes], hasher: "_Hash") -> Iterator[bytes]:
    for chunk in chunks:
        hasher.update(chunk)
        yield chunk
