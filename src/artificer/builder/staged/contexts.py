"""Contexts: the directories that a build is given, opened when they are needed."""

import os
import threading
from collections.abc import Iterable, Mapping
from typing import NamedTuple, Protocol

from artificer.builder.staged.disk import DiskFiles, View
from artificer.builder.staged.ignore import Ignore
from artificer.builder.staged.select import Files
from artificer.errors import ArtificerError
from artificer.events import Report
from artificer.layers.entry import Entry
from artificer.layers.index import File
from artificer.layers.patterns import ignore_lines
from artificer.layers.walk import unreadable

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

    def entries(self, pairs: Iterable[tuple[File, str]], mtime: int) -> list[Entry]:
        """Return files as entries at other paths, in their order, *mtime* where none is kept."""


class OnDisk:
    """A directory as what can be copied; its view remembers what was looked at."""

    keeps_owners = False

    def __init__(self, disk: DiskFiles) -> None:
        self.disk = disk
        self.files = View(disk)

    def entries(self, pairs: Iterable[tuple[File, str]], mtime: int) -> list[Entry]:
        """Return files as entries at other paths."""
        return self.disk.entries(pairs, mtime)


class Contexts:
    """The contexts of a build by name, the main one's being ""; each is opened once."""

    def __init__(self, given: Mapping[str, Directory], report: Report) -> None:
        self._given = given
        self._report = report
        self._lock = threading.Lock()
        self._opened: dict[str, DiskFiles] = {}

    def provided(self, name: str) -> OnDisk:
        """Return the files of the context called *name*."""
        with self._lock:
            if name not in self._opened:
                self._opened[name] = self._open(name)
            return OnDisk(self._opened[name])

    def _open(self, name: str) -> DiskFiles:
        context = self._given.get(name)
        if context is None:
            raise NoContext(
                f"there is no context called {name}" if name else "there is no context",
                hint="name a directory whose files are copied, or `-` for an archive",
            )
        ignore = Ignore(context.ignored)
        return DiskFiles(context.path, ignore, self._report, normal=context.normal)
