"""Archives of images, whichever format they are in: everything in them, with its names."""

from typing import NamedTuple

from artificer.images.archive import Archive, InvalidArchive
from artificer.images.docker_archive import images_in_docker_archive
from artificer.images.inflate import uncompressed_file
from artificer.images.oci_archive import images_in_oci_archive, is_oci
from artificer.images.place import Found
from artificer.images.reach import Reach


class Held(NamedTuple):
    """An image, or an index, of an archive, and what it is called there; maybe nothing.

    *original* says that the archive has its manifest: its digest is what registries know.
    """

    found: Found
    names: tuple[str, ...]
    original: bool


def images_in(path: str, where: str, reach: Reach) -> list[Held]:
    """Return all that the archive at *path* holds; *where* is what errors call it.

    Docker has written archives that are of both formats since version 25: they are read as OCI
    layouts, which keep the digests that registries know.
    """
    archive = Archive(uncompressed_file(path, where, reach), where)
    if is_oci(archive):
        return [Held(*one, original=True) for one in images_in_oci_archive(archive)]
    if "manifest.json" in archive:
        return [Held(*one, original=False) for one in images_in_docker_archive(archive)]
    raise InvalidArchive(
        f"{where} is no archive of images: it has neither an index.json nor a manifest.json",
        hint=f"a tar of files becomes an image with `artificer copy rootfs:{where} store:NAME`",
    )
