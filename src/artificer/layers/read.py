"""The members of a layer or a tar, read once, in order, within limits."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from artificer import limits
from artificer.layers import header
from artificer.layers.entry import (
    BLOCK,
    CHAR,
    DIRECTORY,
    FIFO,
    FILE,
    HARDLINK,
    SYMLINK,
    Entry,
)
from artificer.layers.header import BadArchive, Raw
from artificer.layers.inflate import Bomb, plain
from artificer.layers.tape import StreamTape, Tape

_KINDS = {
    "0": FILE,
    "\0": FILE,
    "7": FILE,
    "1": HARDLINK,
    "2": SYMLINK,
    "3": CHAR,
    "4": BLOCK,
    "5": DIRECTORY,
    "6": FIFO,
}
_PAX, _PAX_GLOBAL, _LONG_NAME, _LONG_LINK = "x", "g", "L", "K"
_EXTENSIONS = {_PAX, _PAX_GLOBAL, _LONG_NAME, _LONG_LINK}
_XATTR = "SCHILY.xattr."
_REFUSED = {
    "S": "a sparse file (GNU)",
    "M": "a part of a file of a multi-volume archive",
    "D": "a directory of an incremental archive",
    "N": "a long name of an ancient GNU tar",
    "V": "a volume label",
}
_MOST_SIZE = 1 << 62
_MOST_ID = 0xFFFF_FFFF


class Limits(NamedTuple):
    """How much one archive may hold."""

    entries: int = limits.ENTRIES
    pax_bytes: int = limits.PAX_BYTES


LIMITS = Limits()


class Member:
    """One file of an archive: what its headers say, and its bytes, until the next is asked for.

    *offset* is where its bytes begin in the plain tar. *absolute* says that the target of a hard
    link began with "/", which `entry.link` no longer does. An entry of no path is the root.
    """

    __slots__ = ("_left", "_tape", "absolute", "entry", "offset")

    def __init__(self, entry: Entry, tape: Tape, *, absolute: bool) -> None:
        self.entry = entry
        self.offset = tape.offset
        self.absolute = absolute
        self._tape = tape
        self._left = entry.size

    def chunks(self) -> Iterator[bytes]:
        """Yield the bytes, once. Afterwards, or when the next member was read, there are none."""
        for piece in self._tape.pieces(self._left):
            self._left -= len(piece)
            yield piece
        if self._left:
            raise BadArchive(f"an archive that ends in the middle of {self.entry.path}")

    def finish(self) -> None:
        """Pass over the bytes that nobody took, and the padding."""
        rest = self._left + -self.entry.size % header.BLOCK
        self._left = 0
        if self._tape.skip(rest) != rest:
            raise BadArchive(f"an archive that ends in the middle of {self.entry.path}")


def layer_members(chunks: Iterable[bytes], limit: Limits = LIMITS) -> Iterator[Member]:
    """Yield the members of a layer, compressed or not. All of *chunks* is read, also behind it."""
    return members(StreamTape(plain(chunks)), limit)


def members(tape: Tape, limit: Limits = LIMITS) -> Iterator[Member]:
    """Yield the members of the tar on *tape*.

    Names cannot leave the directory they are unpacked in, but links may lead anywhere: whoever
    writes files must not follow them. After the end, the rest of the tape is passed over, so
    whoever verifies its bytes sees them all.
    """
    defaults: dict[str, bytes] = {}
    extended: dict[str, bytes] = {}
    count = spent = 0
    while (block := tape.read(header.BLOCK)).strip(b"\0"):
        count += 1
        if count > limit.entries:
            raise Bomb(f"an archive of more than {limit.entries} entries")
        raw = header.parse_block(block)
        if raw.kind in _EXTENSIONS:
            spent += raw.size
            if spent > limit.pax_bytes or raw.size < 0:
                raise Bomb(f"extended headers of more than {limit.pax_bytes} bytes")
            _extend(raw, _body(tape, raw.size), extended, defaults)
            continue
        member = _member(raw, {**defaults, **extended} if defaults else extended, tape)
        yield member
        member.finish()
        extended = {}
        spent = sum(map(len, defaults.values()))
    if extended:
        raise BadArchive("an archive that ends behind an extended header")
    while tape.skip(1 << 20):
        pass


def _body(tape: Tape, size: int) -> bytes:
    data = tape.read(size + -size % header.BLOCK)
    if len(data) < size:
        raise BadArchive("an archive that ends in the middle of an extended header")
    return data[:size]


def _extend(raw: Raw, data: bytes, extended: dict[str, bytes], defaults: dict[str, bytes]) -> None:
    if raw.kind == _LONG_NAME:
        extended["path"] = data.partition(b"\0")[0]
    elif raw.kind == _LONG_LINK:
        extended["linkpath"] = data.partition(b"\0")[0]
    elif raw.kind == _PAX:
        extended.update(header.pax_records(data))
    else:
        defaults.update(_defaults(header.pax_records(data)))


def _defaults(records: dict[str, bytes]) -> dict[str, bytes]:
    """Return what a global header says of all members that follow; comments are dropped.

    No more than a few keys: they are looked at for each of a million members.
    """
    for key in records:
        if key in {"path", "linkpath", "size"} or key.startswith(("GNU.sparse.", _XATTR)):
            raise BadArchive(f"a global header in the archive that says {key} of all members")
    return {key: value for key, value in records.items() if key in {"mtime", "uid", "gid"}}


def _member(raw: Raw, records: dict[str, bytes], tape: Tape) -> Member:
    if not records:
        entry = _entry(raw, raw.name, raw.link)
        return Member(entry, tape, absolute=raw.link.startswith(b"/"))
    sparse = sorted(key for key in records if key.startswith("GNU.sparse."))
    name = records.get("path") or raw.name
    if sparse:
        version = f"{records.get(sparse[0], b'').decode('ascii', 'replace')}"
        raise _refused(f"a sparse file (pax, {sparse[0]}={version[:20]})", name)
    link = records.get("linkpath") or raw.link
    raw = raw._replace(
        size=header.pax_number(records, "size", raw.size),
        uid=header.pax_number(records, "uid", raw.uid),
        gid=header.pax_number(records, "gid", raw.gid),
        mtime=header.pax_number(records, "mtime", raw.mtime),
    )
    entry = _entry(raw, name, link)
    xattrs = tuple(
        (key.removeprefix(_XATTR), value)
        for key, value in sorted(records.items())
        if key.startswith(_XATTR)
    )
    return Member(entry._replace(xattrs=xattrs), tape, absolute=link.startswith(b"/"))


def _entry(raw: Raw, name: bytes, target: bytes) -> Entry:
    kind = _KINDS.get(raw.kind)
    if kind is None:
        raise _refused(_REFUSED.get(raw.kind, f"a member of unknown type {raw.kind!r}"), name)
    if raw.kind == "\0" and name.endswith(b"/"):
        kind = DIRECTORY  # so before POSIX
    path = header.member_path(name)
    if not path and kind != DIRECTORY:
        raise BadArchive(f"a member without a name in the archive: {name[:80]!r}")
    size = raw.size if kind == FILE else 0
    _check_numbers(raw, size, path)
    return Entry(
        path,
        kind,
        raw.mode,
        raw.uid,
        raw.gid,
        size,
        raw.mtime,
        _link(kind, target, path),
        None,
        device=raw.device,
    )


def _check_numbers(raw: Raw, size: int, path: str) -> None:
    if not (0 <= size <= _MOST_SIZE and abs(raw.mtime) <= _MOST_SIZE):
        raise BadArchive(f"a size or a time that cannot be, in the archive: {path}")
    if not all(0 <= value <= _MOST_ID for value in (raw.uid, raw.gid, *raw.device)):
        raise BadArchive(f"an owner or a device that cannot be, in the archive: {path}")


def _link(kind: str, target: bytes, path: str) -> str:
    if kind == SYMLINK:
        return header.link_target(target, path)
    if kind != HARDLINK:
        return ""
    link = header.member_path(target)
    if not link:
        raise BadArchive(f"a link without a target in the archive: {path}")
    return link


def _refused(what: str, name: bytes) -> BadArchive:
    hint = "make the archive again, with `tar --format=posix` and without `--sparse`"
    return BadArchive(f"{what} in the archive: {header.text_of(name[:200])}", hint=hint)
