"""The list of referrers, under a tag where a registry keeps none (distribution-spec)."""

from artificer import limits
from artificer.errors import ArtificerError
from artificer.oci.descriptor import Descriptor
from artificer.oci.digest import Digest, InvalidDigest
from artificer.oci.document import InvalidDocument, dump, parse
from artificer.oci.media import OCI_INDEX
from artificer.registry.link import Link
from artificer.registry.listing import fallback_tag
from artificer.registry.manifests import Manifest, read_manifest, write_manifest
from artificer.registry.problems import NotFound


def subject_of(manifest: Manifest) -> Digest | None:
    """The manifest that *manifest* refers to."""
    if b'"subject"' not in manifest.data:
        return None
    try:
        document = parse(manifest.data, limit=limits.MANIFEST_BYTES, what="the manifest")
        return Descriptor.of(document.get("subject"), "its subject").digest
    except (InvalidDocument, InvalidDigest):
        return None


def list_referrer(link: Link, subject: Digest, manifest: Manifest, digest: Digest) -> None:
    """Add *manifest* to the list under the subject's fallback tag, unless it is there."""
    tag = fallback_tag(subject)
    document = parse(manifest.data, limit=limits.MANIFEST_BYTES, what="the manifest")
    config = document.get("config")
    kind = document.get("artifactType") or (
        config.get("mediaType") if isinstance(config, dict) else None
    )
    entry = Descriptor.make(
        manifest.media_type,
        digest,
        len(manifest.data),
        artifactType=kind,
        annotations=document.get("annotations"),
    )
    index = _index(link, tag)
    listed = index.setdefault("manifests", [])
    if not isinstance(listed, list):
        raise ReferrersBroken(f"{link.endpoint.repository}:{tag} is no list of referrers")
    if any(isinstance(one, dict) and one.get("digest") == digest for one in listed):
        return
    listed.append(entry.document)
    data = dump(index)
    write_manifest(link, tag, Manifest(OCI_INDEX, data), Digest.of(data))


class ReferrersBroken(ArtificerError):
    """What lies under the fallback tag is something else."""


def _index(link: Link, tag: str) -> dict[str, object]:
    try:
        found = read_manifest(link, tag)
    except NotFound:
        return {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": []}
    if found.media_type != OCI_INDEX:
        raise ReferrersBroken(f"{link.endpoint.repository}:{tag} is no list of referrers")
    return parse(found.data, limit=limits.MANIFEST_BYTES, what=f"{link.endpoint.repository}:{tag}")
