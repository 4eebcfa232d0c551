"""Whole roots in directories of their own, where layers cannot be mounted upon one another.

A root is of one chain. What needs a longer one takes it and puts the further layers upon it;
whoever comes meanwhile unpacks anew. Between builds those are kept in which nothing was changed.
"""

import json
import os
import shutil
import time
from collections.abc import Callable, Collection, Iterable, Iterator
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
_PATIENCE, _PAUSE = 0.5, 0.002
_Told = tuple[str, tuple[str, ...], list[str]]
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
    """The roots below *folder*. With *marked* owners are marks; *skipped* is not looked at.

    *check* raises something once nobody wants them any more.
    """

    def __init__(
        self,
        folder: str,
        *,
        marked: bool,
        skipped: Collection[str],
        check: Callable[[], None],
    ) -> None:
        self._folder = folder
        self._marked = marked
        self._skipped = skipped
        self._check = check
        os.makedirs(folder, mode=0o700, exist_ok=True)
        with open(_BOOT) as file:
            self._boot = file.read().strip()

    def take(self, chain: Chain) -> Unpacked:
        """Return a root of *chain* that nobody else has."""
        self.sweep()
        wanted = tuple(str(layer.diff_id) for layer in chain)
        self._await(wanted)
        taken = self._prefix(wanted)
        if taken is None:
            folder = f"{self._folder}/{_WORK}{os.getpid()}-{time.monotonic_ns()}"
            os.makedirs(f"{folder}/root", 0o755)
            os.utime(f"{folder}/root", (0, 0))
            taken = Unpacked(folder, (), set(), Snapshot(), 0, _opened(folder))
            try_lock(taken.lock)
        try:
            return self.extended(taken, chain[len(taken.chain) :])
        except BaseException:
            self.drop(taken)
            raise

    def extended(self, root: Unpacked, layers: Chain) -> Unpacked:
        """Put *layers* upon *root*, in which nothing was changed."""
        before = root.snapshot
        for layer in layers:
            times = os.stat(root.root)
            noting = _Noting(root.root, Manner(APPLIED, self._marked), root.special)
            unpack(layer, noting, self._check)
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

    def tell(self, root: Unpacked) -> None:
        """Write down that *root* is of its chain, and of nothing else, for who comes next."""
        special = sorted({*root.special, *root.snapshot.more})
        told = {"boot": self._boot, "chain": root.chain, "special": special}
        with open(f"{root.folder}/{_TOLD}.part", "w") as file:
            json.dump(told, file)
        os.rename(f"{root.folder}/{_TOLD}.part", f"{root.folder}/{_TOLD}")

    def change(self, root: Unpacked) -> None:
        """Take note that something may be changed in *root* now."""
        with suppress(FileNotFoundError):
            os.unlink(f"{root.folder}/{_TOLD}")

    def keep(self, root: Unpacked) -> None:
        """Give *root* back, in which nothing was changed, for the next who wants its chain."""
        self.tell(root)
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

    def _await(self, wanted: tuple[str, ...]) -> None:
        """Wait a moment for a better root than those that are kept: it may be given back now."""
        end = time.monotonic() + _PATIENCE
        while time.monotonic() < end:
            kept = [len(chain) for _, chain, _ in self._fitting(_KEPT, wanted)]
            coming = [
                len(chain) for folder, chain, _ in self._fitting(_WORK, wanted) if _in_use(folder)
            ]
            if max(coming, default=0) <= max(kept, default=0):
                return
            time.sleep(_PAUSE)

    def _prefix(self, wanted: tuple[str, ...]) -> Unpacked | None:
        """Take the root that has most of *wanted*, and nothing else."""
        fitting = [
            (len(chain), folder, special)
            for folder, chain, special in self._fitting(_KEPT, wanted)
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

    def _fitting(self, beginning: str, wanted: tuple[str, ...]) -> Iterator[_Told]:
        """Yield the roots whose chains *wanted* begins with."""
        for folder in self._named(beginning):
            try:
                with open(f"{folder}/{_TOLD}") as file:
                    told = json.load(file)
            except (OSError, ValueError):
                continue
            chain = tuple(told["chain"])
            # What was not written to disk when a machine went down may be there in part.
            if told["boot"] != self._boot:
                shutil.rmtree(folder, ignore_errors=True)
            elif wanted[: len(chain)] == chain:
                yield folder, chain, told["special"]

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


def _in_use(folder: str) -> bool:
    try:
        lock = _opened(folder)
    except OSError:
        return False
    try:
        return not try_lock(lock)
    finally:
        os.close(lock)


def _opened(folder: str) -> int:
    return os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
