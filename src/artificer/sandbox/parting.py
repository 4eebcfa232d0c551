"""Hard links that no layer has, parted: a root in a directory is then what its layers say."""

import os
import shutil
import stat
from collections.abc import Collection, Iterable

from artificer.sandbox.scan import Candidates


def part(root: str, folder: str, changed: Candidates, same: Collection[str]) -> None:
    """Part files below *root* that a layer has from names of theirs that it has not.

    Where a layer has one name of a file, whoever unpacks it has two files; the next command would
    see that, or change both. *folder* is beside the root, on its file system.
    """
    names: dict[int, list[str]] = {}
    for path in sorted(changed.there):
        status = os.lstat(f"{root}/{path}")
        if stat.S_ISREG(status.st_mode) and status.st_nlink > 1:
            names.setdefault(status.st_ino, []).append(path)
    for paths in names.values():
        # A layer has what did not change, too, if something that did is a link to it.
        if all(path in same for path in paths):
            continue
        first = f"{root}/{paths[0]}"
        if os.lstat(first).st_nlink > len(paths):
            _give_own(first, f"{folder}/parted", (f"{root}/{path}" for path in paths))


def _give_own(place: str, copy: str, places: Iterable[str]) -> None:
    """Let *places*, names of the file *place*, be those of a copy of it."""
    status = os.lstat(place)
    shutil.copyfile(place, copy, follow_symlinks=False)
    os.chown(copy, status.st_uid, status.st_gid)
    # Only now: giving a file away takes setuid and capabilities from it.
    shutil.copystat(place, copy, follow_symlinks=False)
    for each in places:
        above = os.path.dirname(each)
        times = os.stat(above)
        os.unlink(each)
        os.link(copy, each, follow_symlinks=False)
        os.utime(above, ns=(times.st_atime_ns, times.st_mtime_ns))
    os.unlink(copy)
