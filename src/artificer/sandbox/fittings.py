"""What a command finds in a root where nothing can be mounted: put in place, taken back after."""

import os
import shutil
import stat
from contextlib import suppress
from typing import NamedTuple

from artificer.sandbox.points import Points, opened, real_path


class _Fitted(NamedTuple):
    """Something called *name* in the open directory *parent*: *aside* is what was there before.

    *lent* is what has a home at *source*, to which it goes back.
    """

    parent: int
    name: str
    aside: str
    source: str
    lent: os.stat_result | None


class Fittings:
    """Puts files and directories into *root*; *folder* is ours, and on the same file system.

    What lay at a place is kept aside meanwhile. Directories keep the times that they have, and
    what was made on the way is gone afterwards if it is empty.

    A command may put links in place of the directories that we know by their paths, and would
    lead us out of the root: afterwards only directories are used that were opened before.
    """

    def __init__(self, root: str, folder: str) -> None:
        self._root = root
        self._folder = folder
        self._points: list[Points] = []
        self._fitted: list[_Fitted] = []
        self._before = os.stat(root)

    def lend(self, source: str, target: str) -> None:
        """Let *source* be at *target*; it is moved there, and back."""
        place = self._room(target, source, os.lstat(source))
        os.rename(source, place)
        self._settle()

    def make_directory(self, target: str, mode: int = 0o755) -> str:
        """Make an empty directory at *target*, which is gone afterwards; return where it is."""
        place = self._room(target)
        os.mkdir(place, mode)
        os.chmod(place, mode)
        self._settle()
        return place

    def make_file(self, target: str, data: bytes, mode: int = 0o644) -> str:
        """Make a file at *target*, which is gone afterwards; return where it is."""
        place = self._room(target)
        with open(place, "xb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(data)
        os.utime(place, (0, 0))
        self._settle()
        return place

    def make_room(self, target: str) -> str:
        """Return where *target* is, with nothing there; what is made there goes afterwards."""
        return self._room(target)

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
            os.close(fitted.parent)
        for points in reversed(self._points):
            points.take_back()
        self._fitted.clear()
        self._points.clear()

    def _room(self, target: str, source: str = "", lent: os.stat_result | None = None) -> str:
        """Make room at *target*: nothing is there then, but all directories above it."""
        real = real_path(self._root, target)
        above, name = os.path.split(real)
        if above != "/":
            points = Points(self._root)
            points.make(above, directory=True)
            points.restore()
            self._points.append(points)
        parent = opened(self._root, above, os.O_PATH | os.O_DIRECTORY)
        self._before = os.fstat(parent)
        aside = ""
        if os.path.lexists(self._root + real):
            aside = f"{self._folder}/aside-{len(self._fitted)}"
            os.rename(name, aside, src_dir_fd=parent)
        self._fitted.append(_Fitted(parent, name, aside, source, lent))
        return self._root + real

    def _settle(self) -> None:
        _set_times(self._fitted[-1].parent, self._before)

    def _restore(self, fitted: _Fitted) -> None:
        parent, name = fitted.parent, fitted.name
        now = os.fstat(parent)
        with suppress(FileNotFoundError):
            there = os.stat(name, dir_fd=parent, follow_symlinks=False)
            if fitted.lent is not None and os.path.samestat(there, fitted.lent):
                os.rename(name, fitted.source, src_dir_fd=parent)
            else:
                _remove(parent, name, there)
        if fitted.aside:
            os.rename(fitted.aside, name, dst_dir_fd=parent)
        _set_times(parent, now)


def _set_times(folder: int, status: os.stat_result) -> None:
    # A directory that is only opened as a path cannot be changed itself.
    os.utime(f"/proc/self/fd/{folder}/.", ns=(status.st_atime_ns, status.st_mtime_ns))


def _remove(parent: int, name: str, status: os.stat_result) -> None:
    if stat.S_ISDIR(status.st_mode):
        shutil.rmtree(name, dir_fd=parent, ignore_errors=True)
    else:
        os.unlink(name, dir_fd=parent)
