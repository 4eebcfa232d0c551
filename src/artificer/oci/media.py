"""Media types of images, and what can be told from one."""

from typing import Literal

from artificer.errors import ArtificerError

Format = Literal["docker", "oci"]
Compression = Literal["gzip", "zstd", "none"]

OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar"
OCI_LAYER_GZIP = OCI_LAYER + "+gzip"
OCI_LAYER_ZSTD = OCI_LAYER + "+zstd"
OCI_FOREIGN_LAYER = "application/vnd.oci.image.layer.nondistributable.v1.tar"
OCI_FOREIGN_LAYER_GZIP = OCI_FOREIGN_LAYER + "+gzip"

DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_MANIFEST_1 = "application/vnd.docker.distribution.manifest.v1+json"
DOCKER_MANIFEST_1_SIGNED = "application/vnd.docker.distribution.manifest.v1+prettyjws"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar"
DOCKER_LAYER_GZIP = DOCKER_LAYER + ".gzip"
DOCKER_FOREIGN_LAYER_GZIP = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"

MANIFEST_TYPES = (OCI_MANIFEST, OCI_INDEX, DOCKER_MANIFEST, DOCKER_LIST)
"""What we accept from a registry, in the order in which we ask."""

_TO_OCI = {
    DOCKER_LIST: OCI_INDEX,
    DOCKER_MANIFEST: OCI_MANIFEST,
    DOCKER_CONFIG: OCI_CONFIG,
    DOCKER_LAYER: OCI_LAYER,
    DOCKER_LAYER_GZIP: OCI_LAYER_GZIP,
    DOCKER_FOREIGN_LAYER_GZIP: OCI_FOREIGN_LAYER_GZIP,
}
_TO_DOCKER = {oci: docker for docker, oci in _TO_OCI.items()}


class UnsupportedFormat(ArtificerError):
    """A media type has no counterpart in the format that was asked for."""


def is_index(media_type: str) -> bool:
    """Whether it lists manifests."""
    return media_type in {OCI_INDEX, DOCKER_LIST}


def is_manifest(media_type: str) -> bool:
    """Whether it is one image's (or artifact's) manifest."""
    return media_type in {OCI_MANIFEST, DOCKER_MANIFEST}


def is_foreign(media_type: str) -> bool:
    """Whether a layer of it is fetched from its own urls and never pushed."""
    return "nondistributable" in media_type or "foreign" in media_type


def format_of(media_type: str) -> Format:
    """The family that a manifest's or an index's media type belongs to."""
    return "docker" if media_type.startswith("application/vnd.docker.") else "oci"


def compression_of(media_type: str) -> Compression:
    """How a layer of *media_type* is compressed."""
    if media_type.endswith("gzip"):
        return "gzip"
    return "zstd" if media_type.endswith("zstd") else "none"


def layer_type(image_format: Format, compression: Compression) -> str:
    """The media type of a layer; docker's format knows no zstd (`UnsupportedFormat`)."""
    if image_format == "oci":
        return OCI_LAYER if compression == "none" else f"{OCI_LAYER}+{compression}"
    if compression == "zstd":
        raise UnsupportedFormat(
            "docker's image format has no zstd layers",
            hint="use `--format oci`, or `--compression gzip`",
        )
    return DOCKER_LAYER if compression == "none" else DOCKER_LAYER_GZIP


def converted(media_type: str, image_format: Format) -> str:
    """*media_type*'s counterpart in *image_format*; itself when it belongs there already."""
    if format_of(media_type) == image_format or not media_type.startswith("application/vnd."):
        return media_type
    table = _TO_OCI if image_format == "oci" else _TO_DOCKER
    if media_type not in table:
        raise UnsupportedFormat(
            f"{media_type} has no counterpart in the {image_format} format",
            hint="leave `--format` out: the format then follows the base",
        )
    return table[media_type]
