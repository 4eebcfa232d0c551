import gzip
import hashlib
import random
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artificer.layers.members import PART, gzip_members

TEXT = b"".join(b"%d the quick brown fox\n" % number for number in range(8000))
NOISE = hashlib.shake_128(b"noise").digest(8 * PART)


def members(data: bytes) -> list[bytes]:
    found = []
    while data:
        one = zlib.decompressobj(wbits=31)
        found.append(one.decompress(data))
        data = one.unused_data
    return found


def packed(data: bytes, level: int = 1) -> bytes:
    return bytes(gzip_members(memoryview(data), level))


def test_text_is_one_member() -> None:
    assert members(packed(TEXT)) == [TEXT]


def test_noise_is_one_stored_member() -> None:
    assert members(packed(NOISE)) == [NOISE]
    assert NOISE[:1000] in packed(NOISE)
    assert len(packed(NOISE)) < len(NOISE) + 100


def test_neighbours_of_a_kind_are_one_member() -> None:
    text = TEXT[: 2 * PART]
    data = text + NOISE + text

    assert members(packed(data)) == [text, NOISE, text]
    assert len(packed(data)) < len(NOISE) + len(text)


@pytest.mark.parametrize(
    "data",
    [
        bytes(range(256)) * 512,  # every value, and yet a pattern
        NOISE[:4096] * 16,  # noise that comes again is compressed by no sample, but by size
        NOISE[:4095],  # too little to judge
        TEXT[: PART // 2] + NOISE[: PART // 2],  # half and half
        NOISE[: PART // 2] + TEXT[: PART // 2],
    ],
)
def test_what_may_shrink_is_read_back_too(data: bytes) -> None:
    assert gzip.decompress(packed(data)) == data


def test_a_pattern_of_all_values_is_compressed() -> None:
    assert len(packed(bytes(range(256)) * 512)) < 4096


@given(
    st.lists(st.tuples(st.booleans(), st.integers(1, 3 * PART)), min_size=1, max_size=6),
    st.integers(1, 12),
)
def test_pieces_of_every_mixture_are_read_back(parts: list[tuple[bool, int]], level: int) -> None:
    data = b"".join(
        random.Random(size).randbytes(size) if noise else TEXT[:size] for noise, size in parts
    )

    assert gzip.decompress(packed(data, level)) == data


def test_these_bytes_do_not_change() -> None:
    data = TEXT[: 3 * PART] + NOISE + TEXT

    assert hashlib.sha256(packed(data)).hexdigest() == (
        "9d7147f3d254fb386ce7a5fe4d5a69ce4f695b6148174358168cc61a28c4b91e"
    )
