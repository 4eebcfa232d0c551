"""Tars of blobs: members in memory or somewhere else, as a stream that is the same every time."""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from artificer.images.reach import Reach
from artificer.layers.entry import DIRECTORY, FILE, Entry
from artificer.layers.tar import BLOCK_SIZE, END, header


class Part(NamedTuple):
    """A member to be written; *open* gives its *size* bytes."""

    name: str
    size: int
    open: Callable[[], Iterable[bytes]]


def part_of(name: str, data: bytes) -> Part:
    """Return a part that is in memory."""
    return Part(name, len(data), lambda: (data,))


def tarred(parts: Iterable[Part], reach: Reach) -> Iterator[bytes]:
    """Yield *parts* as a tar, in their order, each directory before what is in it."""
    seen = {""}
    for part in parts:
        reach.stop.check()
        yield from _directories(part.name, seen)
        yield header(Entry(part.name, FILE, 0o644, 0, 0, part.size, 0, "", None))
        yield from part.open()
        yield bytes(-part.size % BLOCK_SIZE)
    yield END


def _directories(name: str, seen: set[str]) -> Iterator[bytes]:
    """Yield what is above *name* and not *seen* yet: scanners make no directory of their own."""
    ends = (at for at, letter in enumerate(name) if letter == "/")
    for parent in (name[:end] for end in ends):
        if parent not in seen:
            seen.add(parent)
            yield header(Entry(parent, DIRECTORY, 0o755, 0, 0, 0, 0, "", None))
