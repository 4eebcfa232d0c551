"""Values in lines of history, as Go prints them."""

import pytest

from artificer.frontends.dockerfile.history import bracketed, duration, quoted


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [
        (0, "0s"),
        (1, "1ns"),
        (1_100, "1.1µs"),
        (2_200_000, "2.2ms"),
        (300_000_000, "300ms"),
        (1_500_000_000, "1.5s"),
        (1_000_000_001, "1.000000001s"),
        (60_000_000_000, "1m0s"),
        (90_000_000_000, "1m30s"),
        (3_600_000_000_000, "1h0m0s"),
        (5_025_500_000_000, "1h23m45.5s"),
    ],
)
def test_durations(nanoseconds: int, text: str) -> None:
    assert duration(nanoseconds) == text


def test_words_in_brackets() -> None:
    assert bracketed(("a", "b c")) == "[a b c]"
    assert bracketed(()) == quoted(()) == "[]"


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("plain ä 한", '"plain ä 한"'),
        ('"\\', '"\\"\\\\"'),
        ("\a\b\f\n\r\t\v", '"\\a\\b\\f\\n\\r\\t\\v"'),
        ("\x00\x7f", '"\\x00\\x7f"'),
        ("\u2028\U000e0001", '"\\u2028\\U000e0001"'),
    ],
)
def test_quoted_words(word: str, text: str) -> None:
    assert quoted((word,)) == f"[{text}]"
