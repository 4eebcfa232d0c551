"""Java's store of certificates: of some, or of those there without the times of putting."""

import hashlib
import struct
from collections.abc import Iterable

from artificer.sources.certificates import Certificate

_MAGIC = 0xFEEDFEED
_CERTIFICATE = 2
_PASSWORD = "changeit"  # noqa: S105 - everybody's, as the file is no secret
_WHITENER = b"Mighty Aphrodite"
_DIGEST = 20


def key_store(certificates: Iterable[Certificate]) -> bytes:
    """A store (JKS, password ``changeit``) of all *certificates*, the same for the same ones.

    Each is called by its subject, and counts from its own first day. Of others with the same
    subject each has a number: Java would overwrite the first.
    """
    named: dict[str, Certificate] = {}
    for one in dict.fromkeys(certificates):
        alias, number = one.subject, 1
        while alias in named:
            number += 1
            alias = f"{one.subject} ({number})"
        named[alias] = one
    return store_of((alias, one.begins, one.der) for alias, one in sorted(named.items()))


def store_of(entries: Iterable[tuple[str, int, bytes]]) -> bytes:
    """A store of *entries* in their order: what each is called, since when it is there, in DER."""
    body, count = bytearray(), 0
    for alias, milliseconds, der in entries:
        count += 1
        body += struct.pack(">I", _CERTIFICATE) + _text(alias) + struct.pack(">q", milliseconds)
        body += _text("X.509") + struct.pack(">I", len(der)) + der
    whole = struct.pack(">III", _MAGIC, 2, count) + body
    return whole + _digest(whole)


def _text(text: str) -> bytes:
    """*text* as DataOutput writes it: UTF-8 of UTF-16's halves, and no zero byte."""
    halves = text.encode("utf-16-be", "surrogatepass")
    units = struct.unpack(f">{len(halves) // 2}H", halves)
    data = b"".join(
        b"\xc0\x80" if not unit else chr(unit).encode("utf-8", "surrogatepass") for unit in units
    )
    return struct.pack(">H", len(data)) + data


def without_times(data: bytes, milliseconds: int) -> bytes:
    """*data*, a store of nothing but certificates, as if all were put there at one time.

    Anything else, or one with another password, stays as it is.
    """
    body, digest = data[:-_DIGEST], data[-_DIGEST:]
    if len(data) < 12 + _DIGEST or _digest(body) != digest:
        return data
    magic, version, count = struct.unpack_from(">III", body)
    if magic != _MAGIC or version != 2:
        return data
    out = bytearray(body)
    at = 12
    try:
        for _ in range(count):
            if struct.unpack_from(">I", body, at)[0] != _CERTIFICATE:
                return data
            at = _after_text(body, at + 4)
            struct.pack_into(">q", out, at, milliseconds)
            at = _after_text(body, at + 8)
            at += 4 + int(struct.unpack_from(">I", body, at)[0])
    except struct.error:
        return data
    return bytes(out) + _digest(bytes(out)) if at == len(body) else data


def _after_text(body: bytes, at: int) -> int:
    return at + 2 + int(struct.unpack_from(">H", body, at)[0])


def _digest(body: bytes) -> bytes:
    # The format has no other digest; it protects nothing here.
    return hashlib.sha1(
        _PASSWORD.encode("utf-16-be") + _WHITENER + body, usedforsecurity=False
    ).digest()
