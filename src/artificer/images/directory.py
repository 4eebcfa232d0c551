"""A root filesystem written entry by entry into a directory, which no entry can leave."""

import errno
import os
import stat
from collections.abc import Iterable
from typing import NamedTuple

from artificer import limits
from artificer.errors import ArtificerError, reason
from artificer.layers.entry import (
    BLOCK,
    CHAR,
    DIRECTORY,
    FIFO,
    FILE,
    HARDLINK,
    SYMLINK,
    Entry,
)
from artificer.store.files import write_all

_OPAQUE = ".wh..wh..opq"
_META = ".wh..wh."
_WHITEOUT = ".wh."
_HOPS = 40
_NO_XATTRS = {errno.EPERM, errno.ENOTSUP, errno.EACCES, errno.EINVAL}


class UnsafeEntry(ArtificerError):
    """An entry of an archive would land outside the directory it is unpacked into."""


class UnusableDirectory(ArtificerError):
    """The directory to unpack into cannot be used."""


class Skipped(NamedTuple):
    """What could not be made as it stands in the image, and how often."""

    what: str
    times: int
    example: str


class Directory:
    """A handle on a directory that layers are applied to, lowest first, then `finish`.

    Symbolic links of the image are resolved as if the directory were "/". Modes and times of
    directories are set at the very end, so that one without write permission can be filled.
    """

    def __init__(self, path: str, *, owners: bool) -> None:
        self._root = os.path.abspath(path)
        self._owners = owners
        self._us = (os.geteuid(), os.getegid())
        self._real: dict[str, str] = {"": ""}
        self._directories: dict[str, Entry] = {}
        self._fresh: set[str] = set()
        self._count = 0
        self._skipped: dict[str, tuple[int, str]] = {}

    def next_layer(self) -> None:
        """Begin another layer: its whiteouts hide what the layers before it brought."""
        self._fresh.clear()

    def add(self, entry: Entry, chunks: Iterable[bytes]) -> None:
        """Apply one entry of the current layer."""
        self._count += 1
        if self._count > limits.ENTRIES * 2:
            raise UnsafeEntry(f"more than {limits.ENTRIES * 2} files in one image")
        if not entry.path:
            self._directories[""] = entry
            return
        parent, name = os.path.split(entry.path)
        if name in {".", ".."}:
            raise UnsafeEntry(f"{entry.path}: a path in an archive may not have a {name!r} in it")
        folder = self._folder(parent)
        if name.startswith(_WHITEOUT):
            self._hide(folder, name)
            return
        path = os.path.join(folder, name) if folder else name
        if entry.kind == DIRECTORY:
            self._make_directory(path, entry)
        else:
            self._make_other(path, entry, chunks)
        self._remember(path)

    def finish(self) -> tuple[Skipped, ...]:
        """Set modes and times of directories, deepest first; say what could not be made."""
        for path in sorted(self._directories, key=_depth, reverse=True):
            self._set(self._full(path), self._directories[path])
        return tuple(
            Skipped(what, times, example)
            for what, (times, example) in sorted(self._skipped.items())
        )

    def _full(self, path: str) -> str:
        return f"{self._root}/{path}" if path else self._root

    def _remember(self, path: str) -> None:
        while path and path not in self._fresh:
            self._fresh.add(path)
            path = os.path.dirname(path)

    def _folder(self, path: str) -> str:
        """Return the real directory that *path* names inside the root; made if it is missing."""
        known = self._real.get(path)
        if known is not None:
            return known
        parts = [part for part in path.split("/") if part]
        parts.reverse()
        real: list[str] = []
        hops = 0
        while parts:
            part = parts.pop()
            if part == ".":
                continue
            if part == "..":
                # As the kernel does at "/": one cannot go above the root.
                del real[-1:]
                continue
            target = self._link_at("/".join([*real, part]))
            if target is None:
                real.append(part)
                continue
            hops += 1
            if hops > _HOPS:
                raise UnsafeEntry(f"{path}: too many levels of symbolic links")
            if target.startswith("/"):
                real.clear()
            parts.extend(reversed([step for step in target.split("/") if step]))
        found = "/".join(real)
        self._real[path] = found
        return found

    def _link_at(self, path: str) -> str | None:
        """Return the target of a symbolic link at *path*; see to a directory otherwise."""
        full = self._full(path)
        try:
            mode = os.lstat(full).st_mode
        except FileNotFoundError:
            os.mkdir(full, 0o755)
            return None
        if stat.S_ISLNK(mode):
            return os.readlink(full)
        if not stat.S_ISDIR(mode):
            self._remove(path)
            os.mkdir(full, 0o755)
        return None

    def _hide(self, folder: str, name: str) -> None:
        if name == _OPAQUE:
            self._clear(folder)
        elif not name.startswith(_META):
            hidden = name.removeprefix(_WHITEOUT)
            if hidden in {"", ".", ".."}:
                raise UnsafeEntry(f"{folder}/{name}: not the whiteout of a file")
            path = f"{folder}/{hidden}" if folder else hidden
            if path not in self._fresh:
                self._remove(path)

    def _clear(self, folder: str) -> None:
        for name in sorted(os.listdir(self._full(folder))):
            path = f"{folder}/{name}" if folder else name
            if path not in self._fresh:
                self._remove(path)
            elif stat.S_ISDIR(os.lstat(self._full(path)).st_mode):
                self._clear(path)

    def _remove(self, path: str) -> None:
        full = self._full(path)
        try:
            mode = os.lstat(full).st_mode
        except FileNotFoundError:
            return
        if stat.S_ISDIR(mode):
            for name in os.listdir(full):
                self._remove(f"{path}/{name}")
            os.rmdir(full)
            self._directories.pop(path, None)
            self._real = {"": ""}
        else:
            os.unlink(full)
            if stat.S_ISLNK(mode):
                self._real = {"": ""}

    def _make_directory(self, path: str, entry: Entry) -> None:
        full = self._full(path)
        try:
            mode = os.lstat(full).st_mode
        except FileNotFoundError:
            os.mkdir(full, 0o700)
        else:
            if not stat.S_ISDIR(mode):
                self._remove(path)
                os.mkdir(full, 0o700)
        self._directories[path] = entry

    def _make_other(self, path: str, entry: Entry, chunks: Iterable[bytes]) -> None:
        full = self._full(path)
        if entry.kind == HARDLINK:
            self._link(path, entry)
            return
        if entry.kind == FILE:
            self._write(path, entry, chunks)
            return
        self._remove(path)
        if entry.kind == SYMLINK:
            os.symlink(entry.link, full)
        elif not self._make_special(full, entry):
            return
        self._set(full, entry)

    def _write(self, path: str, entry: Entry, chunks: Iterable[bytes]) -> None:
        full = self._full(path)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            fd = os.open(full, flags, 0o600)
        except FileExistsError:
            self._remove(path)
            fd = os.open(full, flags, 0o600)
        try:
            for chunk in chunks:
                write_all(fd, chunk)
            self._set(fd, entry)
        finally:
            os.close(fd)

    def _link(self, path: str, entry: Entry) -> None:
        parent, name = os.path.split(entry.link)
        if name in {"", ".", ".."}:
            raise UnsafeEntry(f"{entry.path}: a hard link to {entry.link!r}")
        folder = self._folder(parent)
        target = f"{folder}/{name}" if folder else name
        if target == path:
            return
        try:
            directory = stat.S_ISDIR(os.lstat(self._full(target)).st_mode)
        except FileNotFoundError:
            directory = True
        if directory:
            raise UnsafeEntry(f"{entry.path}: a hard link to {entry.link!r}, which is no file")
        self._remove(path)
        os.link(self._full(target), self._full(path), follow_symlinks=False)

    def _make_special(self, full: str, entry: Entry) -> bool:
        if entry.kind == FIFO:
            os.mkfifo(full, 0o600)
            return True
        if entry.kind not in {CHAR, BLOCK}:
            raise UnsafeEntry(
                f"{entry.path}: an archive member of the unknown type {entry.kind!r}"
            )
        if not self._owners:
            self._skip("devices", entry.path)
            return False
        kind = stat.S_IFCHR if entry.kind == CHAR else stat.S_IFBLK
        try:
            os.mknod(full, kind | 0o600, os.makedev(*entry.device))
        except PermissionError:
            self._skip("devices", entry.path)
            return False
        return True

    def _set(self, at: str | int, entry: Entry) -> None:
        """Set owner, attributes, mode and time of a path, no link followed, or of an open file."""
        is_open = isinstance(at, int)
        if self._owners:
            try:
                os.chown(at, entry.uid, entry.gid, follow_symlinks=is_open)
            except OSError:
                self._skip("owners", entry.path)
        elif (entry.uid, entry.gid) != self._us:
            self._skip("owners", entry.path)
        for name, value in entry.xattrs:
            try:
                _set_xattr(at, name, value)
            except OSError as error:
                if error.errno not in _NO_XATTRS:
                    raise
                self._skip(f"extended attributes ({name})", entry.path)
        if entry.kind != SYMLINK:
            # After the owner: a change of it takes the set-user-id bit away.
            os.chmod(at, entry.mode)
        os.utime(at, (entry.mtime, entry.mtime), follow_symlinks=is_open)

    def _skip(self, what: str, path: str) -> None:
        count, example = self._skipped.get(what, (0, path))
        self._skipped[what] = (count + 1, example)


def fresh_directory(path: str) -> None:
    """Make *path*, or take it as it is when it is an empty directory."""
    try:
        os.makedirs(path, exist_ok=True)
    except OSError as error:
        raise UnusableDirectory(f"{path}: cannot unpack here: {reason(error)}") from error
    see_empty(path)


def see_empty(path: str) -> None:
    """Raise `UnusableDirectory` if there is anything in the directory *path*."""
    try:
        names = os.listdir(path)
    except OSError as error:
        raise UnusableDirectory(f"{path}: cannot unpack here: {reason(error)}") from error
    if names:
        raise UnusableDirectory(
            f"{path}: the directory is not empty", hint="name one that is empty or does not exist"
        )


def _set_xattr(at: str | int, name: str, value: bytes) -> None:
    if not hasattr(os, "setxattr"):  # not on macOS
        raise OSError(errno.ENOTSUP, name)
    os.setxattr(at, name, value, follow_symlinks=isinstance(at, int))


def _depth(path: str) -> int:
    return path.count("/") + 1 if path else 0
