"""The floor: what the bytes alone cost – read, two sha256, compress, write – with our encoder."""

import hashlib
import os
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryFile
from typing import NamedTuple

from artificer.layers.encode import PIECE, encoder
from bench.contents import MIB
from bench.workloads import Workload

HEADER = 512
LARGE = 4 * MIB
PARTS = ("read", "sha256 of the tar", "compress", "sha256 of the blob", "write")


class Floor(NamedTuple):
    """Seconds: of a processor for each part, and by the clock with two threads at work."""

    compression: str
    parts: dict[str, float]
    wall: float

    @property
    def cpu(self) -> float:
        """Seconds of a processor in all."""
        return sum(self.parts.values())


class Span(NamedTuple):
    """A part of a file."""

    path: str
    offset: int
    size: int


def floor_of(workload: Workload, compression: str) -> Floor:
    """Measure it here and now, twice; the better of each counts."""
    spans = [span for path in sorted(workload.folder.rglob("*")) for span in _spans(path)]
    alone = min((_timed([spans], compression) for _ in range(2)), key=lambda told: told[1])
    halves = min((_timed(_halves(spans), compression) for _ in range(2)), key=lambda told: told[1])
    return Floor(compression, alone[0], halves[1])


def _spans(path: Path) -> Iterator[Span]:
    if path.is_file():
        size = path.stat().st_size
        for offset in range(0, size, LARGE) or [0]:
            yield Span(str(path), offset, min(size - offset, LARGE))


def _halves(spans: Sequence[Span]) -> tuple[list[Span], list[Span]]:
    """Two shares of about the same size: each span to whoever has less."""
    shares: tuple[list[Span], list[Span]] = ([], [])
    sizes = [0, 0]
    for span in spans:
        which = sizes.index(min(sizes))
        shares[which].append(span)
        sizes[which] += span.size + HEADER
    return shares


def _timed(shares: Sequence[Sequence[Span]], compression: str) -> tuple[dict[str, float], float]:
    works = [_Work(share, compression) for share in shares]
    start = time.perf_counter()
    for work in works:
        work.start()
    for work in works:
        work.join()
    return works[0].parts, time.perf_counter() - start


class _Work(threading.Thread):
    """One thread's share of the bytes, from the disk to the disk."""

    def __init__(self, spans: Sequence[Span], compression: str) -> None:
        super().__init__(name="floor")
        self.spans = spans
        self.compress = encoder(compression).compress or bytes
        self.parts = dict.fromkeys(PARTS, 0.0)
        self.mark = 0.0

    def run(self) -> None:
        self.mark = time.thread_time()
        tar, blob = hashlib.sha256(), hashlib.sha256()
        read, hashed, compressed, named, written = PARTS
        with TemporaryFile(buffering=0) as output:
            for piece in self._pieces():
                self._lap(read)
                tar.update(piece)
                self._lap(hashed)
                packed = self.compress(memoryview(piece))
                self._lap(compressed)
                blob.update(packed)
                self._lap(named)
                output.write(packed)
                self._lap(written)
            self._lap(read)

    def _lap(self, part: str) -> None:
        now = time.thread_time()
        self.parts[part] += now - self.mark
        self.mark = now

    def _pieces(self) -> Iterator[bytes]:
        """The bytes with room for a header each, in pieces of the encoder's size."""
        held, size = [bytes(HEADER)], HEADER
        for span in self.spans:
            descriptor = os.open(span.path, os.O_RDONLY)
            offset, end = span.offset, span.offset + span.size
            while offset < end:
                held.append(os.pread(descriptor, min(PIECE - size, end - offset), offset))
                offset, size = offset + len(held[-1]), size + len(held[-1])
                if size == PIECE:
                    yield b"".join(held)
                    held, size = [], 0
            os.close(descriptor)
            if size + HEADER < PIECE:
                held.append(bytes(HEADER))
                size += HEADER
        if size:
            yield b"".join(held)
