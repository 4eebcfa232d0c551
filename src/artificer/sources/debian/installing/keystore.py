"""Java's store of certificates without the times at which they were put into it."""

import hashlib
import struct

_MAGIC = 0xFEEDFEED
_CERTIFICATE = 2
_PASSWORD = "changeit"  # noqa: S105 - everybody's, as the file is no secret
_WHITENER = b"Mighty Aphrodite"
_DIGEST = 20


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
