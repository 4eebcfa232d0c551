"""The file index of one layer: what is in it, without the bytes, as packed columns."""

import hashlib
import sys
from array import array
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from artificer.errors import ArtificerError
from artificer.layers.entry import BLOCK, CHAR, FILE, HARDLINK, SYMLINK, Entry
from artificer.layers.tar import header, padding

if TYPE_CHECKING:
    # Whoever only looks into an index has no use for the decompressors that reading loads.
    from artificer.layers.read import Member

FORMAT = b"artificer-index-1\n"
"""How a packed index begins; whatever changes below it gets another number."""

_CODES = "HIIQqQ"
"""Of the columns: mode, uid, gid, size, mtime, offset."""

_DIGEST = 32
_NO_DIGEST = bytes(_DIGEST)


class InvalidIndex(ArtificerError):
    """A packed index that is broken, or of another version. It can be made again."""


class File(NamedTuple):
    """One file of an image.

    A hard link has the size, bytes and attributes of the entry that it names. *content* is the
    sha256 of a regular file's bytes, else empty; *offset* is where they lie in the plain tar.
    """

    path: str
    kind: str
    mode: int
    uid: int
    gid: int
    size: int
    mtime: int
    offset: int
    link: str = ""
    content: bytes = b""
    xattrs: tuple[tuple[str, bytes], ...] = ()
    device: tuple[int, int] = (0, 0)


class Index:
    """The files of one layer in the order of its archive, whiteouts among them."""

    __slots__ = ("_columns", "_contents", "_extras", "_links", "kinds", "paths")

    def __init__(self, files: Iterable[File]) -> None:
        self.paths: list[str] = []
        self._links: dict[int, str] = {}
        self._extras: dict[int, tuple[tuple[tuple[str, bytes], ...], tuple[int, int]]] = {}
        self._columns = tuple(array(code) for code in _CODES)
        kinds, contents = bytearray(), bytearray()
        for row, file in enumerate(files):
            self.paths.append(file.path)
            kinds += file.kind.encode()
            contents += file.content or _NO_DIGEST
            for column, value in zip(self._columns, file[2:8], strict=True):
                column.append(value)
            if file.link:
                self._links[row] = file.link
            if file.xattrs or file.device != (0, 0):
                self._extras[row] = file.xattrs, file.device
        self.kinds = bytes(kinds)
        self._contents = bytes(contents)

    def __len__(self) -> int:
        """How many entries there are."""
        return len(self.paths)

    def __iter__(self) -> Iterator[File]:
        """Every file, in the order of the archive."""
        return map(self.file, range(len(self.paths)))

    def file(self, row: int) -> File:
        """Return the file of *row*."""
        content = self._contents[row * _DIGEST : (row + 1) * _DIGEST]
        xattrs, device = self._extras.get(row, ((), (0, 0)))
        mode, uid, gid, size, mtime, offset = (column[row] for column in self._columns)
        return File(
            self.paths[row],
            chr(self.kinds[row]),
            mode,
            uid,
            gid,
            size,
            mtime,
            offset,
            self._links.get(row, ""),
            b"" if content == _NO_DIGEST else content,
            xattrs,
            device,
        )

    def link(self, row: int) -> str:
        """Return the target of the link in *row*, or nothing."""
        return self._links.get(row, "")

    def pack(self) -> bytes:
        """Return the index as bytes that `unpack` reads, the same on every machine.

        A line that names the format; the number of rows; then, each with its length in front:
        paths and links (NUL-separated), kinds, the columns, digests, extended attributes.
        """
        links = [self._links.get(row, "") for row in range(len(self))]
        fields = [
            "\0".join(self.paths).encode("utf-8", "surrogateescape"),
            "\0".join(links).encode("utf-8", "surrogateescape"),
            self.kinds,
            *(_little(column) for column in self._columns),
            self._contents,
            _packed_extras(self._extras),
        ]
        body = b"".join(len(field).to_bytes(8, "little") + field for field in fields)
        check = hashlib.sha256(body).digest()
        return FORMAT + check + len(self).to_bytes(8, "little") + body


def unpack(data: bytes) -> Index:
    """Return the index that *data* holds."""
    start = len(FORMAT) + _DIGEST
    body = data[start + 8 :]
    if not data.startswith(FORMAT) or hashlib.sha256(body).digest() != data[len(FORMAT) : start]:
        raise InvalidIndex("a file index that is broken, or of another version")
    rows = int.from_bytes(data[start : start + 8], "little")
    fields = list(_fields(body))
    index = Index(())
    index.paths = _texts(fields[0]) if rows else []
    links = _texts(fields[1]) if rows else []
    index._links = {row: link for row, link in enumerate(links) if link}
    index.kinds = fields[2]
    for column, field in zip(index._columns, fields[3:9], strict=True):
        column.frombytes(field)
        if sys.byteorder == "big":
            column.byteswap()
    index._contents = fields[9]
    index._extras = dict(_unpacked_extras(fields[10]))
    return index


class Small:
    """Files that are taken out while an index is made: those of which *wants* likes the path.

    They are in *found*, by their sha256, as long as all of them are within *room* bytes.
    """

    __slots__ = ("_room", "found", "wants")

    def __init__(self, wants: Callable[[str], bool], room: int) -> None:
        self.wants = wants
        self.found: dict[bytes, bytes] = {}
        self._room = room

    def fits(self, entry: Entry) -> bool:
        """Whether the bytes of *entry* are taken; room is made for them."""
        if entry.size > self._room or not self.wants(entry.path):
            return False
        self._room -= entry.size
        return True


def index_of(members: Iterable["Member"], small: Small | None = None) -> Index:
    """Return the index of a layer, reading it once: the bytes of every file are hashed."""
    return Index(_files(members, small))


def _files(members: Iterable["Member"], small: Small | None) -> Iterator[File]:
    regular: dict[str, File] = {}
    for member in members:
        entry = member.entry
        file = _file(member, entry, small)
        if entry.kind == FILE:
            regular[entry.path] = file
        elif entry.kind == HARDLINK and entry.link in regular:
            file = regular[entry.link]._replace(path=entry.path, kind=HARDLINK, link=entry.link)
            regular[entry.path] = file
        yield file


def _file(member: "Member", entry: Entry, small: Small | None) -> File:
    offset = member.offset
    content = b""
    if entry.kind == FILE and small is not None and small.fits(entry):
        data = b"".join(member.chunks())
        content = hashlib.sha256(data).digest()
        small.found[content] = data
    elif entry.kind == FILE:
        digest = hashlib.sha256()
        for chunk in member.chunks():
            digest.update(chunk)
        content = digest.digest()
    return File(
        entry.path,
        entry.kind,
        entry.mode,
        entry.uid,
        entry.gid,
        entry.size,
        entry.mtime,
        offset,
        entry.link,
        content,
        entry.xattrs,
        entry.device,
    )


def index_of_entries(entries: Iterable[Entry], content: Callable[[Entry], bytes]) -> Index:
    """The index that `index_of` reads out of the tar of *entries*, without that tar.

    *content* gives the sha256 of a regular file's bytes.
    """
    return Index(_written(entries, content))


def _written(entries: Iterable[Entry], content: Callable[[Entry], bytes]) -> Iterator[File]:
    regular: dict[str, File] = {}
    offset = 0
    for entry in entries:
        offset += len(header(entry))
        path, kind, mode, uid, gid, size, mtime, link, _, xattrs, device, _ = entry
        found = content(entry) if kind == FILE else b""
        size = size if kind == FILE else 0
        file = File(
            *(path, kind, mode, uid, gid, size, mtime, offset),
            link if kind in {HARDLINK, SYMLINK} else "",
            found,
            tuple(sorted(xattrs)),
            device if kind in {CHAR, BLOCK} else (0, 0),
        )
        if kind == FILE:
            regular[path] = file
        elif kind == HARDLINK and link in regular:
            file = regular[link]._replace(path=path, kind=HARDLINK, link=link)
            regular[path] = file
        offset += size + len(padding(size))
        yield file


def _little(column: "array[int]") -> bytes:
    if sys.byteorder == "big":
        column = column[:]
        column.byteswap()
    return column.tobytes()


def _texts(field: bytes) -> list[str]:
    return field.decode("utf-8", "surrogateescape").split("\0")


def _fields(body: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(body):
        size = int.from_bytes(body[at : at + 8], "little")
        yield body[at + 8 : at + 8 + size]
        at += 8 + size


def _packed_extras(
    extras: dict[int, tuple[tuple[tuple[str, bytes], ...], tuple[int, int]]],
) -> bytes:
    parts: list[bytes] = []
    for row, (xattrs, device) in sorted(extras.items()):
        numbers = (row, *device, len(xattrs))
        parts += [number.to_bytes(8, "little") for number in numbers]
        for name, value in xattrs:
            for data in (name.encode("utf-8", "surrogateescape"), value):
                parts += [len(data).to_bytes(8, "little"), data]
    return b"".join(parts)


def _unpacked_extras(
    data: bytes,
) -> Iterator[tuple[int, tuple[tuple[tuple[str, bytes], ...], tuple[int, int]]]]:
    at = 0

    def number() -> int:
        nonlocal at
        at += 8
        return int.from_bytes(data[at - 8 : at], "little")

    def field() -> bytes:
        nonlocal at
        size = number()
        at += size
        return data[at - size : at]

    while at < len(data):
        row, major, minor, count = number(), number(), number(), number()
        xattrs = tuple((field().decode("utf-8", "surrogateescape"), field()) for _ in range(count))
        yield row, (xattrs, (major, minor))
