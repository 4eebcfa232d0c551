"""OCI layouts in a tar (``oci-archive:FILE[:TAG]``), which docker can load, too."""

from collections.abc import Container, Iterator, Mapping

from artificer import limits
from artificer.images.archive import Archive, write_archive
from artificer.images.bytes_of import chunks_of
from artificer.images.inflate import uncompressed_file
from artificer.images.layout import (
    LAYOUT_FILE,
    NO_ANNOTATIONS,
    all_in,
    check_layout_file,
    found_in,
    merged_index,
)
from artificer.images.parts import images_of, parts_of
from artificer.images.place import Found, NotFound, Place
from artificer.images.reach import Reach
from artificer.images.tarred import Part, part_of
from artificer.oci.descriptor import Descriptor
from artificer.oci.digest import Digest
from artificer.oci.document import dump
from artificer.oci.image import Blob, Content, Image, Origin
from artificer.oci.reference import OciArchive, parse_name


def find_in_oci_archive(reference: OciArchive, reach: Reach) -> Found:
    """Return what the archive has under the reference's tag; it is read where it lies."""
    where = str(reference)
    archive = Archive(uncompressed_file(reference.path, where, reach), where)
    if not is_oci(archive):
        raise NotFound(
            f"{where}: the archive holds no OCI layout",
            hint=f"what docker saves is named docker-archive:{reference.path}",
        )
    return found_in(_listing(archive), reference.tag, _place(archive))


def is_oci(archive: Archive) -> bool:
    """Whether *archive* holds an OCI layout."""
    return "index.json" in archive and "oci-layout" in archive


def images_in_oci_archive(archive: Archive) -> Iterator[tuple[Found, tuple[str, ...]]]:
    """Yield every image and index that *archive* lists, with the names that it has there."""
    return all_in(_listing(archive), _place(archive))


def write_oci_archive(
    content: Content,
    reference: OciArchive,
    reach: Reach,
    *,
    annotations: Mapping[str, str] = NO_ANNOTATIONS,
) -> None:
    """Write *content* as an archive of its own: the same content gives the same bytes.

    Its descriptor in ``index.json`` gets *annotations*.
    """
    parts = oci_parts(content, reference, reach, annotations=annotations)
    write_archive(reference.path, parts, reach)


def blob_name(digest: Digest) -> str:
    """Return what a blob is called in a layout."""
    return f"blobs/{digest.algorithm}/{digest.hex}"


def _listing(archive: Archive) -> bytes:
    check_layout_file(archive.read("oci-layout", limits.MANIFEST_BYTES), archive.name)
    return archive.read("index.json", limits.MANIFEST_BYTES)


def _place(archive: Archive) -> Place:
    def read(descriptor: Descriptor, limit: int) -> bytes:
        return archive.read(blob_name(descriptor.digest), limit)

    def origin(descriptor: Descriptor) -> Origin | None:
        name = blob_name(descriptor.digest)
        return archive.origin(name) if name in archive else None

    return Place(archive.name, read, origin)


def oci_parts(
    content: Content,
    reference: OciArchive,
    reach: Reach,
    *,
    annotations: Mapping[str, str] = NO_ANNOTATIONS,
    without: Container[Digest] = (),
) -> Iterator[Part]:
    """Yield the members of an archive of *content*, the listing first: it can be streamed.

    Blobs that are in *without* are left out: whoever reads the archive has them.
    """
    parts = parts_of(content)
    yield part_of("oci-layout", LAYOUT_FILE)
    descriptor = content.descriptor.annotated(annotations)
    yield part_of("index.json", merged_index(None, descriptor, reference.tag))
    images = tuple(images_of(content))
    if len(images) == 1 and not parts.foreign:
        yield part_of("manifest.json", dump([_docker_entry(images[0], reference)]))
    for document in (*parts.manifests, *parts.configs):
        yield part_of(blob_name(document.descriptor.digest), document.data)
    for blob in parts.blobs:
        if blob.digest not in without:
            yield _blob_part(blob, reach)


def _blob_part(blob: Blob, reach: Reach) -> Part:
    return Part(blob_name(blob.digest), blob.descriptor.size, lambda: chunks_of(blob, reach))


def _docker_entry(image: Image, reference: OciArchive) -> dict[str, object]:
    named = reference.tag is not None and ":" in reference.tag
    return {
        "Config": blob_name(image.config_descriptor.digest),
        "RepoTags": [parse_name(reference.tag or "").familiar] if named else [],
        "Layers": [blob_name(layer.blob.digest) for layer in image.layers],
    }
