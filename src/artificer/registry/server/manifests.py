"""Manifests and indexes of a repository, its tags, and who refers to whom."""

from typing import Any

from artificer import limits
from artificer.errors import ArtificerError
from artificer.oci import media
from artificer.oci.descriptor import Descriptor
from artificer.oci.digest import Digest
from artificer.oci.document import parse
from artificer.registry.server.answers import Answer, Problem, Span
from artificer.registry.server.asked import Asked, checked_digest, checked_tag
from artificer.registry.server.blobs import linked_size
from artificer.store import repositories
from artificer.store.blobs import Store
from artificer.store.reach import listed


def get_manifest(store: Store, asked: Asked) -> Answer:
    """GET and HEAD of a manifest (end-3), by tag or digest, in the bytes that were pushed."""
    digest = _digest_of(store, asked.repository, asked.item)
    link = repositories.link_of(digest)
    media_type = repositories.link(store, asked.repository, repositories.MANIFESTS, link)
    size = store.has(digest)
    if media_type is None or size is None:
        raise _unknown(asked.item)
    headers = (
        ("Content-Type", media_type.decode()),
        ("Docker-Content-Digest", str(digest)),
        ("ETag", f'"{digest}"'),
    )
    return Answer(200, headers, Span(store.blob_path(digest), 0, size))


def put_manifest(store: Store, asked: Asked) -> Answer:
    """PUT of a manifest (end-7): all that it lists must be here, but not what it is about."""
    data = asked.body.read(limits.MANIFEST_BYTES)
    tags = [checked_tag(tag) for tag in asked.query.get("tag", [])]
    if ":" in asked.item:
        digest = checked_digest(asked.item)
        if not digest.matches(data):
            raise Problem(400, "DIGEST_INVALID", "the manifest has another digest")
    else:
        tags.append(checked_tag(asked.item))
        digest = Digest.of(data)
    media_type, document = _understood(asked, data)
    _check_listed(store, asked.repository, media_type, document)
    subject = _subject(document)
    _keep(store, asked.repository, digest, media_type, data)
    if subject is not None:
        _keep_referrer(store, asked.repository, subject, _referrer(media_type, digest, data))
    for tag in tags:
        repositories.set_link(store, asked.repository, repositories.TAGS, tag, digest.encode())
    return Answer(
        201,
        (
            ("Location", f"/v2/{asked.repository}/manifests/{digest}"),
            ("Docker-Content-Digest", str(digest)),
            *((("OCI-Subject", str(subject)),) if subject else ()),
            *(("OCI-Tag", tag) for tag in asked.query.get("tag", [])),
        ),
    )


def delete_manifest(store: Store, asked: Asked) -> Answer:
    """DELETE of a tag, or of a manifest with all its tags (end-9)."""
    repository = asked.repository
    if ":" not in asked.item:
        tag = checked_tag(asked.item)
        if not repositories.remove_link(store, repository, repositories.TAGS, tag):
            raise _unknown(tag)
        return Answer(202)
    digest = checked_digest(asked.item)
    link = repositories.link_of(digest)
    media_type = repositories.link(store, repository, repositories.MANIFESTS, link)
    if media_type is None:
        raise _unknown(digest)
    for tag in repositories.links(store, repository, repositories.TAGS):
        if repositories.link(store, repository, repositories.TAGS, tag) == digest.encode():
            repositories.remove_link(store, repository, repositories.TAGS, tag)
    subject = _stored_subject(store, digest)
    if subject is not None:
        repositories.remove_link(store, repository, referrers_kind(subject), link)
    repositories.remove_link(store, repository, repositories.MANIFESTS, link)
    return Answer(202)


def referrers_kind(subject: Digest) -> str:
    """The kind of the links in which a repository notes who refers to *subject*."""
    return f"referrers/{repositories.link_of(subject)}"


def _digest_of(store: Store, repository: str, item: str) -> Digest:
    if ":" in item:
        return checked_digest(item)
    tagged = repositories.link(store, repository, repositories.TAGS, checked_tag(item))
    if tagged is None:
        raise _unknown(item)
    return Digest(tagged.decode())


def _understood(asked: Asked, data: bytes) -> tuple[str, dict[str, Any]]:
    """Media type and document of a manifest that is one of the four that we know."""
    try:
        document = parse(data, limit=limits.MANIFEST_BYTES, what="the manifest")
    except ArtificerError as error:
        raise _invalid(error.message) from error
    stated = document.get("mediaType")
    media_type = asked.headers.get("content-type", "").partition(";")[0].strip() or stated
    if media_type not in media.MANIFEST_TYPES:
        raise _invalid(f"not a media type of manifests: {str(media_type)[:100]!r}")
    if stated is not None and stated != media_type:
        raise _invalid("mediaType and Content-Type disagree")
    if document.get("schemaVersion") != 2:
        raise _invalid("its schemaVersion is not 2")
    fields = {"manifests"} if media.is_index(media_type) else {"config", "layers"}
    # A document that is an index to one client and a manifest to another is neither.
    if {"manifests", "config", "layers"} & document.keys() != fields:
        raise _invalid(f"it must have {' and '.join(sorted(fields))}, and only these")
    return media_type, document


def _check_listed(
    store: Store, repository: str, media_type: str, document: dict[str, Any]
) -> None:
    try:
        children = list(listed(document))
    except ArtificerError as error:
        raise _invalid(error.message) from error
    missing = [
        {"digest": str(child.digest)}
        for child in children
        if not media.is_foreign(child.media_type) and not child.urls
        if not _has(store, repository, child, manifest=media.is_index(media_type))
    ]
    if missing:
        raise Problem(
            400, "MANIFEST_BLOB_UNKNOWN", "blob unknown to the repository", details=missing
        )


def _has(store: Store, repository: str, child: Descriptor, *, manifest: bool) -> bool:
    if not manifest:
        return linked_size(store, repository, child.digest) is not None
    link = repositories.link_of(child.digest)
    return repositories.link(store, repository, repositories.MANIFESTS, link) is not None


def _subject(document: dict[str, Any]) -> Digest | None:
    if document.get("subject") is None:
        return None
    try:
        return Descriptor.of(document["subject"], "the subject").digest
    except ArtificerError as error:
        raise _invalid(error.message) from error


def _stored_subject(store: Store, digest: Digest) -> Digest | None:
    try:
        data = store.read(digest, limits.MANIFEST_BYTES)
        return _subject(parse(data, limit=limits.MANIFEST_BYTES, what=digest))
    except ArtificerError:  # it is gone or damaged, and may be forgotten all the more
        return None


def _keep(store: Store, repository: str, digest: Digest, media_type: str, data: bytes) -> None:
    store.put_chunks([data], digest, len(data))
    link = repositories.link_of(digest)
    repositories.set_link(store, repository, repositories.MANIFESTS, link, media_type.encode())


def _keep_referrer(store: Store, repository: str, subject: Digest, who: Descriptor) -> None:
    link = repositories.link_of(who.digest)
    repositories.set_link(store, repository, referrers_kind(subject), link, who.raw.encode())


def _referrer(media_type: str, digest: Digest, data: bytes) -> Descriptor:
    """How a manifest is described in its subject's list of referrers."""
    document = parse(data, limit=limits.MANIFEST_BYTES, what="the manifest")
    kind = document.get("artifactType")
    if not kind and media.is_manifest(media_type):
        kind = document["config"]["mediaType"]
    return Descriptor.make(
        media_type,
        digest,
        len(data),
        artifactType=kind,
        annotations=document.get("annotations"),
    )


def _invalid(reason: str) -> Problem:
    return Problem(400, "MANIFEST_INVALID", "manifest invalid", details=[{"reason": reason}])


def _unknown(item: str) -> Problem:
    return Problem(404, "MANIFEST_UNKNOWN", "manifest unknown", details=[{"reference": item}])
