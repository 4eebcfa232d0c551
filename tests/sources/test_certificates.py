"""Certificates, and the stores that Java has of them."""

import datetime
import hashlib
import io
import struct
from typing import NamedTuple

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.name import _ASN1Type
from cryptography.x509.oid import NameOID

from artificer.sources.certificates import BadCertificate, certificates_in
from artificer.sources.debian.equivalents.keystore import key_store, without_times

KEY = ec.generate_private_key(ec.SECP256R1())
BEGINS = datetime.datetime(2015, 5, 26, tzinfo=datetime.UTC)
MILLISECONDS = 1_432_598_400_000


Attribute = x509.NameAttribute[str]


def certificate(
    *names: Attribute | tuple[Attribute, ...], begins: datetime.datetime = BEGINS
) -> x509.Certificate:
    """A certificate whose subject has *names*; several at once are of one part."""
    parts = [
        x509.RelativeDistinguishedName(list(one) if isinstance(one, tuple) else [one])
        for one in names
    ]
    name = x509.Name(parts)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(KEY.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(datetime.datetime(2060, 1, 1, tzinfo=datetime.UTC))
        .sign(KEY, hashes.SHA256())
    )


def called(name: str) -> Attribute:
    return x509.NameAttribute(NameOID.COMMON_NAME, name)


def pem(one: x509.Certificate) -> bytes:
    return one.public_bytes(serialization.Encoding.PEM)


def der(one: x509.Certificate) -> bytes:
    return one.public_bytes(serialization.Encoding.DER)


class Kept(NamedTuple):
    """An entry of a store, as this reader finds it."""

    alias: str
    when: int
    der: bytes


def entries_of(store: bytes) -> list[Kept]:
    """What *store* has, read as its format says and by nothing of ours."""
    body, digest = store[:-20], store[-20:]
    salted = "changeit".encode("utf-16-be") + b"Mighty Aphrodite" + body
    assert hashlib.sha1(salted, usedforsecurity=False).digest() == digest
    file = io.BytesIO(body)

    def number(form: str) -> int:
        return int(struct.unpack(f">{form}", file.read(struct.calcsize(form)))[0])

    def text() -> str:
        return file.read(number("H")).decode()

    found = []
    assert (number("I"), number("I")) == (0xFEEDFEED, 2)
    for _ in range(number("I")):
        assert number("I") == 2
        alias, when = text(), number("q")
        assert text() == "X.509"
        found.append(Kept(alias, when, file.read(number("I"))))
    assert not file.read()
    return found


def test_a_bundle_has_certificates_with_text_between_them() -> None:
    one, two = certificate(called("one")), certificate(called("two"))

    found = certificates_in(b"# One\n" + pem(one) + b"and\n" + pem(two), "bundle.crt")

    assert [each.der for each in found] == [der(one), der(two)]
    assert certificates_in(der(one) + der(two), "x.der") == found


def test_a_subject_is_told_as_java_tells_it() -> None:
    subject = (
        x509.NameAttribute(NameOID.COUNTRY_NAME, "US"),
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, " Amazon,  Inc. "),
        (x509.NameAttribute(NameOID.STATE_OR_PROVINCE_NAME, "W;\\A"), called("#1 Ä")),
        x509.NameAttribute(NameOID.EMAIL_ADDRESS, "a@b", _ASN1Type.IA5String),
    )

    (found,) = certificates_in(pem(certificate(*subject)), "x")

    assert found.subject == (
        "1.2.840.113549.1.9.1=#1603614062,cn=\\#1 a\u0308+st=w\\;\\\\a,o=amazon\\, inc.,c=us"
    )
    assert found.begins == MILLISECONDS


@pytest.mark.parametrize(("year", "begins"), [(1999, 915_148_800_000), (2052, 2_587_680_000_000)])
def test_times_of_both_forms_are_read(year: int, begins: int) -> None:
    when = datetime.datetime(year, 1, 1, tzinfo=datetime.UTC)

    assert certificates_in(pem(certificate(called("x"), begins=when)), "x")[0].begins == begins


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"text",
        b"-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n",
        b"-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n",
        b"-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n",
        b"\x30\x84\xff\xff\xff\xff",
        b"\x1f\x01\x00",
    ],
)
def test_what_is_no_certificate_is_refused_by_its_name(data: bytes) -> None:
    with pytest.raises(BadCertificate, match=r"^mine.crt"):
        certificates_in(data, "mine.crt")


def test_a_subject_that_no_store_has_room_for_is_refused() -> None:
    oid = x509.ObjectIdentifier("2.5.4.99")
    long = certificate(x509.NameAttribute(oid, "x" * 8200))

    with pytest.raises(BadCertificate):
        certificates_in(pem(long), "x")


def test_no_damaged_certificate_is_more_than_an_error() -> None:
    whole = bytearray(der(certificate(called("x"))))
    for at in range(200):
        damaged = bytes(whole[:at]) + bytes([whole[at] ^ 0xFF]) + bytes(whole[at + 1 :])
        try:
            certificates_in(damaged, "x")
        except BadCertificate:
            continue


def test_a_store_has_each_certificate_by_its_subject_since_its_first_day() -> None:
    one, two = certificate(called("Zwei")), certificate(called("eins Ñ"))
    bundle = pem(one) + pem(two) + pem(one)

    store = key_store(certificates_in(bundle, "x"))

    assert entries_of(store) == [
        Kept("cn=eins n\u0303", MILLISECONDS, der(two)),
        Kept("cn=zwei", MILLISECONDS, der(one)),
    ]
    assert without_times(store, 0) == without_times(without_times(store, 5), 0)


def test_certificates_of_one_subject_are_all_kept() -> None:
    old, new = certificate(called("x")), certificate(called("X"))

    found = entries_of(key_store(certificates_in(pem(old) + pem(new), "x")))

    assert [one.alias for one in found] == ["cn=x", "cn=x (2)"]
    assert [one.der for one in found] == [der(old), der(new)]


def test_a_name_is_written_as_java_writes_text() -> None:
    store = key_store(certificates_in(pem(certificate(called("😀\0"))), "x"))

    assert b"cn=\xed\xa0\xbd\xed\xb8\x80\xc0\x80" in store
