"""Reading images from any place that knows blobs by digest: manifests first, layers never."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from artificer import limits
from artificer.errors import ArtificerError
from artificer.oci import media
from artificer.oci.descriptor import Descriptor
from artificer.oci.digest import Digest
from artificer.oci.document import InvalidDocument
from artificer.oci.image import (
    Artifact,
    Blob,
    Content,
    Image,
    Index,
    InvalidImage,
    Origin,
    Urls,
    config_descriptor,
    layer_descriptors,
    manifest_document,
)
from artificer.oci.platform import LINUX_AMD64, Platform, select

_NESTING = 4
_IMAGE_CONFIGS = {media.OCI_CONFIG, media.DOCKER_CONFIG}


class NotFound(ArtificerError):
    """There is no such image where it was looked for."""


class WrongPlatform(ArtificerError):
    """The image exists, but not for the platform that was asked for."""


class NotAnImage(ArtificerError):
    """What was found is an artifact that nothing can be run from or built upon."""


class Corrupt(ArtificerError):
    """Bytes are not what their digest or size says."""


class Place(NamedTuple):
    """Where manifests and configs are read, and where blobs will be had.

    *read* gives a document's bytes, not yet verified, and raises `NotFound`; *origin* says where
    a blob's bytes lie, or None when they are not there.
    """

    name: str
    read: Callable[[Descriptor, int], bytes]
    origin: Callable[[Descriptor], Origin | None]


class Found(NamedTuple):
    """What a reference led to: the manifest or index that it names, and where the rest is."""

    reference: str
    descriptor: Descriptor
    place: Place

    @property
    def digest(self) -> Digest:
        """What pins the reference: the digest of the index if there is one."""
        return self.descriptor.digest


def whole(found: Found) -> Content:
    """Return everything that *found* names: the image, or the index with all its members.

    Members of an index that are not where the index is are left out, as layouts may hold a part.
    """
    with _about(found):
        return _content(found, found.descriptor, _NESTING, _Budget(found))


def index_at(found: Found) -> Index | None:
    """Return the index that *found* names, without its members; None when it is no index."""
    if not media.is_index(found.descriptor.media_type):
        return None
    return Index(_read(found, found.descriptor, limits.MANIFEST_BYTES))


def raw_at(found: Found) -> bytes:
    """Return the bytes of the manifest or index that *found* names."""
    return _read(found, found.descriptor, limits.MANIFEST_BYTES)


def platforms(found: Found) -> tuple[Platform, ...]:
    """Return the platforms that *found* has images for, in its order, each once."""
    known = [entry.platform for entry in _entries(found)]
    return tuple(dict.fromkeys(one for one in known if one is not None))


def image_for(found: Found, platform: Platform | None) -> Image:
    """Return the image for *platform*; raise `WrongPlatform` with what exists instead.

    None asks for the only one there is, or else for linux/amd64: never for this machine's, or
    the digest of what is built would depend on it.
    """
    with _about(found):
        entries = _entries(found)
        known = [entry.platform for entry in entries if entry.platform is not None]
        usual = known[0] if len(known) == 1 else LINUX_AMD64
        wanted = usual if platform is None else platform
        chosen = entries[0] if len(entries) == 1 and not known else select(entries, wanted)
        if chosen is None:
            raise _wrong_platform(found, wanted, known)
        return _image(found, chosen)


def verified(data: bytes, descriptor: Descriptor, where: str) -> bytes:
    """Return *data* if it is what *descriptor* names, else raise `Corrupt`."""
    if not descriptor.digest.matches(data):
        raise Corrupt(
            f"{where}: the bytes of {descriptor.digest} are not those that its digest names",
            hint="the copy is damaged: fetch or write it again",
        )
    return data


@contextmanager
def _about(found: Found) -> Iterator[None]:
    """Say of which image a document contradicts itself."""
    try:
        yield
    except (InvalidDocument, InvalidImage) as error:
        if found.reference in error.message:
            raise
        raise type(error)(f"{found.reference}: {error.message}", hint=error.hint) from error


def _read(found: Found, descriptor: Descriptor, limit: int) -> bytes:
    if descriptor.size > limit:
        raise InvalidImage(
            f"{found.reference}: {descriptor.digest} states {descriptor.size} bytes; "
            f"more than {limit} are not read"
        )
    return verified(found.place.read(descriptor, limit), descriptor, found.place.name)


def _entries(found: Found) -> list[Descriptor]:
    """Return the images below *found*, each with its platform; nested indexes are opened."""
    if not media.is_index(found.descriptor.media_type):
        image = _image(found, found.descriptor)
        platform = image.platform
        return [found.descriptor.changed(platform=platform.document() if platform else None)]
    return list(_below(found, found.descriptor, _NESTING, _Budget(found)))


class _Budget:
    """How many entries may still be looked at: indexes in indexes multiply."""

    def __init__(self, found: Found) -> None:
        self._found = found
        self._left = limits.INDEX_MEMBERS

    def take(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise InvalidImage(
                f"{self._found.reference} lists more than {limits.INDEX_MEMBERS} manifests"
            )


def _below(found: Found, index: Descriptor, depth: int, budget: _Budget) -> Iterator[Descriptor]:
    if depth == 0:
        raise InvalidImage(f"{found.reference}: indexes are nested deeper than {_NESTING}")
    for entry in Index(_read(found, index, limits.MANIFEST_BYTES)).descriptors:
        budget.take()
        if media.is_index(entry.media_type):
            yield from _below(found, entry, depth - 1, budget)
        elif media.is_manifest(entry.media_type) and not _unknown(entry):
            yield entry


def _unknown(entry: Descriptor) -> bool:
    # BuildKit files attestations under unknown/unknown.
    return entry.platform is not None and entry.platform.os == "unknown"


def _wrong_platform(found: Found, wanted: Platform, known: list[Platform]) -> WrongPlatform:
    there = ", ".join(dict.fromkeys(str(one) for one in known))
    return WrongPlatform(
        f"{found.reference} has no {wanted} image",
        hint=f"it has {there}; choose with `--platform`" if there else "it states no platform",
    )


def _image(found: Found, descriptor: Descriptor) -> Image:
    content = _content(found, descriptor, 1, _Budget(found))
    if not isinstance(content, Image):
        raise NotAnImage(
            f"{found.reference} is not a container image",
            hint="its manifest's config is of the type "
            + str(config_descriptor(manifest_document(content.manifest)).media_type),
        )
    return content


def _content(found: Found, descriptor: Descriptor, depth: int, budget: _Budget) -> Content:
    if depth == 0:
        raise InvalidImage(f"{found.reference}: indexes are nested deeper than {_NESTING}")
    data = _read(found, descriptor, limits.MANIFEST_BYTES)
    document = manifest_document(data)
    if "manifests" in document:
        return Index(data, tuple(_members(found, Index(data), depth, budget)))
    config = config_descriptor(document)
    descriptors = layer_descriptors(document)
    if config.media_type in _IMAGE_CONFIGS:
        origins = {one.digest: _origin(found, one) for one in descriptors}
        return Image(data, _read(found, config, limits.CONFIG_BYTES), origins)
    blobs = tuple(Blob(one, _origin(found, one)) for one in dict.fromkeys((config, *descriptors)))
    return Artifact(data, blobs)


def _members(found: Found, index: Index, depth: int, budget: _Budget) -> Iterator[Content]:
    for entry in index.descriptors:
        budget.take()
        if not media.is_index(entry.media_type) and not media.is_manifest(entry.media_type):
            continue
        try:
            yield _content(found, entry, depth - 1, budget)
        except NotFound:
            continue


def _origin(found: Found, descriptor: Descriptor) -> Origin:
    known = found.place.origin(descriptor)
    if known is not None:
        return known
    if descriptor.urls:
        return Urls(descriptor.urls)
    raise NotFound(f"{found.place.name} lacks the blob {descriptor.digest} of {found.reference}")
