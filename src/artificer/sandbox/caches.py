"""Directories that outlive commands: one for each id, locked as each command asks."""

import hashlib
import os
import shutil
import time
from collections.abc import Callable
from typing import Literal, NamedTuple

from artificer.store.lock import lock_shared, lock_while, try_lock

FILES = "files"
"""What a cache holds, below its own directory."""

_MOST = 1000


class Kept(NamedTuple):
    """A cache that is in use: its files, whether it is *new*, and the lock that holds it."""

    path: str
    new: bool
    lock: int


def taken(
    folder: str,
    identity: str,
    sharing: Literal["shared", "private", "locked"],
    check: Callable[[], None] = lambda: None,
) -> Kept:
    """Return the cache *identity* below *folder*; it is in use until its lock is closed.

    A locked one is waited for; instead of a private one that is in use, there is another. Who
    gets a new one has it alone, fills it, and says so by `share`. *check* raises something once
    nobody wants it any more.
    """
    name = name_of(identity)
    if sharing == "private":
        for number in range(1, _MOST):
            place = f"{folder}/{name}-private-{number}"
            descriptor = _opened(place)
            if try_lock(descriptor):
                return _kept(place, descriptor)
            os.close(descriptor)
    place = f"{folder}/{name}"
    descriptor = _opened(place)
    alone = sharing == "locked" or not os.path.isdir(f"{place}/{FILES}")
    try:
        lock_while(descriptor, check, shared=not alone)
    except BaseException:
        os.close(descriptor)
        raise
    kept = _kept(place, descriptor)
    if not kept.new:
        share(kept, sharing)
    return kept


def name_of(identity: str) -> str:
    """Return what the directory of the cache *identity* is called."""
    return hashlib.sha256(identity.encode("utf-8", "surrogateescape")).hexdigest()[:32]


def share(kept: Kept, sharing: Literal["shared", "private", "locked"]) -> None:
    """Let others have *kept*, too, if that is how it is shared."""
    if sharing == "shared":
        lock_shared(kept.lock)


def prune(folder: str, older_than: float) -> int:
    """Remove caches that nobody used for *older_than* seconds; give how many went."""
    gone = 0
    for name in sorted(os.listdir(folder)):
        place = f"{folder}/{name}"
        descriptor = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            age = time.time() - os.fstat(descriptor).st_mtime
            if age >= older_than and try_lock(descriptor):
                shutil.rmtree(place, ignore_errors=True)
                gone += 1
        finally:
            os.close(descriptor)
    return gone


def _opened(place: str) -> int:
    while True:
        os.makedirs(place, exist_ok=True)
        try:
            descriptor = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except FileNotFoundError:
            continue  # A prune took it just now.
        return descriptor


def _kept(place: str, descriptor: int) -> Kept:
    os.utime(descriptor)
    path = f"{place}/{FILES}"
    new = not os.path.isdir(path)
    os.makedirs(path, exist_ok=True)
    return Kept(path, new, descriptor)
