"""What a command finds in a root where nothing can be mounted: put in place, taken back after."""

import os
import shutil
import stat
from contextlib import suppress
from typing import NamedTuple

from artificer.sandbox.points import Points, real_path


class _Fitted(NamedTuple):
    """Something that lies at *place*: *aside* is what was there before, *source* its home."""

    place: str
    above: str
    aside: str
    source: str


class Fittings:
    """Puts files and directories into *root*; *folder* is ours, and on the same file system.

    What lay at a place is kept aside meanwhile. Directories keep the times that they have, and
    what was made on the way is gone afterwards if it is empty.
    """

    def __init__(self, root: str, folder: str) -> None:
        self._root = root
        self._folder = folder
        self._points: list[Points] = []
        self._fitted: list[_Fitted] = []
        self._parent = root, os.stat(root)

    def lend(self, source: str, target: str) -> None:
        """Let *source* be at *target*; it is moved there, and back."""
        place = self._room(target, source)
        os.rename(source, place)
        self._settle()

    def make_directory(self, target: str, mode: int = 0o755) -> str:
        """Make an empty directory at *target*, which is gone afterwards; return where it is."""
        place = self._room(target, "")
        os.mkdir(place, mode)
        os.chmod(place, mode)
        self._settle()
        return place

    def make_file(self, target: str, data: bytes, mode: int = 0o644) -> str:
        """Make a file at *target*, which is gone afterwards; return where it is."""
        place = self._room(target, "")
        with open(place, "xb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(data)
        os.utime(place, (0, 0))
        self._settle()
        return place

    def make_room(self, target: str) -> str:
        """Return where *target* is, with nothing there; what is made there goes afterwards."""
        return self._room(target, "")

    def mode_at(self, target: str) -> int:
        """Return the mode of the directory that is at *target*, or would be made."""
        try:
            return stat.S_IMODE(os.stat(self._root + real_path(self._root, target)).st_mode)
        except OSError:
            return 0o755

    def take_back(self) -> None:
        """Restore everything, the last first."""
        for fitted in reversed(self._fitted):
            with suppress(OSError):
                self._restore(fitted)
        for points in reversed(self._points):
            points.take_back()
        self._fitted.clear()
        self._points.clear()

    def _room(self, target: str, source: str) -> str:
        """Make room at *target*: nothing is there then, but all directories above it."""
        real = real_path(self._root, target)
        above = os.path.dirname(real)
        if above != "/":
            points = Points(self._root)
            points.make(above, directory=True)
            points.restore()
            self._points.append(points)
        place, parent = self._root + real, self._root + above
        self._parent = parent, os.stat(parent)
        aside = ""
        if os.path.lexists(place):
            aside = f"{self._folder}/aside-{len(self._fitted)}"
            os.rename(place, aside)
        self._fitted.append(_Fitted(place, parent, aside, source))
        return place

    def _settle(self) -> None:
        parent, before = self._parent
        os.utime(parent, ns=(before.st_atime_ns, before.st_mtime_ns))

    def _restore(self, fitted: _Fitted) -> None:
        now = os.stat(fitted.above)
        if fitted.source:
            with suppress(FileNotFoundError):
                os.rename(fitted.place, fitted.source)
        else:
            remove(fitted.place)
        if fitted.aside:
            os.rename(fitted.aside, fitted.place)
        os.utime(fitted.above, ns=(now.st_atime_ns, now.st_mtime_ns))


def remove(path: str) -> None:
    """Remove what is at *path*, whatever it is."""
    with suppress(FileNotFoundError):
        if stat.S_ISDIR(os.lstat(path).st_mode):
            shutil.rmtree(path, ignore_errors=True)
        else:
            os.unlink(path)
