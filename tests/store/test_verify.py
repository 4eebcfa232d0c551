"""Verify: names every blob that is not whole, and everything that points to one."""

import os
from pathlib import Path

import pytest

from artificer.errors import Cancelled
from artificer.oci import media
from artificer.oci.descriptor import Descriptor
from artificer.oci.digest import Digest
from artificer.stop import Stop
from artificer.store import repositories
from artificer.store.blobs import Store
from artificer.store.verify import verify
from tests.store.images import descriptor_in, image_in, index_in

LAYER = Digest.of(b"layer")


def test_a_whole_store_has_no_faults(store: Store) -> None:
    store.set_name("app", index_in(store, image_in(store, b"layer")))
    store.set_record("layer", "key", b"data", needs=[LAYER])

    verified = verify(store)

    assert verified.faults == ()
    assert verified.blobs == 4
    assert verified.bytes > 100


def test_a_changed_byte_is_found_and_who_needs_it(store: Store) -> None:
    image = image_in(store, b"layer")
    store.set_name("app", image)
    store.set_record("layer", "key", b"data", needs=[LAYER])
    link = repositories.link_of(image.digest)
    repositories.set_link(store, "team/app", "manifests", link, media.OCI_MANIFEST.encode())
    Path(store.blob_path(LAYER)).write_bytes(b"lasso")

    faults = verify(store).faults

    assert [(fault.kind, fault.subject) for fault in faults] == [
        ("blob", LAYER),
        ("name", "app"),
        ("repository", "team/app"),
        ("record", "layer key"),
    ]


def test_a_missing_layer_and_a_missing_manifest_are_found(store: Store) -> None:
    image = image_in(store, b"layer")
    store.set_name("app", image)
    store.set_name("gone", Descriptor.for_bytes(media.OCI_MANIFEST, b"gone"))
    link = repositories.link_of(Digest.of(b"gone"))
    repositories.set_link(store, "served", "manifests", link, media.OCI_MANIFEST.encode())
    store.discard(LAYER)

    subjects = [fault.subject for fault in verify(store).faults]

    assert subjects == ["app", "gone", "served"]


def test_a_wrong_size_is_found(store: Store) -> None:
    layer = descriptor_in(store, b"layer", media.OCI_LAYER)
    store.set_name("layer", Descriptor.make(media.OCI_LAYER, layer.digest, 6))

    (fault,) = verify(store).faults

    assert "6 bytes" in fault.reason


def test_platforms_that_were_never_fetched_are_no_fault(store: Store) -> None:
    image = image_in(store, b"layer")
    other = Descriptor.for_bytes(media.OCI_MANIFEST, b"other platform")
    store.set_name("app", index_in(store, image, other))

    assert verify(store).faults == ()


def test_a_file_that_is_called_by_no_digest_is_found(store: Store) -> None:
    Path(store.root, "blobs", "sha256", "readme").write_text("")

    (fault,) = verify(store).faults

    assert os.path.basename(fault.subject) == "readme"


def test_verifying_can_be_stopped(store: Store) -> None:
    store.put(b"layer")
    stop = Stop()
    stop.set()

    with pytest.raises(Cancelled):
        verify(store, stop=stop)
