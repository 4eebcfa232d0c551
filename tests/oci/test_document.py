"""JSON from outside: bounded, and written back as it was."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artificer import limits
from artificer.oci.document import InvalidDocument, dump, parse

_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(st.text(), _json))
def test_what_is_dumped_is_parsed_again(document: dict[str, object]) -> None:
    assert parse(dump(document), limit=1 << 20, what="it") == document


@pytest.mark.parametrize("number", ["1.50", "1e5", "-0.0", "12345678901234567890.25", "1E-7"])
def test_numbers_with_a_fraction_keep_their_text(number: str) -> None:
    data = f'{{"a":{number},"b":12345678901234567890}}'.encode()

    assert dump(parse(data, limit=100, what="it")) == data


def test_key_order_is_kept() -> None:
    data = b'{"z":1,"a":{"y":[],"b":null}}'

    assert dump(parse(data, limit=100, what="it")) == data


def test_a_document_of_exactly_the_limit_is_read_and_one_byte_more_is_not() -> None:
    data = b'{"a":1}'

    assert parse(data, limit=len(data), what="it") == {"a": 1}
    with pytest.raises(InvalidDocument, match="larger than 6 bytes"):
        parse(data, limit=len(data) - 1, what="it")


def test_nesting_of_exactly_the_limit_is_read_and_one_more_is_not() -> None:
    def nested(depth: int) -> bytes:
        return b'{"a":' * (depth - 1) + b"{}" + b"}" * (depth - 1)

    parse(nested(limits.DEPTH), limit=1 << 20, what="it")
    with pytest.raises(InvalidDocument, match="deeper than 255"):
        parse(nested(limits.DEPTH + 1), limit=1 << 20, what="it")


def test_as_many_values_as_the_limit_are_read_and_one_more_is_not() -> None:
    def listed(count: int) -> bytes:
        return b'{"a":[' + b",".join([b'"[,{"'] * count) + b"]}"

    # The object and its list are two of them.
    parse(listed(limits.VALUES - 1), limit=1 << 23, what="it")
    with pytest.raises(InvalidDocument, match="more than 500000 values"):
        parse(listed(limits.VALUES), limit=1 << 23, what="it")


@pytest.mark.parametrize("data", [b"", b"[]", b"1", b"{", b'{"a":NaN}', b"\xff", b"[" * 100_000])
def test_what_is_no_object_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidDocument, match=r"^it is"):
        parse(data, limit=1 << 20, what="it")
