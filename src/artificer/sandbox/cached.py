"""What a cache of commands holds, as entries: to be shared with other machines."""

import contextlib
import os
import stat
from collections.abc import Iterator

from artificer.layers.entry import FILE, SYMLINK, Entry, stat_of
from artificer.sandbox.caches import FILES, name_of
from artificer.sandbox.ondisk import node_of
from artificer.sandbox.rung import Found
from artificer.store.lock import try_lock


@contextlib.contextmanager
def held(folder: str, identity: str) -> Iterator[str]:
    """Give where the cache *identity* is that was used last, and hold it; "" if it is in use.

    Below *folder* are the caches of all ways to run commands: the last one is the one just used.
    """
    kinds = os.listdir(folder) if os.path.isdir(folder) else []
    places = [f"{folder}/{kind}/{name_of(identity)}" for kind in kinds]
    there = [place for place in places if os.path.isdir(f"{place}/{FILES}")]
    if not there:
        yield ""
        return
    place = max(there, key=lambda one: os.stat(one).st_mtime_ns)
    descriptor = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"{place}/{FILES}" if try_lock(descriptor) else ""
    finally:
        os.close(descriptor)


def found_in(root: str) -> Iterator[Found]:
    """Yield every file below *root* that a layer can hold, in no order."""
    waiting = [""]
    while waiting:
        folder = waiting.pop()
        with os.scandir(f"{root}/{folder}") as items:
            found = [(item.name, item.stat(follow_symlinks=False)) for item in items]
        for name, status in found:
            path = f"{folder}/{name}" if folder else name
            if stat.S_ISDIR(status.st_mode):
                waiting.append(path)
            if not stat.S_ISSOCK(status.st_mode):
                yield Found(_entry(path, f"{root}/{path}", status))


def _entry(path: str, place: str, status: os.stat_result) -> Entry:
    node = node_of(place, status)
    is_file = node.kind == FILE
    return Entry(
        path,
        node.kind,
        node.mode if node.kind != SYMLINK else 0o777,
        node.uid,
        node.gid,
        status.st_size if is_file else 0,
        status.st_mtime_ns // 1_000_000_000,
        os.readlink(place) if node.kind == SYMLINK else "",
        place if is_file else None,
        node.xattrs,
        node.device,
        stat_of(status) if is_file else None,
    )
