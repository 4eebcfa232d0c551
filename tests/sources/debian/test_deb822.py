"""Stanzas of control files."""

import pytest

from artificer import limits
from artificer.sources.debian.deb822 import BadStanza, stanzas


def test_stanzas_are_parted_by_empty_lines() -> None:
    data = b"Package: a\nVersion: 1\n\n\n\nPackage: b\n"

    assert list(stanzas(data)) == [{"Package": "a", "Version": "1"}, {"Package": "b"}]


def test_a_folded_value_can_be_written_back() -> None:
    (stanza,) = stanzas(b"Description: short\n long\n .\n  more\nTag:\n x\n")

    assert stanza == {"Description": "short\n long\n .\n  more", "Tag": "\n x"}


def test_comments_and_line_ends_of_windows_are_no_part_of_a_value() -> None:
    assert list(stanzas(b"# why\r\nTypes: deb\r\n#Enabled: no\r\nURIs: x\r\n")) == [
        {"Types": "deb", "URIs": "x"}
    ]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b" folded\n", "x:1: a folded line without a field"),
        (b"A: b\n\n\nC: d\nno colon\n", "x:5: not a field: 'no colon'"),
        (b"<html>\n", "x:1: not a field: '<html>'"),
        (b"-A: b\n", "x:1: not a field: '-A: b'"),
    ],
)
def test_what_is_no_stanza_is_named_with_its_line(data: bytes, message: str) -> None:
    with pytest.raises(BadStanza) as caught:
        list(stanzas(data, "x"))

    assert caught.value.message == message


def test_a_stanza_has_a_largest_size() -> None:
    with pytest.raises(BadStanza, match="a stanza of"):
        list(stanzas(b"A: " + b"x" * limits.STANZA_BYTES))
