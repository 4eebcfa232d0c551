"""By which names OpenSSL looks up certificates: hashes of their subjects. Pure."""

import base64
import binascii
import hashlib
from collections.abc import Iterator
from typing import NamedTuple

_BEGIN, _END = b"-----BEGIN CERTIFICATE-----", b"-----END CERTIFICATE-----"
_MOST_BYTES = 1 << 20
_MOST_NAMES = 256

_SEQUENCE, _SET, _VERSION, _UTF8 = 0x30, 0x31, 0xA0, 0x0C
_TEXTS = {
    # By their tags: UTF8, printable, T61, IA5, visible, universal and BMP strings.
    0x0C: "utf-8",
    0x13: "latin-1",
    0x14: "latin-1",
    0x16: "latin-1",
    0x1A: "latin-1",
    0x1C: "utf-32-be",
    0x1E: "utf-16-be",
}
_BLANKS = b" \t\n\v\f\r"


class NotACertificate(ValueError):
    """Bytes that are no X.509 certificate in DER."""


class _Part(NamedTuple):
    """A value of DER: its tag, its bytes, and the whole of it."""

    tag: int
    held: bytes
    whole: bytes


def certificates_of(data: bytes) -> Iterator[bytes]:
    """Yield each certificate of a PEM file as DER."""
    if len(data) > _MOST_BYTES:
        return
    for part in data.split(_BEGIN)[1:]:
        body, end, _ = part.partition(_END)
        try:
            if end:
                yield base64.b64decode(b"".join(body.split()), validate=True)
        except binascii.Error:
            continue


def subject_hash(certificate: bytes) -> str:
    """What X509_NAME_hash(3) makes of the subject of *certificate*, in hexadecimal."""
    outer = _only(certificate, _SEQUENCE)
    signed = _parts(_parts(outer.held)[0].held)
    if signed and signed[0].tag == _VERSION:
        signed = signed[1:]
    # Before the subject are: a number, an algorithm, the issuer, and when it is valid.
    if len(signed) < 5 or signed[4].tag != _SEQUENCE:
        raise NotACertificate
    names = b"".join(_canonical(name) for name in _parts(signed[4].held))
    digest = hashlib.sha1(names, usedforsecurity=False).digest()
    return digest[3::-1].hex()


def _canonical(name: _Part) -> bytes:
    """One part of a name as it is compared: texts in UTF-8, small, with single blanks."""
    if name.tag != _SET:
        raise NotACertificate
    values = []
    for one in _parts(name.held):
        pair = _parts(one.held)
        if one.tag != _SEQUENCE or len(pair) != 2:
            raise NotACertificate
        values.append(_packed(_SEQUENCE, pair[0].whole + _text(pair[1])))
    return _packed(_SET, b"".join(sorted(values)))


def _text(value: _Part) -> bytes:
    coding = _TEXTS.get(value.tag)
    if coding is None:
        return value.whole
    try:
        held = value.held.decode(coding).encode()
    except UnicodeError as error:
        raise NotACertificate from error
    # Only what is ASCII has small letters here, as in OpenSSL.
    words = held.translate(bytes.maketrans(_BLANKS, b" " * len(_BLANKS))).split(b" ")
    return _packed(_UTF8, b" ".join(word for word in words if word).lower())


def _packed(tag: int, held: bytes) -> bytes:
    size = len(held)
    if size < 0x80:
        return bytes((tag, size)) + held
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + held


def _only(data: bytes, tag: int) -> _Part:
    found = _parts(data)
    if len(found) != 1 or found[0].tag != tag:
        raise NotACertificate
    return found[0]


def _parts(data: bytes) -> list[_Part]:
    """The values that follow one another in *data*."""
    found: list[_Part] = []
    at = 0
    while at < len(data):
        if len(data) - at < 2 or data[at] & 0x1F == 0x1F or len(found) == _MOST_NAMES:
            raise NotACertificate
        start, size = at + 2, data[at + 1]
        if size & 0x80:
            count = size & 0x7F
            size = int.from_bytes(data[start : start + count], "big")
            start += count
            if not 1 <= count <= 4 or size < 0x80 or start > len(data):
                raise NotACertificate
        stop = start + size
        if stop > len(data):
            raise NotACertificate
        found.append(_Part(data[at], data[start:stop], data[at:stop]))
        at = stop
    if not found:
        raise NotACertificate
    return found
