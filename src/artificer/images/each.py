"""An edit of an image, done to every image of an index."""

from collections.abc import Callable, Mapping

from artificer.events import Note, Report
from artificer.images.parts import images_of
from artificer.images.place import NotAnImage
from artificer.oci.edit import BASE_DIGEST, BASE_NAME, index_of
from artificer.oci.image import Artifact, Content, Image, Index

Edit = Callable[[Image], Image]
_BASE = (BASE_NAME, BASE_DIGEST)


def each_image(content: Content, edit: Edit, report: Report) -> Content:
    """Return *content* with *edit* done to it, or to each image of the index that it is.

    What an index files about its images' bytes (attestations) is not true of others: left out.
    """
    match content:
        case Image():
            return edit(content)
        case Artifact():
            raise NotAnImage(f"{content.digest} is an artifact, not an image")
        case Index():
            return _edited_index(content, edit, report)


def _edited_index(index: Index, edit: Edit, report: Report) -> Index:
    images = tuple(images_of(index))
    if not images:
        raise NotAnImage(f"the index {index.digest} has no image in it")
    if len(images) < len(index.members):
        report(Note("attestations are left out: they are about other bytes"))
    told = {entry.digest: entry.annotations for entry in index.descriptors}
    members = [(edit(image), told.get(image.digest, {})) for image in images]
    first = members[0][0]
    return index_of(members, _annotations(index.annotations, first.annotations), first.format)


def _annotations(index: Mapping[str, str], image: Mapping[str, str]) -> dict[str, str]:
    """The index's own; about a base it says what its images say, if it said anything."""
    kept = {key: text for key, text in index.items() if key not in _BASE}
    if len(kept) == len(index):
        return kept
    return {**kept, **{key: image[key] for key in _BASE if key in image}}
