"""What ``docker save`` writes (``docker-archive:FILE[:NAME]``), read and written."""

import hashlib
from collections.abc import Callable, Container, Iterator, Sequence
from typing import Any, NamedTuple, cast, get_args

from artificer import limits
from artificer.images.archive import Archive, InvalidArchive, write_archive
from artificer.images.bytes_of import chunks_of, into_store
from artificer.images.inflate import inflated, magic_of, uncompressed_file
from artificer.images.memory import found_image
from artificer.images.parts import images_of, is_foreign
from artificer.images.place import Found, NotAnImage, NotFound
from artificer.images.reach import Reach
from artificer.images.tarred import Part, part_of
from artificer.oci import media
from artificer.oci.descriptor import Descriptor
from artificer.oci.digest import Digest, InvalidDigest
from artificer.oci.document import dump, parse
from artificer.oci.image import Content, Image, InvalidImage, Layer, Origin
from artificer.oci.reference import DockerArchive, InvalidReference, Named, parse_name

_CHUNK = 1 << 20


class Saved(NamedTuple):
    """An image to be saved, and the names it is to be loaded under."""

    image: Image
    names: tuple[Named, ...]


def find_in_docker_archive(reference: DockerArchive, reach: Reach) -> Found:
    """Return the image of the archive's name, or the only one; it is read where it lies.

    Such an archive has no manifest: one is made, the same each time.
    """
    where = str(reference)
    path = uncompressed_file(reference.path, where, reach)
    return found_in_archive(Archive(path, where), reference.name)


def found_in_archive(archive: Archive, name: Named | None) -> Found:
    """Return what *archive* holds under *name*, or the only image there is."""
    chosen = _chosen(_entries(archive), name, archive.name)
    return found_image(archive.name, _image(archive, chosen))


def images_in_docker_archive(archive: Archive) -> Iterator[tuple[Found, tuple[str, ...]]]:
    """Yield every image of *archive*, with the names that it has there."""
    for entry in _entries(archive):
        yield found_image(archive.name, _image(archive, entry)), entry.names


def write_docker_archive(saved: Sequence[Saved], path: str, reach: Reach) -> None:
    """Write *saved* to *path* so that docker and podman load it; layers that are shared, once."""
    write_archive(path, docker_parts(saved, reach), reach)


def saved_as(content: Content, name: Named | None) -> Saved:
    """Return the one image of *content*; an index of several cannot be saved in this format."""
    images = tuple(images_of(content))
    if len(images) != 1:
        raise NotAnImage(
            f"a docker archive is of one platform, and {content.digest} has {len(images)}",
            hint="choose one with `--platform`, or write an oci-archive:",
        )
    if name is not None and name.tag is None:
        name = name._replace(tag="latest", digest=None)
    return Saved(images[0], (name._replace(digest=None),) if name else ())


def _as_docker(name: Named) -> str:
    return name.familiar


def docker_parts(
    saved: Sequence[Saved],
    reach: Reach,
    *,
    without: Container[Digest] = (),
    spelled: Callable[[Named], str] = _as_docker,
) -> Iterator[Part]:
    """Yield the members of an archive of *saved*, the listing first: it can be streamed.

    Layers whose diff_id is in *without* are listed, but not there: an engine that has them takes
    such an archive, and nobody else. Names are *spelled* as docker does: `alpine:3.7`.
    """
    layers = {
        layer.diff_id: layer
        for one in saved
        for layer in one.image.layers
        if layer.diff_id not in without
    }
    yield part_of("manifest.json", dump([_listing(one, spelled) for one in saved]))
    for config in dict.fromkeys(one.image.config for one in saved):
        yield part_of(f"{Digest.of(config).hex}.json", config)
    for layer in layers.values():
        yield _layer_part(layer, reach)


def _listing(saved: Saved, spelled: Callable[[Named], str]) -> dict[str, Any]:
    return {
        "Config": f"{Digest.of(saved.image.config).hex}.json",
        "RepoTags": [spelled(name) for name in saved.names],
        "Layers": [f"{layer.diff_id.hex}.tar" for layer in saved.image.layers],
    }


def _layer_part(layer: Layer, reach: Reach) -> Part:
    name = f"{layer.diff_id.hex}.tar"
    if is_foreign(layer.blob):
        raise NotAnImage(
            f"the layer {layer.blob.digest} is a foreign one, which cannot be saved",
            hint="push the image to a registry instead: it keeps the layer's urls",
        )
    if media.compression_of(layer.descriptor.media_type) != "zstd":
        # Whatever the name says, docker, podman and skopeo look for gzip's magic themselves.
        return Part(name, layer.descriptor.size, lambda: chunks_of(layer.blob, reach))
    # Docker before 23 and podman before 4.4 know no zstd here.
    into_store(layer.blob, reach)
    size = reach.store.has(layer.diff_id)
    if size is None:
        reach.store.put_chunks(inflated(chunks_of(layer.blob, reach)), layer.diff_id)
        size = reach.store.has(layer.diff_id) or 0
    path = reach.store.blob_path(layer.diff_id)
    return Part(name, size, lambda: _file_chunks(path, 0, size))


class _Entry(NamedTuple):
    """One image of an archive's manifest.json."""

    config: str
    names: tuple[str, ...]
    layers: tuple[str, ...]


def _entries(archive: Archive) -> list[_Entry]:
    if "manifest.json" not in archive:
        raise InvalidArchive(
            f"{archive.name}: the archive has no manifest.json",
            hint="a tar of files is named rootfs:FILE, one of an OCI layout oci-archive:FILE",
        )
    data = archive.read("manifest.json", limits.MANIFEST_BYTES)
    what = f"manifest.json of {archive.name}"
    # The document is a list; ours are objects: the limits are those of the object around it.
    listed = parse(b'{"list":' + data + b"}", limit=limits.MANIFEST_BYTES + 9, what=what)["list"]
    if not isinstance(listed, list) or not listed:
        raise InvalidArchive(f"{what} is not a list of images")
    return [_entry(one, what) for one in listed]


def _entry(document: Any, what: str) -> _Entry:
    if not isinstance(document, dict) or not isinstance(document.get("Config"), str):
        raise InvalidArchive(f"{what} names no Config")
    names, layers = document.get("RepoTags") or [], document.get("Layers") or []
    for some in (names, layers):
        if not isinstance(some, list) or not all(isinstance(one, str) for one in some):
            raise InvalidArchive(f"{what}: RepoTags or Layers is not a list of texts")
    return _Entry(document["Config"], tuple(names), tuple(layers))


def _chosen(entries: list[_Entry], name: Named | None, where: str) -> _Entry:
    there = ", ".join(text for entry in entries for text in entry.names) or "no names"
    if name is None:
        if len(entries) == 1:
            return entries[0]
        raise NotFound(f"{where} holds several images", hint=f"say which; it has {there}")
    wanted = _spelled(str(name))
    for entry in entries:
        if any(_spelled(text) == wanted for text in entry.names):
            return entry
    raise NotFound(f"{where}: there is no such image", hint=f"it has {there}")


def _spelled(text: str) -> str:
    try:
        name = parse_name(text)
    except InvalidReference:
        return text
    return str(name if name.tag else name._replace(tag="latest"))


def _image(archive: Archive, entry: _Entry) -> Image:
    config = archive.read(entry.config, limits.CONFIG_BYTES)
    rootfs = parse(config, limit=limits.CONFIG_BYTES, what=f"the config in {archive.name}").get(
        "rootfs"
    )
    diff_ids = rootfs.get("diff_ids") if isinstance(rootfs, dict) else None
    if not isinstance(diff_ids, list) or len(diff_ids) != len(entry.layers):
        raise InvalidImage(f"{archive.name}: manifest.json and the config disagree about layers")
    kinds = [magic_of(_head(archive, name)) for name in entry.layers]
    image_format: media.Format = "oci" if "zstd" in kinds else "docker"
    origins: dict[Digest, Origin] = {}
    descriptors = []
    for name, kind, diff_id in zip(entry.layers, kinds, diff_ids, strict=True):
        compression = _compression(kind, f"{archive.name}: the layer {name}")
        member = archive.member(name)
        digest = Digest(str(diff_id)) if kind == "none" else _digest(archive, name)
        media_type = media.layer_type(image_format, compression)
        descriptors.append(Descriptor.make(media_type, digest, member.size))
        origins[digest] = archive.origin(name)
    return Image(_manifest(config, descriptors, image_format), config, origins)


def _manifest(config: bytes, layers: list[Descriptor], image_format: media.Format) -> bytes:
    config_type = media.converted(media.DOCKER_CONFIG, image_format)
    return dump(
        {
            "schemaVersion": 2,
            "mediaType": media.converted(media.DOCKER_MANIFEST, image_format),
            "config": Descriptor.for_bytes(config_type, config).document,
            "layers": [layer.document for layer in layers],
        }
    )


def _compression(kind: str, what: str) -> media.Compression:
    for compression in get_args(media.Compression):
        if compression == kind:
            return cast("media.Compression", compression)
    raise InvalidImage(f"{what} is compressed with {kind}, which no registry takes")


def _head(archive: Archive, name: str) -> bytes:
    member = archive.member(name)
    with open(archive.path, "rb") as file:
        file.seek(member.offset)
        return file.read(min(member.size, 512))


def _digest(archive: Archive, name: str) -> Digest:
    """Return what a compressed layer is called: by its own name, or by reading it.

    A name that lies is found out when the layer is used, as its bytes are checked then.
    """
    folder, _, hexadecimal = name.rpartition("/")
    if folder == "blobs/sha256":
        try:
            return Digest(f"sha256:{hexadecimal}")
        except InvalidDigest:
            pass
    member = archive.member(name)
    hasher = hashlib.sha256()
    for chunk in _file_chunks(archive.path, member.offset, member.size):
        hasher.update(chunk)
    return Digest.sha256(hasher)


def _file_chunks(path: str, offset: int, size: int) -> Iterator[bytes]:
    with open(path, "rb") as file:
        file.seek(offset)
        while size and (chunk := file.read(min(size, _CHUNK))):
            size -= len(chunk)
            yield chunk
