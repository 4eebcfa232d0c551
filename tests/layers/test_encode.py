import gzip
import hashlib

import pytest

from artificer.errors import Misused
from artificer.layers.encode import PIECE, encoder

TEXT = b"".join(b"%d the quick brown fox\n" % number for number in range(60_000))[:PIECE]


def packed(kind: str, level: int) -> bytes:
    compress = encoder(kind, level).compress
    assert compress
    return bytes(compress(memoryview(TEXT)))


# Other bytes must have another identity: look at the library's version before changing a line.
@pytest.mark.parametrize(
    ("kind", "level", "identity", "size", "digest"),
    [
        (
            "gzip",
            1,
            "gzip-libdeflate-1-1m-0.9.0",
            101_080,
            "704e06082d4adf14033f2c071db9d17e954ce789991ccc53feb6c2480ebd27db",
        ),
        (
            "gzip",
            6,
            "gzip-libdeflate-6-1m-0.9.0",
            69_552,
            "0261f94b2d57d53ac5830b615da5b107089ee226fe5e00f900da63114cfacfa9",
        ),
        (
            "gzip",
            12,
            "gzip-libdeflate-12-1m-0.9.0",
            61_266,
            "e27fa58c6e76096bcae06a9ef25001b7eb8b453f3e2809e2fa1bd3fde90fda65",
        ),
        (
            "zstd",
            1,
            "zstd-1-1m-1.5.7",
            14_469,
            "3ec84d645548bde694156c72d9d018191a651d41308ef94fe5cedc9741a5bf62",
        ),
        (
            "zstd",
            3,
            "zstd-3-1m-1.5.7",
            23_106,
            "8da221a10f42b88a747b84260d1b21ffe489c31e20925eb8f8553ebcfe9a20b4",
        ),
        (
            "zstd",
            19,
            "zstd-19-1m-1.5.7",
            8_994,
            "83ff6ed3a6f39825a4c79fa5cd23e9e380f65fa91d61ad1574f52eaf9a05b9b4",
        ),
    ],
)
def test_an_identity_stands_for_these_bytes(
    kind: str, level: int, identity: str, size: int, digest: str
) -> None:
    data = packed(kind, level)

    assert encoder(kind, level).identity == identity
    assert (len(data), hashlib.sha256(data).hexdigest()) == (size, digest)


@pytest.mark.parametrize(("level", "speed"), [(1, 4), (2, 0), (7, 0), (8, 2), (12, 2)])
def test_a_gzip_header_says_nothing_of_time_name_and_machine(level: int, speed: int) -> None:
    data = packed("gzip", level)

    assert data[:10] == bytes([0x1F, 0x8B, 8, 0, 0, 0, 0, 0, speed, 255])
    assert gzip.decompress(data) == TEXT


def test_a_zstd_frame_says_its_size_and_has_a_checksum() -> None:
    data = packed("zstd", 1)

    descriptor = data[4]
    assert data[:4] == b"\x28\xb5\x2f\xfd"
    assert descriptor >> 6 == 2  # four bytes of content size
    assert descriptor & 4  # checksum


def test_nothing_is_compressed_without_compression() -> None:
    assert encoder("none").compress is None
    assert encoder("none").identity == "none"


@pytest.mark.parametrize(
    ("kind", "level", "hint"),
    [
        ("gzip", 0, "gzip has levels 1 to 12"),
        ("gzip", 13, "gzip has levels 1 to 12"),
        ("zstd", 20, "zstd has levels 1 to 19"),
        ("none", 1, "there is nothing to choose without compression"),
        ("xz", None, "choose one of gzip, zstd, none"),
    ],
)
def test_what_is_no_encoder_is_refused(kind: str, level: int | None, hint: str) -> None:
    with pytest.raises(Misused) as refusal:
        encoder(kind, level)

    assert refusal.value.hint == hint


def test_the_usual_level_is_the_fast_one() -> None:
    assert [encoder(kind).level for kind in ("gzip", "zstd", "none")] == [1, 1, 0]
