"""A store's folder: files are made under a temporary name and put into place whole."""

import errno
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

from artificer.errors import ArtificerError, reason
from artificer.oci.digest import Digest
from artificer.store.lock import lock

LAYOUT = b'{"imageLayoutVersion":"1.0.0"}'
"""What makes a folder an OCI layout (image-spec, image-layout.md)."""

PUBLIC = 0o644
PRIVATE = 0o600

TEMPORARY = "tmp"
"""Where, below a store's folder, files are made."""

HOUR = 3600.0
"""How long what was used is safe from a prune (unless nobody builds and it is told otherwise)."""

TOUCH_AFTER = 60.0
"""Seconds by which a use time may be late: a burst of uses writes it once."""

_BINARY = getattr(os, "O_BINARY", 0)  # Windows
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class StoreUnusable(ArtificerError):
    """The store's folder cannot be made, read or written."""


class DiskFull(ArtificerError):
    """The disk, or a quota on it, has no room for what the store should keep."""


def trouble(root: str, error: OSError) -> ArtificerError:
    """What *error*, met in the store at *root*, means to a person."""
    if error.errno in _FULL:
        return DiskFull(
            f"no space left on the disk of the store {root}",
            hint="free some with `artificer cache prune`, or choose another place with "
            "`--store DIR` or ARTIFICER_STORE",
        )
    return StoreUnusable(
        f"the store {root} cannot be used: {reason(error)}",
        hint="choose another place with `--store DIR` or ARTIFICER_STORE",
    )


@contextmanager
def usable(root: str) -> Iterator[None]:
    """Translate what the system says about files below *root*."""
    try:
        yield
    except OSError as error:
        raise trouble(root, error) from error


class Folder:
    """The handle on a store's folder. Holds no state but its path: threads may share it."""

    __slots__ = ("root",)

    def __init__(self, root: str) -> None:
        self.root = root

    def blob_path(self, digest: Digest) -> str:
        """Where the blob is, or would be."""
        return f"{self.root}/blobs/{digest.algorithm}/{digest.hex}"

    def has(self, digest: Digest) -> int | None:
        """The size of a blob that is here, or None; to ask is to use it (see `prune`)."""
        with usable(self.root):
            found = used(self.blob_path(digest))
        return None if found is None else found.st_size

    def temporary(self, mode: int = PUBLIC, flags: int = 0) -> tuple[int, str]:
        """A new file in the store's tmp: its descriptor, locked while open, and its path."""
        with usable(self.root):
            while True:
                path = self.temporary_name()
                fd = _create(path, mode, flags)
                lock(fd)
                # A prune may have taken the file for a dead process's before it was locked.
                if os.fstat(fd).st_nlink:
                    return fd, path
                os.close(fd)

    def temporary_name(self) -> str:
        """A path in the store's tmp that nobody else uses."""
        return f"{self.root}/{TEMPORARY}/{os.urandom(12).hex()}"

    def replace(self, path: str, *data: bytes, mode: int = PRIVATE, sync: bool = False) -> None:
        """Put *data* at *path* in one step; with *sync*, also across a power cut."""
        fd, temporary = self.temporary(mode)
        try:
            with usable(self.root):
                for part in data:
                    write_all(fd, part)
                if sync:
                    os.fsync(fd)
                into_place(temporary, path)
        except BaseException:
            remove(temporary)
            raise
        finally:
            os.close(fd)


def used(path: str) -> os.stat_result | None:
    """Note that *path* is used now; None when there is no such file."""
    try:
        found = os.stat(path)
        if time.time() - found.st_mtime > TOUCH_AFTER:
            os.utime(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        # A store that may only be read is pruned by somebody else.
        if error.errno not in {errno.EROFS, errno.EACCES, errno.EPERM} or not os.path.exists(path):
            raise
        return os.stat(path)
    return found


def write_all(fd: int, data: bytes | bytearray | memoryview) -> int:
    """Write the whole of *data*, which `os.write` need not; give its size."""
    written = os.write(fd, data)
    size = len(data)
    while written < size:
        written += os.write(fd, memoryview(data)[written:])
    return size


def into_place(temporary: str, path: str) -> None:
    """Rename *temporary* to *path*, whose folder is made when it is missing."""
    try:
        os.replace(temporary, path)
    except FileNotFoundError:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        os.replace(temporary, path)


def remove(path: str) -> bool:
    """Remove the file at *path*; say whether there was one."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        return False
    return True


def disk_bytes(found: os.stat_result) -> int:
    """What removing a file gives back: its blocks (its size where the system has no blocks)."""
    blocks: int | None = getattr(found, "st_blocks", None)
    return found.st_size if blocks is None else blocks * 512


def _create(path: str, mode: int, flags: int) -> int:
    flags |= os.O_RDWR | os.O_CREAT | os.O_EXCL | _BINARY
    try:
        return os.open(path, flags, mode)
    except FileNotFoundError:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        return os.open(path, flags, mode)
