"""Packages decompressed by a few threads ahead of who takes them, in memory that is bounded."""

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from io import BufferedRandom, FileIO
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from artificer.sources.debian.deb import Deb, read_deb
from artificer.stop import Stop

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

ROOM = 96 << 20
"""Bytes of decompressed packages that may wait; then no other is begun."""

IN_MEMORY = 64 << 20
"""A package that becomes no larger is decompressed in memory, any other one on disk."""

_GROWTH = 4  # what the data of a package usually becomes, decompressed


class _Read(NamedTuple):
    deb: Deb
    size: int


def read_ahead(
    paths: Sequence[str], spool: Callable[[], BinaryIO], *, threads: int, stop: Stop
) -> Iterator[Deb]:
    """Yield the packages at *paths* in their order; each is closed when the next is asked for.

    *spool* opens a file on disk, for what is too large for memory. Close the iterator, if it is
    not read to its end.
    """
    crew = _Crew(paths, spool, stop)
    members = [
        threading.Thread(target=crew.work, name=f"deb-{number}", daemon=True)
        for number in range(max(1, min(threads, len(paths))))
    ]
    for member in members:
        member.start()
    try:
        for number in range(len(paths)):
            read = crew.take(number)
            try:
                yield read.deb
            finally:
                crew.give_back(read)
    finally:
        crew.end()
        for member in members:
            member.join()
        crew.close()


class _Crew:
    """The packages that are not begun, those that wait, and what they take."""

    def __init__(self, paths: Sequence[str], spool: Callable[[], BinaryIO], stop: Stop) -> None:
        self._paths = paths
        self._spool = spool
        self._stop = stop
        self._turn = threading.Condition()
        self._next = 0
        self._held = 0
        self._over = False
        self._read: dict[int, _Read | BaseException] = {}

    def work(self) -> None:
        """Read packages until there are no more."""
        while (number := self._begun()) is not None:
            try:
                found: _Read | BaseException = self._package(self._paths[number])
            except BaseException as error:  # raised again by `take`
                found = error
            with self._turn:
                self._read[number] = found
                if isinstance(found, _Read):
                    self._held += found.size
                self._turn.notify_all()

    def take(self, number: int) -> _Read:
        """The package *number*, once it is read."""
        with self._turn:
            while number not in self._read:
                self._turn.wait(1.0)
                self._stop.check()
            found = self._read.pop(number)
        if isinstance(found, BaseException):
            raise found
        return found

    def give_back(self, read: _Read) -> None:
        """Close a package that was taken."""
        read.deb.tar.close()
        with self._turn:
            self._held -= read.size
            self._turn.notify_all()

    def end(self) -> None:
        """Begin nothing more."""
        with self._turn:
            self._over = True
            self._turn.notify_all()

    def close(self) -> None:
        """Close what nobody took."""
        for found in self._read.values():
            if isinstance(found, _Read):
                found.deb.tar.close()

    def _begun(self) -> int | None:
        with self._turn:
            # What is waited for is begun in any case: nothing waits then, so nothing is held.
            while self._held > ROOM and not self._over:
                self._turn.wait()
            if self._over or self._stop.is_set() or self._next == len(self._paths):
                return None
            self._next += 1
            return self._next - 1

    def _package(self, path: str) -> _Read:
        if _is_small(path):
            try:
                return _read_into(_Memory(), path)
            except _Full:
                pass
        return _read_into(self._spool(), path)


def _is_small(path: str) -> bool:
    if not hasattr(os, "memfd_create"):
        return False
    try:
        return os.stat(path).st_size * _GROWTH <= IN_MEMORY
    except OSError:
        return True  # `read_deb` says why it cannot be read


def _read_into(tar: BinaryIO, path: str) -> _Read:
    try:
        deb = read_deb(path, lambda: tar)
    except BaseException:
        tar.close()
        raise
    return _Read(deb, tar.tell())


class _Full(Exception):
    """A package becomes larger than memory may be."""


class _Memory(BufferedRandom):
    """A file in memory that takes as much as packages of this size usually become."""

    def __init__(self) -> None:
        super().__init__(FileIO(os.memfd_create("deb", os.MFD_CLOEXEC), "w+b"))
        self._room = IN_MEMORY

    def write(self, data: "ReadableBuffer") -> int:
        """Write *data*, or raise `_Full`."""
        written = super().write(data)
        self._room -= written
        if self._room < 0:
            raise _Full
        return written
