"""Digests are checked once, when they are made."""

import hashlib

import pytest

from artificer.oci.digest import Digest, InvalidDigest


def test_a_digest_names_bytes() -> None:
    digest = Digest.of(b"x")

    assert digest == "sha256:" + hashlib.sha256(b"x").hexdigest()
    assert (digest.algorithm, len(digest.hex), len(digest.short)) == ("sha256", 64, 12)
    assert digest.matches(b"x")
    assert not digest.matches(b"y")


def test_sha512_is_known_too() -> None:
    digest = Digest("sha512:" + hashlib.sha512(b"x").hexdigest())

    assert digest.matches(b"x")
    assert not digest.matches(b"y")


@pytest.mark.parametrize(
    "text",
    ["", "sha256:", "sha256:" + "A" * 64, "sha256:" + "a" * 63, "md5:" + "a" * 32, "a" * 64,
     "sha256:" + "a" * 64 + "\n", "sha512:" + "a" * 64],
)  # fmt: skip
def test_anything_else_is_none(text: str) -> None:
    with pytest.raises(InvalidDigest):
        Digest(text)
