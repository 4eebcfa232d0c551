"""Contexts: the directories and archives that a build is given, opened when they are needed."""

import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol

from artificer.builder.staged.disk import DiskFiles, View
from artificer.builder.staged.ignore import Ignore
from artificer.builder.staged.select import Files
from artificer.errors import ArtificerError, Misused
from artificer.images.files import entries_at, tree_of
from artificer.images.reach import Reach
from artificer.layers import index
from artificer.layers.archive import TAR_FORMATS
from artificer.layers.entry import FILE, HARDLINK, SYMLINK, Entry, Span
from artificer.layers.header import BadArchive
from artificer.layers.index import File, Index
from artificer.layers.inflate import Bomb, Corrupt, plain
from artificer.layers.patterns import ignore_lines
from artificer.layers.read import members
from artificer.layers.tape import FileTape
from artificer.layers.tree import Tree
from artificer.layers.walk import unreadable
from artificer.layers.whiteout import is_whiteout
from artificer.oci.digest import Digest
from artificer.oci.image import Image

_KIND = "index"
_CHUNK = 1 << 18
_IGNORE_FILES = (".dockerignore", ".containerignore")


class NoContext(ArtificerError):
    """A context that is not there, or that nobody gave."""


class Directory(NamedTuple):
    """A directory, without what the lines of a .dockerignore leave out.

    Of a checkout of git modes are *normal*: whether a file is executable is all that git knows.
    """

    path: str
    ignored: tuple[str, ...] = ()
    normal: bool = False


class Tarball(NamedTuple):
    """An archive, compressed or not, whose files are the context."""

    path: str


Context = Directory | Tarball


def directory(path: str, dockerfile: str = "") -> Directory:
    """Return the directory *path* as a context, with the rules that lie in it.

    ``<Dockerfile>.dockerignore`` beside *dockerfile*, if it is there, replaces them.
    """
    if not os.path.isdir(path):
        raise NoContext(f"{path}: not a directory", hint="name the directory with the files")
    return Directory(path, tuple(_ignored(path, dockerfile)))


def _ignored(path: str, dockerfile: str) -> list[str]:
    names = [f"{path}/{name}" for name in _IGNORE_FILES]
    if dockerfile:
        names.insert(0, f"{dockerfile}.dockerignore")
    for name in names:
        try:
            with open(name, encoding="utf-8", errors="surrogateescape") as file:
                return ignore_lines(file.read())
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            raise unreadable(error) from error
    return []


class Provided(Protocol):
    """Files that can be copied: where they are, and what they are as entries."""

    @property
    def files(self) -> Files:
        """The files, by path."""

    @property
    def keeps_owners(self) -> bool:
        """Whether files have owners and times of their own."""

    def entries(self, pairs: Sequence[tuple[File, str]], mtime: int) -> list[Entry]:
        """Return files as entries at other paths, in their order, *mtime* where none is kept."""


class OnDisk:
    """A directory as what can be copied; its view remembers what was looked at."""

    keeps_owners = False

    def __init__(self, disk: DiskFiles) -> None:
        self.disk = disk
        self.files = View(disk)

    def entries(self, pairs: Sequence[tuple[File, str]], mtime: int) -> list[Entry]:
        """Return files as entries at other paths."""
        return self.disk.entries(pairs, mtime)


class InTar:
    """The files of an archive, which lies uncompressed in the store as *digest*."""

    keeps_owners = False

    def __init__(self, listing: Index, path: str, digest: Digest) -> None:
        self.files = Tree([listing])
        self.digest = digest
        self._path = path

    def entries(self, pairs: Sequence[tuple[File, str]], mtime: int) -> list[Entry]:
        """Return files as entries at other paths."""
        return list(self._entries(pairs, mtime))

    def _entries(self, pairs: Sequence[tuple[File, str]], mtime: int) -> Iterator[Entry]:
        firsts: dict[int, str] = {}
        for file, dest in pairs:
            base = (dest, file.kind, file.mode, 0, 0)
            if file.kind not in {FILE, HARDLINK}:
                link = file.link if file.kind == SYMLINK else ""
                yield Entry(*base, 0, mtime, link, None, file.xattrs, file.device)
                continue
            first = firsts.setdefault(file.offset, dest) if file.size else dest
            if first != dest:
                yield Entry(*base, 0, mtime, first, None)._replace(kind=HARDLINK)
                continue
            span = Span(self._path, file.offset)
            entry = Entry(*base, file.size, mtime, "", span, file.xattrs)
            yield entry._replace(kind=FILE)


class OfImage:
    """The files of a stage or an image, with their own owners and times."""

    keeps_owners = True

    def __init__(self, image: Image, reach: Reach) -> None:
        self._image = image
        self._reach = reach
        self.files = tree_of(image, reach)

    def entries(self, pairs: Sequence[tuple[File, str]], mtime: int) -> list[Entry]:
        """Return files as entries at other paths; only layers that hold any are read."""
        return entries_at(self._image, self.files, pairs, self._reach)


class Contexts:
    """The contexts of a build by name, the main one's being ""; each is opened once."""

    def __init__(self, given: Mapping[str, Context], reach: Reach) -> None:
        self._given = given
        self._reach = reach
        self._lock = threading.Lock()
        self._opened: dict[str, DiskFiles | InTar] = {}

    def provided(self, name: str) -> OnDisk | InTar:
        """Return the files of the context called *name*."""
        with self._lock:
            if name not in self._opened:
                self._opened[name] = self._open(name)
            opened = self._opened[name]
        return OnDisk(opened) if isinstance(opened, DiskFiles) else opened

    def _open(self, name: str) -> DiskFiles | InTar:
        context = self._given.get(name)
        if context is None:
            raise NoContext(
                f"there is no context called {name}" if name else "there is no context",
                hint="name a directory whose files are copied, or `-` for an archive",
            )
        if isinstance(context, Directory):
            ignore = Ignore(context.ignored)
            return DiskFiles(context.path, ignore, self._reach.report, normal=context.normal)
        return _in_tar(context.path, self._reach)


def _in_tar(path: str, reach: Reach) -> InTar:
    try:
        with open(path, "rb") as file:
            chunks = iter(lambda: file.read(_CHUNK), b"")
            digest = reach.store.put_chunks(plain(chunks, TAR_FORMATS))
        return InTar(_listing(digest, reach), reach.store.blob_path(digest), digest)
    except OSError as error:
        raise unreadable(error) from error
    except (BadArchive, Bomb, Corrupt) as error:
        raise type(error)(f"{path}: {error.message}", hint=error.hint) from error


def _listing(digest: Digest, reach: Reach) -> Index:
    data = reach.store.record(_KIND, digest)
    if data is not None:
        try:
            return index.unpack(data)
        except index.InvalidIndex:
            reach.store.remove_record(_KIND, digest)
    with open(reach.store.blob_path(digest), "rb") as file:
        made = index.index_of(members(FileTape(file)))
    if any(map(is_whiteout, made.paths)):
        raise Misused("a name that begins with .wh. says that a file is gone: in no context")
    reach.store.set_record(_KIND, digest, made.pack(), needs=[digest])
    return made
