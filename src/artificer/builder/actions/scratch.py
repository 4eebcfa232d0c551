"""Directories for work in progress: removed afterwards, also those that killed builds left."""

import os
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from artificer.store.blobs import Store, open_store
from artificer.store.lock import lock, lock_shared, try_lock

_WORK = "work"
_MODE = 0o700


@contextmanager
def scratch(state: str) -> Iterator[str]:
    """An empty directory of one's own below *state*; nothing of it is left afterwards."""
    work = f"{state}/{_WORK}"
    os.makedirs(work, mode=_MODE, exist_ok=True)
    path = f"{work}/{os.urandom(8).hex()}"
    fd = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        lock(fd)
        os.mkdir(path, _MODE)
        yield path
    finally:
        remove_tree(path)
        with suppress(FileNotFoundError):
            os.unlink(f"{path}.lock")
        os.close(fd)


@contextmanager
def empty_store(state: str) -> Iterator[Store]:
    """A store with nothing in it, which is gone afterwards."""
    with scratch(state) as folder:
        yield open_store(f"{folder}/store")


def sweep(state: str) -> None:
    """Remove what killed builds have left."""
    work = f"{state}/{_WORK}"
    with suppress(FileNotFoundError):
        for name in sorted(os.listdir(work)):
            if name.endswith(".lock"):
                _sweep(f"{work}/{name}")


@contextmanager
def cache(state: str, name: str, *, shared: bool) -> Iterator[str]:
    """The directory *name*, kept between builds; *shared* by those who can bear each other."""
    folder = f"{state}/caches"
    path = f"{folder}/{name.replace('/', '_')}"
    os.makedirs(path, mode=_MODE, exist_ok=True)
    fd = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT, 0o600)
    hold: Callable[[int], None] = lock_shared if shared else lock
    try:
        hold(fd)
        yield path
    finally:
        os.close(fd)


def remove_tree(path: str) -> None:
    """Remove the directory *path*, also what its owner may not write to."""

    def retry(function: Callable[..., object], name: str, _: object) -> None:
        # Go marks its modules read-only, and a file cannot be removed from such a directory.
        with suppress(OSError):
            for one in (os.path.dirname(name), name):
                if not os.path.islink(one):
                    os.chmod(one, os.lstat(one).st_mode | stat.S_IRWXU)
            function(name)

    shutil.rmtree(path, onerror=retry)


def _sweep(path: str) -> None:
    try:
        fd = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return
    try:
        if try_lock(fd):
            remove_tree(path.removesuffix(".lock"))
            with suppress(FileNotFoundError):
                os.unlink(path)
    finally:
        os.close(fd)
