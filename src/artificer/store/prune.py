"""Removing what nothing needs: the least recently used first, and never what is in use."""

import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from artificer.oci.digest import Digest
from artificer.store import repositories, trees
from artificer.store.blobs import Store, open_lock
from artificer.store.census import UPLOADS, blobs, du, strays
from artificer.store.files import HOUR, TEMPORARY, TOUCH_AFTER, remove, usable
from artificer.store.lock import LOCKS, try_lock
from artificer.store.reach import named_roots, reached, repository_roots, served_roots


class Pruned(NamedTuple):
    """What a prune did: *freed* bytes of the disk in *files*; *left* is what the rest takes.

    Not *alone* means that somebody was using the store, so that the last hour's things stayed.
    """

    freed: int
    files: int
    left: int
    alone: bool


class _Item(NamedTuple):
    """Something that may go: a blob (with its digest) or a record (with what it needs)."""

    used: float
    path: str
    disk: int
    digest: Digest | None
    needs: tuple[Digest, ...]


def prune(
    store: Store,
    *,
    max_bytes: int | None = None,
    older_than: float = HOUR,
    everything: bool = False,
    clock: Callable[[], float] = time.time,
) -> Pruned:
    """Remove blobs that neither a name nor a served repository reaches, and records.

    Only what was not used for *older_than* seconds goes (an hour at least while others use the
    store), the least recently used first, and with *max_bytes* only until the store is no larger
    than that. *everything* forgets names and repositories, too, and takes no heed of age when
    nobody uses the store. Bytes are blocks of the disk that were given back.
    """
    with _sole(store) as alone, usable(store.root):
        now = clock()
        age = 0.0 if everything else older_than
        broom = _Broom(store, now - _with_slack(age if alone else max(age, HOUR)))
        if everything:
            store.remove_names()
            broom.unlink_repositories()
        if everything and alone:
            broom.remove_trees()
        broom.sweep(TEMPORARY, None if alone else now - HOUR)
        broom.sweep(UPLOADS, now if alone and everything else now - HOUR)
        broom.unlink_unreached()
        left = sum(usage.bytes for usage in du(store))
        left -= broom.remove_least_used(left if max_bytes is None else left - max_bytes)
    return Pruned(broom.freed, broom.files, left, alone)


class _Broom:
    """Removes what was last used before a time, and counts."""

    __slots__ = ("before", "files", "freed", "store")

    def __init__(self, store: Store, before: float) -> None:
        self.store = store
        self.before = before
        self.freed = self.files = 0

    def sweep(self, folder: str, before: float | None) -> None:
        """Remove what dead processes left in *folder*, of any age or changed *before* a time."""
        for file in strays(self.store, folder):
            if (before is None or file.changed <= before) and _abandoned(file.path):
                if os.path.isdir(file.path) and not os.path.islink(file.path):
                    # What was unpacked for one build: counted as nothing, and not missed.
                    shutil.rmtree(file.path, ignore_errors=True)
                else:
                    self._count(file.disk if remove(file.path) else None)

    def unlink_repositories(self) -> None:
        """Forget what the embedded registry served, as far as it is old enough."""
        for link in repositories.all_links(self.store):
            self._unlink(link)
        repositories.remove_empty(self.store)

    def remove_trees(self) -> None:
        """Remove what commands keep and workspaces show; nobody uses the store."""
        for tree in trees.TREES:
            files, disk = trees.remove_tree(self.store, tree)
            self.files += files
            self.freed += disk

    def unlink_unreached(self) -> None:
        """Forget blobs of repositories in which no manifest lists them."""
        for repository in repositories.repositories(self.store):
            wanted = reached(self.store, repository_roots(self.store, repository))
            names = {repositories.link_of(digest) for digest in wanted}
            for link in repositories.stat_links(self.store, repository, repositories.BLOBS):
                if link.name not in names:
                    self._unlink(link)

    def remove_least_used(self, enough: int) -> int:
        """Remove blobs and records until *enough* bytes are freed; give how many were."""
        start = self.freed
        items, dependents = self._items()
        for item in items:
            if self.freed - start >= enough or item.used > self.before:
                break
            # A record goes before what it needs, so that a killed prune leaves none in the air.
            for dependent in dependents.get(item.digest, ()) if item.digest else ():
                self._take(dependent)
            self._take(item)
        return self.freed - start

    def _items(self) -> tuple[list[_Item], dict[Digest, list[_Item]]]:
        """What may go, the least recently used first; and records by the blobs they need."""
        roots = named_roots(self.store) + served_roots(self.store)
        kept = reached(self.store, roots) | repositories.linked_blobs(self.store)
        items = [
            _Item(file.used, file.path, file.disk, digest, ())
            for digest, file in blobs(self.store)
            if digest is None or digest not in kept
        ]
        dependents: dict[Digest, list[_Item]] = {}
        for kind in self.store.kinds():
            for record in self.store.records(kind):
                item = _Item(record.used, record.path, record.disk, None, record.needs)
                items.append(item)
                for digest in record.needs:
                    dependents.setdefault(digest, []).append(item)
        return sorted(items), dependents

    def _take(self, item: _Item) -> None:
        """Remove *item* unless it was used since it was listed."""
        # Moved aside first and looked at again: whoever touches the file from here on finds
        # none, and whoever did so before gets it back.
        aside = self.store.temporary_name()
        try:
            os.rename(item.path, aside)
        except FileNotFoundError:
            return
        if os.stat(aside).st_mtime > item.used:
            os.replace(aside, item.path)
            return
        os.unlink(aside)
        self._count(item.disk)

    def _unlink(self, link: repositories.Link) -> None:
        if link.used <= self.before and remove(link.path):
            self._count(link.disk)

    def _count(self, disk: int | None) -> None:
        if disk is not None:
            self.freed += disk
            self.files += 1


@contextmanager
def _sole(store: Store) -> Iterator[bool]:
    """Keep others from using the store, if nobody does; say whether that went well."""
    fd = open_lock(store)
    try:
        yield LOCKS and fd is not None and try_lock(fd)
    finally:
        if fd is not None:
            os.close(fd)


def _with_slack(age: float) -> float:
    """*age* and what a use time may be late."""
    return age + min(age, TOUCH_AFTER)


def _abandoned(path: str) -> bool:
    """Whether nobody holds *path* open as its maker does."""
    try:
        fd = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        return try_lock(fd)
    finally:
        os.close(fd)
