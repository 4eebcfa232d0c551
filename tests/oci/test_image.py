"""Images and indexes: what their documents may be, one byte either side of every limit."""

import pytest

from artificer import limits
from artificer.oci.descriptor import Descriptor
from artificer.oci.document import InvalidDocument, dump
from artificer.oci.edit import empty
from artificer.oci.image import Image, Index, InvalidImage, manifest_document
from artificer.oci.media import OCI_CONFIG
from artificer.oci.platform import LINUX_AMD64

IMAGE = empty(LINUX_AMD64, "oci")


def padded(document: bytes, size: int) -> bytes:
    return document + b" " * (size - len(document))


def with_config(size: int) -> Image:
    config = padded(IMAGE.config, size)
    descriptor = Descriptor.for_bytes(OCI_CONFIG, config).document
    return Image(dump({**IMAGE.manifest_document, "config": descriptor}), config, {})


def test_a_manifest_has_four_mebibytes_at_most() -> None:
    assert limits.MANIFEST_BYTES == 4 << 20
    assert manifest_document(padded(IMAGE.manifest, limits.MANIFEST_BYTES))
    with pytest.raises(InvalidDocument, match="larger than 4194304 bytes"):
        manifest_document(padded(IMAGE.manifest, limits.MANIFEST_BYTES + 1))


def test_a_config_has_sixteen_mebibytes_at_most() -> None:
    assert limits.CONFIG_BYTES == 16 << 20
    assert with_config(limits.CONFIG_BYTES).platform == LINUX_AMD64
    with pytest.raises(InvalidDocument, match="larger than 16777216 bytes"):
        with_config(limits.CONFIG_BYTES + 1)


def test_an_index_lists_a_thousand_manifests_at_most() -> None:
    def index(count: int) -> Index:
        entries = [IMAGE.descriptor.document] * count
        return Index(dump({"schemaVersion": 2, "manifests": entries}))

    assert len(index(limits.INDEX_MEMBERS).descriptors) == 1000
    with pytest.raises(InvalidImage, match="more than 1000 manifests"):
        assert index(limits.INDEX_MEMBERS + 1).descriptors
