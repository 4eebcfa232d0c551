import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from artificer.images.check import Fault, faults_of
from artificer.oci import media
from artificer.oci.descriptor import Descriptor
from artificer.oci.digest import Digest
from artificer.oci.document import dump
from artificer.oci.image import Artifact, Blob, Image, Index, Stored
from tests.images.made import image_of, index_of_images, reach_of, tar_of

ONE = tar_of(("etc/one", b"1" * 5000))
TWO = tar_of(("etc/two", b"2"))


def _changed(image: Image, config: dict[str, Any], manifest: dict[str, Any]) -> Image:
    """*image* with fields of its two documents changed, and the digests put right."""
    data = dump({**image.config_document, **config})
    document = {
        **image.manifest_document,
        "config": Descriptor.for_bytes(image.config_descriptor.media_type, data).document,
        **manifest,
    }
    return Image(dump(document), data, image.origins)


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        ({"os": ""}, "states no os and architecture"),
        ({"history": [{}, {"empty_layer": True}]}, "tells of 1 layers in its history, and has 2"),
        ({"history": []}, None),
    ],
)
def test_what_a_config_says_is_checked(
    tmp_path: Path, config: dict[str, Any], problem: str | None
) -> None:
    reach, _ = reach_of(f"{tmp_path}/store")
    image = _changed(image_of(reach.store, ONE, TWO), config, {})

    problems = [fault.problem for fault in faults_of(image, reach)]

    assert problems == ([problem] if problem else [])


def test_a_root_of_another_type_and_a_wrong_size_are_told(tmp_path: Path) -> None:
    reach, _ = reach_of(f"{tmp_path}/store")
    image = image_of(reach.store, ONE)
    rootfs = {**image.config_document["rootfs"], "type": "bricks"}
    wrong = _changed(image, {"rootfs": rootfs}, {})
    config = wrong.config_descriptor.changed(size=7).document

    found = list(faults_of(_changed(wrong, {}, {"config": config}), reach))

    subject = f"the config {wrong.config_descriptor.digest}"
    assert found == [
        Fault(subject, "is stated to have 7 bytes"),
        Fault(subject, "has a rootfs that is not of the type layers"),
    ]


def test_a_layer_of_another_format_or_compression_is_told(tmp_path: Path) -> None:
    reach, _ = reach_of(f"{tmp_path}/store")
    image = image_of(reach.store, ONE)
    layer = image.layers[0].descriptor.changed(mediaType=media.DOCKER_LAYER).document

    found = [fault.problem for fault in faults_of(_changed(image, {}, {"layers": [layer]}), reach)]

    assert found == [
        f"is of the oci format, but has a part of the type {media.DOCKER_LAYER}",
        "is compressed with gzip, its type says none",
    ]


def test_a_damaged_blob_is_told_and_the_rest_is_read_all_the_same(tmp_path: Path) -> None:
    reach, _ = reach_of(f"{tmp_path}/store")
    image = image_of(reach.store, ONE, TWO)
    damaged = tmp_path / "damaged"
    damaged.write_bytes(gzip.compress(ONE, 9, mtime=0))
    blob = image.layers[0].blob
    elsewhere = Image(
        image.manifest, image.config, {**image.origins, blob.digest: Stored(str(damaged))}
    )
    reach.store.discard(blob.digest)

    found = list(faults_of(elsewhere, reach))

    assert [fault.subject for fault in found] == [f"the layer {blob.digest}"]
    artifact = Artifact(image.manifest, (Blob(blob.descriptor, Stored(str(damaged))),))
    assert [fault.subject for fault in faults_of(artifact, reach)] == [f"the blob {blob.digest}"]


def test_what_an_index_says_of_its_members_is_checked(tmp_path: Path) -> None:
    reach, _ = reach_of(f"{tmp_path}/store")
    image = image_of(reach.store, ONE)
    entry = image.descriptor.changed(
        size=5,
        mediaType=media.DOCKER_MANIFEST,
        platform={"os": "linux", "architecture": "s390x"},
    )
    gone = Descriptor.make(media.OCI_MANIFEST, Digest.of(b"gone"), 4)
    document = json.loads(index_of_images(image).manifest)
    document["manifests"] = [entry.document, gone.document]

    found = list(faults_of(Index(dump(document), (image,)), reach))

    subject = f"the index's entry {image.digest}"
    assert found == [
        Fault(subject, f"states 5 bytes, not {len(image.manifest)}"),
        Fault(subject, f"states the type {media.DOCKER_MANIFEST}"),
        Fault(subject, "states linux/s390x, its config states linux/amd64"),
        Fault(f"the index's entry {gone.digest}", "is not where the index is"),
    ]
    assert list(faults_of(index_of_images(image), reach)) == []
