"""Entries to pieces of a tar: headers and files' bytes, straight into the pool's buffers."""

import errno
import os
from collections.abc import Iterable
from typing import assert_never

from artificer.errors import ArtificerError, reason
from artificer.layers.encode import PIECE
from artificer.layers.entry import FILE, Entry, Span, stat_of
from artificer.layers.pool import ROOM, Pool
from artificer.layers.tar import BLOCK_SIZE, END, header, padding
from artificer.stop import Stop

_SMALL = ROOM - PIECE - BLOCK_SIZE
"""Header and bytes of an entry that always fit behind a piece that is not yet full."""

# A path that has become a fifo must not hang us, one that has become a link must not lead us on.
_OPEN = (
    os.O_RDONLY
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_BINARY", 0)
)
_OWN = _OPEN | getattr(os, "O_NOFOLLOW", 0)
_NOATIME = getattr(os, "O_NOATIME", 0)


class Unreadable(ArtificerError):
    """A file of the layer cannot be opened or read."""


class ChangedWhileRead(ArtificerError):
    """A file is not the one that the walk saw, or became another while it was read.

    Read once more it may well be quiet, so the builder walks and reads again, once. After that
    it is an error for a person (exit code 1, not 75): something keeps writing into the input.
    """

    def __init__(self, path: str) -> None:
        super().__init__(
            f"{path} changed while it was read",
            hint="wait until what writes it has finished, or leave it out with `--exclude`",
        )
        self.path = path


def pack(entries: Iterable[Entry], pool: Pool, stop: Stop) -> None:
    """Feed *pool* with the tar of *entries*."""
    packer = _Packer(pool, stop)
    add = packer.add
    for entry in entries:
        add(entry)
    packer.end()


def pour(chunks: Iterable[bytes], pool: Pool, stop: Stop) -> None:
    """Feed *pool* with a tar that is ready, its end included."""
    packer = _Packer(pool, stop)
    for chunk in chunks:
        packer.put(chunk)
    packer.finish()


class _Packer:
    __slots__ = ("_buffer", "_flags", "_piece", "_pool", "_position", "_stop", "_view")

    def __init__(self, pool: Pool, stop: Stop) -> None:
        self._pool = pool
        self._stop = stop
        self._flags = _OWN | _NOATIME
        self._position = 0
        self._next()

    def add(self, entry: Entry) -> None:
        """Put one entry: header, bytes, padding."""
        head = header(entry)
        size = entry.size if entry.kind == FILE else 0
        source = entry.source
        if source.__class__ is not str or len(head) + size > _SMALL:
            self._add_slowly(entry, head, size)
            return
        start = self._position
        end = start + len(head)
        self._buffer[start:end] = head
        start, end = end, end + size
        self._read_whole(entry, self._view[start:end])
        if rest := -size % BLOCK_SIZE:
            self._buffer[end : end + rest] = padding(size)
            end += rest
        self._position = end
        if end >= PIECE:
            self._cut()

    def end(self) -> None:
        """Put the end of the archive; nothing can be added after it."""
        self.put(END)
        self.finish()

    def finish(self) -> None:
        """Give what is left to the pool."""
        if self._position:
            self._piece.length = self._position
            self._pool.give(self._piece)

    def _read_whole(self, entry: Entry, view: memoryview) -> None:
        """Fill *view* with a small file, which must be the one that the walk saw.

        The walk's stat is what it was before, so one fstat after reading is enough.
        """
        descriptor = self._open(entry, str(entry.source))
        try:
            _read(entry, descriptor, view)
            _compare(entry, descriptor)
        finally:
            os.close(descriptor)

    def _add_slowly(self, entry: Entry, head: bytes, size: int) -> None:
        self.put(head)
        match entry.source:
            case None:
                return
            case bytes(data):
                self.put(data)
            case Span(path, offset):
                self._put_file(entry, path, offset)
            case str(path):
                self._put_file(entry, path, 0)
            case _ as never:
                assert_never(never)
        self.put(padding(size))

    def _put_file(self, entry: Entry, path: str, offset: int) -> None:
        descriptor = self._open(entry, path)
        try:
            _compare(entry, descriptor)
            if offset:
                os.lseek(descriptor, offset, os.SEEK_SET)
            left = entry.size
            while left:
                start = self._position
                end = min(start + left, PIECE)
                _read(entry, descriptor, self._view[start:end])
                left -= end - start
                self._position = end
                if end == PIECE:
                    self._cut()
            _compare(entry, descriptor)
        finally:
            os.close(descriptor)

    def put(self, data: bytes) -> None:
        """Put bytes of any length."""
        at = 0
        while at < len(data):
            start = self._position
            end = min(start + len(data) - at, PIECE)
            self._buffer[start:end] = data[at : at + end - start]
            at += end - start
            self._position = end
            if end == PIECE:
                self._cut()

    def _cut(self) -> None:
        """Give the piece to the pool; what stands behind its end begins the next one."""
        self._stop.check()
        rest = self._buffer[PIECE : self._position]
        self._piece.length = PIECE
        self._pool.give(self._piece)
        self._next()
        self._buffer[: len(rest)] = rest
        self._position = len(rest)

    def _next(self) -> None:
        self._piece = self._pool.take()
        self._buffer = self._piece.buffer
        self._view = self._piece.view

    def _open(self, entry: Entry, path: str) -> int:
        flags = self._flags if entry.source.__class__ is str else _OPEN
        try:
            return os.open(path, flags)
        except PermissionError as error:
            if not flags & _NOATIME:
                raise _trouble(entry, error) from error
            # Only a file's owner may ask for its access time to stay.
            self._flags = _OWN
            return self._open(entry, path)
        except OSError as error:
            raise _trouble(entry, error) from error


def _read(entry: Entry, descriptor: int, view: memoryview) -> None:
    """Fill *view*, or say why it cannot be."""
    try:
        count = _readv(descriptor, (view,))
        while 0 < count < len(view):
            more = _readv(descriptor, (view[count:],))
            if not more:
                break
            count += more
    except OSError as error:
        raise _trouble(entry, error) from error
    if count != len(view):
        raise ChangedWhileRead(_path(entry))


def _compare(entry: Entry, descriptor: int) -> None:
    """Raise `ChangedWhileRead` if the open file is not, or not any more, what the walk saw."""
    try:
        status = os.fstat(descriptor)
    except OSError as error:
        raise _trouble(entry, error) from error
    seen = entry.stat
    if seen is None:
        same = entry.source.__class__ is not str or status.st_size == entry.size
    else:
        same = seen == stat_of(status)
    if not same:
        raise ChangedWhileRead(_path(entry))


def _path(entry: Entry) -> str:
    return entry.source.path if isinstance(entry.source, Span) else str(entry.source)


def _trouble(entry: Entry, error: OSError) -> ArtificerError:
    """Translate what the system says of a file that the walk has seen, or nobody has."""
    path = _path(entry)
    gone = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EISDIR, errno.ENXIO}
    if entry.stat is not None and error.errno in gone:
        return ChangedWhileRead(path)
    hint = None
    if isinstance(error, PermissionError):
        hint = "make it readable for this user, or leave it out with `--exclude`"
    return Unreadable(f"cannot read {path}: {reason(error)}", hint=hint)


def _read_into(descriptor: int, views: tuple[memoryview]) -> int:
    data = os.read(descriptor, len(views[0]))
    views[0][: len(data)] = data
    return len(data)


# Windows has no readv.
_readv = os.readv if hasattr(os, "readv") else _read_into
