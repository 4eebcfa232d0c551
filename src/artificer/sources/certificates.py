"""X.509 certificates as far as stores of them need it: whose they are, and since when."""

import base64
import binascii
import re
import unicodedata
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import NamedTuple

from artificer import limits
from artificer.errors import ArtificerError

_PEM = re.compile(
    rb"-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----(.*?)"
    rb"-----END (?:X509 |TRUSTED )?CERTIFICATE-----",
    re.DOTALL,
)
_SEQUENCE, _SET, _OID = 0x30, 0x31, 0x06
_UTC_TIME, _TIME = 0x17, 0x18
_VERSION = 0xA0
_TEXTS = (0x0C, 0x13)  # UTF8String, PrintableString
_KEYWORDS = {
    "2.5.4.3": "cn",
    "2.5.4.6": "c",
    "2.5.4.7": "l",
    "2.5.4.8": "st",
    "2.5.4.9": "street",
    "2.5.4.10": "o",
    "2.5.4.11": "ou",
    "0.9.2342.19200300.100.1.25": "dc",
    "0.9.2342.19200300.100.1.1": "uid",
}
_ESCAPED = re.compile(r'[,+<>;"\\]')
_TIMES = {
    _UTC_TIME: re.compile(rb"(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z"),
    _TIME: re.compile(rb"(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z"),
}


class BadCertificate(ArtificerError):
    """A file that is to have certificates has something else."""


class Certificate(NamedTuple):
    """A certificate: its bytes, its subject as Java tells one from another, when it begins.

    *subject* is RFC 2253's text in lower case, with single blanks; *begins* is in milliseconds.
    """

    der: bytes
    subject: str
    begins: int


class _Element(NamedTuple):
    tag: int
    value: bytes
    whole: bytes


def certificates_in(data: bytes, place: str) -> tuple[Certificate, ...]:
    """The certificates of a file: PEM, with any text around, or DER, one after the other."""
    if len(data) > limits.KEYRING_BYTES:
        raise BadCertificate(f"{place} is larger than any bundle of certificates")
    blocks = [_decoded(one[1], place) for one in _PEM.finditer(data)]
    if not blocks:
        try:
            blocks = [one.whole for one in _elements(data)]
        except ValueError:
            blocks = []
    if not blocks:
        raise BadCertificate(
            f"{place} has no certificate",
            hint="it is to be PEM (`-----BEGIN CERTIFICATE-----`) or DER",
        )
    return tuple(_certificate(one, place) for one in blocks)


def _decoded(text: bytes, place: str) -> bytes:
    try:
        data = base64.b64decode(b"".join(text.split()), validate=True)
        # A TRUSTED CERTIFICATE has behind it what OpenSSL trusts it for.
        return next(_elements(data)).whole
    except (binascii.Error, ValueError, StopIteration) as error:
        raise BadCertificate(f"{place}: a certificate that is not base64 of DER") from error


def _certificate(der: bytes, place: str) -> Certificate:
    try:
        parts = _elements(_only(der, _SEQUENCE))
        fields = list(_elements(_only(next(parts).whole, _SEQUENCE)))
        at = 1 if fields[0].tag == _VERSION else 0
        # serialNumber, signature, issuer, validity, subject (RFC 5280, 4.1)
        validity, subject = fields[at + 3], fields[at + 4]
        begins = next(_elements(_only(validity.whole, _SEQUENCE)))
        return Certificate(der, _name(_only(subject.whole, _SEQUENCE)), _milliseconds(begins))
    except (ValueError, IndexError, StopIteration) as error:
        raise BadCertificate(f"{place}: not an X.509 certificate") from error


def _elements(data: bytes) -> Iterator[_Element]:
    """The elements of DER that *data* is made of, one after the other."""
    at = 0
    while at < len(data):
        start, tag = at, data[at]
        if tag & 0x1F == 0x1F or at + 1 >= len(data):
            raise ValueError("no DER")
        size = data[at + 1]
        at += 2
        if size & 0x80:
            count = size & 0x7F
            if not 0 < count <= 4 or at + count > len(data):
                raise ValueError("no DER")
            size = int.from_bytes(data[at : at + count], "big")
            at += count
        if at + size > len(data):
            raise ValueError("cut short")
        yield _Element(tag, data[at : at + size], data[start : at + size])
        at += size


def _only(data: bytes, tag: int) -> bytes:
    """The value of the one element that *data* is."""
    first, *more = _elements(data)
    if more or first.tag != tag:
        raise ValueError("something else")
    return first.value


def _name(value: bytes) -> str:
    """A Name as X500Principal's canonical form has it, the last part first."""
    parts = [_part(one) for one in _elements(value)]
    return ",".join(reversed(parts))


def _part(one: _Element) -> str:
    if one.tag != _SET:
        raise ValueError("something else")
    found = [_attribute(each.value) for each in _elements(one.value)]
    # What has a keyword comes first.
    return "+".join(sorted(found, key=lambda text: (text[:1].isdigit(), text)))


def _attribute(value: bytes) -> str:
    kind, text = _elements(value)
    oid = _oid(kind)
    keyword = _KEYWORDS.get(oid)
    if keyword is None or text.tag not in _TEXTS:
        return f"{keyword or oid}=#{text.whole.hex()}"
    return f"{keyword}={_plain(text.value.decode('utf-8', 'replace'))}"


def _oid(element: _Element) -> str:
    if element.tag != _OID or not element.value:
        raise ValueError("no OID")
    numbers, number = list[int](), 0
    for byte in element.value:
        number = number << 7 | byte & 0x7F
        if not byte & 0x80:
            numbers.append(number)
            number = 0
    first = min(numbers[0] // 40, 2)
    return ".".join(map(str, (first, numbers[0] - 40 * first, *numbers[1:])))


def _plain(text: str) -> str:
    escaped = _ESCAPED.sub(r"\\\g<0>", re.sub(" +", " ", text))
    if escaped.startswith("#"):
        escaped = f"\\{escaped}"
    return unicodedata.normalize("NFKD", escaped.strip().upper().lower())


def _milliseconds(element: _Element) -> int:
    pattern = _TIMES.get(element.tag)
    match = pattern.fullmatch(element.value) if pattern else None
    if match is None:
        raise ValueError("no time")
    year, *rest = map(int, match.groups())
    if element.tag == _UTC_TIME:
        year += 1900 if year >= 50 else 2000
    month, day, hour, minute, second = rest
    when = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    return int(when.timestamp()) * 1000
