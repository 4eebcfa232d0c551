"""An image that was just made, as a place of its own."""

from artificer.images.place import Found, NotFound, Place
from artificer.oci.descriptor import Descriptor
from artificer.oci.image import Image


def found_image(reference: str, image: Image) -> Found:
    """Return *image* as what *reference* led to."""
    documents = {
        image.digest: image.manifest,
        image.config_descriptor.digest: image.config,
    }

    def read(descriptor: Descriptor, limit: int) -> bytes:
        data = documents.get(descriptor.digest)
        if data is None or len(data) > limit:
            raise NotFound(f"{reference} has no {descriptor.digest}")
        return data

    place = Place(reference, read, lambda descriptor: image.origins.get(descriptor.digest))
    return Found(reference, image.descriptor, place)
