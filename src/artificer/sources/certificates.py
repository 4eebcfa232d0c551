"""X.509 certificates as far as stores of them need it: whose they are, and since when."""

import base64
import binascii
import re
import unicodedata
from datetime import UTC, datetime
from typing import NamedTuple

from artificer import limits
from artificer.errors import ArtificerError
from artificer.sources.der import (
    OID,
    PRINTABLE,
    SEQUENCE,
    SET,
    TIME,
    UTC_TIME,
    UTF8,
    NotDer,
    Part,
    only,
    parts,
)

_PEM = re.compile(
    rb"-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----(.*?)"
    rb"-----END (?:X509 |TRUSTED )?CERTIFICATE-----",
    re.DOTALL,
)
_VERSION = 0xA0
_TEXTS = (UTF8, PRINTABLE)
_MOST = 10_000
_LONGEST = 16_384  # a store has two bytes for the length of a name, whose letters take three
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
    UTC_TIME: re.compile(rb"(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z"),
    TIME: re.compile(rb"(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z"),
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


def certificates_in(data: bytes, place: str) -> tuple[Certificate, ...]:
    """The certificates of a file: PEM, with any text around, or DER, one after the other."""
    if len(data) > limits.KEYRING_BYTES:
        raise BadCertificate(f"{place} is larger than any bundle of certificates")
    blocks = [_decoded(one[1], place) for one in _PEM.finditer(data)]
    if not blocks:
        try:
            blocks = [one.whole for one in parts(data, _MOST)]
        except NotDer:
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
        return parts(data)[0].whole
    except (binascii.Error, NotDer) as error:
        raise BadCertificate(f"{place}: a certificate that is not base64 of DER") from error


def _certificate(der: bytes, place: str) -> Certificate:
    try:
        signed = parts(only(der, SEQUENCE).held)[0]
        fields = parts(only(signed.whole, SEQUENCE).held)
        at = 1 if fields[0].tag == _VERSION else 0
        # serialNumber, signature, issuer, validity, subject (RFC 5280, 4.1)
        validity, subject = fields[at + 3], fields[at + 4]
        begins = parts(only(validity.whole, SEQUENCE).held)[0]
        return Certificate(der, _name(only(subject.whole, SEQUENCE).held), _milliseconds(begins))
    except (ValueError, IndexError) as error:
        raise BadCertificate(f"{place}: not an X.509 certificate") from error


def _name(value: bytes) -> str:
    """A Name as X500Principal's canonical form has it, the last part first."""
    found = [_part(one) for one in parts(value)] if value else []
    text = ",".join(reversed(found))
    if len(text) > _LONGEST:
        raise NotDer
    return text


def _part(one: Part) -> str:
    if one.tag != SET:
        raise NotDer
    found = [_attribute(each.held) for each in parts(one.held)]
    # What has a keyword comes first.
    return "+".join(sorted(found, key=lambda text: (text[:1].isdigit(), text)))


def _attribute(value: bytes) -> str:
    kind, text = parts(value)
    oid = _oid(kind)
    keyword = _KEYWORDS.get(oid)
    if keyword is None or text.tag not in _TEXTS:
        return f"{keyword or oid}=#{text.whole.hex()}"
    return f"{keyword}={_plain(text.held.decode('utf-8', 'replace'))}"


def _oid(one: Part) -> str:
    if one.tag != OID:
        raise NotDer
    numbers, number = list[int](), 0
    for byte in one.held:
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


def _milliseconds(one: Part) -> int:
    pattern = _TIMES.get(one.tag)
    match = pattern.fullmatch(one.held) if pattern else None
    if match is None:
        raise NotDer
    year, *rest = map(int, match.groups())
    if one.tag == UTC_TIME:
        year += 1900 if year >= 50 else 2000
    month, day, hour, minute, second = rest
    when = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    return int(when.timestamp()) * 1000
