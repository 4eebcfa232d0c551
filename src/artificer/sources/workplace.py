"""A directory that a source is brought to: empty before, whole afterwards, never in between."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from artificer.errors import ArtificerError, Misused, reason
from artificer.sources.git_tree import emptied
from artificer.store.blobs import Store

_KIND = "source"
WORK = ".artificer-source"
"""The name, in the directory, of what is still on its way."""
_USUAL = frozenset((WORK, "lost+found"))


class Unusable(ArtificerError):
    """A directory that nothing can be written to."""


def brought(path: str, source: str, store: Store, bring: Callable[[str], str]) -> bool:
    """Have *source* in the directory *path*; say whether it had to be brought.

    *bring* is given an empty directory, and returns the one below it whose contents are wanted.
    A mount point cannot be replaced, so they are moved up one by one, last of all: what a killed
    process left behind is told by `WORK`, and is taken away. What is complete is remembered in
    *store*: a container that is started again finds it so.
    """
    with _usable(path):
        os.makedirs(path, exist_ok=True)
        if _is_done(path, source, store):
            return False
        _cleared(path)
        work = os.path.join(path, WORK)
        os.mkdir(work, 0o700)
    try:
        tree = bring(work)
    except BaseException:
        emptied(work)
        raise
    with _usable(path):
        for name in sorted(os.listdir(tree)):
            os.rename(os.path.join(tree, name), os.path.join(path, name))
        emptied(work)
        store.set_record(_KIND, _identity(path), source.encode())
    return True


def _cleared(path: str) -> None:
    """Make sure that *path* is empty: of what we began, or because it was."""
    names = set(os.listdir(path))
    if WORK not in names:
        if names - _USUAL:
            raise Misused(
                f"{path} is not empty",
                hint="a source is fetched into a new or an empty directory",
            )
        return
    # Ours go last: as long as it is there, all the rest is known to be ours, too.
    for name in sorted(names - _USUAL):
        emptied(os.path.join(path, name))
    emptied(os.path.join(path, WORK))


def _is_done(path: str, source: str, store: Store) -> bool:
    known = store.record(_KIND, _identity(path))
    return known == source.encode() and WORK not in os.listdir(path)


def _identity(path: str) -> str:
    status = os.stat(path)
    return f"{os.path.realpath(path)} {status.st_dev} {status.st_ino}"


@contextmanager
def _usable(path: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Unusable(
            f"{path}: {reason(error)}", hint="name a directory that this user may write to"
        ) from error
