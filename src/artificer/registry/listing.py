"""What a registry lists page by page: tags, repositories, and what refers to a manifest."""

import re
from collections.abc import Iterator
from typing import Any

from artificer import limits
from artificer.errors import ArtificerError
from artificer.http.request import Request, authority, joined
from artificer.oci.descriptor import Descriptor
from artificer.oci.digest import Digest
from artificer.oci.document import parse
from artificer.oci.media import OCI_INDEX
from artificer.registry.auth import Access, listing, pulling, same_place
from artificer.registry.link import Link
from artificer.registry.manifests import read_manifest
from artificer.registry.problems import NotFound, Refused

_PAGE = 1000
"""Names asked for at once; ECR refuses more."""
_NEXT = re.compile(r'<([^<>]*)>\s*;[^,]*\brel="?next"?', re.IGNORECASE)


class EndlessList(ArtificerError):
    """A list that goes on for longer than any honest one."""


def tags(link: Link) -> Iterator[str]:
    """The repository's tags, as the registry orders them."""
    url = link.url("tags/list", n=str(_PAGE))
    for page in _pages(link, url, pulling(link.endpoint), "listing the tags"):
        yield from _names(page.get("tags"))


def repositories(link: Link) -> Iterator[str]:
    """The paths of the registry's repositories, as far as it shows them."""
    url = f"{link.endpoint.base}/v2/_catalog?n={_PAGE}"
    for page in _pages(link, url, listing(link.endpoint), "listing the repositories"):
        yield from _names(page.get("repositories"))


def referrers(link: Link, digest: Digest, artifact_type: str) -> list[Descriptor]:
    """What refers to the manifest *digest*; of *artifact_type* alone unless that is empty."""
    query = {"artifactType": artifact_type} if artifact_type else {}
    url = link.url(f"referrers/{digest}", **query)
    doing = f"asking what refers to {digest}"
    try:
        pages = list(_pages(link, url, pulling(link.endpoint), doing))
    except (NotFound, Refused):
        pages = [page] if (page := _fallback(link, digest)) else []
    found = [
        Descriptor.of(document, f"a referrer of {digest}")
        for page in pages
        for document in _list(page.get("manifests"))
    ]
    return [one for one in found if not artifact_type or _kind(one) == artifact_type]


def fallback_tag(digest: Digest) -> str:
    """The tag under which registries without referrers keep the list (distribution-spec)."""
    return f"{digest.algorithm}-{digest.hex}"[:128]


def _fallback(link: Link, digest: Digest) -> dict[str, Any] | None:
    try:
        manifest = read_manifest(link, fallback_tag(digest))
    except NotFound:
        return None
    if manifest.media_type != OCI_INDEX:
        return None
    return parse(manifest.data, limit=limits.MANIFEST_BYTES, what=f"the referrers of {digest}")


def _kind(descriptor: Descriptor) -> str:
    return str(descriptor.document.get("artifactType", ""))


def _pages(link: Link, url: str, access: Access, doing: str) -> Iterator[dict[str, Any]]:
    seen: set[str] = set()
    names = 0
    while url:
        if url in seen or names > limits.ENTRIES:
            raise EndlessList(f"{link.endpoint.repository}: {doing} comes to no end")
        seen.add(url)
        with link.send(Request("GET", url), access) as response:
            if response.status != 200:
                raise link.problem(doing, response)
            data = response.read(limits.TAGS_BYTES)
            links = response.headers.all("link")
        names += max(1, data.count(b'"') // 2)
        yield _page(link, doing, data)
        url = _next(url, links)


def _page(link: Link, doing: str, data: bytes) -> dict[str, Any]:
    what = f"{link.endpoint.repository}: the answer to {doing}"
    return parse(data, limit=limits.TAGS_BYTES, what=what)


def _next(url: str, links: tuple[str, ...]) -> str:
    """The next page; of the same registry, or none."""
    for value in links:
        if match := _NEXT.search(value):
            found = joined(url, match[1])
            return found if same_place(authority(found), authority(url)) else ""
    return ""


def _names(value: Any) -> list[str]:
    return [name for name in _list(value) if isinstance(name, str)]


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
