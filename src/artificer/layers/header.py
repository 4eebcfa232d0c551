"""One block of a tar, read strictly: numbers, names, and the records of pax."""

import re
from functools import lru_cache
from typing import NamedTuple

from artificer import limits
from artificer.errors import ArtificerError

BLOCK = 512
_SPACES = 8 * ord(" ")  # the field of the checksum counts as spaces
_OCTAL = re.compile(rb"[0-7]*")
_RECORD = re.compile(rb"([1-9][0-9]{0,7}) ")


class BadArchive(ArtificerError):
    """An archive that is broken, or holds what it must not."""


class Raw(NamedTuple):
    """What a block says, before extended headers change it."""

    name: bytes
    mode: int
    uid: int
    gid: int
    size: int
    mtime: int
    kind: str
    link: bytes
    device: tuple[int, int]


def parse_block(block: bytes) -> Raw:
    """Read a header block: POSIX ustar, GNU, or from before both. Its checksum must be right."""
    if len(block) < BLOCK:
        raise BadArchive("an archive that ends in the middle of a header")
    _check_sum(block)
    name = _text(block[:100])
    magic = block[257:263]
    if magic == b"ustar\0":
        prefix = _text(block[345:500])
        name = prefix + b"/" + name if prefix else name
    device = (0, 0)
    if magic.startswith(b"ustar") and block[156:157] in b"34":
        device = number(block[329:337]), number(block[337:345])
    return Raw(
        name,
        number(block[100:108]) & 0o7777,
        number(block[108:116]),
        number(block[116:124]),
        number(block[124:136]),
        number(block[136:148]),
        chr(block[156]),
        _text(block[157:257]),
        device,
    )


@lru_cache(maxsize=4096)
def number(field: bytes) -> int:
    """Read a numeric field: octal digits, or GNU's base 256 for what does not fit them."""
    if field[0] & 0x80:
        # Two's complement over the whole field, of which the first bit is the mark.
        value = int.from_bytes(field, "big") & ((1 << (len(field) * 8 - 1)) - 1)
        sign = 1 << (len(field) * 8 - 2)
        return value - 2 * sign if value & sign else value
    digits = field.strip(b" \0").partition(b"\0")[0].rstrip(b" ")
    if not _OCTAL.fullmatch(digits):
        raise BadArchive(f"not a number in a header: {field!r}")
    return int(digits or b"0", 8)


def pax_records(data: bytes) -> dict[str, bytes]:
    """Read the records of an extended header: `LENGTH KEY=VALUE` and a line feed, each."""
    records: dict[str, bytes] = {}
    at = 0
    while at < len(data):
        if not data[at] and not data[at:].strip(b"\0"):
            break
        match = _RECORD.match(data, at)
        end = at + int(match[1]) if match is not None else 0
        if match is None or end > len(data) or end <= match.end() or data[end - 1 : end] != b"\n":
            raise BadArchive("an extended header that cannot be read")
        key, equals, value = data[match.end() : end - 1].partition(b"=")
        if not equals or not key:
            raise BadArchive("an extended header without a key")
        records[key.decode("utf-8", "surrogateescape")] = value
        at = end
    return records


def pax_number(records: dict[str, bytes], key: str, otherwise: int) -> int:
    """Return the whole number that *records* have for *key*; fractions are cut off downwards."""
    text = records.get(key)
    if not text:
        return otherwise
    match = re.fullmatch(rb"(-?)([0-9]{1,20})(\.[0-9]*)?", text)
    if match is None:
        raise BadArchive(f"not a number in an extended header: {key}={text[:40]!r}")
    whole = int(match[2])
    if not match[1]:
        return whole
    return -whole - 1 if (match[3] or b"").strip(b".0") else -whole


def member_path(raw: bytes) -> str:
    """Return a member's name as an entry has it; a leading "/" is dropped, `..` is refused."""
    if len(raw) > limits.NAME_BYTES:
        raise BadArchive(f"a name of more than {limits.NAME_BYTES} bytes in the archive")
    if b"\0" in raw:
        raise BadArchive(f"a name with a NUL in the archive: {raw[:80]!r}")
    parts = [part for part in raw.split(b"/") if part not in {b"", b"."}]
    if b".." in parts:
        raise BadArchive(f"a name that goes upwards in the archive: {_shown(raw)}")
    if len(parts) > limits.DEPTH:
        raise BadArchive(f"a name nested deeper than {limits.DEPTH} in the archive")
    return text_of(b"/".join(parts))


def link_target(raw: bytes, name: str) -> str:
    """Return the target of a symbolic link, as it is."""
    if not raw or b"\0" in raw:
        raise BadArchive(f"a link without a target in the archive: {name}")
    if len(raw) > limits.NAME_BYTES:
        raise BadArchive(f"a link's target of more than {limits.NAME_BYTES} bytes: {name}")
    return text_of(raw)


def text_of(data: bytes) -> str:
    """Return a name's bytes as text, reversibly."""
    return data.decode("utf-8", "surrogateescape")


def _check_sum(block: bytes) -> None:
    field = block[148:156]
    try:
        said = number(field)
    except BadArchive:
        said = -1
    if sum(block) - sum(field) + _SPACES == said:
        return
    # Some old tars added up signed bytes.
    signed = sum(byte - 256 if byte > 127 else byte for byte in block[:148] + block[156:])
    if signed + _SPACES != said:
        raise BadArchive("not a tar, or a broken one: the checksum of a header is wrong")


def _text(field: bytes) -> bytes:
    return field.partition(b"\0")[0]


def _shown(raw: bytes) -> str:
    return repr(text_of(raw[:200]))
