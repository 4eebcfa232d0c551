"""What each repository of the embedded registry has: links to blobs that all of them share.

A link is a file ``repositories/NAME/_KIND/LINK``. A component of a repository's name never starts
with an underscore, so kinds and names cannot meet.
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from typing import NamedTuple

from artificer.oci.digest import Digest, InvalidDigest
from artificer.store.files import Folder, disk_bytes, remove, usable

BLOBS = "blobs"
MANIFESTS = "manifests"
TAGS = "tags"
_FOLDER = "repositories"


class Link(NamedTuple):
    """One link as a file: its name, when it was set, and what it takes of the disk."""

    name: str
    path: str
    used: float
    disk: int


def set_link(folder: Folder, repository: str, kind: str, link: str, data: bytes = b"") -> None:
    """Let *repository* have *link*, with *data* in it."""
    folder.replace(_path(folder, repository, kind, link), data)


def link(folder: Folder, repository: str, kind: str, link: str) -> bytes | None:
    """What stands in *link*; None when *repository* has no such link."""
    with usable(folder.root):
        try:
            with open(_path(folder, repository, kind, link), "rb", buffering=0) as file:
                return file.readall()
        except (FileNotFoundError, NotADirectoryError):
            return None


def remove_link(folder: Folder, repository: str, kind: str, link: str) -> bool:
    """Let *repository* have *link* no more; say whether it had."""
    with usable(folder.root):
        return remove(_path(folder, repository, kind, link))


def links(folder: Folder, repository: str, kind: str) -> list[str]:
    """Every link of *kind*, in the order of their bytes."""
    with usable(folder.root):
        return _listed(os.path.dirname(_path(folder, repository, kind, "_")))


def stat_links(folder: Folder, repository: str, kind: str) -> list[Link]:
    """Every link of *kind* as a file."""
    below = os.path.dirname(_path(folder, repository, kind, "_"))
    with usable(folder.root):
        return [link for name in _listed(below) if (link := _stat(f"{below}/{name}", name))]


def all_links(folder: Folder) -> Iterator[Link]:
    """Every link of every kind and repository as a file."""
    with usable(folder.root):
        for below, _, names in os.walk(f"{folder.root}/{_FOLDER}"):
            for name in sorted(names):
                link = _stat(f"{below}/{name}", name)
                if link is not None:
                    yield link


def remove_empty(folder: Folder) -> None:
    """Forget repositories that have no link."""
    with usable(folder.root):
        for below, _, _ in os.walk(f"{folder.root}/{_FOLDER}", topdown=False):
            with suppress(OSError):  # it is not empty
                os.rmdir(below)


def linked_blobs(folder: Folder) -> set[Digest]:
    """The blobs that some repository has, whether a manifest lists them or not."""
    found = (
        digest_of(name)
        for repository in repositories(folder)
        for name in links(folder, repository, BLOBS)
    )
    return {digest for digest in found if digest is not None}


def repositories(folder: Folder) -> list[str]:
    """The name of every repository that ever had a link, sorted."""
    with usable(folder.root):
        return sorted(_walk(f"{folder.root}/{_FOLDER}", ""))


def has_repository(folder: Folder, repository: str) -> bool:
    """Whether *repository* ever had a link."""
    kinds = _listed(f"{folder.root}/{_FOLDER}/{repository}")
    return any(kind.startswith("_") for kind in kinds)


def link_of(digest: Digest) -> str:
    """What a link to *digest* is called: no platform minds a dash in a file's name."""
    return digest.replace(":", "-", 1)


def digest_of(link: str) -> Digest | None:
    """The digest that `link_of` made *link* from."""
    try:
        return Digest(link.replace("-", ":", 1))
    except InvalidDigest:
        return None


def _path(folder: Folder, repository: str, kind: str, link: str) -> str:
    return f"{folder.root}/{_FOLDER}/{repository}/_{kind}/{link}"


def _stat(path: str, name: str) -> Link | None:
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return None
    return Link(name, path, found.st_mtime, disk_bytes(found))


def _listed(path: str) -> list[str]:
    try:
        return sorted(os.listdir(path))
    except (FileNotFoundError, NotADirectoryError):
        return []


def _walk(path: str, name: str) -> Iterator[str]:
    inside = _listed(path)
    if name and any(entry.startswith("_") for entry in inside):
        yield name
    for entry in inside:
        if not entry.startswith("_"):
            yield from _walk(f"{path}/{entry}", f"{name}/{entry}" if name else entry)
