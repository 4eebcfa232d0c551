"""When artifacts of a cache repository were last used, told in tags beside theirs.

``REPO:used-TAG`` is a manifest with the day as an annotation, and with the config of the artifact
at ``REPO:TAG``: the registry has that, so only the manifest is written. No time is in the
artifact itself: whoever makes it makes the same bytes, on whatever day.
"""

from artificer import limits
from artificer.errors import ArtificerError
from artificer.images.fetch import find_in_registry, place_of
from artificer.images.place import NotFound
from artificer.images.reach import Reach
from artificer.oci import media
from artificer.oci.descriptor import Descriptor
from artificer.oci.digest import Digest
from artificer.oci.document import dump
from artificer.oci.image import config_descriptor, manifest_document
from artificer.oci.reference import Named

ARTIFACT_TYPE = "application/vnd.artificer.used.v1+json"
DAY = "org.artificer.used"
PREFIX = "used-"


def mark_used(name: Named, config: Descriptor, day: str, reach: Reach) -> None:
    """Tell that the artifact at *name*, whose config is *config*, was used on *day*.

    On each day it is told once: after that, one request shows that it was.
    """
    data = _mark(config, day)
    tag = used_tag(name)
    there = reach.registry.head_target(tag)
    if there is None or there.digest != Digest.of(data):
        reach.registry.put_manifest(name.repository, tag.identifier, media.OCI_MANIFEST, data)


def used_tag(name: Named) -> Named:
    """Where it is told when *name* was used."""
    return name._replace(tag=f"{PREFIX}{name.tag}")


def last_used(name: Named, reach: Reach) -> str | None:
    """The day on which the artifact at *name* was last used; None if nobody has told."""
    try:
        found = find_in_registry(used_tag(name), reach)
        place = place_of(name.repository, reach)
        document = manifest_document(place.read(found.descriptor, limits.MANIFEST_BYTES))
    except NotFound:
        return None
    annotations = document.get("annotations")
    day = annotations.get(DAY) if isinstance(annotations, dict) else None
    return day if isinstance(day, str) else None


def config_of(name: Named, reach: Reach) -> Descriptor:
    """The config of the artifact at *name*; raises `NotFound`."""
    found = find_in_registry(name, reach)
    place = place_of(name.repository, reach)
    return config_descriptor(
        manifest_document(place.read(found.descriptor, limits.MANIFEST_BYTES))
    )


def forget_artifact(name: Named, reach: Reach) -> None:
    """Remove the artifact at *name*, and what is told of its use; by digest, as registries ask."""
    for one in (name, used_tag(name)):
        there = reach.registry.head_target(one)
        if there is None:
            continue
        try:
            reach.registry.delete(one.repository, there.digest)
        except ArtificerError:
            # Another prune was quicker, which is as good.
            if reach.registry.head_target(one) is not None:
                raise


def _mark(config: Descriptor, day: str) -> bytes:
    return dump(
        {
            "schemaVersion": 2,
            "mediaType": media.OCI_MANIFEST,
            "artifactType": ARTIFACT_TYPE,
            "config": config.document,
            "layers": [],
            "annotations": {DAY: day},
        }
    )
