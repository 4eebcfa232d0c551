"""One file of a layer: what its tar header says, and where its bytes are."""

import os
import struct
from typing import NamedTuple

# The type letters of POSIX tar.
FILE = "0"
HARDLINK = "1"
SYMLINK = "2"
CHAR = "3"
BLOCK = "4"
DIRECTORY = "5"
FIFO = "6"

STAT = struct.Struct("<QqqqQ")
"""The values of `Told` as a `Stat` has them."""
STAT_SIZE = STAT.size
_NANOSECONDS = 2**63 - 1

Stat = bytes
"""What tells whether a file on disk is still the one that was seen; see `told`.

Packed, since there is one for every file of a build: as numbers it takes three times the memory.
"""


class Told(NamedTuple):
    """What a `Stat` says: mode with type, size, times in ns, inode."""

    mode: int
    size: int
    mtime: int
    ctime: int
    inode: int


class Span(NamedTuple):
    """The bytes from *offset* of the file at *path*; how many is the entry's size."""

    path: str
    offset: int


Source = str | bytes | Span | None


class Entry(NamedTuple):
    """One file of a layer.

    *path* has no leading "/", no "./" and no trailing "/"; bytes that are not UTF-8 are in it as
    `os.fsdecode` gives them. *mode* is 0 … 0o7777. *link* is the target of a symbolic link, or
    the path of the earlier entry that a hard link names. *source* is a path on disk, the bytes
    themselves, a span of a file, or None where there are no bytes.
    """

    path: str
    kind: str
    mode: int
    uid: int
    gid: int
    size: int
    mtime: int
    link: str
    source: Source
    xattrs: tuple[tuple[str, bytes], ...] = ()
    device: tuple[int, int] = (0, 0)
    stat: Stat | None = None


def stat_of(status: os.stat_result) -> Stat:
    """Return what tells whether a file on disk is still the one that was seen."""
    mtime, ctime = status.st_mtime_ns, status.st_ctime_ns
    try:
        return pack_stat(status.st_mode, status.st_size, mtime, ctime, status.st_ino)
    except struct.error:  # A time after the year 2262.
        times = (mtime & _NANOSECONDS, ctime & _NANOSECONDS)
        return pack_stat(status.st_mode, status.st_size, *times, status.st_ino)


def told(stat: Stat) -> Told:
    """Return what *stat* says."""
    return Told(*STAT.unpack(stat))


pack_stat = STAT.pack
"""Make a `Stat` of the values of `Told`."""
