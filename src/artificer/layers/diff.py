"""What differs between two images' files. Pure."""

from collections.abc import Iterator
from typing import NamedTuple

from artificer.layers.entry import (
    BLOCK,
    CHAR,
    DIRECTORY,
    FIFO,
    FILE,
    HARDLINK,
    SYMLINK,
)
from artificer.layers.index import File
from artificer.layers.tree import Tree

_NAMES = {
    FILE: "file",
    SYMLINK: "symbolic link",
    CHAR: "character device",
    BLOCK: "block device",
    DIRECTORY: "directory",
    FIFO: "fifo",
}


class Change(NamedTuple):
    """A path at which two images differ: added without *before*, removed without *after*.

    *what* says what is different about a file that both have, for people.
    """

    path: str
    before: File | None
    after: File | None
    what: tuple[str, ...] = ()


def diff(before: Tree, after: Tree) -> Iterator[Change]:
    """Yield what differs, sorted by the components of the paths.

    Which paths are hard links of one another is no difference, and a directory's time neither:
    it changes with whatever is in it.
    """
    old, new = iter(before), iter(after)
    left, right = next(old, None), next(new, None)
    while left is not None or right is not None:
        order = _order(left, right)
        if order < 0:
            yield Change(left.path if left else "", left, None)
            left = next(old, None)
        elif order > 0:
            yield Change(right.path if right else "", None, right)
            right = next(new, None)
        else:
            if left and right and (what := differences(left, right)):
                yield Change(left.path, left, right, what)
            left, right = next(old, None), next(new, None)


def differences(before: File, after: File) -> tuple[str, ...]:
    """Return what is different between two files at one path, in words."""
    kinds = _kind(before), _kind(after)
    if kinds[0] != kinds[1]:
        return (f"{_NAMES[kinds[0]]} → {_NAMES[kinds[1]]}",)
    told = (
        (kinds[0] != SYMLINK, "mode", f"{before.mode:04o}", f"{after.mode:04o}"),
        (True, "owner", f"{before.uid}:{before.gid}", f"{after.uid}:{after.gid}"),
        (True, "size", before.size, after.size),
        (kinds[0] == SYMLINK, "link", before.link, after.link),
        (kinds[0] != DIRECTORY, "time", before.mtime, after.mtime),
    )
    untold = (
        ("content", before.content != after.content and before.size == after.size),
        ("device number", before.device != after.device),
        ("extended attributes", before.xattrs != after.xattrs),
    )
    return (
        *(f"{name} {old} → {new}" for counts, name, old, new in told if counts and old != new),
        *(name for name, differs in untold if differs),
    )


def _kind(file: File) -> str:
    return FILE if file.kind == HARDLINK else file.kind


def _order(left: File | None, right: File | None) -> int:
    if left is None or right is None:
        return -1 if left is not None else 1
    if left.path == right.path:
        return 0
    return -1 if _key(left) < _key(right) else 1


def _key(file: File) -> bytes:
    return file.path.encode("utf-8", "surrogateescape").replace(b"/", b"\0")
