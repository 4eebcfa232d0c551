"""Blobs of a repository: given out whole or in part, and forgotten."""

import re

from artificer.oci.digest import Digest
from artificer.registry.server.answers import Answer, Problem, Span
from artificer.registry.server.asked import Asked, checked_digest
from artificer.store import repositories
from artificer.store.blobs import Store

_RANGE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})")


def get_blob(store: Store, asked: Asked) -> Answer:
    """GET and HEAD of a blob (end-2), also of one range of its bytes."""
    digest = checked_digest(asked.item)
    size = linked_size(store, asked.repository, digest)
    if size is None:
        raise unknown(digest)
    offset, length = _ranged(asked.headers.get("range", ""), size)
    headers = (
        ("Content-Type", "application/octet-stream"),
        ("Docker-Content-Digest", str(digest)),
        ("ETag", f'"{digest}"'),
        ("Accept-Ranges", "bytes"),
    )
    span = Span(store.blob_path(digest), offset, length)
    if length == size:
        return Answer(200, headers, span)
    where = ("Content-Range", f"bytes {offset}-{offset + length - 1}/{size}")
    return Answer(206, (*headers, where), span)


def delete_blob(store: Store, asked: Asked) -> Answer:
    """DELETE of a blob (end-10): only this repository forgets it."""
    digest = checked_digest(asked.item)
    link = repositories.link_of(digest)
    if not repositories.remove_link(store, asked.repository, repositories.BLOBS, link):
        raise unknown(digest)
    return Answer(202)


def linked_size(store: Store, repository: str, digest: Digest) -> int | None:
    """The size of a blob that *repository* has; None for those that only others have."""
    link = repositories.link_of(digest)
    if repositories.link(store, repository, repositories.BLOBS, link) is None:
        return None
    return store.has(digest)


def created(store: Store, repository: str, digest: Digest) -> Answer:
    """The answer to a blob's last byte, or to its mount: from now on *repository* has it."""
    link = repositories.link_of(digest)
    repositories.set_link(store, repository, repositories.BLOBS, link)
    place = f"/v2/{repository}/blobs/{digest}"
    return Answer(201, (("Location", place), ("Docker-Content-Digest", str(digest))))


def unknown(digest: Digest) -> Problem:
    """The repository has no such blob."""
    return Problem(404, "BLOB_UNKNOWN", "blob unknown", details=[{"digest": str(digest)}])


def _ranged(text: str, size: int) -> tuple[int, int]:
    """Offset and length of what is asked for; all of it for what is no single range."""
    match = _RANGE.fullmatch(text.strip())
    if not match or match.groups() == ("", ""):
        return 0, size
    first, last = match.groups()
    if not first:  # the last so many bytes
        start, end = max(size - int(last), 0), size - 1
    else:
        start, end = int(first), min(int(last), size - 1) if last else size - 1
    if start > end:
        raise Problem(416, "SIZE_INVALID", "the blob has no such range").with_headers(
            ("Content-Range", f"bytes */{size}")
        )
    return start, end - start + 1
