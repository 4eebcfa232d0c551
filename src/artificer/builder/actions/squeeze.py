"""Files compressed with what no layer is compressed with: xz and bzip2, for tars."""

import bz2
import lzma
from collections.abc import Iterator
from typing import Protocol

from artificer.errors import ArtificerError
from artificer.images.reach import Reach
from artificer.oci.digest import Digest

_CHUNK = 1 << 18


class UnknownCompression(ArtificerError):
    """A compression that nothing here can do."""


class _Compressor(Protocol):
    def compress(self, data: bytes, /) -> bytes:
        """Take *data*, give what is ready."""

    def flush(self) -> bytes:
        """Give the rest."""


def compressed(digest: Digest, compression: str, reach: Reach) -> Digest:
    """The blob *digest* of the store, compressed into another one, whose digest is given."""
    if compression == "xz":
        # With threads, or another preset, other versions of liblzma would write other bytes.
        return reach.store.put_chunks(_chunks(digest, lzma.LZMACompressor(preset=6), reach))
    if compression == "bz2":
        return reach.store.put_chunks(_chunks(digest, bz2.BZ2Compressor(9), reach))
    raise UnknownCompression(
        f"unknown compression {compression!r}", hint="choose one of gz, bz2, xz, zst, or none"
    )


def _chunks(digest: Digest, compressor: _Compressor, reach: Reach) -> Iterator[bytes]:
    with open(reach.store.blob_path(digest), "rb", buffering=0) as file:
        while chunk := file.read(_CHUNK):
            reach.stop.check()
            if out := compressor.compress(chunk):
                yield out
    yield compressor.flush()
