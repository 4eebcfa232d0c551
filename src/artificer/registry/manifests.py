"""Manifests of a repository: asked for, read and verified, written, deleted."""

from typing import NamedTuple

from artificer import limits
from artificer.errors import ArtificerError
from artificer.http.request import Request, Response, body_of
from artificer.oci.descriptor import Descriptor
from artificer.oci.digest import Digest, InvalidDigest, hasher_of
from artificer.oci.document import parse
from artificer.oci.media import (
    DOCKER_MANIFEST_1,
    DOCKER_MANIFEST_1_SIGNED,
    MANIFEST_TYPES,
    OCI_INDEX,
    OCI_MANIFEST,
)
from artificer.registry.auth import deleting, pulling, pushing
from artificer.registry.link import Link
from artificer.registry.problems import NotFound, not_verified

ACCEPT = {"Accept": ", ".join(MANIFEST_TYPES)}
_SCHEMA_1 = frozenset((DOCKER_MANIFEST_1, DOCKER_MANIFEST_1_SIGNED))
# A HEAD that a registry (or a proxy) does not know; GET answers the same question.
_NO_HEAD = frozenset((400, 405, 501))


class UnsupportedManifest(ArtificerError):
    """The registry has something under this name that is no image of today."""


class Manifest(NamedTuple):
    """A manifest or index as it came: verified bytes and what they are."""

    media_type: str
    data: bytes


def head_manifest(link: Link, reference: str) -> Descriptor | None:
    """What *reference* (a tag or a digest) names, without reading it; None when there is none."""
    request = Request("HEAD", link.url(f"manifests/{reference}"), ACCEPT)
    with link.send(request, pulling(link.endpoint)) as response:
        if response.status == 404:
            return None
        if response.status not in _NO_HEAD and response.status != 200:
            raise link.problem(f"asking for {reference}", response)
        found = _descriptor(link, reference, response) if response.status == 200 else None
    return found or _read_descriptor(link, reference)


def read_manifest(link: Link, reference: str) -> Manifest:
    """The manifest that *reference* (a tag or a digest) names, verified."""
    request = Request("GET", link.url(f"manifests/{reference}"), ACCEPT)
    with link.send(request, pulling(link.endpoint)) as response:
        if response.status != 200:
            raise link.problem(f"reading manifest {reference}", response)
        data = response.read(limits.MANIFEST_BYTES)
        told = _told_digest(response)
        declared = _media_type(response)
    wanted = Digest(reference) if ":" in reference else told
    if wanted is not None and not wanted.matches(data):
        raise not_verified(
            link.endpoint.repository, f"manifest {reference} is not what {wanted} names"
        )
    return Manifest(_checked_type(link, reference, declared, data), data)


def write_manifest(link: Link, reference: str, manifest: Manifest, digest: Digest) -> bool:
    """Write *manifest*, whose digest is *digest*; say whether the referrer is listed."""
    headers = {"Content-Type": manifest.media_type}
    url = link.url(f"manifests/{reference}")
    request = Request("PUT", url, headers, body_of(manifest.data))
    with link.send(request, pushing(link.endpoint)) as response:
        if response.status not in {200, 201, 202}:
            raise link.problem(f"pushing manifest {reference}", response, pushing=True)
        told, lists = _told_digest(response), "oci-subject" in response.headers
    if told is not None and told.algorithm == digest.algorithm and told != digest:
        raise not_verified(
            link.endpoint.repository, f"{reference} was pushed as {digest} and arrived as {told}"
        )
    return lists


def delete_manifest(link: Link, reference: str) -> None:
    """Remove *reference*: a tag, or a manifest with every tag that names it."""
    request = Request("DELETE", link.url(f"manifests/{reference}"))
    with link.send(request, deleting(link.endpoint)) as response:
        if response.status not in {200, 202, 204}:
            raise link.problem(f"deleting {reference}", response)


def digest_of(data: bytes, reference: str) -> Digest:
    """The digest of *data*, by the algorithm of *reference* when that is a digest."""
    algorithm = Digest(reference).algorithm if ":" in reference else "sha256"
    return Digest(f"{algorithm}:{hasher_of(algorithm, data).hexdigest()}")


def _descriptor(link: Link, reference: str, response: Response) -> Descriptor | None:
    """What the headers of a HEAD tell; None when they do not tell all."""
    told = _told_digest(response)
    if ":" in reference:
        asked = Digest(reference)
        if told is not None and told.algorithm == asked.algorithm and told != asked:
            raise not_verified(
                link.endpoint.repository, f"{reference} was asked for, {told} is offered"
            )
        told = asked
    declared, size = _media_type(response), response.headers.get("content-length")
    if told is None or declared not in MANIFEST_TYPES or not size.isdecimal():
        return None
    return Descriptor.make(declared, told, int(size))


def _read_descriptor(link: Link, reference: str) -> Descriptor | None:
    try:
        manifest = read_manifest(link, reference)
    except NotFound:
        return None
    digest = digest_of(manifest.data, reference)
    return Descriptor.make(manifest.media_type, digest, len(manifest.data))


def _told_digest(response: Response) -> Digest | None:
    told = response.headers.get("docker-content-digest")
    try:
        return Digest(told) if told else None
    except InvalidDigest:
        return None


def _media_type(response: Response) -> str:
    return response.headers.get("content-type").partition(";")[0].strip().lower()


def _checked_type(link: Link, reference: str, declared: str, data: bytes) -> str:
    """The media type of *data*: as declared, or, behind a forgetful proxy, as it says itself."""
    name = f"{link.endpoint.repository}: manifest {reference}"
    if declared in _SCHEMA_1:
        raise _schema_1(name)
    if declared == "text/html":
        raise UnsupportedManifest(
            f"{name} is a web page",
            hint="a proxy or a login page may answer for the registry, or it is no registry",
        )
    document = parse(data, limit=limits.MANIFEST_BYTES, what=name)
    if declared in MANIFEST_TYPES:
        return declared
    if document.get("schemaVersion") == 1:
        raise _schema_1(name)
    told = document.get("mediaType")
    if told is None and "manifests" in document:
        told = OCI_INDEX
    elif told is None and "config" in document:
        told = OCI_MANIFEST
    if told in MANIFEST_TYPES:
        return str(told)
    shown = str(told or declared or "of no type")[:100]
    raise UnsupportedManifest(
        f"{name} is {shown!r}, not an image", hint="is it a chart or another kind of artifact?"
    )


def _schema_1(name: str) -> UnsupportedManifest:
    return UnsupportedManifest(
        f"{name} is of Docker's schema 1, which nothing reads any more",
        hint="pull and push it once with docker 25 or older, or rebuild it",
    )
