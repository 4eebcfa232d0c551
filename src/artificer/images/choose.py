"""Which part of what a reference names is taken: all of it, or one platform's image."""

from artificer.events import Warned
from artificer.images.parts import images_of
from artificer.images.place import Found, NotFound, index_at, whole
from artificer.images.reach import Reach
from artificer.oci import media
from artificer.oci.image import Content, Image, Index


def everything(found: Found, reach: Reach) -> Content:
    """Return all that *found* names, to be written elsewhere.

    An index of which only some members are at hand could not be written: its only image is taken
    instead, and that is told; of several, somebody has to choose.
    """
    content = whole(found)
    if not isinstance(content, Index) or not _lacks_members(content):
        return content
    images = tuple(images_of(content))
    there = ", ".join(str(image.platform) for image in images)
    if len(images) != 1:
        raise NotFound(
            f"{found.reference} is an index of which only a part is here ({there or 'nothing'})",
            hint="choose an image with `--platform`, or `artificer pull --all-platforms` first",
        )
    reach.report(
        Warned(
            f"{found.reference} is an index of which only {there} is here: that image is taken",
            "`artificer pull --all-platforms` brings all of them",
        )
    )
    return images[0]


def narrowed(found: Found, image: Image) -> Content:
    """Return what *found* names with *image* as its only member at hand.

    So an index keeps the digest that its registry has for it.
    """
    index = index_at(found)
    if index is None or image.digest not in {entry.digest for entry in index.descriptors}:
        return image
    return Index(index.manifest, (image,))


def _lacks_members(index: Index) -> bool:
    here = {member.digest for member in index.members}
    return any(
        entry.digest not in here
        for entry in index.descriptors
        if media.is_index(entry.media_type) or media.is_manifest(entry.media_type)
    )
