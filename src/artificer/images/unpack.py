"""Unpacking an image into a directory, layer by layer."""

import os

from artificer.events import Warned
from artificer.images.directory import Directory, Skipped, fresh_directory
from artificer.images.plain import streamed_members
from artificer.images.reach import Reach
from artificer.images.unwritable import writing
from artificer.oci.image import Image


def unpack(image: Image, path: str, reach: Reach, *, owners: bool | None = None) -> None:
    """Write the files of *image* into the directory *path*, which must be new or empty.

    Nothing is written outside of it, whatever the layers hold. Without *owners* (by default:
    unless we are root) every file belongs to us and there are no devices; that is told.
    """
    fresh_directory(path)
    directory = Directory(path, owners=_are_root() if owners is None else owners)
    with writing(path):
        for layer in image.layers:
            directory.next_layer()
            for member in streamed_members(layer, reach):
                reach.stop.check()
                directory.add(member.entry, member.chunks())
        skipped = directory.finish()
    for one in skipped:
        reach.report(_told(one))


def _are_root() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0


def _told(skipped: Skipped) -> Warned:
    return Warned(
        f"{skipped.what} of {skipped.times} files could not be set, as of /{skipped.example}",
        "unpack as root to keep everything",
    )
