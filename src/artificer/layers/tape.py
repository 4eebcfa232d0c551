"""Reading an archive once, forward: exact reads, and skips that cost nothing where they can."""

import os
from collections.abc import Iterable, Iterator
from typing import BinaryIO, Protocol

_CHUNK = 1 << 18


class Tape(Protocol):
    """Bytes that are read in order. Less than was asked for means the end."""

    offset: int
    """How many bytes were read or skipped."""

    def read(self, size: int) -> bytes:
        """Return the next *size* bytes, or all that are left."""

    def skip(self, size: int) -> int:
        """Pass over *size* bytes and return over how many there were."""

    def pieces(self, size: int) -> Iterator[bytes]:
        """Yield the next *size* bytes, or all that are left, in pieces."""


class StreamTape:
    """A tape over chunks that come from anywhere."""

    __slots__ = ("_at", "_chunk", "_chunks", "offset")

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._chunk = b""
        self._at = 0
        self.offset = 0

    def read(self, size: int) -> bytes:
        """Return the next *size* bytes, or all that are left."""
        end = self._at + size
        if end <= len(self._chunk):
            data = self._chunk[self._at : end]
            self._at = end
            self.offset += size
            return data
        return b"".join(self.pieces(size))

    def skip(self, size: int) -> int:
        """Pass over *size* bytes and return over how many there were."""
        return sum(map(len, self.pieces(size)))

    def pieces(self, size: int) -> Iterator[bytes]:
        """Yield the next *size* bytes, or all that are left, in pieces."""
        while size:
            if self._at == len(self._chunk):
                chunk = next(self._chunks, None)
                if chunk is None:
                    return
                self._chunk, self._at = chunk, 0
                continue
            piece = self._chunk[self._at : self._at + size]
            self._at += len(piece)
            self.offset += len(piece)
            size -= len(piece)
            yield piece


class FileTape:
    """A tape over a file that can seek: what is skipped is not read."""

    __slots__ = ("_end", "_file", "offset")

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._end = os.fstat(file.fileno()).st_size
        self.offset = file.seek(0)

    def read(self, size: int) -> bytes:
        """Return the next *size* bytes, or all that are left."""
        data = self._file.read(size)
        self.offset += len(data)
        return data

    def skip(self, size: int) -> int:
        """Pass over *size* bytes and return over how many there were."""
        size = max(0, min(size, self._end - self.offset))
        self.offset = self._file.seek(self.offset + size)
        return size

    def pieces(self, size: int) -> Iterator[bytes]:
        """Yield the next *size* bytes, or all that are left, in pieces."""
        while size:
            piece = self.read(min(size, _CHUNK))
            if not piece:
                return
            size -= len(piece)
            yield piece
