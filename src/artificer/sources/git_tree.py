"""What git has checked out, made the same on every machine: its modes, times and ``.git``."""

import os
import shutil
import stat
from collections.abc import Callable
from contextlib import suppress

_GIT = ".git"
_EXECUTABLE, _FILE = 0o755, 0o644
# What a `.git` says of this machine and this moment, and not of the commit.
_LOCAL = ("FETCH_HEAD", "ORIG_HEAD", "logs", "hooks", "description", "branches", "info")


def finished(tree: str, path: str, moment: int, *, keep: bool) -> None:
    """Put the checked out *tree* at *path*, whole, with *moment* as the time of all its files.

    With *keep* its ``.git`` is kept.
    """
    if keep:
        for name in _LOCAL:
            emptied(f"{tree}/{_GIT}/{name}")
    else:
        _without_git(tree)
    _normalised(tree, moment)
    aside = f"{tree}.done"
    os.rename(tree, aside)
    try:
        os.rename(aside, path)
    except OSError:
        # Another reference to the same commit was quicker.
        if not os.path.isdir(path):
            raise
        emptied(aside)


def emptied(path: str) -> None:
    """Remove *path*, a directory or a file, if it is there."""
    if os.path.isdir(path) and not os.path.islink(path):

        def retry(function: Callable[..., object], name: str, _: object) -> None:
            with suppress(OSError):
                os.chmod(os.path.dirname(name), 0o700)
                function(name)

        shutil.rmtree(path, onerror=retry)
        return
    with suppress(FileNotFoundError):
        os.unlink(path)


def _without_git(tree: str) -> None:
    """Drop the ``.git`` of *tree* and the files of that name in submodules."""
    emptied(f"{tree}/{_GIT}")
    for folder, _, files in os.walk(tree):
        # git lets no commit hold the name, in any case of letters: it is a submodule's.
        if _GIT in files:
            os.unlink(f"{folder}/{_GIT}")


def _normalised(tree: str, moment: int) -> None:
    for folder, folders, files in os.walk(tree, topdown=False):
        for name in (*files, *folders):
            path = f"{folder}/{name}"
            status = os.lstat(path)
            if stat.S_ISREG(status.st_mode):
                os.chmod(path, _EXECUTABLE if status.st_mode & 0o100 else _FILE)
            elif stat.S_ISDIR(status.st_mode):
                os.chmod(path, _EXECUTABLE)
            os.utime(path, (moment, moment), follow_symlinks=False)
    os.chmod(tree, _EXECUTABLE)
    os.utime(tree, (moment, moment))
