"""Shared libraries as ldconfig(8) looks at them: what one calls itself, and whom it is for."""

import struct
from collections.abc import Callable
from typing import NamedTuple

_MOST_SEGMENTS = 256
_MOST_DYNAMIC = 1 << 20
_MOST_NAME = 4096
_LOAD, _DYNAMIC = 1, 2
_NEEDED, _STRINGS, _SONAME = 1, 5, 14
_SHARED = 3  # the type of a shared object

_LIBC6 = 3
_PLAIN = 1
_FLAGS = {
    # By machine and word size: as ldconfig of that architecture marks libraries.
    (62, 64): 0x0303,  # x86-64
    (62, 32): 0x0803,  # x32
    (3, 32): _PLAIN,  # i386
    (183, 64): 0x0A03,  # AArch64
    (21, 64): 0x0503,  # POWER
    (22, 64): 0x0403,  # S/390
}
_ARM, _RISCV = 40, 243
_HARD_FLOAT, _SOFT_FLOAT = 0x400, 0x200
_LIBC6_NAMES = (b"libc.so.6", b"libm.so.6")

Bytes = Callable[[int, int], bytes]
"""Some bytes of a file: where they begin, and how many at most."""


class Library(NamedTuple):
    """A shared library: what it calls itself (None: nothing), and how ldconfig marks it."""

    soname: str | None
    flags: int


class _Layout(NamedTuple):
    """How a file's numbers are packed."""

    end: str
    bits: int

    def words(self, fields: str, data: bytes) -> tuple[int, ...]:
        """Unpack *data*; ``P`` stands for an address."""
        code = self.end + fields.replace("P", "Q" if self.bits == 64 else "I")
        return struct.unpack_from(code, data)

    def size(self, fields: str) -> int:
        """How many bytes *fields* take."""
        return struct.calcsize(self.end + fields.replace("P", "Q" if self.bits == 64 else "I"))


class _Segment(NamedTuple):
    kind: int
    offset: int
    address: int
    size: int


def library(read: Bytes) -> Library | None:
    """The library that *read* gives the bytes of; None if it is none, or one that lies."""
    try:
        return _library(read)
    except (struct.error, ValueError):
        return None


def _library(read: Bytes) -> Library | None:
    ident = read(0, 16)
    if len(ident) < 16 or ident[:4] != b"\x7fELF" or ident[4] not in {1, 2}:
        return None
    layout = _Layout(">" if ident[5] == 2 else "<", 32 * ident[4])
    head = layout.words("HHIPPPIHHHHHH", read(16, layout.size("HHIPPPIHHHHHH")))
    kind, machine, table, flags, count = head[0], head[1], head[4], head[6], head[9]
    if kind != _SHARED or not 0 < count <= _MOST_SEGMENTS:
        return None
    mark = _mark(machine, layout.bits, flags)
    segments = _segments(layout, read, table, count)
    found = [one for one in segments if one.kind == _DYNAMIC and one.size]
    if mark is None or not found:
        return None
    names = _names(layout, read, found[-1], segments)
    if names is None:
        return None
    soname, needed = names
    if mark == _PLAIN and any(name in _LIBC6_NAMES for name in needed):
        mark = _LIBC6
    return Library(soname.decode("utf-8") if soname is not None else None, mark)


def _mark(machine: int, bits: int, flags: int) -> int | None:
    if machine == _ARM:
        return {_HARD_FLOAT: 0x0903, _SOFT_FLOAT: 0x0B03}.get(flags & 0x600, _LIBC6)
    if machine == _RISCV and bits == 64:
        return {4: 0x1003, 0: 0x0F03}.get(flags & 6)
    return _FLAGS.get((machine, bits))


def _segments(layout: _Layout, read: Bytes, table: int, count: int) -> list[_Segment]:
    fields = "IIPPPPPP" if layout.bits == 64 else "IPPPPPII"
    size = layout.size(fields)
    data = read(table, size * count)
    found = []
    for at in range(0, size * count, size):
        words = layout.words(fields, data[at : at + size])
        if layout.bits == 64:
            found.append(_Segment(words[0], words[2], words[3], words[5]))
        else:
            found.append(_Segment(words[0], words[1], words[2], words[4]))
    return found


def _names(
    layout: _Layout, read: Bytes, dynamic: _Segment, segments: list[_Segment]
) -> tuple[bytes | None, list[bytes]] | None:
    """What it calls itself, and what it needs; None where the names are nowhere."""
    size = layout.size("PP")
    data = read(dynamic.offset, min(dynamic.size, _MOST_DYNAMIC))
    if len(data) < dynamic.size:
        return None
    rows = []
    for at in range(0, len(data) - size + 1, size):
        tag, value = layout.words("PP", data[at : at + size])
        if not tag:
            break
        rows.append((tag, value))
    strings = next((value for tag, value in rows if tag == _STRINGS), None)
    if strings is None:
        return None
    load = next(
        (
            one.address - one.offset
            for one in segments
            if one.kind == _LOAD and one.address <= strings < one.address + one.size
        ),
        0,
    )
    start = strings - load
    own = [value for tag, value in rows if tag == _SONAME]
    needed = [_name(read, start + value) for tag, value in rows[:_MOST_SEGMENTS] if tag == _NEEDED]
    soname = _name(read, start + own[-1]) if own else None
    if soname in {b"", b".", b".."}:
        raise ValueError
    return soname, needed


def _name(read: Bytes, at: int) -> bytes:
    name, end, _ = read(at, _MOST_NAME).partition(b"\0")
    if not end or b"/" in name:
        raise ValueError
    return name
