"""Images, indexes and artifacts: two JSON documents, and where their blobs can be had."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from artificer import limits
from artificer.errors import ArtificerError
from artificer.oci import media
from artificer.oci.descriptor import Descriptor
from artificer.oci.digest import Digest
from artificer.oci.document import parse
from artificer.oci.platform import Platform
from artificer.oci.reference import Repository


class InvalidImage(ArtificerError):
    """A manifest, an index or a config that contradicts itself or the specification."""


class Stored(NamedTuple):
    """The bytes lie in the file *path* from *offset* on."""

    path: str
    offset: int = 0


class Remote(NamedTuple):
    """A registry's *repository* has them."""

    repository: Repository


class Urls(NamedTuple):
    """They are fetched from *urls*, and never pushed (foreign layers)."""

    urls: tuple[str, ...]


Origin = Stored | Remote | Urls


class Blob:
    """A blob and where its bytes can be had; the origin is no part of equality."""

    __slots__ = ("descriptor", "origin")

    def __init__(self, descriptor: Descriptor, origin: Origin) -> None:
        self.descriptor = descriptor
        self.origin = origin

    def __eq__(self, other: object) -> bool:
        """Whether both have the same descriptor."""
        return isinstance(other, Blob) and self.descriptor == other.descriptor

    def __hash__(self) -> int:
        """By the descriptor."""
        return hash(self.descriptor)

    def __repr__(self) -> str:
        """Its descriptor and its origin."""
        return f"Blob({self.descriptor.raw}, {self.origin})"

    @property
    def digest(self) -> Digest:
        """The digest of its bytes."""
        return self.descriptor.digest


class Layer(NamedTuple):
    """A layer's blob, and the digest of the tar in it."""

    blob: Blob
    diff_id: Digest

    @property
    def descriptor(self) -> Descriptor:
        """The blob's descriptor."""
        return self.blob.descriptor


class Image:
    """An image: its manifest's and config's bytes are the truth, everything else is a view.

    Raise `InvalidImage` when the two contradict each other: the config is not the one that the
    manifest names, or the numbers of layers and of diff_ids differ.
    """

    __slots__ = (
        "config",
        "config_descriptor",
        "config_document",
        "descriptor",
        "layers",
        "manifest",
        "manifest_document",
        "origins",
    )

    def __init__(self, manifest: bytes, config: bytes, origins: Mapping[Digest, Origin]) -> None:
        self.manifest = manifest
        self.config = config
        self.origins = origins
        self.manifest_document = manifest_document(manifest)
        self.config_descriptor = config_descriptor(self.manifest_document)
        self.config_document = parse(config, limit=limits.CONFIG_BYTES, what="the image's config")
        if not self.config_descriptor.digest.matches(config):
            raise InvalidImage(
                f"the config is not the {self.config_descriptor.digest} of its manifest"
            )
        self.descriptor = Descriptor.for_bytes(media_type_of(self.manifest_document), manifest)
        self.layers = self._layers()

    def __eq__(self, other: object) -> bool:
        """Whether both have the same manifest (and so the same config and layers)."""
        return isinstance(other, Image) and self.manifest == other.manifest

    def __hash__(self) -> int:
        """By the manifest."""
        return hash(self.manifest)

    def __repr__(self) -> str:
        """Its digest."""
        return f"Image({self.digest})"

    @property
    def digest(self) -> Digest:
        """The manifest's digest: what registries call the image."""
        return self.descriptor.digest

    @property
    def format(self) -> media.Format:
        """The family of its media types."""
        return media.format_of(self.descriptor.media_type)

    @property
    def platform(self) -> Platform | None:
        """The platform that its config states."""
        return Platform.of(self.config_document)

    @property
    def annotations(self) -> dict[str, str]:
        """The manifest's annotations."""
        return annotations_of(self.manifest_document)

    @property
    def settings(self) -> dict[str, Any]:
        """What a container is started with: the ``config`` object of the config."""
        found = self.config_document.get("config")
        return found if isinstance(found, dict) else {}

    @property
    def history(self) -> list[dict[str, Any]]:
        """The config's history, oldest first."""
        found = self.config_document.get("history")
        return (
            [line for line in found if isinstance(line, dict)] if isinstance(found, list) else []
        )

    @property
    def blobs(self) -> tuple[Blob, ...]:
        """The blobs of its layers, each once, in order; the config is not among them."""
        return tuple(dict.fromkeys(layer.blob for layer in self.layers))

    def _layers(self) -> tuple[Layer, ...]:
        descriptors = layer_descriptors(self.manifest_document)
        rootfs = self.config_document.get("rootfs")
        diff_ids = rootfs.get("diff_ids") if isinstance(rootfs, dict) else None
        diff_ids = [] if diff_ids is None else diff_ids
        if not isinstance(diff_ids, list) or not all(isinstance(text, str) for text in diff_ids):
            raise InvalidImage("the config's rootfs.diff_ids is not a list of digests")
        if len(diff_ids) != len(descriptors):
            raise InvalidImage(
                f"the manifest has {len(descriptors)} layers, "
                f"but its config {len(diff_ids)} diff_ids",
                hint="an artifact that is no image (a chart, a signature) cannot be used as one",
            )
        return tuple(
            Layer(Blob(descriptor, self._origin(descriptor)), Digest(diff_id))
            for descriptor, diff_id in zip(descriptors, diff_ids, strict=True)
        )

    def _origin(self, descriptor: Descriptor) -> Origin:
        known = self.origins.get(descriptor.digest)
        if known is not None:
            return known
        if descriptor.urls:
            return Urls(descriptor.urls)
        raise InvalidImage(f"nothing says where the layer {descriptor.digest} can be had")


class Index:
    """An image index: its bytes, and those of its members that are at hand."""

    __slots__ = ("descriptor", "document", "manifest", "members")

    def __init__(self, manifest: bytes, members: "tuple[Content, ...]" = ()) -> None:
        self.manifest = manifest
        self.members = members
        self.document = manifest_document(manifest)
        self.descriptor = Descriptor.for_bytes(media_type_of(self.document), manifest)

    def __eq__(self, other: object) -> bool:
        """Whether both have the same bytes."""
        return isinstance(other, Index) and self.manifest == other.manifest

    def __hash__(self) -> int:
        """By its bytes."""
        return hash(self.manifest)

    def __repr__(self) -> str:
        """Its digest."""
        return f"Index({self.digest})"

    @property
    def digest(self) -> Digest:
        """The digest of its bytes."""
        return self.descriptor.digest

    @property
    def descriptors(self) -> tuple[Descriptor, ...]:
        """Its entries, in order."""
        return index_entries(self.document)

    @property
    def annotations(self) -> dict[str, str]:
        """Its annotations."""
        return annotations_of(self.document)


class Artifact:
    """A manifest that is no image (a cache record, a referrer, an SBOM), with its blobs."""

    __slots__ = ("blobs", "descriptor", "document", "manifest")

    def __init__(self, manifest: bytes, blobs: tuple[Blob, ...]) -> None:
        self.manifest = manifest
        self.blobs = blobs
        self.document = manifest_document(manifest)
        self.descriptor = Descriptor.for_bytes(media_type_of(self.document), manifest)

    def __eq__(self, other: object) -> bool:
        """Whether both have the same bytes."""
        return isinstance(other, Artifact) and self.manifest == other.manifest

    def __hash__(self) -> int:
        """By its bytes."""
        return hash(self.manifest)

    def __repr__(self) -> str:
        """Its digest."""
        return f"Artifact({self.digest})"

    @property
    def digest(self) -> Digest:
        """The digest of its manifest."""
        return self.descriptor.digest

    @property
    def annotations(self) -> dict[str, str]:
        """The manifest's annotations."""
        return annotations_of(self.document)


Content = Image | Index | Artifact


def manifest_document(data: bytes) -> dict[str, Any]:
    """The JSON of a manifest or an index; schema 1 and what is neither raise `InvalidImage`."""
    document = parse(data, limit=limits.MANIFEST_BYTES, what="the manifest")
    version = document.get("schemaVersion")
    if version == 1:
        raise InvalidImage(
            "the image has a manifest of schema 1, which was retired in 2017",
            hint="copy the image with a tool that converts it (`skopeo copy --format v2s2`) first",
        )
    if version != 2:
        raise InvalidImage(f"the manifest's schemaVersion is {version!r}, not 2")
    media_type_of(document)
    return document


def media_type_of(document: Mapping[str, Any]) -> str:
    """The media type of a manifest or an index, told by its content where the field is absent."""
    media_type = document.get("mediaType")
    # image-spec, manifest.md: the field "SHOULD be used"; without it, the properties tell.
    if media_type is None or media_type == "":
        media_type = media.OCI_INDEX if "manifests" in document else media.OCI_MANIFEST
    if media_type not in media.MANIFEST_TYPES:
        raise InvalidImage(f"not a manifest or index that we know: {media_type!r}")
    if media.is_index(media_type) and ("layers" in document or "config" in document):
        raise InvalidImage("an index has layers or a config: it is ambiguous, and refused")
    if media.is_manifest(media_type) and "manifests" in document:
        raise InvalidImage("a manifest lists manifests: it is ambiguous, and refused")
    return str(media_type)


def config_descriptor(document: Mapping[str, Any]) -> Descriptor:
    """The descriptor of a manifest's config."""
    return Descriptor.of(document.get("config"), "the manifest's config")


def layer_descriptors(document: Mapping[str, Any]) -> tuple[Descriptor, ...]:
    """The descriptors of a manifest's layers, in order."""
    found = document.get("layers")
    if not isinstance(found, list):
        raise InvalidImage("the manifest has no list of layers")
    return tuple(Descriptor.of(entry, "a layer of the manifest") for entry in found)


def index_entries(document: Mapping[str, Any]) -> tuple[Descriptor, ...]:
    """The entries of an index, in order."""
    found = document.get("manifests")
    if not isinstance(found, list):
        raise InvalidImage("the index has no list of manifests")
    if len(found) > limits.INDEX_MEMBERS:
        raise InvalidImage(f"the index lists more than {limits.INDEX_MEMBERS} manifests")
    return tuple(Descriptor.of(entry, "an entry of the index") for entry in found)


def annotations_of(document: Mapping[str, Any]) -> dict[str, str]:
    """The annotations of a manifest or an index; what is no string is left out."""
    found = document.get("annotations")
    if not isinstance(found, dict):
        return {}
    return {key: value for key, value in found.items() if isinstance(value, str)}
