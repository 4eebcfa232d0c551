"""What the sources of a COPY hold, as a key: content, not times, so that machines agree.

For a directory the store keeps what was seen, and what each file hashed to: while nothing has
changed nothing is listed or read, and when something has, only that is read.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from typing import NamedTuple

from artificer.builder.keys import key
from artificer.builder.staged.contexts import OnDisk
from artificer.builder.staged.select import Manner, Picked, Source, selected
from artificer.layers.entry import FILE, Stat
from artificer.layers.index import File
from artificer.layers.snapshot import Snapshot, changes, racy, unchanged
from artificer.store.blobs import Store

_KIND = "context"
_HEX, _RAW = 64, 32
_UNKNOWN = bytes(_RAW)
_ENDS = (b"\0", b"")


class Wanted(NamedTuple):
    """What of a context is asked for."""

    patterns: tuple[str, ...]
    manner: Manner

    def words(self, where: OnDisk) -> str:
        """Return the name of the record of what is asked for."""
        disk, manner = where.disk, self.manner
        rules = (disk.root, disk.ignore.lines, disk.normal)
        exclude = manner.exclude.lines
        return key("context-1", rules, self.patterns, manner.parents, exclude)


class Content(NamedTuple):
    """The *key* of some content, and which files changed it since the last time."""

    key: str
    changed: tuple[str, ...] = ()


def content_of(where: OnDisk, wanted: Wanted, store: Store, *, afresh: bool) -> Content:
    """Return the content of *wanted*; with *afresh* every file is read."""
    words = wanted.words(where)
    last = None if afresh else _last(store, words)
    if last is not None and last.result[:1] == b"1" and unchanged(last):
        return Content(last.result[1 : 1 + _HEX].decode())
    started = time.time_ns()
    sources = selected(where.files, wanted.patterns, wanted.manner)
    found, now = _hashed(where, sources, last, words, started)
    told = () if last is None else _told(last, now, where)
    # What takes much memory goes before the record is written as one.
    del sources, last
    store.set_record(_KIND, words, *now.parts())
    return Content(found, told)


def _last(store: Store, words: str) -> Snapshot | None:
    data = store.record(_KIND, words)
    last = None if data is None else Snapshot.unpack(data)
    return last if last is not None and last.key == words else None


def _hashed(
    where: OnDisk, sources: Sequence[Source], last: Snapshot | None, words: str, started: int
) -> tuple[str, Snapshot]:
    """Return the content's key and the record of it; it counts once all in it has settled."""
    known = _Last(last or Snapshot.of("", (), b"")).digest
    disk = where.disk
    hashed: dict[str, None] = {}
    raw = bytearray()

    def digest(file: File) -> str:
        found = disk.digest(file, known)
        if file.path not in hashed:
            hashed[file.path] = None
            raw.extend(_UNKNOWN if racy((disk.stat(file),), started) else found)
        return found.hex()

    firsts: dict[object, str] = {}

    def link(file: File) -> str:
        identity = disk.identity(file.path)
        first = file.path if identity is None else firsts.setdefault(identity, file.path)
        return file.link if first == file.path else first

    found = _key(sources, digest, link)
    paths = chain(where.files.touched, (one.file.path for one in _all(sources)))
    rest = dict.fromkeys(path for path in paths if path not in hashed)
    now = Snapshot.of(words, disk.seen(chain(hashed, rest)), b"")
    quiet = not now.racy(started)
    return found, now._replace(result=b"".join((b"1" if quiet else b"0", found.encode(), raw)))


class _Last:
    """What files hashed to the last time, asked mostly in the order that they had then."""

    def __init__(self, last: Snapshot) -> None:
        self._last = last
        self._raw = last.result[1 + _HEX :]
        self._row = self._at = 0
        self._rows: dict[bytes, int] | None = None

    def digest(self, path: str, stat: Stat) -> bytes | None:
        """What the file at *path* hashed to, if it was then what it is now."""
        row = self._row_of(path.encode("utf-8", "surrogateescape"))
        if row is None or self._last.stat(row) != stat:
            return None
        found = self._raw[row * _RAW : (row + 1) * _RAW]
        return None if found in {_UNKNOWN, b""} else found

    def _row_of(self, path: bytes) -> int | None:
        end = self._at + len(path)
        names = self._last.names
        # As long as nothing has come or gone, no table of all names is needed.
        if self._rows is None and names[self._at : end] == path and names[end : end + 1] in _ENDS:
            self._at, self._row = end + 1, self._row + 1
            return self._row - 1
        if self._rows is None:
            self._rows = {name: row for row, name in enumerate(self._last.paths)}
        return self._rows.get(path)


def _key(
    sources: Iterable[Source], digest: Callable[[File], str], link: Callable[[File], str]
) -> str:
    return key("content-1", ((s.name, _lines(s.picked, digest, link)) for s in sources))


def _lines(
    picked: Iterable[Picked], digest: Callable[[File], str], link: Callable[[File], str]
) -> Iterator[str]:
    # No name holds a NUL.
    for file, below in picked:
        target, content = link(file), ""
        if file.kind == FILE:
            content = digest(file)
        yield f"{below}\0{file.kind}\0{file.mode:o}\0{file.size}\0{target}\0{content}"


def _all(sources: Iterable[Source]) -> Iterator[Picked]:
    return (one for source in sources for one in source.picked)


def _told(last: Snapshot, now: Snapshot, where: OnDisk) -> tuple[str, ...]:
    cut = len(where.disk.root) + 1
    return tuple(f"{one.path[cut:] or '.'}: {one.what}" for one in changes(last, now))
