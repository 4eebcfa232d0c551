"""A process that waits for the answer to its call: its memory, its files, who it is."""

import ctypes
import errno
import os
import re
import stat
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from artificer.sandbox.calls import RESOLVE_IN_ROOT, libc, openat2
from artificer.sandbox.numbers import CALLS

AT_FDCWD = -100
AT_SYMLINK_NOFOLLOW = 0x100
AT_EMPTY_PATH = 0x1000
_PAGE = 4096
_PATH_MAX = 4096
_FIRST = 64

_NAME = b"/proc/self/fd/%d"
_OPENAT2 = CALLS.get("openat2", 0)
_FOLLOWED = struct.pack("QQQ", os.O_PATH | os.O_CLOEXEC, 0, RESOLVE_IN_ROOT)
_NOT_FOLLOWED = struct.pack("QQQ", os.O_PATH | os.O_CLOEXEC | os.O_NOFOLLOW, 0, RESOLVE_IN_ROOT)
_OWN_HANDLE = re.compile(rb"/(?:proc/(?:thread-)?self|dev)/fd/([0-9]{1,9})(|/.*)", re.DOTALL)


class _Part(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


_buffer = ctypes.create_string_buffer(_PAGE)
_here = _Part(ctypes.addressof(_buffer), 0)
_there = _Part(0, 0)
_here_at = ctypes.byref(_here)
_there_at = ctypes.byref(_there)


class Spot(NamedTuple):
    """What a call names: *path*, from the descriptor *directory* on.

    A last link is followed or not; with *empty*, no path at all is the descriptor itself.
    """

    directory: int
    path: bytes
    follow: bool = True
    empty: bool = False


class Identity(NamedTuple):
    """The ids that the kernel asks for when a process opens a file."""

    uid: int
    gid: int


class Tracee:
    """Thread *tid*, stopped in a call. Its memory may change under us: read once, then decide."""

    __slots__ = ("_process", "tid")

    def __init__(self, tid: int) -> None:
        self.tid = tid
        self._process = 0

    @property
    def process(self) -> int:
        """The process that the thread belongs to."""
        if not self._process:
            self._process = int(_status(self.tid, b"Tgid:")[0])
        return self._process

    def identity(self) -> Identity:
        """As whom it opens files."""
        return Identity(int(_status(self.tid, b"Uid:")[3]), int(_status(self.tid, b"Gid:")[3]))

    def umask(self) -> int:
        """Its file mode creation mask."""
        return int(_status(self.tid, b"Umask:")[0], 8)

    def read(self, address: int, size: int) -> bytes:
        """Return *size* bytes of its memory, which lie in one page, or at most `_PAGE` of them."""
        _here.length = _there.length = size
        _there.base = address
        count = libc.process_vm_readv(self.tid, _here_at, 1, _there_at, 1, 0)
        if count < 0:
            raise _error("process_vm_readv")
        return _buffer.raw[:count]

    def bytes_at(self, address: int, size: int) -> bytes:
        """Return *size* bytes of its memory, however many."""
        found = b""
        while size > len(found):
            piece = self.read(address + len(found), min(size - len(found), _PAGE))
            if not piece:
                raise OSError(errno.EFAULT, os.strerror(errno.EFAULT))
            found += piece
        return found

    def path(self, address: int) -> bytes:
        """Return the string at *address*."""
        found = self.read(address, min(_FIRST, _PAGE - address % _PAGE))
        end = found.find(b"\0")
        while end < 0:
            if len(found) >= _PATH_MAX:
                raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG))
            at = address + len(found)
            # Never across a page: the next one may not be there.
            found += self.read(at, _PAGE - at % _PAGE)
            end = found.find(b"\0")
        return found[:end]

    def write(self, address: int, data: bytes) -> None:
        """Put *data* into its memory."""
        source = ctypes.create_string_buffer(data, len(data))
        here = _Part(ctypes.addressof(source), len(data))
        there = _Part(address, len(data))
        done = libc.process_vm_writev(self.tid, ctypes.byref(here), 1, ctypes.byref(there), 1, 0)
        if done < 0:
            raise _error("process_vm_writev")
        if done != len(data):
            raise OSError(errno.EFAULT, os.strerror(errno.EFAULT))

    def give(self, value: bytes, address: int, room: int) -> int:
        """Put *value* where it has *room* for, and return its size; with no room, only that."""
        if room:
            if room < len(value):
                raise OSError(errno.ERANGE, os.strerror(errno.ERANGE))
            self.write(address, value)
        return len(value)

    @contextmanager
    def opened(self, spot: Spot) -> Iterator[int]:
        """Open (O_PATH) the file that is at *spot* for it."""
        found = self._named(spot)
        try:
            yield found
        finally:
            os.close(found)

    def _named(self, spot: Spot) -> int:
        if spot.path:
            return self._resolved(spot)
        if spot.empty:
            return self._descriptor(spot.directory)
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))

    def _descriptor(self, number: int) -> int:
        name = "cwd" if number == AT_FDCWD else f"fd/{number}"
        try:
            return os.open(f"/proc/{self.tid}/{name}", os.O_PATH | os.O_CLOEXEC)
        except FileNotFoundError:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF)) from None

    def _resolved(self, spot: Spot) -> int:
        """Resolve as the kernel would for it: absolute links stay in its root."""
        handle = _OWN_HANDLE.fullmatch(spot.path)
        if handle:
            # The kernel does not go through such a link while it keeps to a root.
            rest = handle[2].lstrip(b"/")
            return self._named(Spot(int(handle[1]), rest, spot.follow, empty=True))
        path = spot.path
        root = os.open(f"/proc/{self.tid}/root", os.O_PATH | os.O_CLOEXEC)
        try:
            if not path.startswith(b"/"):
                path = self._below(root, spot.directory, path)
            flags = os.O_PATH | (0 if spot.follow else os.O_NOFOLLOW)
            return openat2(root, path.lstrip(b"/"), flags, RESOLVE_IN_ROOT)
        finally:
            os.close(root)

    def _below(self, root: int, directory: int, path: bytes) -> bytes:
        """Return *path* from its root on. What it is relative to is named as we see it."""
        base = self._descriptor(directory)
        try:
            if not stat.S_ISDIR(os.fstat(base).st_mode):
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
            named, top = os.readlink(_NAME % base), os.readlink(_NAME % root)
        finally:
            os.close(base)
        if top != b"/" and (named == top or named.startswith(top + b"/")):
            named = named[len(top) :] or b"/"
        return named + b"/" + path


def open_below(root: int, path: bytes, *, follow: bool) -> int:
    """Open (O_PATH) the absolute *path* of a process whose root is *root*; -1 if it cannot be.

    Nothing but one call: this is asked for each file that is looked at.
    """
    how = _FOLLOWED if follow else _NOT_FOLLOWED
    return int(libc.syscall(_OPENAT2, root, path.lstrip(b"/") or b".", how, len(how)))


def signed(word: int) -> int:
    """Return the C int in the low half of *word*."""
    word &= 0xFFFFFFFF
    return word - (1 << 32) if word >> 31 else word


def _status(tid: int, field: bytes) -> list[bytes]:
    with open(f"/proc/{tid}/status", "rb", 0) as file:
        for line in file.read(_PAGE).splitlines():
            if line.startswith(field):
                return line[len(field) :].split()
    raise ProcessLookupError(errno.ESRCH, os.strerror(errno.ESRCH))


def _error(what: str) -> OSError:
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number), what)
