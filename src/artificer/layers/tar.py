"""Tar headers: one entry, the same bytes on every machine (docs/concepts/layer-format.md)."""

from functools import lru_cache
from typing import NamedTuple

from artificer.layers.entry import BLOCK, CHAR, DIRECTORY, FILE, Entry

BLOCK_SIZE = 512
END = bytes(2 * BLOCK_SIZE)

_NAME, _PREFIX, _LINK = 100, 155, 100
_MOST_ID = 0o7777777
_MOST = 0o77777777777  # of size and mtime
_ZEROS = tuple(bytes(count) for count in range(168))
_PADDING = tuple(bytes(-size % BLOCK_SIZE) for size in range(BLOCK_SIZE))
_SPACES = 8 * ord(" ")  # the field of the checksum counts as spaces


class _Fixed(NamedTuple):
    """What many headers have in common, and what it adds to their checksums."""

    owner: bytes  # mode, uid, gid
    time: bytes
    kind: bytes
    tail: bytes  # magic, version, uname, gname, device numbers
    total: int


def header(entry: Entry) -> bytes:
    """Return the header blocks of *entry*: one of ustar, with pax in front if it does not fit."""
    path, kind, mode, uid, gid, size, mtime, link, _, xattrs, device, _ = entry
    name = path.encode("utf-8", "surrogateescape")
    if kind == DIRECTORY:
        name = name + b"/" if name else b"./"
    target = link.encode("utf-8", "surrogateescape") if link else b""
    if len(name) > _NAME or len(target) > _LINK or xattrs or not _fits(uid, gid, mtime, size):
        return _extended(entry, name, target)
    fixed = _fixed(kind, mode, uid, gid, mtime, device)
    return _block(fixed, b"", name, target, size if kind == FILE else 0)


def padding(size: int) -> bytes:
    """Return the zeros that follow *size* bytes of an entry."""
    return _PADDING[size % BLOCK_SIZE]


def _fits(uid: int, gid: int, mtime: int, size: int) -> bool:
    return uid <= _MOST_ID and gid <= _MOST_ID and 0 <= mtime <= _MOST and size <= _MOST


@lru_cache(maxsize=1024)
def _fixed(
    kind: str, mode: int, uid: int, gid: int, mtime: int, device: tuple[int, int]
) -> _Fixed:
    owner = b"%07o\0%07o\0%07o\0" % (mode, uid, gid)
    time = b"%011o\0" % mtime
    numbers = device if kind in {CHAR, BLOCK} else (0, 0)
    tail = b"ustar\x0000" + bytes(64) + b"%07o\0%07o\0" % numbers
    letter = kind.encode()
    return _Fixed(owner, time, letter, tail, _SPACES + sum(owner + time + letter + tail))


def _block(fixed: _Fixed, prefix: bytes, name: bytes, link: bytes, size: int) -> bytes:
    owner, time, kind, tail, total = fixed
    digits = b"%011o\0" % size
    total += sum(name) + sum(digits)
    if link or prefix:
        total += sum(link) + sum(prefix)
    return b"%b%b%b%b%b%06o\0 %b%b%b%b%b%b" % (
        name,
        _ZEROS[_NAME - len(name)],
        owner,
        digits,
        time,
        total,
        kind,
        link,
        _ZEROS[_LINK - len(link)],
        tail,
        prefix,
        _ZEROS[167 - len(prefix)],
    )


def _extended(entry: Entry, name: bytes, link: bytes) -> bytes:
    """Return the header of an entry that has something longer or larger than usual."""
    prefix, short = _split(name)
    size = entry.size if entry.kind == FILE else 0
    records = _records(entry, b"" if short else name, link if len(link) > _LINK else b"", size)
    fixed = _fixed(
        entry.kind,
        entry.mode,
        entry.uid if entry.uid <= _MOST_ID else 0,
        entry.gid if entry.gid <= _MOST_ID else 0,
        entry.mtime if 0 <= entry.mtime <= _MOST else 0,
        entry.device,
    )
    size = size if size <= _MOST else 0
    own = _block(fixed, prefix, short or name[:_NAME], link[:_LINK], size)
    return _pax(name, b"".join(records)) + own if records else own


def _split(name: bytes) -> tuple[bytes, bytes]:
    """Cut *name* into prefix and name, both empty when no cut fits both fields."""
    if len(name) <= _NAME:
        return b"", name
    cut = name.find(b"/", len(name) - _NAME - 1)
    if cut < 0 or cut > _PREFIX or cut == len(name) - 1:
        return b"", b""
    return name[:cut], name[cut + 1 :]


def _records(entry: Entry, path: bytes, link: bytes, size: int) -> list[bytes]:
    records: list[bytes] = []
    if path or link:
        try:
            (path + b"/" + link).decode()
        except UnicodeDecodeError:
            # bsdtar takes records for UTF-8 unless it is told; all others read raw bytes anyway.
            records.append(_record(b"hdrcharset", b"BINARY"))
    if path:
        records.append(_record(b"path", path))
    if link:
        records.append(_record(b"linkpath", link))
    records += [
        _record(word, b"%d" % number)
        for word, number, least, most in (
            (b"size", size, 0, _MOST),
            (b"uid", entry.uid, 0, _MOST_ID),
            (b"gid", entry.gid, 0, _MOST_ID),
            (b"mtime", entry.mtime, 0, _MOST),
        )
        if not least <= number <= most
    ]
    for word, value in sorted(entry.xattrs):
        records.append(_record(b"SCHILY.xattr." + word.encode("utf-8", "surrogateescape"), value))
    return records


def _record(word: bytes, value: bytes) -> bytes:
    """Return one record of a pax header; its length counts its own digits."""
    length = len(word) + len(value) + 3
    digits = len(str(length + len(str(length))))
    return b"%d %b=%b\n" % (length + digits, word, value)


def _pax(name: bytes, records: bytes) -> bytes:
    last = name.rstrip(b"/").rpartition(b"/")[2]
    fixed = _fixed("x", 0o644, 0, 0, 0, (0, 0))
    block = _block(fixed, b"", b"PaxHeaders.0/" + last[:80], b"", len(records))
    return block + records + padding(len(records))
