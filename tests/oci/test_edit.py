"""Edits are pure, keep what they do not know, and leave an image that holds together."""

import json

import pytest

from artificer import limits
from artificer.oci import media
from artificer.oci.descriptor import Descriptor
from artificer.oci.digest import Digest
from artificer.oci.document import InvalidDocument, dump
from artificer.oci.edit import (
    Line,
    Stamp,
    annotated,
    appended,
    configured,
    continued,
    converted,
    empty,
    index_of,
)
from artificer.oci.image import Blob, Image, Index, InvalidImage, Layer, Stored, Urls
from artificer.oci.media import UnsupportedFormat
from artificer.oci.platform import LINUX_AMD64, Platform
from artificer.oci.settings import Settings


def layer(name: str, media_type: str = media.OCI_LAYER_GZIP) -> Layer:
    descriptor = Descriptor.make(media_type, Digest.of(name.encode()), len(name))
    return Layer(Blob(descriptor, Stored(f"/blobs/{name}")), Digest.of(b"tar" + name.encode()))


def base(media_format: media.Format = "oci") -> Image:
    return appended(
        empty(LINUX_AMD64, media_format),
        [layer("base", media.layer_type(media_format, "gzip"))],
        ["FROM somewhere"],
        Stamp(),
    )


def test_scratch_has_no_layers_and_says_its_platform() -> None:
    image = empty(Platform.parse("linux/arm/v7"), "oci")

    assert image.layers == ()
    assert str(image.platform) == "linux/arm/v7"
    assert image.config_descriptor.media_type == media.OCI_CONFIG


def test_an_appended_layer_has_its_diff_id_and_its_line_of_history() -> None:
    image = appended(
        base(), [layer("a"), layer("b")], ["ADD a", "ADD b"], Stamp("2020-01-01T00:00:00Z")
    )

    assert [one.diff_id for one in image.layers][1:] == [layer("a").diff_id, layer("b").diff_id]
    assert [line["created_by"] for line in image.history] == ["FROM somewhere", "ADD a", "ADD b"]
    assert image.history[-1]["created"] == "2020-01-01T00:00:00Z"
    assert image.layers[-1].blob.origin == Stored("/blobs/b")


def test_a_base_without_history_gets_a_line_for_each_of_its_layers() -> None:
    document = base().config_document
    document.pop("history")
    config = dump(document)
    manifest = {
        **base().manifest_document,
        "config": Descriptor.for_bytes(media.OCI_CONFIG, config).document,
    }
    old = Image(dump(manifest), config, base().origins)

    image = configured(
        appended(old, [layer("a")], ["ADD a"], Stamp()), Settings(user="1"), Stamp()
    )

    full = [line for line in image.history if not line.get("empty_layer")]
    assert len(full) == len(image.layers)
    assert image.history[-1]["created_by"] == "USER 1"


def test_unknown_fields_of_the_base_survive_every_edit() -> None:
    image = base()
    config = dump({**image.config_document, "x-config": [1.5], "config": {"X": 1}})
    document = {
        **image.manifest_document,
        "x-manifest": {"y": 2},
        "config": Descriptor.for_bytes(media.OCI_CONFIG, config).document,
    }
    image = Image(dump(document), config, image.origins)

    edited = converted(
        annotated(
            configured(
                appended(image, [layer("a")], ["ADD a"], Stamp()), Settings(user="me"), Stamp()
            ),
            {"k": "v"},
        ),
        "docker",
    )

    assert edited.manifest_document["x-manifest"] == {"y": 2}
    assert edited.config_document["x-config"] == image.config_document["x-config"]
    assert edited.settings == {"X": 1, "User": "me"}
    assert edited.annotations == {"k": "v"}


def test_lines_without_a_layer_stand_where_they_were_said() -> None:
    lines = [Line("ENV a=b"), Line("COPY x /", layer("x")), Line("CMD y")]

    image = continued(base(), lines, {"Cmd": ["y"]}, Stamp("2020-01-01T00:00:00Z", "me"))

    told = [(one["created_by"], one.get("empty_layer", False)) for one in image.history[-3:]]
    assert told == [("ENV a=b", True), ("COPY x /", False), ("CMD y", True)]
    assert image.settings == {"Cmd": ["y"]}
    assert image.config_document["author"] == "me"
    assert len(image.layers) == len(base().layers) + 1


def test_an_edit_leaves_its_input_alone() -> None:
    image = base()
    manifest, config = image.manifest, image.config

    configured(appended(image, [layer("a")], ["x"], Stamp()), Settings(user="1"), Stamp())

    assert (image.manifest, image.config) == (manifest, config)
    assert dump(image.config_document) == config


def test_more_layers_than_a_runtime_mounts_are_refused() -> None:
    image = base()
    room = limits.LAYERS - len(image.layers)
    most = [layer(str(number)) for number in range(room)]

    assert len(appended(image, most, ["x"] * room, Stamp()).layers) == limits.LAYERS
    with pytest.raises(InvalidImage, match="127"):
        appended(image, [*most, layer("more")], ["x"] * (room + 1), Stamp())


def test_formats_convert_both_ways() -> None:
    docker = converted(base(), "docker")

    assert docker.descriptor.media_type == media.DOCKER_MANIFEST
    assert docker.config_descriptor.media_type == media.DOCKER_CONFIG
    assert docker.layers[0].descriptor.media_type == media.DOCKER_LAYER_GZIP
    assert converted(docker, "oci") == base()
    assert converted(docker, "docker") is docker


def test_a_zstd_layer_has_no_place_in_dockers_format() -> None:
    image = appended(base(), [layer("z", media.OCI_LAYER_ZSTD)], ["z"], Stamp())

    with pytest.raises(UnsupportedFormat):
        converted(image, "docker")
    with pytest.raises(UnsupportedFormat) as caught:
        media.layer_type("docker", "zstd")
    assert "--format oci" in str(caught.value.hint)


def test_foreign_layers_keep_their_urls() -> None:
    descriptor = Descriptor.make(
        media.DOCKER_FOREIGN_LAYER_GZIP, Digest.of(b"f"), 9, urls=["https://example.com/f"]
    )
    image = base("docker")
    document = image.manifest_document
    document["layers"].append(descriptor.document)
    image_config = image.config_document
    image_config["rootfs"]["diff_ids"].append(Digest.of(b"g"))
    config = dump(image_config)
    document["config"] = Descriptor.for_bytes(media.DOCKER_CONFIG, config).document
    image = Image(dump(document), config, image.origins)

    edited = converted(
        appended(image, [layer("a", media.DOCKER_LAYER_GZIP)], ["a"], Stamp()), "oci"
    )

    assert edited.layers[1].blob.origin == Urls(("https://example.com/f",))
    assert edited.layers[1].descriptor.urls == ("https://example.com/f",)
    assert edited.layers[1].descriptor.media_type == media.OCI_FOREIGN_LAYER_GZIP


def test_an_index_files_its_members_under_their_platforms() -> None:
    arm = configured(base(), Settings(platform=Platform.parse("linux/arm64")), Stamp())

    index = index_of([(base(), {"a": "1"}), (arm, {})], {"i": "2"}, "oci")

    assert [str(one.platform) for one in index.descriptors] == ["linux/amd64", "linux/arm64"]
    assert index.descriptors[0].annotations == {"a": "1"}
    assert index.annotations == {"i": "2"}
    assert index.members == (base(), arm)


def test_the_same_edits_give_the_same_bytes() -> None:
    def build() -> Image:
        image = appended(base(), [layer("a")], ["ADD a"], Stamp())
        return configured(image, Settings(env=(("A", "1"),), cmd=("x",)), Stamp())

    assert build().manifest == build().manifest


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ({"schemaVersion": 1}, "schema 1"),
        ({"schemaVersion": 3}, "schemaVersion"),
        ({}, "schemaVersion"),
        ({"schemaVersion": 2, "mediaType": "text/html"}, "text/html"),
        ({"schemaVersion": 2, "manifests": [], "mediaType": media.OCI_MANIFEST}, "ambiguous"),
        ({"schemaVersion": 2, "layers": [], "mediaType": media.OCI_INDEX}, "ambiguous"),
    ],
)
def test_a_manifest_of_a_wrong_kind_is_refused(document: dict[str, object], says: str) -> None:
    with pytest.raises(InvalidImage, match=says):
        Index(dump(document))


def test_a_config_that_is_not_the_manifests_is_refused() -> None:
    with pytest.raises(InvalidImage, match="not the"):
        Image(base().manifest, base().config + b" ", base().origins)


def test_a_manifest_with_more_layers_than_diff_ids_is_refused() -> None:
    document = json.loads(base().manifest)
    document["layers"] = []

    with pytest.raises(InvalidImage, match="0 layers, but its config 1"):
        Image(dump(document), base().config, {})


@pytest.mark.parametrize("size", [-1, "1", None, True, 1.5])
def test_a_descriptor_needs_a_size(size: object) -> None:
    with pytest.raises(InvalidDocument):
        Descriptor.of({"mediaType": "x", "digest": Digest.of(b""), "size": size})
