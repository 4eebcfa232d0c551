"""What every new layer of an image has in common, and what a step puts onto an image."""

from typing import NamedTuple

from artificer.builder.recipe import Compress
from artificer.layers.encode import Encoder, encoder
from artificer.oci.descriptor import Descriptor
from artificer.oci.digest import Digest
from artificer.oci.image import Blob, Layer, Origin
from artificer.oci.media import Format, layer_type

LAYER_KEY = "dev.artificer.layer.key"
"""The annotation of a layer that holds its key 2."""


class Stack(NamedTuple):
    """The layers that a step puts on an image, each with its line of history."""

    layers: tuple[Layer, ...] = ()
    lines: tuple[str, ...] = ()


class Kind(NamedTuple):
    """How new layers are encoded, and the format of the image that they are for."""

    encoder: Encoder
    format: Format
    media_type: str

    @property
    def identity(self) -> str:
        """What decides about a layer's bytes, besides its tar."""
        return self.encoder.identity

    def second_key(self, diff_id: Digest) -> str:
        """Key 2: what is known before compressing – the encoder, and the plain tar's digest."""
        return f"{self.identity}@{diff_id}"

    def layer(self, digest: Digest, size: int, diff_id: Digest, origin: Origin) -> Layer:
        """The layer of this kind whose blob has *digest* and *size*."""
        annotations = {LAYER_KEY: self.second_key(diff_id)}
        descriptor = Descriptor.make(self.media_type, digest, size, annotations=annotations)
        return Layer(Blob(descriptor, origin), diff_id)


def kind_of(compress: Compress, image_format: Format) -> Kind:
    """The kind that *compress* asks for; docker's format has no zstd (`UnsupportedFormat`)."""
    media_type = layer_type(image_format, compress.kind)
    return Kind(encoder(compress.kind, compress.level), image_format, media_type)
