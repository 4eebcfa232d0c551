"""Keys are framed: two inputs that differ never look alike."""

from hypothesis import given
from hypothesis import strategies as st

from artificer.builder.keys import Part, key

_atoms = st.none() | st.text(max_size=6) | st.binary(max_size=6) | st.integers()
_parts = st.recursive(_atoms, lambda inner: st.lists(inner, max_size=3), max_leaves=8)


def typed(part: Part) -> object:
    """*part* so that equal values of different types differ (``1 == True``)."""
    if isinstance(part, list):
        return tuple(typed(one) for one in part)
    return type(part).__name__, part


@given(st.lists(_parts, max_size=4), st.lists(_parts, max_size=4))
def test_keys_are_equal_exactly_when_their_parts_are(one: list[Part], other: list[Part]) -> None:
    assert (key(*one) == key(*other)) == (typed(one) == typed(other))


def test_parts_do_not_run_into_one_another() -> None:
    alike: list[tuple[Part, ...]] = [
        ("ab", "c"),
        ("a", "bc"),
        ("abc",),
        (("a", "b"), "c"),
        ("a", ("b", "c")),
    ]
    alike += [("1",), (1,), (b"1",), (None,), ((),), ()]

    assert len({key(*parts) for parts in alike}) == len(alike)


def test_names_that_are_no_utf8_have_keys() -> None:
    assert key("\udcff") != key("\udcfe")


def test_a_key_is_the_same_on_every_machine() -> None:
    assert key("a", 1, (None, b"x")) == (
        "f84b056bd77b07ba1235f8dd0d1463b8b861c0bf6cabe1e867b33e59aab3919c"
    )
