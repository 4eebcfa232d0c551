"""What an image, an index or an artifact consists of, in the order in which it is written."""

from collections.abc import Iterator
from typing import NamedTuple, assert_never

from artificer.http.request import Body, body_of
from artificer.oci import media
from artificer.oci.descriptor import Descriptor
from artificer.oci.image import Artifact, Blob, Content, Image, Index


class Document(NamedTuple):
    """A manifest, an index or a config: small, and in memory."""

    descriptor: Descriptor
    data: bytes

    @property
    def body(self) -> Body:
        """Its bytes, to be sent."""
        return body_of(self.data)


class Parts(NamedTuple):
    """All that has to be at a place for content to be there; *manifests* in this very order.

    Every blob is named once. *foreign* are the layers that are had from their own urls, which
    nobody copies.
    """

    blobs: tuple[Blob, ...]
    configs: tuple[Document, ...]
    manifests: tuple[Document, ...]
    foreign: tuple[Blob, ...]


def parts_of(content: Content) -> Parts:
    """Take *content* apart: members of an index come before the index."""
    blobs = {blob.digest: blob for blob in _blobs(content)}
    return Parts(
        tuple(blob for blob in blobs.values() if not is_foreign(blob)),
        tuple({one.descriptor.digest: one for one in _configs(content)}.values()),
        tuple({one.descriptor.digest: one for one in _manifests(content)}.values()),
        tuple(blob for blob in blobs.values() if is_foreign(blob)),
    )


def is_foreign(blob: Blob) -> bool:
    """Whether *blob* is a layer that is fetched from its urls, wherever its image lies."""
    return media.is_foreign(blob.descriptor.media_type) and bool(blob.descriptor.urls)


def images_of(content: Content) -> Iterator[Image]:
    """Yield every image in *content*, in order; attestations and other artifacts are none."""
    match content:
        case Image():
            yield content
        case Index():
            for entry, member in _entries(content):
                if entry.platform is None or entry.platform.os != "unknown":
                    yield from images_of(member)
        case Artifact():
            return
        case _:
            assert_never(content)


def _entries(index: Index) -> Iterator[tuple[Descriptor, Content]]:
    members = {member.digest: member for member in index.members}
    for entry in index.descriptors:
        if entry.digest in members:
            yield entry, members[entry.digest]


def _blobs(content: Content) -> Iterator[Blob]:
    match content:
        case Image() | Artifact():
            yield from content.blobs
        case Index():
            for member in content.members:
                yield from _blobs(member)
        case _:
            assert_never(content)


def _configs(content: Content) -> Iterator[Document]:
    match content:
        case Image():
            yield Document(content.config_descriptor, content.config)
        case Index():
            for member in content.members:
                yield from _configs(member)
        case Artifact():
            return
        case _:
            assert_never(content)


def _manifests(content: Content) -> Iterator[Document]:
    if isinstance(content, Index):
        for member in content.members:
            yield from _manifests(member)
    yield Document(content.descriptor, content.manifest)
