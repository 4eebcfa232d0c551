"""The upper directory of an overlay: what changed, told the same as any other rung would."""

import contextlib
import os
import stat
from collections.abc import Callable
from typing import NamedTuple

from artificer.layers.entry import DIRECTORY, FILE, SYMLINK, Entry, Stat, stat_of
from artificer.layers.whiteout import is_whiteout, whiteout
from artificer.sandbox.layer import kept
from artificer.sandbox.ondisk import Owners, attributes, node_of, set_time
from artificer.sandbox.rung import OWNER_MARK, Found, NotPossible, Times
from artificer.sandbox.trees import is_opaque

_CHUNK = 1 << 18
_OPAQUE = ("trusted.overlay.opaque", "user.overlay.opaque")


class Layers(NamedTuple):
    """An upper directory, and the merged trees below it (read-only), of which both are paths.

    *aside* are the owners of links and pipes in the upper directory, *owner_below* those of the
    trees. *marked* says that owners are marks, and that what cannot be known is to be refused.
    """

    upper: str
    below: str
    times: Times
    aside: Owners
    owner_below: Callable[[str], tuple[int, int] | None]
    marked: bool = False


class Changes(NamedTuple):
    """What changed, which directories are there only for what is in them, and links' owners."""

    found: list[Found]
    implied: list[str]
    owners: dict[str, tuple[int, int]]


def changes_of(layers: Layers) -> Changes:
    """Return what changed. The upper directory then holds just that, with the times it has there.

    It must not be mounted, and is a tree for this chain afterwards.
    """
    walk = _Walk(layers)
    walk.visit("", merged=True, opaque=False)
    entries = {one.entry.path: one for one in walk.found}
    left = kept(walk.found)
    names = {one.entry.path for one in left}
    _normalise(layers, entries, names, walk)
    implied = [
        path
        for path, one in entries.items()
        if path not in names and one.entry.kind == DIRECTORY and _is_there(layers.upper, path)
    ]
    owners = {path: owner for path, owner in walk.owners.items() if path in names}
    return Changes(left, implied, owners)


class _Walk:
    def __init__(self, layers: Layers) -> None:
        self._layers = layers
        self.found: list[Found] = []
        self.owners: dict[str, tuple[int, int]] = {}
        self._handed_down: set[str] = set()
        self.opaque: list[str] = []
        self.gone: list[str] = []
        self.stray: list[str] = []
        """Whiteouts of nothing, and sockets."""

    def visit(self, path: str, *, merged: bool, opaque: bool) -> None:
        """Look at the directory *path*: *merged* says that there is one below it."""
        upper = f"{self._layers.upper}/{path}"
        opaque = opaque or is_opaque(upper)
        if opaque:
            self.opaque.append(path)
        names = os.listdir(upper)
        for name in names:
            self._see(f"{path}/{name}" if path else name, merged=merged, opaque=opaque)
        if merged and opaque:
            for name in set(os.listdir(f"{self._layers.below}/{path}")).difference(names):
                self._gone(f"{path}/{name}" if path else name)

    def _see(self, path: str, *, merged: bool, opaque: bool) -> None:
        status = os.lstat(f"{self._layers.upper}/{path}")
        below = _status(f"{self._layers.below}/{path}") if merged else None
        is_whiteout = stat.S_ISCHR(status.st_mode) and not status.st_rdev
        if is_whiteout or stat.S_ISSOCK(status.st_mode):
            if stat.S_ISSOCK(status.st_mode) or below is None:
                self.stray.append(path)
            if below is not None:
                self._gone(path)
            return
        self.found.append(self._compared(path, status, below))
        if stat.S_ISDIR(status.st_mode):
            both = below is not None and stat.S_ISDIR(below.st_mode)
            self.visit(path, merged=both, opaque=opaque)

    def _refuse_doubt(self, path: str) -> None:
        """Raise `NotPossible` if nobody can know the group of a new file.

        It has the group of its set-group-id directory if it was made there, but not if it was
        moved there; unless it was given one. To the kernel there is only one group.
        """
        if path in self.owners or OWNER_MARK in attributes(f"{self._layers.upper}/{path}"):
            return
        raise NotPossible(
            f"/{path} was made in a set-group-id directory, but there is only one group id here",
            hint="give this user ids in /etc/subuid and /etc/subgid (and install newuidmap), "
            "or build as root or in a pod",
        )

    def _gone(self, path: str) -> None:
        self.gone.append(path)
        self.found.append(Found(whiteout(path, self._layers.times.epoch)))

    def _compared(self, path: str, status: os.stat_result, below: os.stat_result | None) -> Found:
        layers = self._layers
        entry = self._entry(path, status)
        if entry.kind == DIRECTORY and entry.mode & stat.S_ISGID and entry.gid:
            self._handed_down.add(path)
        if below is None or stat.S_ISSOCK(below.st_mode):
            if layers.marked and path.rpartition("/")[0] in self._handed_down:
                self._refuse_doubt(path)
            return Found(entry)
        place = f"{layers.below}/{path}"
        before = _entry(path, place, below, layers.owner_below(path))
        before = before._replace(mtime=below.st_mtime_ns // 1_000_000_000)
        alike = before._replace(source=None, stat=None) == entry._replace(source=None, stat=None)
        if alike and entry.kind == FILE:
            alike = _same_bytes(f"{layers.upper}/{path}", place)
        return Found(entry, alike)

    def _entry(self, path: str, status: os.stat_result) -> Entry:
        layers = self._layers
        owner = layers.aside.get((status.st_dev, status.st_ino))
        if owner is None and stat.S_ISLNK(status.st_mode):
            owner = layers.owner_below(path)
        if owner is not None:
            self.owners[path] = owner
        entry = _entry(path, f"{layers.upper}/{path}", status, owner)
        return entry._replace(mtime=layers.times.seconds(status.st_mtime_ns))


def _entry(path: str, place: str, status: os.stat_result, owner: tuple[int, int] | None) -> Entry:
    node = node_of(place, status, owner)
    source: str | None = None
    seen: Stat | None = None
    size, link = 0, ""
    if node.kind == FILE:
        source, seen, size = place, stat_of(status), status.st_size
    elif node.kind == SYMLINK:
        link = os.readlink(place)
    return Entry(
        path,
        node.kind,
        node.mode if node.kind != SYMLINK else 0o777,
        node.uid,
        node.gid,
        size,
        0,
        link,
        source,
        node.xattrs,
        node.device,
        seen,
    )


def _normalise(layers: Layers, entries: dict[str, Found], names: set[str], walk: _Walk) -> None:
    """Take from the upper directory what did not change, and give the rest its times."""
    for path in walk.opaque:
        for name in _OPAQUE:
            with contextlib.suppress(OSError):
                os.removexattr(f"{layers.upper}/{path}", name)
    for path in walk.stray:
        os.unlink(f"{layers.upper}/{path}")
    for path in walk.gone:
        with contextlib.suppress(FileExistsError):
            os.mknod(f"{layers.upper}/{path}", stat.S_IFCHR, os.makedev(0, 0))
    # The innermost first: what is done to files changes the times of their directories.
    for path in sorted(entries, key=lambda path: path.count("/"), reverse=True):
        if not is_whiteout(path):
            _settle(f"{layers.upper}/{path}", entries[path].entry, keep=path in names)


def _settle(place: str, entry: Entry, *, keep: bool) -> None:
    if not keep and entry.kind != DIRECTORY:
        os.unlink(place)
        return
    if not keep:
        with contextlib.suppress(OSError):
            os.rmdir(place)
            return
    set_time(place, entry.mtime)


def _same_bytes(path: str, other: str) -> bool:
    with open(path, "rb", buffering=0) as one, open(other, "rb", buffering=0) as two:
        while True:
            chunk = one.read(_CHUNK)
            if chunk != two.read(_CHUNK):
                return False
            if not chunk:
                return True


def _status(path: str) -> os.stat_result | None:
    try:
        return os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None


def _is_there(root: str, path: str) -> bool:
    return os.path.lexists(f"{root}/{path}")
