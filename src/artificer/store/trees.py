"""Directories that others keep below the store: caches of commands, and outputs of workspaces.

They are no blobs and have no digest; a prune of everything takes them, nothing else does.
"""

import os
from collections.abc import Iterator

from artificer.store.files import Folder, disk_bytes, remove

STATE = "state"
"""What commands keep between runs (GOCACHE and the like), outside of every key."""

OUTPUTS = "outputs"
"""What a workspace's output links point to."""

TREES = (STATE, OUTPUTS)


def sizes(folder: Folder, tree: str) -> list[int]:
    """The bytes of the disk that each file below *tree* takes; one with two names counts once."""
    seen: set[tuple[int, int]] = set()
    found = []
    for status in _files(f"{folder.root}/{tree}"):
        identity = (status.st_dev, status.st_ino)
        if identity not in seen:
            seen.add(identity)
            found.append(disk_bytes(status))
    return found


def remove_tree(folder: Folder, tree: str) -> tuple[int, int]:
    """Remove *tree* whole; give how many files went, and the bytes that they took."""
    taken = sizes(folder, tree)
    root = f"{folder.root}/{tree}"
    for path, _, _ in os.walk(root):
        # GOMODCACHE's directories are read-only: no name in them could go.
        os.chmod(path, 0o700)
    for path, names, files in os.walk(root, topdown=False):
        for name in files:
            remove(f"{path}/{name}")
        for inner in (f"{path}/{name}" for name in names):
            if os.path.islink(inner):
                remove(inner)
            else:
                os.rmdir(inner)
    if os.path.isdir(root):
        os.rmdir(root)
    return len(taken), sum(taken)


def _files(root: str) -> Iterator[os.stat_result]:
    for path, names, files in os.walk(root):
        for name in (*files, *(one for one in names if os.path.islink(f"{path}/{one}"))):
            try:
                yield os.lstat(f"{path}/{name}")
            except FileNotFoundError:
                continue
