"""Signatures of archives: gpgv, sqv and Python find the same of them."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from artificer import limits
from artificer.sources.debian.archives import openpgp
from artificer.sources.debian.archives.openpgp import (
    NotOpenPgp,
    armoured,
    certificates,
    cleartext,
    dearmoured,
)
from artificer.sources.debian.archives.signature import (
    Keyring,
    NotVerified,
    Signed,
    UnknownKey,
    Verifier,
    keyring_of,
    verifiers,
    verify,
)
from tests.parts import openpgp as made
from tests.parts.commands import found
from tests.parts.openpgp import Key, packet

NOW = int(time.time())
TEXT = "Origin: Test\nSuite: stable\n-dash\n  \nlast\n"
Check = Callable[[bytes, Signed], str]


@pytest.fixture(params=["gpgv", "sqv", "python"])
def by(request: pytest.FixtureRequest) -> Verifier:
    tool: Verifier = request.param
    if tool != "python":
        found(tool)
    return tool


@pytest.fixture
def check(by: Verifier) -> Check:
    return lambda ring, signed: verify(signed, Keyring(ring, "keys.gpg"), NOW, [by])


def inline(key: Key, text: str = TEXT, **options: int | str) -> Signed:
    signed = cleartext(key.cleartext(text, **options).encode(), "InRelease")  # type: ignore[arg-type]
    return Signed(signed.text, signed.signature, "InRelease")


def detached(key: Key, data: bytes = b"data\n", **options: int | str) -> Signed:
    signature = key.detached(data, **options)  # type: ignore[arg-type]
    return Signed(data, signature, "Release")


@pytest.mark.parametrize("algorithm", ["rsa", "ecdsa", "ed25519"])
def test_a_key_of_the_keyring_may_sign(algorithm: str, check: Check) -> None:
    key, other = Key.make(algorithm), Key.make(algorithm)
    ring = other.public() + key.public()

    assert check(ring, inline(key)) == key.fingerprint
    assert check(ring, detached(key, algorithm="sha512")) == key.fingerprint


def test_a_subkey_may_sign_for_its_key(check: Check, by: Verifier) -> None:
    key, subkey = Key.make(), Key.make()
    fingerprint = check(key.public(subkeys=[subkey]), inline(subkey))

    assert fingerprint == (key if by == "sqv" else subkey).fingerprint


def test_a_changed_text_is_refused(check: Check) -> None:
    key = Key.make()
    signed = inline(key)

    with pytest.raises(NotVerified) as caught:
        check(key.public(), signed._replace(text=signed.text.replace(b"stable", b"stabl3")))
    assert caught.value.message.startswith("InRelease")


def test_an_unknown_key_is_named_with_how_to_get_it(check: Check, by: Verifier) -> None:
    key = Key.make()

    with pytest.raises(UnknownKey) as caught:
        check(Key.make().public(), inline(key))
    assert caught.value.message == (
        f"InRelease is signed by {key.id}, which is not in keys.gpg (says {by})"
    )
    assert "debian-archive-keyring" in (caught.value.hint or "")


def test_an_unknown_key_beside_a_known_one_does_no_harm(check: Check) -> None:
    key, other = Key.make(), Key.make()
    signed = detached(key)

    both = signed._replace(signature=other.detached(b"data\n") + signed.signature)
    assert check(key.public(), both) == key.fingerprint


DAY = 86400
OTHER = b"other\n"
ONE, TWO, NOBODY = Key.make(), Key.make(), Key.make()
RING = ONE.public() + TWO.public()


@pytest.mark.parametrize("first", [True, False], ids=["before", "behind"])
@pytest.mark.parametrize(
    ("other", "good"),
    [
        (ONE.detached(OTHER), False),
        (TWO.detached(OTHER), False),
        (TWO.detached(b"data\n"), True),
        (TWO.detached(b"data\n", algorithm="sha1"), True),
        (TWO.detached(b"data\n", at=NOW + 10 * DAY), True),
        (NOBODY.detached(OTHER), True),
        (packet(2, b"\3" + b"x" * 30), True),
        (packet(2, b"\6" + b"x" * 60), True),
        (packet(11, b"b\0\0\0\0\0evil"), True),
        (packet(13, b"x"), True),
    ],
    ids=["same", "other", "two", "sha1", "future", "unknown", "old", "new", "literal", "name"],
)
def test_of_two_signatures_a_wrong_one_counts(
    check: Check, other: bytes, *, good: bool, first: bool
) -> None:
    mine = ONE.detached(b"data\n")
    signed = Signed(b"data\n", other + mine if first else mine + other, "Release")

    if good:
        assert check(RING, signed) in {ONE.fingerprint, TWO.fingerprint}
    else:
        with pytest.raises(NotVerified, match="is wrong"):
            check(RING, signed)


@pytest.mark.parametrize(
    "junk",
    [packet(6, b"\3" + b"x" * 40), packet(6, b"\6" + b"x" * 40), packet(5, b"\4" + b"x" * 40)],
    ids=["old", "new", "secret"],
)
def test_keys_that_cannot_be_used_hide_no_others(check: Check, junk: bytes) -> None:
    for ring in (junk + RING, RING + junk):
        assert check(ring, detached(ONE)) == ONE.fingerprint


def test_a_text_has_so_many_signatures(check: Check) -> None:
    signed = detached(ONE)
    many = signed._replace(signature=signed.signature * (limits.SIGNATURES + 1))

    with pytest.raises(NotOpenPgp, match="has 33 signatures; 32 is the limit"):
        check(RING, many)


def test_a_signature_of_a_time_to_come_does_not_count(check: Check) -> None:
    late = ONE.detached(b"data\n", at=NOW + 10 * DAY) + NOBODY.detached(b"data\n")

    with pytest.raises(UnknownKey):
        check(RING, Signed(b"data\n", late, "Release"))


def test_an_expired_key_is_refused(check: Check) -> None:
    key = Key.make(created=NOW - 7 * 86400, seconds=86400)

    with pytest.raises(NotVerified, match="expired"):
        check(key.public(), inline(key))


def test_a_revoked_key_is_refused(check: Check) -> None:
    key = Key.make()

    with pytest.raises(NotVerified, match="revoked"):
        check(key.public(revoked=True), inline(key))


def test_a_revoked_subkey_is_refused(check: Check) -> None:
    key, subkey = Key.make(), Key.make()
    ring = key.public(subkeys=[subkey]) + key.revoke(subkey)

    with pytest.raises(NotVerified, match="revoked"):
        check(ring, inline(subkey))


def test_a_subkey_that_does_not_know_its_key_is_refused(check: Check) -> None:
    key, subkey = Key.make(), Key.make()
    ring = key.public() + packet(14, subkey.body) + key.bind(subkey, back=False)

    with pytest.raises(NotVerified):
        check(ring, inline(subkey))


def test_a_subkey_that_another_key_bound_is_refused(check: Check) -> None:
    key, thief, subkey = Key.make(), Key.make(), Key.make()
    ring = key.public() + packet(14, subkey.body) + thief.bind(subkey)

    with pytest.raises(NotVerified):
        check(ring, inline(subkey))


def test_a_signature_that_has_expired_is_refused(check: Check) -> None:
    key = Key.make()

    with pytest.raises(NotVerified, match=r"(?i)expired"):
        check(key.public(), detached(key, at=NOW - 3600, seconds=60))


def test_a_signature_from_the_future_is_refused(check: Check) -> None:
    key = Key.make()

    with pytest.raises(NotVerified, match="a time that is to come"):
        check(key.public(), detached(key, at=NOW + 30 * 86400))


def test_a_key_that_is_not_for_signing_is_refused() -> None:
    key = Key.make()

    with pytest.raises(NotVerified, match="may not sign"):
        verify(inline(key), Keyring(key.public(signs=False), "keys.gpg"), NOW, ["python"])


def test_a_broken_hash_is_refused(check: Check) -> None:
    key = Key.make("rsa")

    with pytest.raises(NotVerified):
        check(key.public(), inline(key, algorithm="sha1"))


def test_a_keyring_without_keys_says_so(check: Check) -> None:
    with pytest.raises(UnknownKey, match=r"which is not in keys\.gpg"):
        check(b"", inline(Key.make()))


def test_without_anything_that_verifies_the_extra_is_named() -> None:
    key = Key.make()

    with pytest.raises(NotVerified) as caught:
        verify(inline(key), Keyring(key.public(), "keys.gpg"), NOW, [])
    assert "`openpgp`" in (caught.value.hint or "")


def test_gpgv_is_the_first_choice() -> None:
    assert verifiers(str(Path(found("gpgv")).parent))[0] == "gpgv"
    assert verifiers("/nowhere") == ("python",)


def test_keyrings_are_binary_or_text_in_files_or_in_the_list(tmp_path: Path) -> None:
    first, second, third = Key.make(), Key.make(), Key.make()
    (tmp_path / "a.gpg").write_bytes(first.public())
    (tmp_path / "b.asc").write_text(made.armoured(second.public()) + made.armoured(third.public()))
    ring = keyring_of([f"{tmp_path}/a.gpg", f"{tmp_path}/b.asc", armoured(third.public())], [])
    known = [certificate.key.fingerprint for certificate in certificates(ring.data, "ring")]

    assert known == [key.fingerprint for key in (first, second, third, third)]


def test_a_fingerprint_chooses_among_the_usual_keyrings(tmp_path: Path) -> None:
    first, second, subkey = Key.make(), Key.make(), Key.make()
    path = tmp_path / "a.gpg"
    path.write_bytes(first.public() + second.public(subkeys=[subkey]))
    ring = keyring_of([subkey.fingerprint], [str(path)])
    exact = keyring_of([f"{second.fingerprint}!"], [str(path)])

    (known,) = certificates(ring.data, "ring")
    assert known.fingerprints == (second.fingerprint, subkey.fingerprint)
    (known,) = certificates(exact.data, "ring")
    assert known.fingerprints == (second.fingerprint,)
    assert verify(inline(subkey), ring, NOW, ["gpgv"]) == subkey.fingerprint


def test_of_the_usual_keyrings_those_count_that_can_be_read(tmp_path: Path) -> None:
    key = Key.make()
    (tmp_path / "a.gpg").write_bytes(b"\0\0\0 \1\1\0\2KBXf")
    (tmp_path / "b.gpg").write_bytes(key.public())
    ring = keyring_of([], [f"{tmp_path}/{name}.gpg" for name in "abc"])

    assert ring == Keyring(key.public(), f"{tmp_path}/b.gpg")


def test_a_keybox_is_refused_with_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "a.gpg"
    path.write_bytes(b"\0\0\0 \1\1\0\2KBXf")

    with pytest.raises(NotOpenPgp, match="is a keybox of GnuPG") as caught:
        keyring_of([str(path)], [])
    assert "--export" in (caught.value.hint or "")


def test_a_keyring_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnknownKey, match="no such file or directory") as caught:
        keyring_of([f"{tmp_path}/none.gpg"], [])
    assert "debian-archive-keyring" in (caught.value.hint or "")


SIGNED = Key.make().cleartext(TEXT)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<html>hello</html>", "it begins with b'<html>hello</html>'"),
        (f"evil\n{SIGNED}", "it begins with b'evil'"),
        (f"{SIGNED}evil\n", "something follows its signature"),
        (SIGNED[: SIGNED.index("last")], "cut short: its signature is missing"),
        (SIGNED[:-30], "cut short"),
        (SIGNED.replace("- -dash", "-dash"), "a line that is not escaped"),
        (SIGNED.replace("Hash:", "Evil:"), "a header that is none"),
        (SIGNED + SIGNED, "something follows its signature"),
        ("", "it begins with b''"),
    ],
)
def test_a_signed_text_has_nothing_around_it(text: str, message: str) -> None:
    with pytest.raises(NotOpenPgp) as caught:
        cleartext(text.encode(), "InRelease")
    assert message in caught.value.message


@pytest.mark.parametrize(
    "data",
    [
        b"text",
        b"-----BEGIN PGP SIGNATURE-----\n\n!!!\n-----END PGP SIGNATURE-----\n",
        b"\xc6\xff\xff\xff\xff\xff",
        b"\x99\x00",
        b"\xc6\xe1x",
        b"\xb4\x00" * (limits.KEYRING_PACKETS + 1),
        b"\x80\x01",
    ],
)
def test_damaged_packets_are_one_kind_of_error(data: bytes) -> None:
    with pytest.raises(NotOpenPgp, match=r"^ring "):
        certificates(data, "ring")
    with pytest.raises(NotOpenPgp, match=r"^ring "):
        openpgp.signatures(data, "ring")


def test_what_is_no_keyring_is_not_quoted() -> None:
    with pytest.raises(NotOpenPgp) as caught:
        openpgp.dearmoured(b"password battery", "ring")

    assert "battery" not in str(caught.value)


def test_a_key_cut_anywhere_is_none_or_an_error() -> None:
    whole = Key.make("rsa").public(subkeys=[Key.make()])
    for size in range(len(whole)):
        try:
            certificates(whole[:size], "ring")
        except NotOpenPgp:
            continue


def test_a_signature_with_any_byte_changed_does_not_verify() -> None:
    key = Key.make("ecdsa")
    signed, ring = detached(key), Keyring(key.public(), "keys.gpg")
    hashed = 6 + 5 + 4 + 2 + 4 + 6 + 5
    for at in [*range(6, hashed), *range(len(signed.signature) - 32, len(signed.signature))]:
        changed = bytearray(signed.signature)
        changed[at] ^= 1
        with pytest.raises((NotVerified, NotOpenPgp)):
            verify(signed._replace(signature=bytes(changed)), ring, NOW, ["python"])


def test_armour_is_taken_off() -> None:
    data = Key.make().public()

    assert dearmoured(armoured(data).encode(), "x") == data
    assert dearmoured(made.armoured(data).replace("\n", "\r\n").encode(), "x") == data


@pytest.mark.archive
@pytest.mark.parametrize("name", ["debian-archive-keyring.gpg"])
def test_the_release_files_of_this_machine_verify(name: str, by: Verifier) -> None:
    ring = keyring_of([f"/usr/share/keyrings/{name}"], [])
    releases = sorted(Path("/var/lib/apt/lists").glob("*_dists_bookworm*_InRelease"))

    assert releases
    for path in releases:
        signed = cleartext(path.read_bytes(), path.name)
        assert verify(Signed(signed.text, signed.signature, path.name), ring, NOW, [by])
