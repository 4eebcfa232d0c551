"""By which names OpenSSL looks up certificates: hashes of their subjects. Pure."""

import base64
import binascii
import hashlib
from collections.abc import Iterator

from artificer.sources.der import SEQUENCE, SET, UTF8, NotDer, Part, only, parts

_BEGIN, _END = b"-----BEGIN CERTIFICATE-----", b"-----END CERTIFICATE-----"
_MOST_BYTES = 1 << 20

_VERSION = 0xA0
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


NotACertificate = NotDer
"""Bytes that are no X.509 certificate in DER."""


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
    outer = only(certificate, SEQUENCE)
    signed = parts(parts(outer.held)[0].held)
    if signed and signed[0].tag == _VERSION:
        signed = signed[1:]
    # Before the subject are: a number, an algorithm, the issuer, and when it is valid.
    if len(signed) < 5 or signed[4].tag != SEQUENCE:
        raise NotACertificate
    names = b"".join(_canonical(name) for name in parts(signed[4].held))
    digest = hashlib.sha1(names, usedforsecurity=False).digest()
    return digest[3::-1].hex()


def _canonical(name: Part) -> bytes:
    """One part of a name as it is compared: texts in UTF-8, small, with single blanks."""
    if name.tag != SET:
        raise NotACertificate
    values = []
    for one in parts(name.held):
        pair = parts(one.held)
        if one.tag != SEQUENCE or len(pair) != 2:
            raise NotACertificate
        values.append(_packed(SEQUENCE, pair[0].whole + _text(pair[1])))
    return _packed(SET, b"".join(sorted(values)))


def _text(value: Part) -> bytes:
    coding = _TEXTS.get(value.tag)
    if coding is None:
        return value.whole
    try:
        held = value.held.decode(coding).encode()
    except UnicodeError as error:
        raise NotACertificate from error
    # Only what is ASCII has small letters here, as in OpenSSL.
    words = held.translate(bytes.maketrans(_BLANKS, b" " * len(_BLANKS))).split(b" ")
    return _packed(UTF8, b" ".join(word for word in words if word).lower())


def _packed(tag: int, held: bytes) -> bytes:
    size = len(held)
    if size < 0x80:
        return bytes((tag, size)) + held
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + held
