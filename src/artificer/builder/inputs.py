"""Files of the workspace by content: hashed once, and known by their stats from then on."""

import hashlib
import json
import os
import stat
import struct
import threading
import time
from collections.abc import Callable, Iterator
from typing import Literal, NamedTuple

from artificer.builder.products import File
from artificer.builder.targets import SourceFile
from artificer.errors import ArtificerError, reason
from artificer.layers.entry import Stat, pack_stat, stat_of, told
from artificer.layers.snapshot import racy
from artificer.oci.digest import Digest
from artificer.stop import Stop
from artificer.store.blobs import Store

_KIND = "file-digest"
_BUFFER = 1 << 18


class MissingInput(ArtificerError):
    """A file that a target names is not there, or cannot be read."""


class ChangedInput(ArtificerError):
    """A file was written while a build read it."""


class _Known(NamedTuple):
    """What one file was when it was hashed; *lasting* if its stat will tell of any change."""

    stat: Stat
    digest: Digest
    lasting: bool


_Table = dict[str, _Known]
"""The files of one directory, by name."""


class Inputs:
    """What the files of the workspace hash to. A handle; its methods may be called by any thread.

    A file is looked at once a build: all targets of it see the same content. `save` keeps in the
    store what was found out, one record a directory.
    """

    def __init__(self, store: Store, stop: Stop, *, clock: Callable[[], int] = time.time_ns):
        self._store = store
        self._stop = stop
        self._clock = clock
        self._lock = threading.Lock()
        self._tables: dict[str, _Table] = {}
        self._seen: dict[str, _Known] = {}
        self._changed: set[str] = set()

    def files(self, source: SourceFile) -> tuple[File, ...]:
        """The file that *source* names, or all the files below the directory that it names."""
        found = self._status(source.path)
        if not stat.S_ISDIR(found.st_mode):
            return (self._file(source.path, source.short, found, ""),)
        return tuple(self._below(source.path, source.short, source))

    def known(self, source: SourceFile) -> bool:
        """Whether `files` can answer without reading anything."""
        found = self._status(source.path)
        if stat.S_ISDIR(found.st_mode):
            return False
        return stat.S_ISREG(found.st_mode) and self._remembered(source.path, found) is not None

    def stat_of(self, path: str) -> Stat | None:
        """The stat of the file at *path* as it was when it was hashed, if this build did."""
        known = self._seen.get(path)
        return None if known is None else known.stat

    def save(self) -> None:
        """Keep what was found out."""
        with self._lock:
            changed, self._changed = sorted(self._changed), set()
            for folder in changed:
                rows = [
                    [name, *told(known.stat), known.digest]
                    for name, known in sorted(self._tables[folder].items())
                    if known.lasting
                ]
                data = json.dumps(rows, separators=(",", ":")).encode()
                self._store.set_record(_KIND, folder, data)

    def _below(self, folder: str, short: str, top: SourceFile) -> Iterator[File]:
        self._stop.check()
        names = sorted(os.listdir(folder), key=os.fsencode)
        if not names:
            yield self._kept(b"", short, top, "directory")
        for name in names:
            path = f"{folder}/{name}"
            link = link_within(path, top.path)
            if link is not None:
                yield self._kept(os.fsencode(link), f"{short}/{name}", top, "link")
                continue
            found = self._status(path)
            if stat.S_ISDIR(found.st_mode):
                yield from self._below(path, f"{short}/{name}", top)
            else:
                yield self._file(path, f"{short}/{name}", found, top.short)

    def _kept(
        self, data: bytes, short: str, top: SourceFile, kind: Literal["link", "directory"]
    ) -> File:
        """What is no file on disk that could be read again: a blob of the store is."""
        digest = self._store.put(data)
        return File(self._store.blob_path(digest), short, digest, tree=top.short, kind=kind)

    def _status(self, path: str) -> os.stat_result:
        try:
            return os.stat(path)
        except OSError as error:
            raise MissingInput(f"{path}: {reason(error)}") from error

    def _file(self, path: str, short: str, found: os.stat_result, tree: str) -> File:
        if not stat.S_ISREG(found.st_mode):
            raise MissingInput(f"{path} is neither a file nor a directory")
        known = self._remembered(path, found)
        if known is None:
            known = self._hashed(path, found)
        return File(path, short, known.digest, bool(found.st_mode & 0o100), tree)

    def _remembered(self, path: str, found: os.stat_result) -> _Known | None:
        seen = self._seen.get(path)
        if seen is not None:
            return seen
        folder, _, name = path.rpartition("/")
        known = self._table(folder).get(name)
        if known is None or known.stat != stat_of(found):
            return None
        self._seen[path] = known
        return known

    def _hashed(self, path: str, found: os.stat_result) -> _Known:
        started = self._clock()
        before = stat_of(found)
        digest = self._digest(path)
        if stat_of(self._status(path)) != before:
            raise ChangedInput(
                f"{path} changed while it was read", hint="wait until what writes it has finished"
            )
        known = _Known(before, digest, not racy([before], started))
        folder, _, name = path.rpartition("/")
        with self._lock:
            self._seen[path] = known
            self._loaded(folder)[name] = known
            self._changed.add(folder)
        return known

    def _digest(self, path: str) -> Digest:
        hasher = hashlib.sha256()
        try:
            with open(path, "rb", buffering=0) as file:
                while chunk := file.read(_BUFFER):
                    hasher.update(chunk)
                    self._stop.check()
        except OSError as error:
            raise MissingInput(f"{path}: {reason(error)}") from error
        return Digest.sha256(hasher)

    def _table(self, folder: str) -> _Table:
        table = self._tables.get(folder)
        if table is not None:
            return table
        with self._lock:
            return self._loaded(folder)

    def _loaded(self, folder: str) -> _Table:
        if folder not in self._tables:
            self._tables[folder] = _parsed(self._store.record(_KIND, folder) or b"[]")
        return self._tables[folder]


def link_within(path: str, top: str) -> str | None:
    """What the link at *path* leads to, if that is in the directory *top*, relative to the link.

    None for what is no link, and for one that leads out: that is what lies there.
    """
    try:
        link = os.readlink(path)
    except OSError:
        return None
    landing = os.path.normpath(os.path.join(os.path.dirname(path), link))
    inside = f"{landing}/".startswith(f"{os.path.normpath(top)}/")
    return link if inside and not os.path.isabs(link) else None


def _parsed(data: bytes) -> _Table:
    try:
        return {
            name: _Known(pack_stat(*values), Digest(digest), lasting=True)
            for name, *values, digest in json.loads(data)
        }
    except (ValueError, TypeError, struct.error, ArtificerError):
        return {}
