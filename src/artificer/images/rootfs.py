"""Root filesystems (``rootfs:PATH``): a directory or a tar, as a base or as an output."""

import os

from artificer.errors import Misused
from artificer.images.directory import see_empty
from artificer.images.flatten import exported, layer_in_store
from artificer.images.inflate import uncompressed_file
from artificer.images.parts import images_of
from artificer.images.place import NotFound
from artificer.images.plain import spanned
from artificer.images.reach import Reach
from artificer.images.unpack import unpack
from artificer.images.unwritable import see_directory, see_file, writing
from artificer.images.written import write_file
from artificer.layers.encode import Encoder
from artificer.layers.entry import Entry
from artificer.layers.patterns import ignored
from artificer.layers.rules import Rules, parse_chmod, parse_chown
from artificer.layers.select import LocalPath, entries_of
from artificer.layers.walk import with_xattrs
from artificer.layers.write import write_layer
from artificer.oci.edit import Stamp, appended, empty
from artificer.oci.image import Content, Image
from artificer.oci.platform import Platform
from artificer.oci.reference import RootFs


def image_of_rootfs(
    reference: RootFs, platform: Platform, encoder: Encoder, reach: Reach
) -> Image:
    """Return an image with the root filesystem as its only layer, which is put into the store.

    Owners, modes and times are kept. Device files of a directory are left out: runtimes make
    their own ``/dev``.
    """
    if not os.path.exists(reference.path):
        raise NotFound(f"{reference}: there is no such file or directory")
    entries = _entries(reference, reach)
    if not entries:
        raise NotFound(f"{reference}: there are no files in it")
    written = write_layer(entries, encoder, reach.store, stop=reach.stop)
    layer = layer_in_store(written, "oci", encoder, reach.store)
    title = os.path.basename(os.path.normpath(reference.path))
    return appended(empty(platform, "oci"), [layer], [f"rootfs {title}"], Stamp())


def write_rootfs(content: Content, reference: RootFs, reach: Reach) -> None:
    """Write the files of the one image in *content* to a directory, or to a file *.tar."""
    images = tuple(images_of(content))
    if len(images) != 1:
        raise Misused(
            f"{reference}: a root filesystem is of one platform, not of {len(images)}",
            hint="choose one with `--platform`",
        )
    if not _is_tar(reference):
        unpack(images[0], reference.path, reach)
        return
    with writing(str(reference)):
        write_file(reference.path, exported(images[0], reach))


def see_rootfs_writable(reference: RootFs) -> None:
    """Raise what `write_rootfs` would, as far as it can be seen before; nothing is made."""
    if _is_tar(reference):
        see_file(reference.path, str(reference))
        return
    see_directory(reference.path, str(reference))
    if os.path.isdir(reference.path):
        see_empty(reference.path)


def _is_tar(reference: RootFs) -> bool:
    return reference.path.endswith(".tar")


def _entries(reference: RootFs, reach: Reach) -> list[Entry]:
    if not os.path.isdir(reference.path):
        path = uncompressed_file(reference.path, str(reference), reach)
        return [entry for entry in spanned(os.path.abspath(path)) if entry.path]
    rules = Rules(
        excluded=ignored(["dev/*"]),
        chmod=(parse_chmod("preserve"),),
        chown=(parse_chown("preserve"),),
        mtime=None,
    )
    found = entries_of([LocalPath(f"{reference.path}/.")], rules, report=reach.report)
    return with_xattrs(found)
