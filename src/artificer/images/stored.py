"""The images that the store has names for, as a list."""

from collections.abc import Iterator
from typing import NamedTuple

from artificer.errors import ArtificerError
from artificer.images.named import store_place
from artificer.images.parts import images_of, parts_of
from artificer.images.place import Found, whole
from artificer.oci.descriptor import Descriptor
from artificer.oci.image import Content
from artificer.oci.platform import Platform
from artificer.store.blobs import Store


class NamedImage(NamedTuple):
    """A name of the store, and what is there of what it names.

    *platforms* are those whose images are here; *size* counts every blob once. A part that was
    removed or damaged behind the store's back makes it *broken*.
    """

    name: str
    descriptor: Descriptor
    platforms: tuple[Platform, ...] = ()
    size: int = 0
    created: str = ""
    broken: str = ""


def named_images(store: Store) -> Iterator[NamedImage]:
    """Yield every name of the store, sorted; one that is broken does not hide the others."""
    place = store_place(store)
    for name, descriptor in store.names().items():
        try:
            content = whole(Found(name, descriptor, place))
        except ArtificerError as error:
            yield NamedImage(name, descriptor, broken=error.message)
            continue
        images = list(images_of(content))
        platforms = tuple(image.platform for image in images if image.platform is not None)
        created = [image.config_document.get("created") for image in images]
        last = max((one for one in created if isinstance(one, str)), default="")
        yield NamedImage(name, descriptor, platforms, _size(content), last)


def _size(content: Content) -> int:
    parts = parts_of(content)
    blobs = sum(blob.descriptor.size for blob in parts.blobs)
    return blobs + sum(len(document.data) for document in (*parts.configs, *parts.manifests))
