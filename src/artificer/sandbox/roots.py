"""Whole roots in directories of their own, where layers cannot be mounted upon one another.

A root is of one chain. What needs a longer one takes it and puts the further layers upon it;
whoever comes meanwhile unpacks anew. Between builds those are kept in which nothing was changed.
"""

import json
import os
import shutil
import time
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from typing import NamedTuple

from artificer.layers.entry import Entry
from artificer.sandbox.command import Chain
from artificer.sandbox.extract import APPLIED, Extraction, Manner
from artificer.sandbox.snapshot import Snapshot, clock, snapshot_of
from artificer.sandbox.trees import unpack
from artificer.store.lock import try_lock

_TOLD = "told.json"
_KEPT, _WORK = "kept-", "work-"
_YOUNG = 60.0
_BOOT = "/proc/sys/kernel/random/boot_id"


class Unpacked(NamedTuple):
    """A root that is ours alone, in *folder*, which is ours as long as *lock* is open.

    *special* are the paths of files that have more than `os.lstat` tells. What changed after
    *since* is not in the *snapshot*.
    """

    folder: str
    chain: tuple[str, ...]
    special: set[str]
    snapshot: Snapshot
    since: int
    lock: int

    @property
    def root(self) -> str:
        """Where the files are."""
        return f"{self.folder}/root"


class Roots:
    """The roots below *folder*. With *marked* owners are marks; *skipped* is not looked at."""

    def __init__(self, folder: str, *, marked: bool, skipped: Collection[str]) -> None:
        self._folder = folder
        self._marked = marked
        self._skipped = skipped
        os.makedirs(folder, mode=0o700, exist_ok=True)
        with open(_BOOT) as file:
            self._boot = file.read().strip()

    def take(self, chain: Chain) -> Unpacked:
        """Return a root of *chain* that nobody else has."""
        self.sweep()
        wanted = tuple(str(layer.diff_id) for layer in chain)
        taken = self._prefix(wanted)
        if taken is None:
            folder = f"{self._folder}/{_WORK}{os.getpid()}-{time.monotonic_ns()}"
            os.makedirs(f"{folder}/root", 0o755)
            os.utime(f"{folder}/root", (0, 0))
            taken = Unpacked(folder, (), set(), Snapshot(), 0, _opened(folder))
            try_lock(taken.lock)
        return self.extended(taken, chain[len(taken.chain) :])

    def extended(self, root: Unpacked, layers: Chain) -> Unpacked:
        """Put *layers* upon *root*, in which nothing was changed."""
        before = root.snapshot
        for layer in layers:
            times = os.stat(root.root)
            noting = _Noting(root.root, Manner(APPLIED, self._marked), root.special)
            unpack(layer, noting)
            if not noting.names_root:
                os.utime(root.root, ns=(times.st_atime_ns, times.st_mtime_ns))
        found = snapshot_of(root.root, root.special, self._skipped)
        # What files held that no layer on disk has is known as long as they are the same.
        for path in {*before.digests, *before.unread}:
            if found.seen(path) == before.seen(path):
                found.digests.update(
                    {path: before.digests[path]} if path in before.digests else {}
                )
                found.unread.update({path} & before.unread)
        chain = (*root.chain, *(str(layer.diff_id) for layer in layers))
        return root._replace(chain=chain, snapshot=found, since=clock(root.folder))

    def keep(self, root: Unpacked) -> None:
        """Give *root* back, in which nothing was changed, for the next who wants its chain."""
        special = sorted({*root.special, *root.snapshot.more})
        told = {"boot": self._boot, "chain": root.chain, "special": special}
        with open(f"{root.folder}/{_TOLD}", "w") as file:
            json.dump(told, file)
        os.rename(root.folder, f"{self._folder}/{_KEPT}{time.time_ns()}")
        os.close(root.lock)

    def drop(self, root: Unpacked) -> None:
        """Remove *root*."""
        shutil.rmtree(root.folder, ignore_errors=True)
        os.close(root.lock)

    def sweep(self) -> None:
        """Remove what killed processes left."""
        for folder in self._named(_WORK):
            with suppress(OSError):
                lock = _opened(folder)
                try:
                    # One that was made just now may not be locked yet.
                    young = time.time() - os.fstat(lock).st_mtime < _YOUNG
                    if not young and try_lock(lock):
                        shutil.rmtree(folder, ignore_errors=True)
                finally:
                    os.close(lock)

    def prune(self, older_than: float) -> int:
        """Remove roots that nobody used for *older_than* seconds; give how many went."""
        self.sweep()
        gone = 0
        for folder in self._named(_KEPT):
            with suppress(FileNotFoundError):
                if time.time() - os.stat(f"{folder}/{_TOLD}").st_mtime >= older_than:
                    away = f"{self._folder}/{_WORK}{os.getpid()}-{time.monotonic_ns()}"
                    os.rename(folder, away)
                    shutil.rmtree(away, ignore_errors=True)
                    gone += 1
        return gone

    def _prefix(self, wanted: tuple[str, ...]) -> Unpacked | None:
        """Take the root that has most of *wanted*, and nothing else."""
        fitting = [
            (len(chain), folder, special)
            for folder, chain, special in self._kept()
            if wanted[: len(chain)] == chain
        ]
        for count, folder, special in sorted(fitting, reverse=True):
            away = f"{self._folder}/{_WORK}{os.getpid()}-{time.monotonic_ns()}"
            with suppress(OSError):
                # Only one can rename it. Locked before, so that nobody sweeps it away.
                lock = _opened(folder)
                if not try_lock(lock):
                    os.close(lock)
                    continue
                os.rename(folder, away)
                return Unpacked(away, wanted[:count], set(special), Snapshot(), 0, lock)
        return None

    def _kept(self) -> Iterator[tuple[str, tuple[str, ...], list[str]]]:
        for folder in self._named(_KEPT):
            try:
                with open(f"{folder}/{_TOLD}") as file:
                    told = json.load(file)
            except (OSError, ValueError):
                continue
            # What was not written to disk when a machine went down may be there in part.
            if told["boot"] == self._boot:
                yield folder, tuple(told["chain"]), told["special"]
            else:
                shutil.rmtree(folder, ignore_errors=True)

    def _named(self, beginning: str) -> list[str]:
        names = sorted(os.listdir(self._folder))
        return [f"{self._folder}/{name}" for name in names if name.startswith(beginning)]


class _Noting(Extraction):
    """Notes which files have attributes or marks."""

    def __init__(self, root: str, manner: Manner, special: set[str]) -> None:
        super().__init__(root, manner)
        self._marks = manner.marked
        self._special = special

    def add(self, entry: Entry, chunks: Iterable[bytes]) -> None:
        """Write one entry."""
        if entry.xattrs or (self._marks and (entry.uid or entry.gid)) or entry.kind in "34":
            self._special.add(entry.path)
        super().add(entry, chunks)


def root_folder(state: str, kind: str) -> str:
    """Return where the roots of a *kind* of rung are."""
    return f"{state}/roots/{kind}"


def _opened(folder: str) -> int:
    return os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
