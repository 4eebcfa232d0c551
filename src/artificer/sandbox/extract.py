"""A layer written into a directory, which nothing in it can leave: for an overlay, or applied."""

import contextlib
import os
import shutil
import stat
from collections.abc import Callable, Iterable
from typing import NamedTuple

from artificer.layers.entry import CHAR, DIRECTORY, FIFO, FILE, HARDLINK, SYMLINK, Entry
from artificer.layers.header import BadArchive
from artificer.layers.whiteout import OPAQUE, PREFIX
from artificer.sandbox.ondisk import Node, device_mark, set_node, set_time
from artificer.sandbox.rung import DEVICE_MARK

_FOLDER = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_OPEN_FOLDERS = 400
_ZEROS = bytes(1 << 18)
_HOLE = 1 << 16  # so many zeros are not written

TRUSTED, USER, APPLIED = "trusted.overlay.opaque", "user.overlay.opaque", ""


class Manner(NamedTuple):
    """How a layer lies on disk: as a lower directory of an overlay, or merged with what is there.

    *opaque* is `TRUSTED` or `USER`, the attribute that overlays read here, or `APPLIED`. With
    *marked* owners, devices and capabilities are marks.
    """

    opaque: str
    marked: bool


class Implied(NamedTuple):
    """What a directory that no entry names looks like: like the one in the layers below."""

    node: Node
    mtime: int


PLAIN = Implied(Node(DIRECTORY, 0o755, 0, 0), 0)


class Extraction:
    """Writes one layer below *root*: `add` each entry in the archive's order, then `finish`.

    No link is ever followed. A name that should be a directory and is none becomes one, as in
    the merged file index. *below* tells of directories in lower layers, for those that the layer
    has files in but does not name. Afterwards `implied` are their paths, `owners` whom the links
    and fifos belong to that could not be given away, `hides_all` whether nothing of lower layers
    is left.
    """

    def __init__(
        self, root: str, manner: Manner, below: Callable[[str], Implied] = lambda _: PLAIN
    ) -> None:
        self._manner = manner
        self._below = below
        self._folders = {"": os.open(root, _FOLDER)}
        self._named: dict[str, Entry] = {}
        self._fresh = {""}
        self._kept: dict[str, os.stat_result] = {}
        self.implied: dict[str, Implied] = {}
        self.owners: dict[str, tuple[int, int]] = {}
        self.hides_all = False

    @property
    def names_root(self) -> bool:
        """Whether the layer says what the root directory is."""
        return "" in self._named

    def add(self, entry: Entry, chunks: Iterable[bytes]) -> None:
        """Write one entry."""
        if not entry.path:
            self._named[""] = entry
            return
        if len(self._folders) > _OPEN_FOLDERS:
            self._forget_folders()
        above, _, name = entry.path.rpartition("/")
        folder = self._folder(above)
        if name.startswith(PREFIX):
            self._hide(folder, above, name)
            return
        if entry.kind == DIRECTORY:
            self._make_directory(folder, name, entry)
        elif entry.kind == FILE:
            self._write(folder, name, entry, chunks)
        else:
            self._make_other(folder, name, entry)
        self._fresh.add(entry.path)

    def finish(self) -> None:
        """Give all directories what they should have, the innermost first."""
        paths = {*self._named, *self.implied, *self._kept}
        for path in sorted(paths, key=lambda path: path.count("/") if path else -1, reverse=True):
            self._settle(path)
        self.close()

    def close(self) -> None:
        """Close what is open; what was written stays."""
        for path in list(self._folders):
            os.close(self._folders.pop(path))

    def _settle(self, path: str) -> None:
        try:
            place = f"/proc/self/fd/{self._folder(path, make=False)}"
        except OSError:
            # Something else took its place later on.
            self.implied.pop(path, None)
            return
        entry = self._named.get(path)
        if entry is not None:
            self._set(place + "/.", entry)
        elif path in self.implied:
            set_node(place + "/.", self.implied[path].node, marked=self._manner.marked)
            set_time(place + "/.", self.implied[path].mtime)
        elif path in self._kept:
            times = self._kept[path].st_atime_ns, self._kept[path].st_mtime_ns
            os.utime(place + "/.", ns=times)
        if len(self._folders) > _OPEN_FOLDERS:
            self._forget_folders()

    def _set(self, place: str | int, entry: Entry) -> None:
        node = Node(entry.kind, entry.mode, entry.uid, entry.gid, entry.xattrs)
        if not set_node(place, node, marked=self._manner.marked):
            self.owners[entry.path] = (entry.uid, entry.gid)
        set_time(place, entry.mtime)

    def _folder(self, path: str, *, make: bool = True) -> int:
        """Return the directory *path*, made where it is missing."""
        known = self._folders.get(path)
        if known is not None:
            return known
        above, _, name = path.rpartition("/")
        parent = self._folder(above, make=make)
        try:
            found = os.open(name, _FOLDER, dir_fd=parent)
        except OSError:
            if not make:
                raise
            self._replace_by_directory(parent, name)
            found = os.open(name, _FOLDER, dir_fd=parent)
            self.implied[path] = self._below(path)
        else:
            if self._manner.opaque == APPLIED and path not in self._fresh:
                self._kept.setdefault(path, os.stat(found))
        self._fresh.add(path)
        self._folders[path] = found
        return found

    def _forget_folders(self) -> None:
        for path in [path for path in self._folders if path]:
            os.close(self._folders.pop(path))

    def _replace_by_directory(self, folder: int, name: str) -> None:
        """Make a directory where something else is, or nothing."""
        hidden = False
        with contextlib.suppress(FileNotFoundError):
            status = os.stat(name, dir_fd=folder, follow_symlinks=False)
            hidden = stat.S_ISCHR(status.st_mode) and not status.st_rdev
            os.unlink(name, dir_fd=folder)
        os.mkdir(name, 0o700, dir_fd=folder)
        if hidden and self._manner.opaque != APPLIED:
            # Its whiteout came before it: what lower layers have in it stays hidden.
            os.setxattr(f"/proc/self/fd/{folder}/{name}", self._manner.opaque, b"y")

    def _make_directory(self, folder: int, name: str, entry: Entry) -> None:
        try:
            os.mkdir(name, 0o700, dir_fd=folder)
        except FileExistsError:
            status = os.stat(name, dir_fd=folder, follow_symlinks=False)
            if not stat.S_ISDIR(status.st_mode):
                self._replace_by_directory(folder, name)
        self.implied.pop(entry.path, None)
        self._kept.pop(entry.path, None)
        self._named[entry.path] = entry

    def _write(self, folder: int, name: str, entry: Entry, chunks: Iterable[bytes]) -> None:
        descriptor = self._new_file(folder, name, entry.path)
        try:
            end = holes = 0
            for chunk in chunks:
                end += len(chunk)
                if len(chunk) >= _HOLE and chunk == _ZEROS[: len(chunk)]:
                    holes = os.lseek(descriptor, end, os.SEEK_SET)
                    continue
                _write_all(descriptor, chunk)
            if holes == end:
                os.ftruncate(descriptor, end)
            self._set(descriptor, entry)
        finally:
            os.close(descriptor)

    def _new_file(self, folder: int, name: str, path: str) -> int:
        try:
            return os.open(name, _NEW, 0o600, dir_fd=folder)
        except FileExistsError:
            self._remove(folder, name, path)
            return os.open(name, _NEW, 0o600, dir_fd=folder)

    def _make_other(self, folder: int, name: str, entry: Entry) -> None:
        if entry.kind == HARDLINK:
            self._link(folder, name, entry)
            return
        self._remove(folder, name, entry.path)
        if entry.kind == SYMLINK:
            os.symlink(entry.link, name, dir_fd=folder)
        elif entry.kind == FIFO:
            os.mkfifo(name, 0o600, dir_fd=folder)
        else:
            self._make_device(folder, name, entry)
            return
        self._set(f"/proc/self/fd/{folder}/{name}", entry)

    def _make_device(self, folder: int, name: str, entry: Entry) -> None:
        kind = stat.S_IFCHR if entry.kind == CHAR else stat.S_IFBLK
        # 0:0 is how an overlay says that a file is gone.
        if entry.device != (0, 0) and not self._manner.marked:
            try:
                os.mknod(name, kind | 0o600, os.makedev(*entry.device), dir_fd=folder)
            except PermissionError:
                pass
            else:
                self._set(f"/proc/self/fd/{folder}/{name}", entry)
                return
        node = Node(entry.kind, entry.mode, entry.uid, entry.gid, (), entry.device)
        descriptor = self._new_file(folder, name, entry.path)
        try:
            os.setxattr(descriptor, DEVICE_MARK, device_mark(node))
            set_node(descriptor, node, marked=self._manner.marked)
            set_time(descriptor, entry.mtime)
        finally:
            os.close(descriptor)

    def _link(self, folder: int, name: str, entry: Entry) -> None:
        above, _, target = entry.link.rpartition("/")
        if entry.link == entry.path:
            return
        try:
            source = self._folder(above, make=False)
            status = os.stat(target, dir_fd=source, follow_symlinks=False)
        except OSError as error:
            raise _bad_link(entry) from error
        if stat.S_ISDIR(status.st_mode) or entry.link not in self._fresh:
            raise _bad_link(entry)
        self._remove(folder, name, entry.path)
        os.link(target, name, src_dir_fd=source, dst_dir_fd=folder, follow_symlinks=False)
        if entry.link in self.owners:
            self.owners[entry.path] = self.owners[entry.link]

    def _remove(self, folder: int, name: str, path: str) -> None:
        self.owners.pop(path, None)
        try:
            os.unlink(name, dir_fd=folder)
        except FileNotFoundError:
            return
        except IsADirectoryError:
            shutil.rmtree(name, dir_fd=folder)
            self._forget_below(path)

    def _forget_below(self, path: str) -> None:
        """Close what is open below *path*, whose directories are gone."""
        for each in [each for each in self._folders if (each + "/").startswith(path + "/")]:
            os.close(self._folders.pop(each))

    def _hide(self, folder: int, above: str, name: str) -> None:
        if name == OPAQUE:
            self._hide_all(folder, above)
            return
        hidden = name.removeprefix(PREFIX)
        if hidden in {"", ".", ".."}:
            raise BadArchive(f"not the whiteout of a file: {above}/{name}")
        path = f"{above}/{hidden}" if above else hidden
        if hidden.startswith(PREFIX):
            return  # a mark of aufs
        try:
            status = os.stat(hidden, dir_fd=folder, follow_symlinks=False)
        except FileNotFoundError:
            if self._manner.opaque != APPLIED:
                os.mknod(hidden, stat.S_IFCHR, os.makedev(0, 0), dir_fd=folder)
            return
        if self._manner.opaque == APPLIED and path not in self._fresh:
            self._remove(folder, hidden, path)
        elif stat.S_ISDIR(status.st_mode):
            self._hide_all(self._folder(path), path)

    def _hide_all(self, folder: int, path: str) -> None:
        """Hide what lower layers have in a directory."""
        if self._manner.opaque != APPLIED:
            self.hides_all = self.hides_all or not path
            os.setxattr(f"/proc/self/fd/{folder}/.", self._manner.opaque, b"y")
            return
        for name in os.listdir(f"/proc/self/fd/{folder}/."):
            inner = f"{path}/{name}" if path else name
            if inner not in self._fresh:
                self._remove(folder, name, inner)


def _write_all(descriptor: int, data: bytes) -> None:
    done = os.write(descriptor, data)
    while done < len(data):
        done += os.write(descriptor, memoryview(data)[done:])


def _bad_link(entry: Entry) -> BadArchive:
    return BadArchive(f"a hard link to what is no file of the layer: {entry.path} → {entry.link}")
