"""What changed in a directory since a moment, told as an overlay would: for rungs without one.

The time of change of an inode cannot be set. So one look at each name finds all that may have
changed; of these few we ask what they were before.
"""

import os
import stat
from collections.abc import Callable, Collection
from hashlib import file_digest
from typing import NamedTuple

from artificer.layers.entry import BLOCK, CHAR, FILE, SYMLINK, Entry, stat_of
from artificer.layers.parents import parents_of
from artificer.layers.whiteout import whiteout
from artificer.sandbox.ondisk import Node, node_of, set_time
from artificer.sandbox.rung import Found, NotPossible, Times
from artificer.sandbox.snapshot import More, Snapshot, plain_node

Owners = Callable[[Node, os.stat_result], Node]
"""What a file is in a layer, by what it is on disk."""

Held = Callable[[Collection[str]], dict[str, bytes]]
"""The sha256 of what files held before, by path."""


class Area(NamedTuple):
    """A directory *root*, what was *before* in it, and *since* when (`snapshot.clock`).

    Names in the root that are in *skipped* are not looked at.
    """

    root: str
    before: Snapshot
    since: int
    skipped: Collection[str]


class Candidates(NamedTuple):
    """What may have changed: *there* as it is now, and the topmost names that are *gone*."""

    there: dict[str, os.stat_result]
    gone: list[str]


class Telling(NamedTuple):
    """How changes are told: their times, what they are in a layer, and what files held before."""

    times: Times
    shown: Owners
    held: Held


def candidates(area: Area) -> Candidates:
    """Find what may have changed, without a look at any file's bytes."""
    there: dict[str, os.stat_result] = {}
    gone: list[str] = []
    # A directory that was renamed is new where it is, but nothing in it shows that.
    waiting = [("", False, os.lstat(area.root))]
    since = area.since
    while waiting:
        folder, new, own = waiting.pop()
        known = area.before.folders.get(folder)
        new = new or known is None
        names: dict[str, os.stat_result] = {}
        with os.scandir(f"{area.root}/{folder}") as items:
            for item in items:
                status = item.stat(follow_symlinks=False)
                names[item.name] = status
        if not folder:
            names = {name: one for name, one in names.items() if name not in area.skipped}
        touched = new or own.st_ctime_ns > since
        prefix = f"{folder}/" if folder else ""
        for name, status in names.items():
            moved = new or (touched and _is_other(area.before, prefix + name, status))
            if moved or status.st_ctime_ns > since:
                there[prefix + name] = status
            if stat.S_ISDIR(status.st_mode):
                waiting.append((prefix + name, moved, status))
        if touched and known is not None:
            gone += [prefix + name for name in known if not _is_file(names.get(name))]
    return Candidates({path: one for path, one in there.items() if _is_file(one)}, gone)


def _is_file(status: os.stat_result | None) -> bool:
    """Whether there is anything that a layer can hold: sockets are as good as nothing."""
    return status is not None and not stat.S_ISSOCK(status.st_mode)


def _is_other(before: Snapshot, path: str, status: os.stat_result) -> bool:
    seen = before.seen(path)
    return seen is None or seen.inode != status.st_ino


def told(area: Area, changed: Candidates, telling: Telling) -> list[Found]:
    """Return *changed* as a layer has it. What is on disk gets the times that are told of it."""
    entries, alike = {}, set()
    for path, status in changed.there.items():
        place = f"{area.root}/{path}"
        node = node_of(place, status)
        seconds = telling.times.seconds(status.st_mtime_ns)
        entries[path] = _entry(path, place, status, telling.shown(node, status), seconds)
        if _is_alike(area.before, entries[path], node, status):
            alike.add(path)
    doubtful = {path for path in alike if entries[path].kind == FILE}
    held = telling.held(doubtful) if doubtful else {}
    alike -= {path for path in doubtful if held.get(path) != digest_of(f"{area.root}/{path}")}
    _refuse_ambiguity(area.before, changed, alike)
    # The innermost first: what is done to names changes the times of their directories.
    # Those that are alike may only be so by the time that they shall have.
    for path in sorted(entries, key=lambda path: path.count("/"), reverse=True):
        set_time(f"{area.root}/{path}", entries[path].mtime)
    found = [Found(entry, path in alike) for path, entry in entries.items()]
    told = [*(entries.keys() - alike), *changed.gone]
    found += [_folder(path, area, telling) for path in sorted(parents_of(told) - entries.keys())]
    return found + [Found(whiteout(path, telling.times.epoch)) for path in changed.gone]


def _folder(path: str, area: Area, telling: Telling) -> Found:
    """Return a directory that did not change, but something below it did."""
    place = f"{area.root}/{path}"
    status = os.lstat(place)
    seconds = telling.times.seconds(status.st_mtime_ns)
    shown = telling.shown(node_of(place, status), status)
    return Found(_entry(path, place, status, shown, seconds), same=True)


def noted(area: Area, changed: Candidates, same: Collection[str]) -> None:
    """Let *changed* be what was before; the bytes of those in *same* are known already."""
    before = area.before
    for path in changed.gone:
        before.forget(path)
    for path, status in sorted(changed.there.items()):
        if not stat.S_ISDIR(status.st_mode) and path in before.folders:
            before.forget(path)
        before.keep(path, f"{area.root}/{path}", os.lstat(f"{area.root}/{path}"))
        if path not in same:
            before.digests.pop(path, None)
            if stat.S_ISREG(status.st_mode):
                before.unread.add(path)


def digest_of(path: str) -> bytes:
    """Return the sha256 of the file at *path*."""
    with open(path, "rb", buffering=0) as file:
        return file_digest(file, "sha256").digest()


def _entry(path: str, place: str, status: os.stat_result, node: Node, mtime: int) -> Entry:
    is_file = node.kind == FILE
    return Entry(
        path,
        node.kind,
        node.mode if node.kind != SYMLINK else 0o777,
        node.uid,
        node.gid,
        status.st_size if is_file else 0,
        mtime,
        os.readlink(place) if node.kind == SYMLINK else "",
        place if is_file else None,
        node.xattrs,
        node.device if node.kind in {CHAR, BLOCK} else (0, 0),
        stat_of(status) if is_file else None,
    )


def _is_alike(before: Snapshot, entry: Entry, node: Node, status: os.stat_result) -> bool:
    """Whether the file was the same before, as far as can be seen without its bytes."""
    seen = before.seen(entry.path)
    if seen is None or stat.S_IFMT(seen.mode) != stat.S_IFMT(status.st_mode):
        return False
    old = before.more.get(entry.path)
    if old is None:
        plain = plain_node(status)
        old = More("", plain._replace(mode=stat.S_IMODE(seen.mode), uid=seen.uid, gid=seen.gid))
    same_size = entry.kind != FILE or seen.size == status.st_size
    return same_size and seen.mtime == entry.mtime and old == More(entry.link, node)


def _refuse_ambiguity(before: Snapshot, changed: Candidates, alike: Collection[str]) -> None:
    """Refuse the change of a file with several names: elsewhere, the others would be unchanged."""
    names: dict[int, list[str]] = {}
    for path, status in changed.there.items():
        if stat.S_ISREG(status.st_mode) and status.st_nlink > 1 and path not in alike:
            seen = before.seen(path)
            if seen is not None and seen.inode == status.st_ino:
                names.setdefault(status.st_ino, []).append(path)
    for paths in names.values():
        if len(paths) > 1:
            one, other, *_ = sorted(paths)
            raise NotPossible(
                f"/{one} and /{other} are one file (a hard link) that was changed: which of them "
                "was meant cannot be known without an overlay",
                hint=f"let the command break the link first (cp /{one} /{one}.new; mv …), or "
                "build where user namespaces or mounts are allowed",
            )
