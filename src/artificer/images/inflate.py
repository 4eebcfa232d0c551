"""Compressed archives and layers, as the plain bytes in them."""

import bz2
import lzma
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from artificer.errors import reason
from artificer.images.place import NotFound
from artificer.images.reach import Reach
from artificer.layers.inflate import GZIP, LAYER_FORMATS, ZSTD, Format, plain
from artificer.oci.digest import Digest, hasher_of

_CHUNK = 1 << 18
XZ = Format(
    "xz",
    lambda head: head.startswith(b"\xfd7zXZ\0"),
    lzma.LZMADecompressor,
    (lzma.LZMAError,),
)
BZIP2 = Format(
    "bzip2", lambda head: head.startswith(b"BZh"), bz2.BZ2Decompressor, (OSError, ValueError)
)
ARCHIVE_FORMATS = (*LAYER_FORMATS, XZ, BZIP2)


class PackedTar(NamedTuple):
    """A tar: how it is compressed (``none``), the bytes that takes, and what the tar hashes to."""

    compression: str
    size: int
    diff_id: Digest


def uncompressed_file(path: str, name: str, reach: Reach) -> str:
    """Return a file with the plain bytes of the archive at *path*: itself if not compressed.

    What is decompressed is kept in the store until a prune, so that spans of it stay readable.
    """
    try:
        with open(path, "rb") as file:
            head = file.read(512)
            if not any(form.begins(head) for form in ARCHIVE_FORMATS if head):
                return path
            file.seek(0)
            chunks = plain(iter(lambda: file.read(_CHUNK), b""), ARCHIVE_FORMATS)
            return reach.store.blob_path(reach.store.put_chunks(_stoppable(chunks, reach)))
    except OSError as error:
        raise NotFound(f"{name}: cannot be read: {reason(error)}") from error


def inflated(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the tar of a layer, however that is compressed."""
    return plain(chunks)


def magic_of(head: bytes) -> str:
    """Return how data that begin with *head* are compressed; ``none`` if they are not."""
    if GZIP.begins(head):
        return "gzip"
    if head and ZSTD.begins(head):
        return "zstd"
    return next((form.name for form in (XZ, BZIP2) if form.begins(head)), "none")


def packed_tar(path: str, reach: Reach) -> PackedTar:
    """What there is to know of the tar in the file *path*, which is read once."""
    with open(path, "rb") as file:
        compression = magic_of(file.read(512))
        file.seek(0)
        hasher = hasher_of("sha256")
        for chunk in _stoppable(inflated(iter(lambda: file.read(_CHUNK), b"")), reach):
            hasher.update(chunk)
        return PackedTar(compression, file.tell(), Digest.sha256(hasher))


def _stoppable(chunks: Iterable[bytes], reach: Reach) -> Iterator[bytes]:
    for chunk in chunks:
        reach.stop.check()
        yield chunk
