"""Small images for stores."""

from artificer.oci import media
from artificer.oci.descriptor import Descriptor
from artificer.oci.document import dump
from artificer.store.blobs import Store


def descriptor_in(store: Store, data: bytes, media_type: str) -> Descriptor:
    """Keep *data* and describe it."""
    store.put(data)
    return Descriptor.for_bytes(media_type, data)


def image_in(store: Store, *layers: bytes) -> Descriptor:
    """Keep an image with *layers*, and describe its manifest."""
    manifest = {
        "schemaVersion": 2,
        "mediaType": media.OCI_MANIFEST,
        "config": descriptor_in(store, b'{"rootfs":{}}', media.OCI_CONFIG).document,
        "layers": [descriptor_in(store, layer, media.OCI_LAYER).document for layer in layers],
    }
    return descriptor_in(store, dump(manifest), media.OCI_MANIFEST)


def index_in(store: Store, *members: Descriptor) -> Descriptor:
    """Keep an index of *members*, and describe it."""
    index = {
        "schemaVersion": 2,
        "mediaType": media.OCI_INDEX,
        "manifests": [member.document for member in members],
    }
    return descriptor_in(store, dump(index), media.OCI_INDEX)
