"""Archives that the user names, as entries: plain ones in place, others through a spool."""

import bz2
import lzma
import os
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import BinaryIO, NamedTuple

from artificer.layers.entry import DIRECTORY, FILE, HARDLINK, SYMLINK, Entry, Span
from artificer.layers.header import BadArchive
from artificer.layers.inflate import LAYER_FORMATS, Bomb, Corrupt, Decoder, Format, plain
from artificer.layers.merge import check_path
from artificer.layers.read import Member, members
from artificer.layers.rules import Rules
from artificer.layers.select import TarFile
from artificer.layers.tape import FileTape
from artificer.layers.whiteout import PREFIX, is_whiteout

_CHUNK = 1 << 18
_HEAD = 6
_XZ_MEMORY = 128 << 20  # `xz -9` asks for 65 MiB


def _xz() -> Decoder:
    return lzma.LZMADecompressor(format=lzma.FORMAT_XZ, memlimit=_XZ_MEMORY)


XZ = Format("xz", lambda head: head.startswith(b"\xfd7zXZ\0"), _xz, (lzma.LZMAError, EOFError))
BZIP2 = Format(
    "bzip2", lambda head: head.startswith(b"BZh"), bz2.BZ2Decompressor, (OSError, EOFError)
)
TAR_FORMATS = (*LAYER_FORMATS, XZ, BZIP2)
"""What an archive may be compressed with."""


class Archives(NamedTuple):
    """Reads archives: its `entries` is a `select.Archive`.

    *spool* opens a new file for what is decompressed or comes through a pipe; it belongs to the
    caller, who keeps it open until the layer is written. *stdin* is what `-` names.
    """

    rules: Rules
    spool: Callable[[], BinaryIO]
    stdin: BinaryIO | None = None

    def entries(self, tar: TarFile) -> list[Entry]:
        """Return the entries of *tar* in its order.

        Owner, mode and time are the archive's own unless a rule names them. The archive's own
        root directory is left out: it would change the mode of the image's.
        """
        try:
            return self._stdin(tar) if tar.path == "-" else self._file(tar)
        except (BadArchive, Bomb, Corrupt) as error:
            name = "standard input" if tar.path == "-" else tar.path
            raise type(error)(f"{name}: {error.message}", hint=error.hint) from error

    def _stdin(self, tar: TarFile) -> list[Entry]:
        if self.stdin is None:
            raise BadArchive("an archive is to be read from it, but it is not open")
        return self._entries(tar, self._spooled(_read(self.stdin)))

    def _file(self, tar: TarFile) -> list[Entry]:
        with open(tar.path, "rb") as file:
            head = file.read(_HEAD)
            if not file.seekable() or any(form.begins(head) for form in TAR_FORMATS if head):
                return self._entries(tar, self._spooled(chain((head,), _read(file))))
            return self._entries(tar, file)

    def _spooled(self, chunks: Iterable[bytes]) -> BinaryIO:
        spool = self.spool()
        for chunk in plain(chunks, TAR_FORMATS):
            spool.write(chunk)
        spool.flush()
        return spool

    def _entries(self, tar: TarFile, file: BinaryIO) -> list[Entry]:
        if not os.fstat(file.fileno()).st_size:
            raise BadArchive("there is nothing in it", hint="did whatever writes it fail?")
        path = tar.path if file.name == tar.path else path_of(file)
        prefix = f"{tar.dest}/" if tar.dest else ""
        earlier: set[str] = set()
        entries: list[Entry] = []
        for member in members(FileTape(file)):
            if member.entry.path:
                entry = self._entry(member, prefix, path)
                _check_link(entry, member, earlier)
                entries.append(entry)
        return entries

    def _entry(self, member: Member, prefix: str, path: str) -> Entry:
        entry, rules = member.entry, self.rules
        if is_whiteout(entry.path):
            raise BadArchive(
                f"a name that begins with {PREFIX} in the archive: {entry.path}",
                hint="a file of the base is hidden with `--delete /PATH`",
            )
        own = entry.uid, entry.gid
        place = prefix + entry.path
        if prefix:
            check_path(place)
        uid, gid = rules.owner(place, own, own)
        return entry._replace(
            path=place,
            mode=entry.mode
            if entry.kind == SYMLINK
            else rules.mode(place, entry.mode, entry.mode),
            uid=uid,
            gid=gid,
            mtime=entry.mtime if rules.archive_mtime is None else rules.archive_mtime,
            link=prefix + entry.link if entry.kind == HARDLINK else entry.link,
            source=Span(path, member.offset) if entry.kind == FILE else None,
        )


def _check_link(entry: Entry, member: Member, earlier: set[str]) -> None:
    if entry.kind == HARDLINK:
        if member.absolute:
            raise BadArchive(f"a hard link to an absolute path in the archive: {entry.path}")
        if entry.link not in earlier:
            raise BadArchive(
                f"a hard link to what is not before it in the archive: {entry.path}",
                hint="put what it names into the same archive",
            )
    if entry.kind != DIRECTORY:
        earlier.add(entry.path)


def path_of(file: BinaryIO) -> str:
    """Return a path that opens *file*, for as long as it is open, also if it has no name."""
    # An unlinked file has a descriptor. It is read by offset, so sharing is fine.
    name = getattr(file, "name", None)
    return name if isinstance(name, str) and os.path.exists(name) else f"/dev/fd/{file.fileno()}"


def _read(file: BinaryIO) -> Iterator[bytes]:
    while chunk := file.read(_CHUNK):
        yield chunk
