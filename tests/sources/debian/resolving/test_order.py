import pytest

from artificer.sources.debian.resolving.order import CircularPreDepends
from artificer.sources.debian.resolving.resolve import resolve
from artificer.sources.debian.values import Wanted
from tests.sources.debian.small_universe import SmallUniverse


def order(text: str, *words: str) -> list[str]:
    return [one.name for one in resolve(Wanted(words), SmallUniverse(text)).install]


def test_what_is_needed_is_before_what_needs_it() -> None:
    text = """
        Package: a
        Depends: b, c

        Package: b
        Pre-Depends: d

        Package: c
        Depends: b

        Package: d
    """

    assert order(text, "a") == ["d", "b", "c", "a"]


def test_a_circle_of_depends_is_broken_and_what_is_pre_depended_on_stays_first() -> None:
    text = """
        Package: a
        Pre-Depends: z

        Package: m
        Depends: a

        Package: z
        Depends: m
    """

    assert order(text, "m").index("z") < order(text, "m").index("a")
    assert order(text, "m") == order(text, "z") == order(text, "a")


def test_a_circle_of_pre_depends_is_an_error_that_names_it() -> None:
    text = """
        Package: a
        Pre-Depends: b

        Package: b
        Pre-Depends: a
    """

    with pytest.raises(CircularPreDepends, match="in a circle: a → b"):
        order(text, "a")


def test_a_chain_of_thousands_is_put_in_order() -> None:
    count = 5000
    chain = (f"Package: p{at:04}\nDepends: p{at + 1:04}" for at in range(count - 1))
    text = "\n\n".join([*chain, f"Package: p{count - 1:04}"])

    assert order(text, "p0000") == [f"p{at:04}" for at in reversed(range(count))]
