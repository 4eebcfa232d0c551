"""What ADD does more than COPY: it unpacks archives, and takes files of the web and of git."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from typing import BinaryIO

from artificer.builder.staged.contexts import OnDisk
from artificer.builder.staged.disk import DiskFiles
from artificer.builder.staged.ignore import Ignore
from artificer.builder.staged.landing import Owner, folder
from artificer.builder.staged.modes import Mode
from artificer.events import Report
from artificer.layers import header
from artificer.layers.archive import TAR_FORMATS, Archives, path_of
from artificer.layers.entry import DIRECTORY, FILE, SYMLINK, Entry, Span
from artificer.layers.header import BadArchive
from artificer.layers.inflate import Bomb, Corrupt, plain
from artificer.layers.place import placed
from artificer.layers.rules import Rules
from artificer.layers.select import TarFile
from artificer.layers.tree import Tree

_CHUNK = 1 << 16
_MODE = 0o600
"""Of a file that was fetched."""

Spool = Callable[[], BinaryIO]


def checkout(path: str, report: Report) -> OnDisk:
    """Return the directory *path* of a checkout as what can be copied."""
    return OnDisk(DiskFiles(path, Ignore(), report, normal=True))


def archive_path(entry: Entry, spools: ExitStack, spool: Spool) -> str | None:
    """Return a path of the archive that *entry* is; None if it is none, by its content."""
    source = entry.source
    if not isinstance(source, str | Span):
        return None
    where = Span(source, 0) if isinstance(source, str) else source
    if not is_archive(_chunks(where, entry.size)):
        return None
    if isinstance(source, str):
        return source
    file = spools.enter_context(spool())
    for chunk in _chunks(where, entry.size):
        file.write(chunk)
    file.flush()
    return path_of(file)


def is_archive(chunks: Iterator[bytes]) -> bool:
    """Whether *chunks* begin as a tar does, compressed or not."""
    block = b""
    try:
        for chunk in plain(chunks, TAR_FORMATS):
            block += chunk
            if len(block) >= header.BLOCK:
                break
        block = block[: header.BLOCK]
        if len(block) < header.BLOCK or not block.strip(b"\0"):
            return False
        header.parse_block(block)
    except (BadArchive, Bomb, Corrupt):
        return False
    return True


class Manner:
    """How an archive is unpacked: whose its files are, and which modes they get."""

    def __init__(self, owner: Owner | None, mode: Mode | None, mtime: int) -> None:
        self.owner = owner
        self.mode = mode
        self.mtime = mtime

    def of(self, entry: Entry) -> Entry:
        """Return *entry* with them."""
        if self.owner is not None:
            entry = entry._replace(uid=self.owner[0], gid=self.owner[1])
        if self.mode is not None and entry.kind != SYMLINK:
            mode = self.mode.of(entry.mode, directory=entry.kind == DIRECTORY)
            entry = entry._replace(mode=mode)
        return entry


def unpacked(path: str, dest: str, tree: Tree, manner: Manner, spool: Spool) -> list[Entry]:
    """Return the files of the archive at *path* below *dest*, where they land on *tree*.

    A path that the archive has twice is the later one's.
    """
    at = tree.resolve(dest.strip("/"))
    found = Archives(Rules(), spool).entries(TarFile(path, at))
    last = {entry.path: number for number, entry in enumerate(found)}
    once = [entry for number, entry in enumerate(found) if last[entry.path] == number]
    entries = placed([manner.of(entry) for entry in once], tree, mtime=manner.mtime)
    folders = {entry.path: entry for entry in _folders(at, tree, manner)}
    return [*folders.values(), *(entry for entry in entries if entry.path not in folders)]


def fetched(path: str, dest: str, mtime: int) -> Entry:
    """Return the file at *path*, which was fetched, as the entry *dest*."""
    size = os.stat(path).st_size
    return Entry(dest, FILE, _MODE, 0, 0, size, mtime, "", Span(path, 0))


def merged(groups: Sequence[Sequence[Entry]]) -> list[Entry]:
    """Return the entries of *groups* in their order; of a path that is there twice, the later."""
    places: dict[str, Entry] = {}
    for group in groups:
        for entry in group:
            before = places.get(entry.path)
            if before is not None and before.kind != entry.kind:
                del places[entry.path]
            places[entry.path] = entry
    return list(places.values())


def _folders(at: str, tree: Tree, manner: Manner) -> Iterator[Entry]:
    parts = at.split("/") if at else []
    for count in range(len(parts)):
        path = "/".join(parts[: count + 1])
        yield folder(path, tree, manner.owner or (0, 0), manner.mtime)


def _chunks(where: Span, size: int) -> Iterator[bytes]:
    with open(where.path, "rb") as file:
        file.seek(where.offset)
        while size and (chunk := file.read(min(size, _CHUNK))):
            size -= len(chunk)
            yield chunk
