"""DER is read whole or not at all."""

import pytest

from artificer.sources.der import SEQUENCE, UTF8, NotDer, Part, only, parts


def test_values_follow_one_another() -> None:
    long = b"\x0c\x81\x80" + b"x" * 128

    assert parts(b"\x0c\x01a" + long) == [
        Part(UTF8, b"a", b"\x0c\x01a"),
        Part(UTF8, b"x" * 128, long),
    ]
    assert only(b"\x30\x00", SEQUENCE).held == b""


@pytest.mark.parametrize(
    "data",
    [
        *(b"", b"\x0c", b"\x0c\x02a", b"\x1f\x01a", b"\x0c\x80", b"\x0c\x81\x01a"),
        *(b"\x0c\x82\x01", b"\x0c\x85\0\0\0\0\x01a", b"\x0c\x84\xff\xff\xff\xff"),
    ],
)
def test_what_is_cut_short_or_longer_than_needed_is_refused(data: bytes) -> None:
    with pytest.raises(NotDer):
        parts(data)


def test_there_are_not_more_values_than_may_be() -> None:
    assert len(parts(b"\x0c\x00" * 256)) == 256
    with pytest.raises(NotDer):
        parts(b"\x0c\x00" * 257)
    with pytest.raises(NotDer):
        only(b"\x0c\x00" * 2, UTF8)
