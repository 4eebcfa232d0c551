"""The files of a stage or an image as what can be copied."""

from collections.abc import Iterable

from artificer.images.files import entries_at, tree_of
from artificer.images.reach import Reach
from artificer.layers.entry import Entry
from artificer.layers.index import File
from artificer.oci.image import Image


class OfImage:
    """The files of a stage or an image, with their own owners and times."""

    keeps_owners = True

    def __init__(self, image: Image, reach: Reach) -> None:
        self._image = image
        self._reach = reach
        self.files = tree_of(image, reach)

    def entries(self, pairs: Iterable[tuple[File, str]], mtime: int) -> list[Entry]:
        """Return files as entries at other paths; only layers that hold any are read."""
        return entries_at(self._image, self.files, pairs, self._reach)
