"""Stat records: what a step saw on disk, so that unchanged input is known without reading."""

import hashlib
import os
import re
import stat
import struct
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import NamedTuple, Self

from artificer.layers.entry import STAT, STAT_SIZE, Stat, Told, told

_MAGIC = b"artificer stat record 1\n"
_LENGTHS = struct.Struct("<QQQQ")  # of the key, the result, the paths; how many paths
_TIMES = struct.Struct("<16xqq8x")
_NAME = re.compile(rb"[^\0]+")
_CHECKSUM = 32
_BLOCK = STAT_SIZE * 1024
_BATCH = 1024

_TICK = 10_000_000
_COARSE_TICK = 2_000_000_000
_SECOND = 1_000_000_000


class Snapshot(NamedTuple):
    """Every path on disk that a step has looked at, as it was, and what came of it.

    *key* stands for the step's words and for the directory that relative paths start from;
    *result* belongs to the builder. *names* are the paths with a NUL between them. Directories
    that were walked are among the paths: their times tell of names added and removed, so that
    nothing has to be walked again.
    """

    key: str
    result: bytes
    names: bytes
    stats: bytes

    @classmethod
    def of(cls, key: str, seen: Iterable[tuple[str, Stat]], result: bytes) -> Self:
        """Make the record of what was *seen*, in that order."""
        names: list[bytes] = []
        stats: list[bytes] = []
        waiting = iter(seen)
        # Many at once: to encode each by itself is ten times as slow.
        while batch := list(islice(waiting, _BATCH)):
            names.append(os.fsencode("\0".join([path for path, _ in batch])))
            stats.append(b"".join([stat for _, stat in batch]))
        return cls(key, result, b"\0".join(names), b"".join(stats))

    @property
    def paths(self) -> list[bytes]:
        """The paths one by one: made anew for whoever asks."""
        return self.names.split(b"\0") if self.stats else []

    @property
    def number(self) -> int:
        """How many paths there are."""
        return len(self.stats) // STAT_SIZE

    def pack(self) -> bytes:
        """Return the record as a file has it: magic, sha256 of the rest, lengths, parts."""
        return b"".join(self.parts())

    def parts(self) -> tuple[bytes, ...]:
        """Return what `pack` does, not yet put together."""
        key = self.key.encode()
        lengths = _LENGTHS.pack(len(key), len(self.result), len(self.names), self.number)
        rest = (lengths, key, self.result, self.names, self.stats)
        hasher = hashlib.sha256()
        for part in rest:
            hasher.update(part)
        return (_MAGIC, hasher.digest(), *rest)

    def stat(self, number: int) -> Stat:
        """Return what the path with this number was."""
        return self.stats[number * STAT_SIZE : (number + 1) * STAT_SIZE]

    def racy(self, started: int) -> bool:
        """Whether any of them was racy."""
        return racy(map(self.stat, range(self.number)), started)

    @classmethod
    def unpack(cls, data: bytes) -> Self | None:
        """Return what `pack` made; None for what is damaged or of another version."""
        start = len(_MAGIC) + _CHECKSUM
        rest = memoryview(data)[start:]
        if not data.startswith(_MAGIC) or len(rest) < _LENGTHS.size:
            return None
        if hashlib.sha256(rest).digest() != data[len(_MAGIC) : start]:
            return None
        key_length, result_length, names_length, _ = _LENGTHS.unpack_from(rest)
        key, rest = rest[_LENGTHS.size :][:key_length], rest[_LENGTHS.size + key_length :]
        result, rest = rest[:result_length], rest[result_length:]
        names, stats = bytes(rest[:names_length]), bytes(rest[names_length:])
        return cls(str(key, "utf-8"), bytes(result), names, stats)


def unchanged(snapshot: Snapshot) -> bool:
    """Whether every path is still what it was: an lstat each, and nothing is opened."""
    lstat = os.lstat
    try:
        for path, seen in zip(snapshot.paths, STAT.iter_unpack(snapshot.stats), strict=True):
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
    for mtime, ctime in map(_TIMES.unpack, stats):
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
    if old.names == new.names:
        yield from _replaced(old, new)
        return
    before, after = _by_path(old), _by_path(new)
    for path in {path for path, _ in before.items() ^ after.items()}:
        yield path, before.get(path), after.get(path)


def _replaced(old: Snapshot, new: Snapshot) -> Iterator[_Packed]:
    # Nearly all is the same, so large blocks are compared first.
    paths, passed = (found[0] for found in _NAME.finditer(old.names)), 0
    for start in range(0, len(old.stats), _BLOCK):
        end = start + _BLOCK
        if old.stats[start:end] == new.stats[start:end]:
            continue
        for at in range(start, min(end, len(old.stats)), STAT_SIZE):
            before, after = (each.stats[at : at + STAT_SIZE] for each in (old, new))
            if before != after:
                row = at // STAT_SIZE
                yield next(islice(paths, row - passed, None)), before, after
                passed = row + 1


def _unpacked(data: Stat | None) -> Told | None:
    return None if data is None else told(data)


def _by_path(snapshot: Snapshot) -> dict[bytes, Stat]:
    stats = map(snapshot.stat, range(snapshot.number))
    return dict(zip(snapshot.paths, stats, strict=True))


def _only_times(_: bytes, was: Told | None, now: Told | None) -> bool:
    return bool(was and now and was.mode == now.mode and stat.S_ISDIR(now.mode))


def _what(was: Told | None, now: Told | None) -> str:
    if was is None:
        return "added"
    if now is None:
        return "removed"
    kinds = [_KINDS.get(stat.S_IFMT(mode), "something else") for mode in (was.mode, now.mode)]
    if kinds[0] != kinds[1]:
        return " → ".join(kinds)
    if stat.S_ISDIR(now.mode) and was.mode == now.mode:
        return "names in it"
    words = []
    if was.size != now.size:
        words.append(f"size {was.size} → {now.size}")
    if was.mode != now.mode:
        words.append(f"mode {stat.S_IMODE(was.mode):04o} → {stat.S_IMODE(now.mode):04o}")
    if not words:
        words.append(_unseen(was, now))
    return ", ".join(words)


def _unseen(was: Told, now: Told) -> str:
    """Name what has changed where size and mode are the same."""
    if was.mtime != now.mtime:
        return "written (same size, other modification time)"
    if was.inode != now.inode:
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
