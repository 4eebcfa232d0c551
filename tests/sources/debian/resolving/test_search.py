"""The search against a trial of every set there is, in random universes of a few packages."""

from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from artificer.sources.debian.resolving.explain import Unsatisfiable
from artificer.sources.debian.resolving.resolve import resolve
from artificer.sources.debian.values import Installed, Wanted
from tests.sources.debian.small_universe import SmallUniverse, installed

NAMES = [f"p{at}" for at in range(7)]
VIRTUAL = ["v0", "v1"]

Package = tuple[list[list[str]], list[str], list[str]]
"""What it depends on, conflicts with and provides."""

names = st.sampled_from([*NAMES, *VIRTUAL])
universes = st.fixed_dictionaries(
    {
        name: st.tuples(
            st.lists(st.lists(names, min_size=1, max_size=3), max_size=3),
            st.lists(names, max_size=2),
            st.lists(st.sampled_from(VIRTUAL), max_size=1),
        )
        for name in NAMES
    }
)


def text_of(universe: dict[str, Package], chosen: list[str] = NAMES) -> str:
    stanzas = []
    for name in chosen:
        depends, conflicts, provides = universe[name]
        fields = {
            "Package": name,
            "Depends": ", ".join(" | ".join(clause) for clause in depends),
            "Conflicts": ", ".join(conflicts),
            "Provides": ", ".join(provides),
        }
        stanzas.append("\n".join(f"{key}: {value}" for key, value in fields.items() if value))
    return "\n\n".join(stanzas)


def is_whole(universe: dict[str, Package], chosen: set[str]) -> bool:
    """Whether every relation of *chosen* holds."""
    holders: dict[str, set[str]] = {}
    for name in chosen:
        for called in (name, *universe[name][2]):
            holders.setdefault(called, set()).add(name)
    return all(
        all(any(alternative in holders for alternative in clause) for clause in universe[name][0])
        and all(holders.get(other, set()) <= {name} for other in universe[name][1])
        for name in chosen
    )


def sets_with(name: str) -> list[set[str]]:
    others = [other for other in NAMES if other != name]
    return [{name, *some} for size in range(len(NAMES)) for some in combinations(others, size)]


@settings(max_examples=200)
@given(universes)
def test_a_set_is_found_exactly_if_there_is_one(universe: dict[str, Package]) -> None:
    there_is = any(is_whole(universe, chosen) for chosen in sets_with("p0"))

    try:
        found = resolve(Wanted(("p0",)), SmallUniverse(text_of(universe)))
    except Unsatisfiable:
        assert not there_is
        return

    assert there_is
    assert is_whole(universe, {one.name for one in found.install})


@settings(max_examples=200)
@given(universes, st.sets(st.sampled_from(NAMES[1:])))
def test_what_is_whole_stays_whole(universe: dict[str, Package], there: set[str]) -> None:
    if not is_whole(universe, there):
        return
    before: list[Installed] = installed(text_of(universe, sorted(there))) if there else []
    there_is = any(is_whole(universe, chosen) for chosen in sets_with("p0"))

    try:
        found = resolve(Wanted(("p0",)), SmallUniverse(text_of(universe)), before)
    except Unsatisfiable:
        assert not there_is
        return

    gone = {one.name for one in found.remove}
    assert is_whole(universe, (there - gone) | {one.name for one in found.install})


def test_a_hundred_thousand_alternatives_are_not_all_told() -> None:
    alternatives = " | ".join(f"none{number}" for number in range(100_000))
    text = f"Package: p0\nVersion: 1\nArchitecture: all\nDepends: {alternatives}\n"

    with pytest.raises(Unsatisfiable) as caught:
        resolve(Wanted(packages=("p0",)), SmallUniverse(text))

    assert "p0 depends on none0 | none1 | " in caught.value.message
    assert len(caught.value.message) < 5000
