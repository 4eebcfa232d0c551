"""What is in a directory tree, so that what changed in it can be told without a copy of it."""

import os
import stat
import struct
import time
from collections.abc import Collection
from typing import NamedTuple

from artificer.sandbox.ondisk import Node, node_of

_RECORD = struct.Struct("<QIIIqq")
_PAUSE = 0.0005
_PLAIN = {stat.S_IFREG, stat.S_IFDIR}


class Seen(NamedTuple):
    """A file as it was: its inode, mode with type, owner, size, and time in whole seconds."""

    inode: int
    mode: int
    uid: int
    gid: int
    size: int
    mtime: int


class More(NamedTuple):
    """What few files have: the target of a link, attributes, marks, the numbers of a device."""

    link: str
    node: Node


class Snapshot:
    """Every name below a directory: *folders* has the names of each, packed.

    *more* is of the files that have more to them. *digests* are those of files whose bytes are in
    no layer on disk; of those in *unread* they are still to be taken, before anything runs.
    """

    __slots__ = ("digests", "folders", "more", "unread")

    def __init__(self) -> None:
        self.folders: dict[str, dict[str, bytes]] = {"": {}}
        self.more: dict[str, More] = {}
        self.digests: dict[str, bytes] = {}
        self.unread: set[str] = set()

    def seen(self, path: str) -> Seen | None:
        """Return what was at *path*."""
        above, _, name = path.rpartition("/")
        record = self.folders.get(above, {}).get(name)
        return None if record is None else Seen(*_RECORD.unpack(record))

    def keep(self, path: str, place: str, status: os.stat_result) -> None:
        """Note what is at *path* now, after a look at all that it is."""
        above, _, name = path.rpartition("/")
        self.folders[above][name] = packed(status)
        node = node_of(place, status)
        link = os.readlink(place) if stat.S_ISLNK(status.st_mode) else ""
        if link or stat.S_IFMT(status.st_mode) not in _PLAIN or node != plain_node(status):
            self.more[path] = More(link, node)
        else:
            self.more.pop(path, None)
        if stat.S_ISDIR(status.st_mode):
            self.folders.setdefault(path, {})

    def forget(self, path: str) -> None:
        """Note that nothing is at *path* any more, nor below it."""
        above, _, name = path.rpartition("/")
        self.folders.get(above, {}).pop(name, None)
        gone = [path]
        for each in gone:
            gone += [f"{each}/{inner}" for inner in self.folders.pop(each, ())]
            self.more.pop(each, None)
            self.digests.pop(each, None)
            self.unread.discard(each)


def snapshot_of(root: str, special: Collection[str], skipped: Collection[str]) -> Snapshot:
    """Return what is below *root*. Of *special* paths there is more to see than `lstat` tells."""
    found = Snapshot()
    waiting = [""]
    while waiting:
        folder = waiting.pop()
        prefix = f"{folder}/" if folder else ""
        names = found.folders[folder] = {}
        with os.scandir(f"{root}/{folder}") as items:
            for item in items:
                path = prefix + item.name
                status = item.stat(follow_symlinks=False)
                mode = status.st_mode
                if path in skipped or stat.S_ISSOCK(mode):
                    continue
                names[item.name] = packed(status)
                if stat.S_ISDIR(mode):
                    waiting.append(path)
                if path in special or stat.S_IFMT(mode) not in _PLAIN:
                    link = os.readlink(item.path) if stat.S_ISLNK(mode) else ""
                    found.more[path] = More(link, node_of(item.path, status))
    return found


def packed(status: os.stat_result) -> bytes:
    """Return a `Seen` in 36 bytes."""
    return _RECORD.pack(
        status.st_ino,
        status.st_mode,
        status.st_uid,
        status.st_gid,
        status.st_size,
        status.st_mtime_ns // 1_000_000_000,
    )


def plain_node(status: os.stat_result) -> Node:
    """Return what a file is that has nothing but what `lstat` tells."""
    kind = "5" if stat.S_ISDIR(status.st_mode) else "0"
    return Node(kind, stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid)


def clock(folder: str) -> int:
    """Return a time of the file system that *folder* is on: what changes from now on is later.

    The clock of files may stand for some milliseconds (before Linux 6.13): so we wait for it.
    """
    path = f"{folder}/clock-{os.getpid()}"
    file = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        os.utime(file)
        before = os.fstat(file).st_ctime_ns
        while True:
            os.utime(file)
            if os.fstat(file).st_ctime_ns > before:
                return before
            time.sleep(_PAUSE)
    finally:
        os.close(file)
        os.unlink(path)
