"""A directory that is a build's context: what is asked for is looked at, and only once."""

import hashlib
import os
import stat
import threading
from array import array
from collections.abc import Callable, Iterable, Iterator

from artificer.builder.staged.ignore import Ignore, leaves_out
from artificer.builder.staged.table import Table
from artificer.events import Report, SocketSkipped
from artificer.layers.entry import (
    BLOCK,
    CHAR,
    DIRECTORY,
    FIFO,
    FILE,
    HARDLINK,
    SYMLINK,
    Entry,
    Stat,
    stat_of,
)
from artificer.layers.index import File
from artificer.layers.pack import ChangedWhileRead
from artificer.layers.tree import TooManyLinks
from artificer.layers.walk import Identity, Seen, Unfit, unreadable, with_xattrs
from artificer.layers.whiteout import PREFIX

_CHUNK = 1 << 18
_MOST_LINKS = 40  # as Linux
_KINDS = {
    stat.S_IFREG: FILE,
    stat.S_IFDIR: DIRECTORY,
    stat.S_IFLNK: SYMLINK,
    stat.S_IFIFO: FIFO,
    stat.S_IFCHR: CHAR,
    stat.S_IFBLK: BLOCK,
}


class DiskFiles:
    """What *ignore* leaves of the directory *root*; safe for several threads.

    With *normal* modes files are 0644 or 0755, as git has them, whatever the umask was.
    """

    def __init__(self, root: str, ignore: Ignore, report: Report, *, normal: bool = False) -> None:
        self.root = os.path.realpath(root)
        self.ignore = ignore
        self.normal = normal
        self._report = report
        self._lock = threading.RLock()
        self._table = Table()
        self._missing: set[str] = set()
        self._top = File("", DIRECTORY, 0o755, 0, 0, 0, 0, 0)
        self._others: dict[str, Stat] = {}
        self._children: dict[str, array[int]] = {}
        self._runs: dict[str, int] = {"": 0}
        self._passed: dict[str, list[str]] = {}
        self._identities: dict[str, Identity] = {}

    def node(self, path: str) -> File | None:
        """Return the file at *path*, in which there are no links; None if it is left out."""
        with self._lock:
            if not path:
                return self._top
            row = self._table.row(path)
            if row is not None:
                return self._table.file(row)
            return None if path in self._missing else self._looked_up(path)

    def children(self, path: str) -> list[File]:
        """Return what is in the directory *path*, sorted by the bytes of names."""
        with self._lock:
            if path not in self._children:
                self._scan(path)
            return [self._table.file(row) for row in self._children[path]]

    def passed(self, path: str) -> list[str]:
        """Return the directories below *path* that were looked through to list it."""
        return self._passed.get(path, [])

    def seen(self, paths: Iterable[str]) -> Iterator[Seen]:
        """Return what the system said of *paths*, for a record."""
        return ((self.path_of(path), self._stat(path)) for path in paths)

    def path_of(self, path: str) -> str:
        """Return where *path* is on this machine."""
        return f"{self.root}/{path}" if path else self.root

    def identity(self, path: str) -> Identity | None:
        """Return what other names of the file at *path* share, if it may have any."""
        return self._identities.get(path)

    def stat(self, file: File) -> Stat:
        """Return what the system said of *file*."""
        return self._table.stat(self._row(file))

    def digest(self, file: File, known: Callable[[str, Stat], bytes | None]) -> bytes:
        """Return what the bytes and attributes of *file* hash to; *known* may have an answer."""
        row = self._row(file)
        found = self._table.digest(row)
        if found is None:
            found = known(self.path_of(file.path), self._table.stat(row)) or self._hashed(file)
            self._table.set_digest(row, found)
        return found

    def entries(self, pairs: Iterable[tuple[File, str]], mtime: int) -> list[Entry]:
        """Return files as entries at other paths; of one file's names the first has the bytes."""
        firsts: dict[Identity, str] = {}
        return with_xattrs(self._entry(file, dest, mtime, firsts) for file, dest in pairs)

    def _entry(self, file: File, dest: str, mtime: int, firsts: dict[Identity, str]) -> Entry:
        if file.kind in {CHAR, BLOCK}:
            raise Unfit(
                f"a device in the context: {self.path_of(file.path)}",
                hint="leave it out with .dockerignore; devices come from tars and from RUN",
            )
        if file.path.rpartition("/")[2].startswith(PREFIX):
            raise Unfit(
                f"{self.path_of(file.path)}: a name that begins with {PREFIX} says that a file "
                "is gone",
                hint="leave it out with .dockerignore",
            )
        identity = self._identities.get(file.path)
        first = dest if identity is None else firsts.setdefault(identity, dest)
        base = (dest, file.kind, file.mode, 0, 0)
        if first != dest:
            return Entry(*base, 0, mtime, first, None)._replace(kind=HARDLINK)
        if file.kind != FILE:
            return Entry(*base, 0, mtime, file.link, None)
        where = self.path_of(file.path)
        return Entry(*base, file.size, mtime, "", where, stat=self.stat(file))

    def _row(self, file: File) -> int:
        row = self._table.row(file.path)
        assert row is not None  # noqa: S101 - whoever has a file has it from here
        return row

    def _stat(self, path: str) -> Stat:
        row = self._table.row(path)
        if row is not None:
            return self._table.stat(row)
        with self._lock:
            if path not in self._others:
                self._others[path] = stat_of(os.lstat(self.path_of(path)))
            return self._others[path]

    def _run(self, path: str) -> int:
        if path not in self._runs:
            above = self._run(path.rpartition("/")[0])
            self._runs[path] = self.ignore.run(path, above)
        return self._runs[path]

    def _looked_up(self, path: str) -> File | None:
        try:
            status = os.lstat(self.path_of(path))
        except (FileNotFoundError, NotADirectoryError):
            self._missing.add(path)
            return None
        except OSError as error:
            raise unreadable(error) from error
        return self._file(path, status, self._run(path))

    def _scan(self, directory: str) -> None:
        prefix = f"{directory}/" if directory else ""
        above = self._run(directory)
        try:
            found = [
                (item.name, item.stat(follow_symlinks=False))
                for item in _sorted(self.path_of(directory))
            ]
        except OSError as error:
            raise unreadable(error) from error
        rows = array("I")
        passed: list[str] = []
        run = self.ignore.run if self.ignore else None
        for name, status in found:
            path = prefix + name
            decided = above if run is None else run(path, above)
            file = self._file(path, status, decided)
            if file is not None:
                rows.append(self._row(file))
            if leaves_out(decided) and path in self._children:
                passed += [path, *self._passed.get(path, ())]
        self._children[directory] = rows
        if passed:
            self._passed[directory] = passed

    def _file(self, path: str, status: os.stat_result, run: int) -> File | None:
        mode = status.st_mode
        kind = _KINDS.get(stat.S_IFMT(mode))
        if leaves_out(run) and (kind != DIRECTORY or not self._takes_in(path, run)):
            self._missing.add(path)
            return None
        if kind is None:
            self._missing.add(path)
            self._report(SocketSkipped(self.path_of(path)))
            return None
        link = os.readlink(self.path_of(path)) if kind == SYMLINK else ""
        if kind == FILE and status.st_nlink > 1:
            self._identities[path] = (status.st_dev, status.st_ino)
        size = status.st_size if kind == FILE else 0
        file = File(path, kind, self._mode(kind, mode), 0, 0, size, 0, 0, link)
        self._table.add(file, stat_of(status))
        return file

    def _mode(self, kind: str, mode: int) -> int:
        if kind == SYMLINK:
            return 0o777
        if self.normal:
            return 0o755 if kind == DIRECTORY or mode & 0o100 else 0o644
        return stat.S_IMODE(mode)

    def _takes_in(self, path: str, run: int) -> bool:
        """Whether the directory *path*, which is left out itself, is there for what is in it."""
        if not self.ignore.takes_in_below(path, run):
            return False
        self._runs[path] = run
        return bool(self.children(path))

    def _hashed(self, file: File) -> bytes:
        path, seen = self.path_of(file.path), self.stat(file)
        hasher = hashlib.sha256()
        try:
            with open(path, "rb", buffering=0) as opened:
                while chunk := opened.read(_CHUNK):
                    hasher.update(chunk)
                if stat_of(os.fstat(opened.fileno())) != seen:
                    raise ChangedWhileRead(path)
        except OSError as error:
            raise unreadable(error) from error
        probe = Entry(file.path, FILE, 0, 0, 0, 0, 0, "", path)
        for name, value in with_xattrs([probe])[0].xattrs:
            hasher.update(b"\0%d %b=%d " % (len(name), os.fsencode(name), len(value)))
            hasher.update(value)
        return hasher.digest()


class View:
    """The same files for one who remembers, in *touched*, what the answers depended on."""

    def __init__(self, files: DiskFiles) -> None:
        self.files = files
        self.touched: dict[str, None] = {}

    def lookup(self, path: str, *, follow: bool = True) -> File | None:
        """Return the file at *path*; links above it are followed, itself if *follow*."""
        return self._node(self._real(path, follow=follow))

    def resolve(self, path: str) -> str:
        """Return where *path* really is, all links followed inside the context."""
        return self._real(path, follow=True)

    def children(self, path: str) -> list[File]:
        """Return what is in the directory *path*, in which there are no links."""
        self.touched[path] = None
        files = self.files.children(path)
        self.touched.update(dict.fromkeys(self.files.passed(path)))
        return files

    def _node(self, path: str) -> File | None:
        node = self.files.node(path)
        if node is not None:
            self.touched[path] = None
        return node

    def _real(self, path: str, *, follow: bool) -> str:
        waiting = _parts(path)[::-1]
        real: list[str] = []
        links = 0
        while waiting:
            name = waiting.pop()
            if name == "..":
                del real[-1:]  # The root's parent is the root.
                continue
            real.append(name)
            if not (waiting or follow):
                break
            node = self.files.node("/".join(real))
            if node is None or node.kind != SYMLINK:
                continue
            self.touched[node.path] = None
            links += 1
            if links > _MOST_LINKS:
                raise TooManyLinks(f"too many symbolic links at {self.files.path_of(path)}")
            real = [] if node.link.startswith("/") else real[:-1]
            waiting += _parts(node.link)[::-1]
        return "/".join(real)


def _parts(path: str) -> list[str]:
    return [part for part in path.split("/") if part not in {"", "."}]


def _sorted(directory: str) -> "Iterator[os.DirEntry[str]]":
    with os.scandir(directory) as items:
        found = {item.name: item for item in items}
    names = sorted(found)
    if not "".join(names).isascii():
        names.sort(key=os.fsencode)
    return (found[name] for name in names)
