"""The file /etc/ld.so.cache, byte for byte as ldconfig(8) writes it since glibc 2.32. Pure."""

import re
import struct
from collections.abc import Iterable, Sequence
from functools import cmp_to_key
from typing import NamedTuple

from artificer.limits import MIB

_MAGIC = b"glibc-ld.so.cache1.1"
_HEAD = "20sIIB3xI12x"
_ROW = "iIIIQ"
_EXTENSION = 0xEAA42174
_GENERATOR, _HWCAPS = 0, 1
_IS_HWCAP = 1 << 62
_LITTLE, _BIG = 2, 3
_MOST_BYTES = 16 * MIB
_MOST_ROWS = 1 << 16
_MOST_TEXT = 1024
_PARTS = re.compile("[0-9]+|[^0-9]")


class Cached(NamedTuple):
    """A library of the cache: the name that programs know, where it is, how it is marked.

    *hwcaps* is the directory below ``glibc-hwcaps`` that it is in, if it is.
    """

    soname: str
    path: str
    flags: int
    hwcaps: str = ""


def ld_cache(found: Iterable[Cached], generator: str, *, big: bool = False) -> bytes:
    """The cache of the libraries *found*, which are in the order that they are searched in."""
    rows = sorted(found, key=cmp_to_key(_compared))
    hwcaps = sorted({one.hwcaps for one in rows if one.hwcaps})
    numbers = {name: number for number, name in enumerate(hwcaps)}
    table, places = _strings({text for one in rows for text in one[:2]} | set(hwcaps))
    end = ">" if big else "<"
    start = struct.calcsize(end + _HEAD) + struct.calcsize(end + _ROW) * len(rows)
    extensions = (start + len(table) + 3) & ~3
    head = (_MAGIC, len(rows), len(table), _BIG if big else _LITTLE, extensions)
    out = bytearray(struct.pack(end + _HEAD, *head))
    for one in rows:
        hwcap = _IS_HWCAP | numbers[one.hwcaps] if one.hwcaps else 0
        names = (start + places[one.soname], start + places[one.path])
        out += struct.pack(end + _ROW, one.flags, *names, 0, hwcap)
    out += table
    out += bytes(extensions - len(out))
    return bytes(out) + _extensions(
        end, extensions, [start + places[one] for one in hwcaps], generator
    )


def _extensions(end: str, at: int, hwcaps: Sequence[int], generator: str) -> bytes:
    told = generator.encode()
    count = 2 if hwcaps else 1
    names = at + 8 + 16 * count
    sections = [(_GENERATOR, 0, names + 4 * len(hwcaps), len(told))]
    if hwcaps:
        sections.append((_HWCAPS, 0, names, 4 * len(hwcaps)))
    out = struct.pack(end + "II", _EXTENSION, count)
    out += b"".join(struct.pack(end + "IIII", *one) for one in sections)
    return out + struct.pack(f"{end}{len(hwcaps)}I", *hwcaps) + told


def read_ld_cache(data: bytes) -> list[Cached]:
    """The libraries of a cache of this format; none of anything else."""
    try:
        return _read(data) if len(data) <= _MOST_BYTES else []
    except (struct.error, ValueError, IndexError):
        return []


def _read(data: bytes) -> list[Cached]:
    if not data.startswith(_MAGIC):
        return []
    end = ">" if data[28] == _BIG else "<"
    _, count, _, _, at = struct.unpack_from(end + _HEAD, data)
    if count > _MOST_ROWS:
        return []
    hwcaps = _hwcaps(end, data, at) if at else []
    first, size = struct.calcsize(end + _HEAD), struct.calcsize(end + _ROW)
    rows = struct.iter_unpack(end + _ROW, data[first : first + size * count])
    return [
        Cached(
            _text(data, key),
            _text(data, value),
            flags,
            hwcaps[hwcap & 0xFFFFFFFF] if hwcap & _IS_HWCAP else "",
        )
        for flags, key, value, _, hwcap in rows
    ]


def _hwcaps(end: str, data: bytes, at: int) -> list[str]:
    magic, count = struct.unpack_from(end + "II", data, at)
    if magic != _EXTENSION:
        return []
    for number in range(min(count, 16)):
        tag, _, offset, size = struct.unpack_from(end + "IIII", data, at + 8 + 16 * number)
        if tag == _HWCAPS:
            places = struct.unpack_from(f"{end}{min(size, 4096) // 4}I", data, offset)
            return [_text(data, place) for place in places]
    return []


def _text(data: bytes, at: int) -> str:
    stop = data.index(b"\0", at, at + _MOST_TEXT)
    return data[at:stop].decode("utf-8", "surrogateescape")


def newer(one: str, other: str) -> int:
    """Compare names of libraries as the loader does: numbers in them by their value."""
    mine, others = _PARTS.findall(one), _PARTS.findall(other)
    for left, right in zip(mine, others, strict=False):
        if left == right:
            continue
        digits = left[0].isdigit(), right[0].isdigit()
        if all(digits):
            if int(left) != int(right):
                return 1 if int(left) > int(right) else -1
        elif any(digits):
            return 1 if digits[0] else -1
        else:
            return 1 if left > right else -1
    return len(mine) - len(others)


def _compared(one: Cached, other: Cached) -> int:
    """The newest name first; of one name, more special ones first."""
    found = newer(other.soname, one.soname)
    if found:
        return found
    if one.flags != other.flags:
        return 1 if one.flags < other.flags else -1
    if bool(one.hwcaps) != bool(other.hwcaps):
        return -1 if one.hwcaps else 1
    return (one.hwcaps > other.hwcaps) - (one.hwcaps < other.hwcaps)


def _strings(texts: Iterable[str]) -> tuple[bytes, dict[str, int]]:
    """A table of *texts*, where one that another ends with is part of that; and where each is."""
    held = {text: text.encode("utf-8", "surrogateescape") for text in texts}
    ordered = sorted(held, key=lambda text: held[text][::-1], reverse=True)
    places: dict[str, int] = {}
    table = bytearray()
    last = b""
    for text in ordered:
        data = held[text]
        if not last.endswith(data) or not last:
            table += data + b"\0"
            last = data
        places[text] = len(table) - 1 - len(data)
    return bytes(table), places
