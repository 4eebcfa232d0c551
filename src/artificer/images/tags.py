"""Tags of a registry, moved and removed without moving a blob."""

from artificer import limits
from artificer.errors import ArtificerError, Misused, Transient, Unauthorized, Unavailable
from artificer.events import Tagged, UpToDate
from artificer.images.place import Found
from artificer.images.reach import Reach
from artificer.oci.reference import Named


class NotRemoved(ArtificerError):
    """A registry does not remove what it was asked to."""


def tag(found: Found, source: Named, target: Named, reach: Reach) -> None:
    """Let *target* name what *found* is, which *source* of the same repository led to."""
    if target.digest is not None or target.repository != source.repository:
        raise Misused(
            f"{target} is no tag of {source.repository}",
            hint=f"`artificer copy {source} {target}` works between repositories",
        )
    reach.guard.write(target)
    there = reach.registry.head_target(target)
    if there is not None and there.digest == found.digest:
        reach.report(UpToDate(str(target), found.digest))
        return
    data = found.place.read(found.descriptor, limits.MANIFEST_BYTES)
    media_type = found.descriptor.media_type
    reach.registry.put_manifest(target.repository, target.identifier, media_type, data)
    reach.report(Tagged(str(target), found.digest))


def remove(name: Named, reach: Reach) -> None:
    """Remove a tag from its registry, or by digest an image with all its tags."""
    reach.guard.write(name)
    try:
        reach.registry.delete(name.repository, name.identifier)
    except (Transient, Unauthorized, Unavailable):
        raise
    except ArtificerError as error:
        there = None if name.digest else reach.registry.head_target(name)
        if there is None:
            raise
        raise NotRemoved(
            f"{name}: the registry removes no tag by its name ({error.message})",
            hint=f"`artificer rm --force {name.repository}@{there.digest}` removes the image, "
            "and every tag of it",
        ) from error
