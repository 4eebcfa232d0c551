"""A repository's blobs: there already, mounted from another repository, or uploaded."""

from collections.abc import Sequence
from contextlib import suppress

from artificer.errors import Transient, Unauthorized, Unavailable
from artificer.events import BlobExists, BlobMounted, BlobSent
from artificer.http.request import Body, Request
from artificer.oci.descriptor import Descriptor
from artificer.oci.digest import Digest
from artificer.oci.reference import Repository
from artificer.registry.auth import pushing
from artificer.registry.link import Link
from artificer.registry.problems import NotFound, Refused
from artificer.registry.upload import UNTOLD, Uploads, has_blob, upload

_SOURCES = 3
"""Repositories that are tried as the source of a mount: each costs a request."""


def push_blob(
    link: Link, descriptor: Descriptor, body: Body, sources: Sequence[Repository], uploads: Uploads
) -> str:
    """Bring a blob into the repository: ``exists``, ``mounted:SOURCE`` or ``sent``."""
    repository = link.endpoint.repository
    digest, size = descriptor.digest, descriptor.size
    if has_blob(link, digest, pushing(link.endpoint)) in (size, UNTOLD):
        link.report(BlobExists(repository, digest, size))
        return "exists"
    session = ""
    for source in sources[:_SOURCES]:
        if session:
            cancel(link, session)
        mounted, session = _mounted(link, digest, source)
        if mounted:
            link.report(BlobMounted(repository, digest, size, source))
            return f"mounted:{source}"
    sent = upload(link, descriptor, body, uploads, start=session)
    link.report(BlobSent(repository, digest, size, sent))
    return "sent"


def check_push(link: Link) -> None:
    """Raise what a push would raise, without pushing: begin an upload and end it."""
    url = link.url("blobs/uploads/")
    with link.send(Request("POST", url), pushing(link.endpoint)) as response:
        if response.status != 202:
            raise link.problem("a push", response, pushing=True)
        session = link.location(response, url)
    cancel(link, session)


def cancel(link: Link, session: str) -> None:
    """End an upload session; one that stays ends by itself."""
    with (
        suppress(Transient, Unavailable, Unauthorized),
        link.send(Request("DELETE", session), pushing(link.endpoint)),
    ):
        pass


def _mounted(link: Link, digest: Digest, source: Repository) -> tuple[bool, str]:
    """Whether the registry took the blob over from *source*, or else the session it began."""
    # Quay refuses a mount without `from`.
    url = link.url("blobs/uploads/", **{"mount": digest, "from": source.path})
    access = pushing(link.endpoint, source)
    try:
        with link.send(Request("POST", url), access) as response:
            if response.status == 201:
                return True, ""
            return False, link.location(response, url) if response.status == 202 else ""
    except (Unauthorized, NotFound, Refused, Transient, Unavailable):
        return False, ""  # whatever is in the way of a mount, an upload says it better
