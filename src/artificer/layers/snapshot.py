"""Stat records: what a step saw on disk, so that unchanged input is known without reading."""

import hashlib
import os
import stat
import struct
from collections.abc import Iterable, Iterator
from itertools import starmap
from typing import NamedTuple, Self

from artificer.layers.entry import Stat

_MAGIC = b"artificer stat record 1\n"
_LENGTHS = struct.Struct("<QQQQ")  # of the key, the result, the paths; how many paths
_STAT = struct.Struct("<QqqqQ")
_CHECKSUM = 32
_BLOCK = _STAT.size * 1024

_TICK = 10_000_000
_COARSE_TICK = 2_000_000_000
_SECOND = 1_000_000_000


class Snapshot(NamedTuple):
    """Every path on disk that a step has looked at, as it was, and what came of it.

    *key* stands for the step's words and for the directory that relative paths start from;
    *result* belongs to the builder. Directories that were walked are among the paths: their times
    tell of names added and removed, so that nothing has to be walked again.
    """

    key: str
    result: bytes
    paths: list[bytes]
    stats: bytes

    @classmethod
    def of(cls, key: str, seen: Iterable[tuple[str, Stat]], result: bytes) -> Self:
        """Make the record of what was *seen*, in that order."""
        listed = list(seen)
        # All at once: to encode each by itself is ten times as slow.
        names = os.fsencode("\0".join([path for path, _ in listed]))
        stats = b"".join(starmap(_STAT.pack, [values for _, values in listed]))
        return cls(key, result, names.split(b"\0") if listed else [], stats)

    def pack(self) -> bytes:
        """Return the record as a file has it: magic, sha256 of the rest, lengths, parts."""
        key, paths = self.key.encode(), b"\0".join(self.paths)
        lengths = _LENGTHS.pack(len(key), len(self.result), len(paths), len(self.paths))
        rest = b"".join((lengths, key, self.result, paths, self.stats))
        return b"".join((_MAGIC, hashlib.sha256(rest).digest(), rest))

    def stat(self, number: int) -> Stat:
        """Return what the path with this number was."""
        mode, size, mtime, ctime, inode = _STAT.unpack_from(self.stats, number * _STAT.size)
        return mode, size, mtime, ctime, inode

    @classmethod
    def unpack(cls, data: bytes) -> Self | None:
        """Return what `pack` made; None for what is damaged or of another version."""
        start = len(_MAGIC) + _CHECKSUM
        rest = memoryview(data)[start:]
        if not data.startswith(_MAGIC) or len(rest) < _LENGTHS.size:
            return None
        if hashlib.sha256(rest).digest() != data[len(_MAGIC) : start]:
            return None
        key_length, result_length, paths_length, count = _LENGTHS.unpack_from(rest)
        key, rest = rest[_LENGTHS.size :][:key_length], rest[_LENGTHS.size + key_length :]
        result, rest = rest[:result_length], rest[result_length:]
        paths = bytes(rest[:paths_length]).split(b"\0") if count else []
        return cls(str(key, "utf-8"), bytes(result), paths, bytes(rest[paths_length:]))


def unchanged(snapshot: Snapshot) -> bool:
    """Whether every path is still what it was: an lstat each, and nothing is opened."""
    lstat = os.lstat
    try:
        for path, seen in zip(snapshot.paths, _STAT.iter_unpack(snapshot.stats), strict=True):
            now = lstat(path)
            if seen != (
                now.st_mode,
                now.st_size,
                now.st_mtime_ns,
                now.st_ctime_ns,
                now.st_ino,
            ):
                return False
    except OSError:
        return False
    return True


def racy(stats: Iterable[Stat], started: int) -> bool:
    """Whether something is so new that its next change may not show in its times.

    Then no record is written. *started* is `time.time_ns()` before the walk. A file's times come
    from a clock that moves every 10 ms at most; where both have no fraction, every two seconds.
    A file dated in the future is always racy. A network file system's clock must agree with ours.
    """
    fine, coarse = started - _TICK, started - _COARSE_TICK
    for _, _, mtime, ctime, _ in stats:
        newest = max(mtime, ctime)
        if newest >= fine:
            return True
        if newest >= coarse and not (mtime % _SECOND or ctime % _SECOND):
            return True
    return False


class Change(NamedTuple):
    """One path that is not what it was, and what about it."""

    path: str
    what: str


def changes(old: Snapshot, new: Snapshot) -> list[Change]:
    """Say what differs between two records of a step, for a person to read.

    That a directory has other times says nothing that its files do not, so it is told only when
    there is nothing else to tell.
    """
    found = [
        (path, _unpacked(before), _unpacked(after))
        for path, before, after in sorted(_differing(old, new), key=lambda each: each[0])
    ]
    telling = [each for each in found if not _only_times(*each)]
    return [Change(os.fsdecode(path), _what(was, now)) for path, was, now in telling or found]


_Packed = tuple[bytes, bytes | None, bytes | None]


def _differing(old: Snapshot, new: Snapshot) -> Iterator[_Packed]:
    """Yield the paths of which there are not equal stats, and what both records have of them."""
    if old.paths == new.paths:
        yield from _replaced(old, new)
        return
    before, after = _by_path(old), _by_path(new)
    for path in {path for path, _ in before.items() ^ after.items()}:
        yield path, before.get(path), after.get(path)


def _replaced(old: Snapshot, new: Snapshot) -> Iterator[_Packed]:
    # Nearly all is the same, so large blocks are compared first.
    for start in range(0, len(old.stats), _BLOCK):
        end = start + _BLOCK
        if old.stats[start:end] == new.stats[start:end]:
            continue
        for at in range(start, min(end, len(old.stats)), _STAT.size):
            before, after = (each.stats[at : at + _STAT.size] for each in (old, new))
            if before != after:
                yield old.paths[at // _STAT.size], before, after


def _unpacked(data: bytes | None) -> Stat | None:
    return None if data is None else _STAT.unpack(data)


def _by_path(snapshot: Snapshot) -> dict[bytes, bytes]:
    stats, size = snapshot.stats, _STAT.size
    parts = (stats[at : at + size] for at in range(0, len(stats), size))
    return dict(zip(snapshot.paths, parts, strict=True))


def _only_times(_: bytes, was: Stat | None, now: Stat | None) -> bool:
    return bool(was and now and was[0] == now[0] and stat.S_ISDIR(now[0]))


def _what(was: Stat | None, now: Stat | None) -> str:
    if was is None:
        return "added"
    if now is None:
        return "removed"
    kinds = [_KINDS.get(stat.S_IFMT(mode), "something else") for mode in (was[0], now[0])]
    if kinds[0] != kinds[1]:
        return " → ".join(kinds)
    if stat.S_ISDIR(now[0]) and was[0] == now[0]:
        return "names in it"
    words = []
    if was[1] != now[1]:
        words.append(f"size {was[1]} → {now[1]}")
    if was[0] != now[0]:
        words.append(f"mode {stat.S_IMODE(was[0]):04o} → {stat.S_IMODE(now[0]):04o}")
    if not words:
        words.append(_unseen(was, now))
    return ", ".join(words)


def _unseen(was: Stat, now: Stat) -> str:
    """Name what has changed where size and mode are the same."""
    if was[2] != now[2]:
        return "written (same size, other modification time)"
    if was[4] != now[4]:
        return "replaced by another file (same size and modification time)"
    return "touched (links, owner, attributes, or written under the same modification time)"


_KINDS = {
    stat.S_IFREG: "file",
    stat.S_IFDIR: "directory",
    stat.S_IFLNK: "symbolic link",
    stat.S_IFIFO: "fifo",
    stat.S_IFSOCK: "socket",
    stat.S_IFCHR: "character device",
    stat.S_IFBLK: "block device",
}
