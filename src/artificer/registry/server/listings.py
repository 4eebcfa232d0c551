"""Lists: tags, repositories, referrers."""

from bisect import bisect_right
from collections.abc import Sequence
from urllib.parse import urlencode

from artificer.oci import media
from artificer.oci.document import parse
from artificer.registry.server.answers import Answer, Problem, json_answer
from artificer.registry.server.asked import Asked, checked_digest, is_number
from artificer.registry.server.manifests import referrers_kind
from artificer.store import repositories
from artificer.store.blobs import Store

_DESCRIPTOR_BYTES = 4 * 1024 * 1024


def list_tags(store: Store, asked: Asked) -> Answer:
    """GET of a repository's tags (end-8), in the order of their bytes, page by page."""
    if not repositories.has_repository(store, asked.repository):
        raise Problem(404, "NAME_UNKNOWN", "repository unknown")
    tags = repositories.links(store, asked.repository, repositories.TAGS)
    page, link = _page(asked, f"/v2/{asked.repository}/tags/list", tags)
    return json_answer(200, {"name": asked.repository, "tags": page}).also(*link)


def list_repositories(store: Store, asked: Asked) -> Answer:
    """GET of the catalog, page by page; no part of the specification, but known to clients."""
    page, link = _page(asked, "/v2/_catalog", repositories.repositories(store))
    return json_answer(200, {"repositories": page}).also(*link)


def list_referrers(store: Store, asked: Asked) -> Answer:
    """GET of who refers to a digest (end-12), also to one that is not here: never a 404."""
    kind = referrers_kind(checked_digest(asked.item))
    found = [
        parse(data, limit=_DESCRIPTOR_BYTES, what="a referrer")
        for link in repositories.links(store, asked.repository, kind)
        if (data := repositories.link(store, asked.repository, kind, link)) is not None
    ]
    wanted = asked.first("artifactType")
    if wanted:
        found = [referrer for referrer in found if referrer.get("artifactType") == wanted]
    index = {"schemaVersion": 2, "mediaType": media.OCI_INDEX, "manifests": found}
    answer = json_answer(200, index, media.OCI_INDEX)
    return answer.also(("OCI-Filters-Applied", "artifactType")) if wanted else answer


def _page(
    asked: Asked, path: str, names: Sequence[str]
) -> tuple[list[str], tuple[tuple[str, str], ...]]:
    """The names after ``last``, at most ``n``, and the link to those that follow."""
    text = asked.first("n")
    if text is not None and not is_number(text):
        raise Problem(400, "PAGINATION_NUMBER_INVALID", "n is no number")
    start = bisect_right(names, asked.first("last") or "")
    end = len(names) if text is None else start + int(text)
    page = list(names[start:end])
    if not page or end >= len(names):
        return page, ()
    query = urlencode({"n": text, "last": page[-1]})
    return page, (("Link", f'<{path}?{query}>; rel="next"'),)
