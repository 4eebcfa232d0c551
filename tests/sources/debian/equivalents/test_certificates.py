"""Certificates that an image trusts, found by the names that OpenSSL gives them."""

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artificer.layers.entry import FILE, Entry
from artificer.sources.debian.equivalents.certificates import BUNDLE, ca_certificates
from artificer.sources.debian.equivalents.subjects import (
    NotACertificate,
    certificates_of,
    subject_hash,
)
from tests.parts.commands import found
from tests.sources.debian.workbench import files_of

PLACE = "usr/share/ca-certificates/mozilla"
LINKS = "etc/ssl/certs"


def certificate(folder: Path, subject: str, number: int = 1, mask: str = "default") -> bytes:
    """A certificate of *subject*, whose texts are encoded as *mask* has it, as PEM."""
    (folder / "config").write_text(
        f"[req]\nstring_mask={mask}\nutf8=yes\ndistinguished_name=dn\n[dn]\n"
    )
    words = ["req", "-x509", "-newkey", "ed25519", "-nodes", "-config", "config", "-utf8"]
    more = ["-keyout", "key", "-out", "cert", "-subj", subject, "-set_serial", str(number)]
    more += ["-multivalue-rdn"] if "+" in subject else []
    subprocess.run([found("openssl"), *words, *more], cwd=folder, check=True, capture_output=True)
    return (folder / "cert").read_bytes()


def file(name: str, data: bytes) -> Entry:
    return Entry(name, FILE, 0o644, 0, 0, len(data), 0, "", data)


@pytest.mark.parametrize(
    ("subject", "mask"),
    [
        ("/C=DE/O=Some  Words /CN= Root CA", "default"),
        ("/O=NetLock Kft./CN=NetLock Arany (Class Gold) Főtanúsítvány", "utf8only"),
        ("/O=Größe/CN=Ä b", "pkix"),
        ("/O=Ελλάδα/CN=Z", "MASK:0x0802"),
        ("/CN=a+OU=b", "default"),
    ],
)
def test_subjects_have_the_hashes_that_openssl_gives(
    tmp_path: Path, subject: str, mask: str
) -> None:
    data = certificate(tmp_path, subject, mask=mask)
    words = [found("openssl"), "x509", "-noout", "-subject_hash"]
    told = subprocess.run(words, input=data, check=True, capture_output=True).stdout

    assert [subject_hash(one) for one in certificates_of(data)] == [told.decode().strip()]


@given(st.binary(max_size=40))
def test_what_is_no_certificate_is_refused(data: bytes) -> None:
    for one in (data, b"\x30\x80" + data, b"\x30\x04\x30\x02" + data):
        with pytest.raises(NotACertificate):
            subject_hash(one)


def test_all_that_is_shipped_is_trusted_linked_and_bundled(tmp_path: Path) -> None:
    one, other = (certificate(tmp_path, "/CN=Same", number) for number in (1, 2))
    shipped = {"B.crt": one, "A (x), y.crt": other, "C.crt": one, "no.crt": b"nothing\n"}
    files = files_of(
        *(file(f"{PLACE}/{name}", data) for name, data in shipped.items()),
        file("usr/local/share/ca-certificates/own.crt", other.rstrip()),
        file("usr/bin/openssl", b""),
    )

    ca_certificates(files)

    hashed = subject_hash(next(certificates_of(one)))
    assert {
        name: (files.itself(f"{LINKS}/{name}") or file("", b"")).link
        for name in files.listdir(LINKS)
    } == {
        "A_=x=__y.pem": f"/{PLACE}/A (x), y.crt",
        "B.pem": f"/{PLACE}/B.crt",
        "C.pem": f"/{PLACE}/C.crt",
        "no.pem": f"/{PLACE}/no.crt",
        "own.pem": "/usr/local/share/ca-certificates/own.crt",
        f"{hashed}.0": "A_=x=__y.pem",
        f"{hashed}.1": "B.pem",
        "ca-certificates.crt": "",
    }
    assert files.read(BUNDLE) == other + one + one + b"nothing\n" + other
    named = [f"mozilla/{name}" for name in ("A (x), y.crt", "B.crt", "C.crt", "no.crt")]
    text = files.text("etc/ca-certificates.conf") or ""
    assert [line for line in text.split("\n") if line and line[0] != "#"] == named


def test_what_somebody_deselected_is_not_trusted(tmp_path: Path) -> None:
    data = certificate(tmp_path, "/CN=A")
    settings = b"!mozilla/A.crt\nmozilla/gone.crt\n"
    files = files_of(
        *(file(f"{PLACE}/{name}.crt", data) for name in "AB"),
        base={"etc/ca-certificates.conf": settings},
    )

    ca_certificates(files)

    assert files.text("etc/ca-certificates.conf") == (
        "!mozilla/A.crt\n!mozilla/gone.crt\nmozilla/B.crt\n"
    )
    assert files.listdir(LINKS) == ["B.pem", "ca-certificates.crt"]
    assert files.read(BUNDLE) == data
