"""Unpacking an image into a directory, layer by layer."""

import os
import shutil
from typing import NamedTuple

from artificer.events import Warned
from artificer.images.directory import Directory, Skipped, fresh_directory
from artificer.images.plain import streamed_members
from artificer.images.reach import Reach
from artificer.images.unwritable import writing
from artificer.layers.entry import DIRECTORY, FILE
from artificer.layers.whiteout import is_whiteout
from artificer.oci.image import Image


class Unpacked(NamedTuple):
    """What was written: how many files with how many bytes, directories, links and the like.

    What one layer writes and another replaces counts twice.
    """

    files: int
    bytes: int
    directories: int
    others: int


def unpack(
    image: Image, path: str, reach: Reach, *, owners: bool | None = None, over: bool = False
) -> Unpacked:
    """Write the files of *image* into the directory *path*, which must be new or empty.

    With *over* it may hold files, which the image's replace and hide as a layer would. Nothing is
    written outside of it, whatever the layers or links in it hold. Without *owners* (by default:
    unless we are root) every file belongs to us and there are no devices; that is told. A
    directory that was new or empty is gone when something goes wrong.
    """
    owned = _are_root() if owners is None else owners
    if over and os.path.isdir(path):
        return _unpacked(image, Directory(path, owners=owned), path, reach)
    fresh_directory(path)
    try:
        return _unpacked(image, Directory(path, owners=owned), path, reach)
    except BaseException:
        shutil.rmtree(path, ignore_errors=True)
        raise


def _unpacked(image: Image, directory: Directory, path: str, reach: Reach) -> Unpacked:
    files = size = directories = others = 0
    with writing(path):
        for layer in image.layers:
            directory.next_layer()
            for member in streamed_members(layer, reach):
                reach.stop.check()
                entry = member.entry
                directory.add(entry, member.chunks())
                if is_whiteout(entry.path):
                    continue
                files += entry.kind == FILE
                directories += entry.kind == DIRECTORY
                others += entry.kind not in {FILE, DIRECTORY}
                size += entry.size
        skipped = directory.finish()
    for one in skipped:
        reach.report(_told(one))
    return Unpacked(files, size, directories, others)


def _are_root() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0


def _told(skipped: Skipped) -> Warned:
    return Warned(
        f"{skipped.what} of {skipped.times} files could not be set, as of /{skipped.example}",
        "unpack as root to keep everything",
    )
