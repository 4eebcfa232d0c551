"""Which blobs are reached from names and from repositories, through manifests and indexes."""

import os
from collections.abc import Iterable, Iterator

from artificer import limits
from artificer.errors import ArtificerError
from artificer.oci import media
from artificer.oci.descriptor import Descriptor
from artificer.oci.digest import Digest
from artificer.oci.document import parse
from artificer.store.files import Folder, usable
from artificer.store.names import entries, read_index
from artificer.store.repositories import MANIFESTS, digest_of, link, links, repositories

Root = tuple[str, Digest]
"""A media type and a digest, to be followed."""


def named_roots(folder: Folder) -> list[Root]:
    """What the store's index lists, with or without a name."""
    return [(entry.media_type, entry.digest) for entry in entries(read_index(folder))]


def repository_roots(folder: Folder, repository: str) -> list[Root]:
    """The manifests and indexes of one repository."""
    found = ((digest_of(text), text) for text in links(folder, repository, MANIFESTS))
    return [
        ((link(folder, repository, MANIFESTS, text) or b"").decode(errors="replace"), digest)
        for digest, text in found
        if digest is not None
    ]


def served_roots(folder: Folder) -> list[Root]:
    """The manifests and indexes of every repository."""
    return [
        root
        for repository in repositories(folder)
        for root in repository_roots(folder, repository)
    ]


def reached(folder: Folder, roots: Iterable[Root]) -> set[Digest]:
    """The *roots* and all that they list, directly or not, whether it is here or not."""
    seen: set[Digest] = set()
    waiting = list(roots)
    while waiting:
        media_type, digest = waiting.pop()
        if digest not in seen:
            seen.add(digest)
            waiting.extend(
                (child.media_type, child.digest)
                for child in references(folder, media_type, digest)
            )
    return seen


def references(folder: Folder, media_type: str, digest: Digest) -> list[Descriptor]:
    """What a manifest or an index lists; nothing for other blobs, missing and damaged ones."""
    if not (media.is_manifest(media_type) or media.is_index(media_type)):
        return []
    data = _bytes(folder, digest)
    try:
        document = parse(data, limit=limits.MANIFEST_BYTES, what=digest)
        return list(listed(document))
    except ArtificerError:
        return []


def listed(document: dict[str, object]) -> Iterator[Descriptor]:
    """The descriptors in a manifest or an index, config first."""
    if isinstance(document.get("config"), dict):
        yield Descriptor.of(document["config"], "the config's descriptor")
    for field in ("layers", "manifests"):
        found = document.get(field)
        for child in found if isinstance(found, list) else ():
            yield Descriptor.of(child, f"a descriptor in {field}")


def _bytes(folder: Folder, digest: Digest) -> bytes:
    with usable(folder.root):
        try:
            with open(folder.blob_path(digest), "rb", buffering=0) as file:
                if os.fstat(file.fileno()).st_size > limits.MANIFEST_BYTES:
                    return b""
                return file.readall()
        except FileNotFoundError:
            return b""
