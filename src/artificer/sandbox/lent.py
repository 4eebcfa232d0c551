"""Mounts for roots where nothing can be mounted: trees and caches are lent to the command."""

import contextlib
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from typing import assert_never

from artificer.sandbox.caches import taken
from artificer.sandbox.command import Bind, Cache, Mount, Secret, Socket, Tmpfs
from artificer.sandbox.directory import SKIPPED
from artificer.sandbox.fittings import Fittings
from artificer.sandbox.mounting import BadMount, copy_tree
from artificer.sandbox.points import real_path
from artificer.sandbox.relay import relay
from artificer.sandbox.roots import Roots, Unpacked
from artificer.sandbox.rung import NotPossible
from artificer.sandbox.scan import Area, candidates

Sources = Mapping[str, str]
"""What is to be moved into place, by target."""


class Lender:
    """Lends caches below the folder *caches*, and files of chains out of *roots*."""

    def __init__(self, caches: str, roots: Roots) -> None:
        self._caches = caches
        self._roots = roots

    @contextlib.contextmanager
    def lent(self, mounts: Sequence[Mount]) -> Iterator[Sources]:
        """Yield what the binds and caches of *mounts* are; then all of it must be back."""
        with contextlib.ExitStack() as stack:
            sources = {}
            # In one order everywhere: else two commands might wait for each other.
            for cache in sorted((one for one in mounts if isinstance(one, Cache)), key=_identity):
                sources[cache.target] = stack.enter_context(self._cache(cache))
            for bind in mounts:
                if isinstance(bind, Bind):
                    sources[bind.target] = stack.enter_context(self._bind(bind))
            yield sources

    @contextlib.contextmanager
    def _cache(self, cache: Cache) -> Iterator[str]:
        # A directory can be in one place only: shared means one after the other.
        private = cache.sharing == "private"
        found = taken(self._caches, cache.id, "private" if private else "locked")
        try:
            if found.new:
                if cache.chain:
                    whole = Bind(cache.target, cache.chain, cache.path)
                    with self._bind(whole) as source:
                        copy_tree(source, found.path, marked=False)
                os.chown(found.path, cache.uid, cache.gid)
                os.chmod(found.path, cache.mode)
            yield found.path
        finally:
            os.close(found.lock)

    @contextlib.contextmanager
    def _bind(self, bind: Bind) -> Iterator[str]:
        root = self._roots.take(bind.chain)
        clean = False
        try:
            real = real_path(root.root, bind.path)
            source = f"{root.root}{real}".rstrip("/")
            if not os.path.lexists(source):
                raise BadMount(
                    f"there is no /{bind.path.lstrip('/')} to be mounted",
                    hint="is it in the stage or context?",
                )
            above = os.path.dirname(source)
            times = os.stat(above)
            yield source
            os.utime(above, ns=(times.st_atime_ns, times.st_mtime_ns))
            clean = _is_clean(root, real.strip("/"))
            if not (clean or bind.writable):
                raise NotPossible(
                    f"the command wrote to what is mounted at {bind.target}, which is read-only: "
                    "here nothing could keep it from that",
                    hint="let it write elsewhere, or ask for a mount with `rw`",
                )
        finally:
            if clean:
                self._roots.keep(root)
            else:
                self._roots.drop(root)


def fit(fittings: Fittings, mounts: Sequence[Mount], sources: Sources) -> None:
    """Put *mounts* into place, the outer ones first; secrets are served in another way."""
    for mount in sorted(mounts, key=lambda mount: mount.target):
        match mount:
            case Bind() | Cache():
                fittings.lend(sources[mount.target], mount.target)
            case Tmpfs(target):
                fittings.make_directory(target, fittings.mode_at(target))
            case Socket():
                relay(mount, fittings.make_room(mount.target))
            case Secret():
                continue
            case _ as never:
                assert_never(never)


def _identity(cache: Cache) -> str:
    return cache.id


def _is_clean(root: Unpacked, lent: str) -> bool:
    """Whether nothing changed; what was moved away and back has another time of change itself."""
    changed = candidates(Area(root.root, root.snapshot, root.since, SKIPPED))
    moved = {lent, os.path.dirname(lent)}
    return not changed.gone and all(
        path in moved and _mode(root, path) == status.st_mode
        for path, status in changed.there.items()
        if stat.S_ISDIR(status.st_mode) or path != lent
    )


def _mode(root: Unpacked, path: str) -> int:
    seen = root.snapshot.seen(path)
    return seen.mode if seen else 0
