"""DER (X.690) as far as certificates need it: values, one after the other, each whole. Pure."""

from typing import NamedTuple

SEQUENCE, SET, OID = 0x30, 0x31, 0x06
UTF8, PRINTABLE = 0x0C, 0x13
UTC_TIME, TIME = 0x17, 0x18
_MOST = 256


class NotDer(ValueError):
    """Bytes that are no DER, or another value than is looked for."""


class Part(NamedTuple):
    """A value of DER: its tag, its bytes, and the whole of it."""

    tag: int
    held: bytes
    whole: bytes


def only(data: bytes, tag: int) -> Part:
    """The one value that *data* is, which has *tag*."""
    found = parts(data)
    if len(found) != 1 or found[0].tag != tag:
        raise NotDer
    return found[0]


def parts(data: bytes, most: int = _MOST) -> list[Part]:
    """The values that follow one another in *data*: at least one, and not more than *most*."""
    found: list[Part] = []
    at = 0
    while at < len(data):
        if len(data) - at < 2 or data[at] & 0x1F == 0x1F or len(found) == most:
            raise NotDer
        start, size = at + 2, data[at + 1]
        if size & 0x80:
            count = size & 0x7F
            size = int.from_bytes(data[start : start + count], "big")
            start += count
            if not 1 <= count <= 4 or size < 0x80 or start > len(data):
                raise NotDer
        stop = start + size
        if stop > len(data):
            raise NotDer
        found.append(Part(data[at], data[start:stop], data[at:stop]))
        at = stop
    if not found:
        raise NotDer
    return found
