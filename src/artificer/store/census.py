"""What lies in a store: every file with its size on the disk and the time of its last use."""

import os
from collections.abc import Iterator
from typing import NamedTuple

from artificer.oci.digest import Digest, InvalidDigest
from artificer.store import trees
from artificer.store.blobs import Store
from artificer.store.files import TEMPORARY, Folder, disk_bytes, usable
from artificer.store.reach import named_roots, reached, served_roots
from artificer.store.repositories import all_links, linked_blobs

UPLOADS = "uploads"
"""Where, below a store's folder, the embedded registry keeps unfinished uploads."""


class Stray(NamedTuple):
    """A file among the blobs (or the temporary files) and what `os.stat` says about it."""

    path: str
    used: float
    changed: float
    disk: int
    size: int


class Usage(NamedTuple):
    """How many files of one kind there are, and how many bytes of the disk they take."""

    kind: str
    files: int
    bytes: int


def du(store: Store) -> tuple[Usage, ...]:
    """What is there, by kind: blobs of names, of served repositories, of neither; records …

    Bytes are blocks of the disk, as in `prune`; a blob counts once, for the first kind it is of.
    """
    names = reached(store, named_roots(store))
    served = reached(store, served_roots(store)) | linked_blobs(store)
    sizes: dict[str, list[int]] = {"blobs named": [], "blobs served": [], "blobs cached": []}
    for digest, file in blobs(store):
        kind = "named" if digest in names else "served" if digest in served else "cached"
        sizes[f"blobs {kind}"].append(file.disk)
    for kind in store.kinds():
        sizes[f"records {kind}"] = [record.disk for record in store.records(kind)]
    sizes["links of repositories"] = [link.disk for link in all_links(store)]
    for folder in (TEMPORARY, UPLOADS):
        sizes[folder] = [file.disk for file in strays(store, folder)]
    sizes["caches of commands"] = trees.sizes(store, trees.STATE)
    sizes["outputs of workspaces"] = trees.sizes(store, trees.OUTPUTS)
    return tuple(Usage(kind, len(disk), sum(disk)) for kind, disk in sizes.items())


def blobs(folder: Folder) -> Iterator[tuple[Digest | None, Stray]]:
    """Every file among the blobs; no digest for one that is not called by any."""
    for algorithm in ("sha256", "sha512"):
        for file in strays(folder, f"blobs/{algorithm}"):
            try:
                digest = Digest(f"{algorithm}:{os.path.basename(file.path)}")
            except InvalidDigest:
                yield None, file
            else:
                yield digest, file


def strays(folder: Folder, below: str) -> Iterator[Stray]:
    """Every file in the store's folder *below*, sorted, without those that vanish meanwhile."""
    with usable(folder.root):
        try:
            names = sorted(os.listdir(f"{folder.root}/{below}"))
        except FileNotFoundError:
            return
        for name in names:
            path = f"{folder.root}/{below}/{name}"
            try:
                found = os.lstat(path)
            except FileNotFoundError:
                continue
            yield Stray(path, found.st_mtime, found.st_ctime, disk_bytes(found), found.st_size)
