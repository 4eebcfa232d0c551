"""What is told when this machine's disk does not take what it is given, or will not."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from artificer.errors import ArtificerError, reason

_OF_SYSTEM = ("/dev/", "/proc/")


class Unwritable(ArtificerError):
    """A file or directory cannot be written."""


@contextmanager
def writing(name: str) -> Iterator[None]:
    """Translate what the system says while *name* is written."""
    try:
        yield
    except OSError as error:
        missing = isinstance(error, FileNotFoundError)
        raise Unwritable(
            f"{name}: cannot be written: {reason(error)}",
            hint="make its directory first"
            if missing
            else "is the disk full, or the directory not ours?",
        ) from error


def see_directory(path: str, name: str) -> None:
    """Raise `Unwritable` where *path* is no directory of ours, nor can become one.

    Nothing is made. It may still turn out at the end that it could not be written.
    """
    there = os.path.abspath(path)
    while not os.path.lexists(there):
        there = os.path.dirname(there)
    if not os.path.isdir(there):
        raise Unwritable(
            f"{name}: cannot be written: {there} is not a directory",
            hint="name a directory, or what is not there yet",
        )
    _see_ours(there, name)


def see_file(path: str, name: str) -> None:
    """Raise `Unwritable` where no file *path* can be put; a pipe or a device is taken as it is."""
    if os.path.isdir(path):
        raise Unwritable(f"{name}: cannot be written: it is a directory", hint="name a file")
    if is_stream(path):
        return
    folder = os.path.dirname(os.path.abspath(path))
    with writing(name):
        os.stat(os.path.join(folder, "."))
    _see_ours(folder, name)


def is_stream(path: str) -> bool:
    """Whether *path* is a pipe or a device; `Unwritable` where it is an open file's other name."""
    if os.path.exists(path) and not os.path.isfile(path):
        return not os.path.isdir(path)
    if os.path.islink(path) and os.path.abspath(path).startswith(_OF_SYSTEM):
        # /dev/stdout, say: it would be a file instead, or written twice at once.
        raise Unwritable(
            f"{path}: cannot be written: it is what a file is called while it is open",
            hint="name the file itself, or have a pipe there",
        )
    return False


def _see_ours(folder: str, name: str) -> None:
    if not os.access(folder, os.W_OK | os.X_OK):
        raise Unwritable(
            f"{name}: cannot be written: permission denied: {folder}",
            hint="name a directory that is ours to write",
        )
