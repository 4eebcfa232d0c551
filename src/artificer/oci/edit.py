"""Pure edits: an image in, another image out, nothing read or written."""

import copy
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from artificer import limits
from artificer.oci import media
from artificer.oci.descriptor import Descriptor
from artificer.oci.digest import Digest
from artificer.oci.document import dump
from artificer.oci.image import Image, Index, InvalidImage, Layer, Origin, media_type_of
from artificer.oci.platform import Platform
from artificer.oci.settings import Settings, applied

BASE_NAME = "org.opencontainers.image.base.name"
BASE_DIGEST = "org.opencontainers.image.base.digest"
EPOCH = "1970-01-01T00:00:00Z"


class Stamp(NamedTuple):
    """When an image says that it was made (RFC 3339), and by whom."""

    created: str = EPOCH
    author: str | None = None


def empty(platform: Platform, image_format: media.Format) -> Image:
    """`scratch`: an image of no layers."""
    config = {
        "created": EPOCH,
        **{key: value for key, value in platform.document().items() if value},
        "config": {},
        "rootfs": {"type": "layers", "diff_ids": []},
        "history": [],
    }
    media_type = media.converted(media.OCI_MANIFEST, image_format)
    manifest = {"schemaVersion": 2, "mediaType": media_type, "config": {}, "layers": []}
    return _image(manifest, config, {})


def appended(
    image: Image, layers: Sequence[Layer], created_by: Sequence[str], stamp: Stamp
) -> Image:
    """*image* with *layers* on top, each with its line of history.

    Raise `InvalidImage` when no runtime could mount so many.
    """
    if len(image.layers) + len(layers) > limits.LAYERS:
        raise InvalidImage(
            f"the image would have {len(image.layers) + len(layers)} layers, but at most "
            f"{limits.LAYERS} can be mounted",
            hint="flatten the base first: `artificer flatten`",
        )
    manifest, config = copy.deepcopy(image.manifest_document), copy.deepcopy(image.config_document)
    history = _complete_history(image, config)
    rootfs = config.get("rootfs")
    if not isinstance(rootfs, dict):
        rootfs = config["rootfs"] = {"type": "layers"}
    rootfs.setdefault("type", "layers")
    for layer, line in zip(layers, created_by, strict=True):
        manifest["layers"].append(layer.descriptor.document)
        rootfs["diff_ids"] = [*(rootfs.get("diff_ids") or ()), layer.diff_id]
        history.append({"created": stamp.created, "created_by": line, "comment": "artificer"})
    origins = {**image.origins, **{layer.blob.digest: layer.blob.origin for layer in layers}}
    return _image(manifest, config, origins)


def configured(image: Image, settings: Settings, stamp: Stamp) -> Image:
    """*image* with *settings* applied and stamped."""
    config = copy.deepcopy(image.config_document)
    config["created"] = stamp.created
    if stamp.author is not None:
        config["author"] = stamp.author
    if settings.platform is not None:
        for key in ("os", "architecture", "variant", "os.version"):
            config.pop(key, None)
        config.update(settings.platform.document())
    config["config"], lines = applied(settings, image.settings)
    history = _complete_history(image, config)
    history.extend(
        {
            "created": stamp.created,
            "created_by": line,
            "comment": "artificer",
            "empty_layer": True,
        }
        for line in lines
    )
    return _image(copy.deepcopy(image.manifest_document), config, image.origins)


class Line(NamedTuple):
    """A line of history, and the layer that it tells of, if there is one."""

    created_by: str
    layer: Layer | None = None


def continued(
    image: Image, lines: Sequence[Line], settings: Mapping[str, Any], stamp: Stamp
) -> Image:
    """*image* with *lines* of history and their layers on top, and *settings* for its own.

    What its annotations say (a title, a revision) was about *image* alone: they are left out.
    """
    layers = [line.layer for line in lines if line.layer is not None]
    told = [line.created_by for line in lines if line.layer is not None]
    image = appended(image, layers, told, stamp)
    config = copy.deepcopy(image.config_document)
    config["created"] = stamp.created
    if stamp.author is not None:
        config["author"] = stamp.author
    config["config"] = dict(settings)
    before = config["history"][: len(config["history"]) - len(layers)]
    config["history"] = before + [_told(line, stamp) for line in lines]
    manifest = copy.deepcopy(image.manifest_document)
    manifest.pop("annotations", None)
    return _image(manifest, config, image.origins)


def _told(line: Line, stamp: Stamp) -> dict[str, Any]:
    told = {"created": stamp.created, "created_by": line.created_by, "comment": "artificer"}
    return told if line.layer is not None else {**told, "empty_layer": True}


def annotated(image: Image, annotations: Mapping[str, str]) -> Image:
    """*image* with *annotations* added to its manifest's."""
    if not annotations:
        return image
    manifest = copy.deepcopy(image.manifest_document)
    manifest["annotations"] = {**image.annotations, **annotations}
    return Image(dump(manifest), image.config, image.origins)


def converted(image: Image, image_format: media.Format) -> Image:
    """*image* with the media types of *image_format*; itself when it has them already."""
    if image.format == image_format:
        return image
    manifest = copy.deepcopy(image.manifest_document)
    manifest["mediaType"] = media.converted(image.descriptor.media_type, image_format)
    for document in (manifest["config"], *manifest["layers"]):
        document["mediaType"] = media.converted(document["mediaType"], image_format)
    return Image(dump(manifest), image.config, image.origins)


def index_of(
    members: Sequence[tuple[Image, Mapping[str, str]]],
    annotations: Mapping[str, str],
    image_format: media.Format,
) -> Index:
    """An index of *members*, each with the annotations of its entry, filed under its platform."""
    entries = []
    for image, own in members:
        platform = image.platform
        descriptor = image.descriptor.changed(platform=platform.document() if platform else None)
        entries.append(descriptor.annotated(own).document)
    document: dict[str, Any] = {
        "schemaVersion": 2,
        "mediaType": media.converted(media.OCI_INDEX, image_format),
        "manifests": entries,
    }
    if annotations:
        document["annotations"] = dict(annotations)
    return Index(dump(document), tuple(image for image, _ in members))


def artifact(
    artifact_type: str, config: bytes, blobs: Sequence[Layer | Descriptor], **fields: Any
) -> bytes:
    """The manifest of an artifact whose config is *config* (manifest.md, "Artifact Usage")."""
    layers = [blob if isinstance(blob, Descriptor) else blob.descriptor for blob in blobs]
    return dump(
        {
            "schemaVersion": 2,
            "mediaType": media.OCI_MANIFEST,
            "artifactType": artifact_type,
            "config": Descriptor.for_bytes(artifact_type, config).document,
            "layers": [descriptor.document for descriptor in layers],
            **fields,
        }
    )


def _complete_history(image: Image, config: dict[str, Any]) -> list[dict[str, Any]]:
    """The history in *config*, one line for each layer at least (config.md, "history")."""
    history = config.get("history")
    if not isinstance(history, list):
        history = config["history"] = []
    lines = sum(1 for line in history if isinstance(line, dict) and not line.get("empty_layer"))
    missing = len(image.layers) - lines
    history.extend({"comment": "a layer of the base without history"} for _ in range(missing))
    return history


def _image(
    manifest: dict[str, Any], config: dict[str, Any], origins: Mapping[Digest, Origin]
) -> Image:
    data = dump(config)
    # Older tools leave it out; what is written is said (manifest.md: it "SHOULD be used").
    manifest["mediaType"] = media_type_of(manifest)
    media_type = media.converted(media.OCI_CONFIG, media.format_of(manifest["mediaType"]))
    named = manifest.get("config") or {}
    named = {"mediaType": media_type, **named, "digest": str(Digest.of(data)), "size": len(data)}
    named.pop("data", None)
    manifest["config"] = named
    return Image(dump(manifest), data, origins)
