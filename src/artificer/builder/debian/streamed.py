"""Packages unpacked into a layer as they are read: their files are on no disk in between."""

from collections.abc import Generator, Iterable

from artificer.layers.entry import DIRECTORY, Entry
from artificer.layers.tree import Tree
from artificer.sources.debian.installing.stream import Unpacked


def streamed(found: Iterable[Unpacked], tree: Tree, mtime: int) -> Generator[Entry, None, None]:
    """Yield the entries of *found* for a layer upon the files of *tree*.

    The directories above an entry come before it, as *tree* has them or else of *mtime*.
    """
    done = {""}
    for part in found:
        named = {entry.path: entry for entry in part.entries if entry.kind == DIRECTORY}
        for entry in part.entries:
            for parent in _missing(entry.path, done):
                done.add(parent)
                yield named.get(parent) or _directory(parent, tree, mtime)
            if entry.kind != DIRECTORY:
                yield entry
            elif entry.path not in done:
                done.add(entry.path)
                yield entry


def _missing(path: str, done: set[str]) -> list[str]:
    """Return the directories above *path* that are not in *done*, the topmost first."""
    missing: list[str] = []
    parent = path.rpartition("/")[0]
    while parent not in done:
        missing.append(parent)
        parent = parent.rpartition("/")[0]
    return missing[::-1]


def _directory(path: str, tree: Tree, mtime: int) -> Entry:
    file = tree.lookup(path, follow=False)
    if file is None or file.kind != DIRECTORY:
        return Entry(path, DIRECTORY, 0o755, 0, 0, 0, mtime, "", None)
    base = (path, DIRECTORY, file.mode, file.uid, file.gid, 0, file.mtime, "", None)
    return Entry(*base, file.xattrs)
