"""What GnuPG makes, its keys of every kind and both forms of signatures, is verified in Python."""

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artificer.sources.debian.archives.openpgp import (
    NotOpenPgp,
    armoured,
    certificates,
    cleartext,
    dearmoured,
    packets,
    signatures,
)
from artificer.sources.debian.archives.signature import (
    Keyring,
    NotVerified,
    Signed,
    Verifier,
    verify,
)
from tests.parts.commands import SEARCH, found
from tests.parts.openpgp import Key

TEXT = b"Origin: Test\n- dash\n\ttab \t\nlast"


class Gnupg:
    """GnuPG with a home of its own."""

    def __init__(self, home: str) -> None:
        self.environ = {"GNUPGHOME": home, "PATH": SEARCH, "LC_ALL": "C"}

    def run(self, *words: str, data: bytes = b"") -> bytes:
        options = ("--batch", "--quiet", "--passphrase", "", "--pinentry-mode", "loopback")
        done = subprocess.run(
            [found("gpg"), *options, *words],
            input=data,
            capture_output=True,
            check=True,
            env=self.environ,
        )
        return done.stdout


@pytest.fixture(scope="module")
def gnupg() -> Iterator[Gnupg]:
    # The agent's socket needs a short path.
    with TemporaryDirectory(prefix="gpg-") as home:
        gnupg = Gnupg(home)
        yield gnupg
        subprocess.run(["gpgconf", "--kill", "all"], check=True, env=gnupg.environ)


@pytest.mark.parametrize(
    "algorithm",
    ["rsa2048", "ed25519", "nistp256", "nistp384", "nistp521", "brainpoolP256r1"],
)
def test_keys_of_gnupg_verify(algorithm: str, gnupg: Gnupg) -> None:
    name = f"{algorithm}@example.org"
    gnupg.run("--quick-gen-key", name, algorithm, "sign", "1y")
    ring = Keyring(gnupg.run("--export", name), "ring")
    (key,) = certificates(ring.data, "ring")
    inline = cleartext(gnupg.run("-u", name, "--clearsign", data=TEXT), "InRelease")
    detached = gnupg.run("-u", name, "--detach-sign", data=TEXT)
    both: tuple[Verifier, ...] = ("gpgv", "python")
    for by in both:
        for signed in (
            Signed(inline.text, inline.signature, "InRelease"),
            Signed(TEXT, detached, "Release"),
        ):
            assert verify(signed, ring, time.time(), [by]) == key.key.fingerprint
            with pytest.raises(NotVerified, match="is wrong"):
                verify(signed._replace(text=signed.text + b"x"), ring, time.time(), [by])
    with pytest.raises(NotVerified, match="has expired"):
        verify(Signed(TEXT, detached, "Release"), ring, time.time() + 400 * 86400, ["python"])


def test_a_key_that_gnupg_revoked_is_refused(gnupg: Gnupg) -> None:
    gnupg.run("--quick-gen-key", "gone@example.org", "ed25519", "sign", "never")
    signature = gnupg.run("-u", "gone@example.org", "--detach-sign", data=TEXT)
    before = gnupg.run("--export", "gone@example.org")
    (key,) = certificates(before, "ring")
    home = Path(gnupg.environ["GNUPGHOME"])
    revocation = (home / f"openpgp-revocs.d/{key.key.fingerprint}.rev").read_text()
    gnupg.run("--import", data=revocation.replace("\n:-----", "\n-----").encode())
    after = gnupg.run("--export", "gone@example.org")
    signed = Signed(TEXT, signature, "Release")
    both: tuple[Verifier, ...] = ("gpgv", "python")

    for by in both:
        assert verify(signed, Keyring(before, "ring"), time.time(), [by])
        with pytest.raises(NotVerified, match="is revoked"):
            verify(signed, Keyring(after, "ring"), time.time(), [by])


@given(st.binary(max_size=300))
def test_no_bytes_are_another_kind_of_error(data: bytes) -> None:
    for read in (cleartext, certificates, signatures, dearmoured):
        try:
            read(data, "data")
        except NotOpenPgp:
            continue


WHOLE = Key.make("ecdsa").public(subkeys=[Key.make("rsa")])


@given(st.integers(0, len(WHOLE) - 1), st.integers(1, 255))
def test_a_changed_keyring_is_no_other_kind_of_error(at: int, bits: int) -> None:
    changed = bytearray(WHOLE)
    changed[at] ^= bits
    signer = Key.make()
    signed = Signed(b"x", signer.detached(b"x"), "Release")
    try:
        verify(signed, Keyring(bytes(changed), "ring"), time.time(), ["python"])
    except (NotVerified, NotOpenPgp):
        return
    raise AssertionError


@given(st.lists(st.tuples(st.integers(1, 60), st.binary(max_size=300))))
def test_armour_keeps_packets(made: list[tuple[int, bytes]]) -> None:
    data = b"".join(bytes([0xC0 | tag, 0xFF]) + len(body).to_bytes(4) + body for tag, body in made)

    assert list(packets(dearmoured(armoured(data).encode(), "x"), "x")) == made
