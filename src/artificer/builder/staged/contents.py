"""What the sources of a COPY hold, as a key: content, not times, so that machines agree.

For a directory the store keeps what was seen, and what each file hashed to: while nothing has
changed nothing is listed or read, and when something has, only that is read.
"""

import time
from collections.abc import Callable, Iterable, Sequence
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
    data = None if afresh else store.record(_KIND, words)
    last = None if data is None else Snapshot.unpack(data)
    if last is not None and last.key != words:
        last = None
    if last is not None and last.result[:1] == b"1" and unchanged(last):
        return Content(last.result[1 : 1 + _HEX].decode())
    started = time.time_ns()
    sources = selected(where.files, wanted.patterns, wanted.manner)
    found, now = _hashed(where, sources, last, words, started)
    store.set_record(_KIND, words, now.pack())
    told = () if last is None else _told(last, now, where)
    return Content(found, told)


def _hashed(
    where: OnDisk, sources: Sequence[Source], last: Snapshot | None, words: str, started: int
) -> tuple[str, Snapshot]:
    """Return the content's key and the record of it; it counts once all in it has settled."""
    known = _known(last)
    disk = where.disk
    digests: dict[str, str] = {}

    def digest(file: File) -> str:
        digests[file.path] = found = disk.digest(file, known)
        return found

    firsts: dict[object, str] = {}

    def link(file: File) -> str:
        identity = disk.identity(file.path)
        first = file.path if identity is None else firsts.setdefault(identity, file.path)
        return file.link if first == file.path else first

    found = _key(sources, digest, link)
    touched = [path for path in where.files.touched if path not in digests]
    picked = [one.file.path for one in _all(sources)]
    rest = dict.fromkeys((*touched, *(path for path in picked if path not in digests)))
    seen = disk.seen((*digests, *rest))
    quiet = not racy((stat for _, stat in seen), started)
    raw = [
        _UNKNOWN if racy((stat,), started) else bytes.fromhex(text)
        for (_, stat), text in zip(seen, digests.values(), strict=False)
    ]
    result = b"".join((b"1" if quiet else b"0", found.encode(), *raw))
    return found, Snapshot.of(words, seen, result)


def _known(last: Snapshot | None) -> Callable[[str, Stat], str | None]:
    if last is None:
        return lambda _path, _stat: None
    raw = last.result[1 + _HEX :]
    numbers = {path: number for number, path in enumerate(last.paths[: len(raw) // _RAW])}

    def known(path: str, stat: Stat) -> str | None:
        number = numbers.get(path.encode("utf-8", "surrogateescape"))
        if number is None or last.stat(number) != stat:
            return None
        found = raw[number * _RAW : (number + 1) * _RAW]
        return None if found == _UNKNOWN else found.hex()

    return known


def _key(
    sources: Iterable[Source], digest: Callable[[File], str], link: Callable[[File], str]
) -> str:
    return key("content-1", [(s.name, list(_lines(s.picked, digest, link))) for s in sources])


def _lines(
    picked: Iterable[Picked], digest: Callable[[File], str], link: Callable[[File], str]
) -> Iterable[str]:
    # No name holds a NUL.
    for file, below in picked:
        target, content = link(file), ""
        if file.kind == FILE:
            content = digest(file)
        yield f"{below}\0{file.kind}\0{file.mode:o}\0{file.size}\0{target}\0{content}"


def _all(sources: Iterable[Source]) -> Iterable[Picked]:
    return (one for source in sources for one in source.picked)


def _told(last: Snapshot, now: Snapshot, where: OnDisk) -> tuple[str, ...]:
    cut = len(where.disk.root) + 1
    return tuple(f"{one.path[cut:] or '.'}: {one.what}" for one in changes(last, now))
