"""What sets of packages come to, in universes of a few packages."""

from collections.abc import Sequence

import pytest

from artificer import limits
from artificer.errors import ArtificerError
from artificer.sources.debian.resolving.explain import Unsatisfiable
from artificer.sources.debian.resolving.resolve import Entangled, Solution, resolve
from artificer.sources.debian.resolving.words import BadWord, UnknownPackage
from artificer.sources.debian.values import Wanted
from tests.sources.debian.small_universe import SmallUniverse, installed


def solve(
    universe: str,
    *words: str,
    upon: str = "",
    wanted: Wanted | None = None,
    foreign: Sequence[str] = (),
) -> Solution:
    asked = (wanted or Wanted())._replace(packages=words)
    return resolve(asked, SmallUniverse(universe), installed(upon), "amd64", foreign)


def names(solution: Solution) -> list[str]:
    return sorted(
        f"{one.name}={one.version}" if one.version != "1" else one.name for one in solution.install
    )


ALTERNATIVES = """
    Package: a
    Depends: b | c

    Package: b

    Package: c
"""


def test_the_first_alternative_is_taken() -> None:
    assert names(solve(ALTERNATIVES, "a")) == ["a", "b"]


def test_an_alternative_that_is_there_already_is_enough() -> None:
    assert names(solve(ALTERNATIVES, "a", upon="Package: c")) == ["a"]


def test_an_alternative_that_is_asked_for_is_enough() -> None:
    assert names(solve(ALTERNATIVES, "a", "c")) == ["a", "c"]


@pytest.mark.parametrize("words", [("a", "b-"), ("b-", "a")])
def test_an_alternative_that_is_not_to_come_in_is_passed_over(words: tuple[str, ...]) -> None:
    assert names(solve(ALTERNATIVES, *words)) == ["a", "c"]
    assert names(solve(ALTERNATIVES, "a", wanted=Wanted(exclude=("b",)))) == ["a", "c"]


def test_a_choice_that_conflicts_later_is_made_anew() -> None:
    universe = """
        Package: a
        Depends: b | c, d

        Package: b

        Package: c

        Package: d
        Depends: e

        Package: e
        Conflicts: b
    """

    assert names(solve(universe, "a")) == ["a", "c", "d", "e"]


def test_what_came_in_only_for_a_package_that_had_to_go_does_not_stay() -> None:
    universe = """
        Package: a
        Depends: b | c, d

        Package: b
        Depends: only-for-b

        Package: only-for-b

        Package: c

        Package: d
        Conflicts: b
    """

    assert names(solve(universe, "a")) == ["a", "c", "d"]


def test_what_replaces_an_alternative_that_is_there_may_do_for_all() -> None:
    universe = """
        Package: a
        Depends: small | full, z

        Package: small

        Package: z
        Depends: full

        Package: full
        Conflicts: small
    """

    assert names(solve(universe, "a")) == ["a", "full", "z"]


def test_choices_that_had_no_part_in_a_conflict_are_not_tried_again() -> None:
    others = "\n\n".join(
        f"Package: x{at}\nDepends: y{at} | z{at}\n\nPackage: y{at}\n\nPackage: z{at}"
        for at in range(60)
    )
    needs = ", ".join(f"x{at}" for at in range(60))
    universe = f"Package: a\nDepends: b | c, {needs}, d\n\nPackage: b\n\nPackage: c\n\n{others}"
    universe += "\n\nPackage: d\nConflicts: b"

    found = names(solve(universe, "a"))

    assert {"a", "c", "d", "y0", "y59"} < set(found)
    assert "z0" not in found


def pigeons(many: int) -> str:
    """Each of *many* wants one of *many* - 1 holes, and no two the same."""
    holes = range(many - 1)
    return "\n\n".join(
        [
            "Package: all\nDepends: " + ", ".join(f"p{at}" for at in range(many)),
            *(
                f"Package: p{at}\nDepends: " + " | ".join(f"p{at}h{hole}" for hole in holes)
                for at in range(many)
            ),
            *(
                f"Package: p{at}h{hole}\nProvides: h{hole}\nConflicts: h{hole}"
                for at in range(many)
                for hole in holes
            ),
        ]
    )


def test_a_search_that_goes_on_for_ever_is_given_up() -> None:
    with pytest.raises(Entangled, match="steps"):
        solve(pigeons(12), "all")


def test_what_apt_s_way_would_take_too_long_for_is_told_by_a_plainer_one() -> None:
    with pytest.raises(Unsatisfiable, match="p4h0 1 conflicts with p0h0 1"):
        solve(pigeons(5), "all")


def test_needs_that_are_looked_at_over_and_over_end_a_search(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "RESOLUTION_TASKS", 1000)
    many = ", ".join(["idle"] * 1001)

    with pytest.raises(Entangled, match="steps"):
        solve(f"Package: idle\n\nPackage: a\nDepends: {many}", "a")


PROVIDERS = """
    Package: a
    Depends: mail

    Package: p
    Provides: mail

    Package: q
    Provides: mail
    Priority: important

    Package: r
    Provides: mail
"""


def test_of_providers_the_one_of_higher_priority_is_taken() -> None:
    assert names(solve(PROVIDERS, "a")) == ["a", "q"]


def test_of_equal_providers_the_one_read_of_last_is_taken() -> None:
    assert names(solve(PROVIDERS, "a", "q-")) == ["a", "r"]


def test_a_version_is_not_fulfilled_by_what_is_provided_without_one() -> None:
    universe = """
        Package: a
        Depends: v (>= 2)

        Package: p
        Provides: v

        Package: q
        Provides: v (= 2.1)

        Package: r
        Provides: v (= 1)
    """

    assert names(solve(universe, "a")) == ["a", "q"]


def test_recommended_packages_come_in_when_asked_for_and_where_they_can() -> None:
    universe = """
        Package: a
        Recommends: b, c, nowhere

        Package: b

        Package: c
        Depends: missing
    """

    assert names(solve(universe, "a")) == ["a"]
    assert names(solve(universe, "a", wanted=Wanted(recommends=True))) == ["a", "b"]


def test_a_recommendation_gives_way_to_a_need() -> None:
    universe = """
        Package: a
        Depends: c
        Recommends: b

        Package: b

        Package: z
        Conflicts: b

        Package: c
    """

    assert names(solve(universe, "a", "z", wanted=Wanted(recommends=True))) == ["a", "c", "z"]


def test_what_was_not_followed_before_is_not_recommended_by_an_upgrade() -> None:
    universe = """
        Package: a
        Version: 2
        Recommends: old, new

        Package: old

        Package: new
    """
    wanted = Wanted(recommends=True)

    found = solve(universe, "a", upon="Package: a\nRecommends: old", wanted=wanted)

    assert names(found) == ["a=2", "new"]


VERSIONS = """
    Package: a
    Version: 2
    Depends: b (= 2)

    Package: a
    Version: 1
    Suite: old

    Package: b
    Version: 3

    Package: b
    Version: 2
    Suite: old
"""


def test_a_version_by_name_is_taken_whatever_is_newer() -> None:
    assert names(solve(VERSIONS, "a=1")) == ["a"]
    assert names(solve(VERSIONS, "a", "b=2")) == ["a=2", "b=2"]


def test_a_version_of_a_suite_is_taken() -> None:
    assert names(solve(VERSIONS, "a/old")) == ["a"]


def test_what_only_the_suite_has_is_taken_from_there_for_what_was_asked_from_there() -> None:
    universe = """
        Package: a
        Version: 2
        Suite: new
        Pin: 100
        Depends: b (>= 2)

        Package: b
        Version: 2
        Suite: new
        Pin: 100

        Package: b
    """

    assert names(solve(universe, "a/new")) == ["a=2", "b=2"]


def test_the_one_that_policy_prefers_is_the_only_one_that_comes_in_unasked() -> None:
    with pytest.raises(
        Unsatisfiable, match=r"there is b 3, 2 and 3 would be taken, not b \(= 2\)"
    ):
        solve(VERSIONS, "a")


def test_what_is_installed_is_upgraded_only_where_it_must_be() -> None:
    universe = """
        Package: a
        Depends: b, c (>= 2)

        Package: b
        Version: 2

        Package: c
        Version: 2
    """

    found = solve(universe, "a", upon="Package: b\n\nPackage: c")

    assert names(found) == ["a", "c=2"]


def test_what_is_asked_for_is_upgraded() -> None:
    assert names(solve("Package: b\nVersion: 2", "b", upon="Package: b")) == ["b=2"]


def test_nothing_is_replaced_by_an_older_version_unless_a_pin_above_1000_says_so() -> None:
    assert names(solve("Package: b", "b", upon="Package: b\nVersion: 2")) == []
    assert names(solve("Package: b\nPin: 1001", "b", upon="Package: b\nVersion: 2")) == ["b"]


def test_packages_of_one_source_are_upgraded_together() -> None:
    universe = """
        Package: tool
        Source: both
        Version: 2

        Package: lib
        Source: both
        Version: 2

        Package: other
        Version: 2
    """

    found = solve(universe, "tool", upon="Package: lib\nSource: both\n\nPackage: other")

    assert names(found) == ["lib=2", "tool=2"]


def test_what_conflicts_is_removed_with_what_needs_it() -> None:
    universe = """
        Package: new
        Conflicts: old
    """

    found = solve(universe, "new", upon="Package: old\n\nPackage: user\nDepends: old")

    assert names(found) == ["new"]
    assert [one.name for one in found.remove] == ["old", "user"]


def test_what_conflicts_is_rather_upgraded() -> None:
    universe = """
        Package: new
        Breaks: old (<< 2)

        Package: old
        Version: 2
    """

    found = solve(universe, "new", upon="Package: old")

    assert (names(found), found.remove) == (["new", "old=2"], ())


def test_what_comes_in_may_do_instead_of_what_goes() -> None:
    universe = """
        Package: postfix
        Provides: mta
        Conflicts: mta
    """
    there = "Package: exim\nProvides: mta\nConflicts: mta\n\nPackage: mailx\nDepends: exim | mta"

    found = solve(universe, "postfix", upon=there)

    assert [one.name for one in found.remove] == ["exim"]


def test_an_essential_package_is_not_removed_for_another() -> None:
    with pytest.raises(Unsatisfiable, match="base is essential and stays"):
        solve("Package: a\nConflicts: base", "a", upon="Package: base\nEssential: yes")


def test_a_held_package_stays_as_it_is() -> None:
    universe = "Package: a\nDepends: b (>= 2)\n\nPackage: b\nVersion: 2"

    with pytest.raises(Unsatisfiable, match="b is held at 1"):
        solve(universe, "a", upon="Package: b\nWanted: hold")


def test_what_is_removed_by_name_takes_along_what_needs_it() -> None:
    there = "Package: a\n\nPackage: b\nDepends: a\n\nPackage: c"

    found = solve("Package: x", "a-", upon=there)

    assert [one.name for one in found.remove] == ["a", "b"]
    assert found.why == {"a": "it was asked for", "b": "b depends on a"}


def test_what_was_broken_before_is_left_alone() -> None:
    assert names(solve("Package: a", "a", upon="Package: b\nDepends: missing")) == ["a"]


def test_a_package_does_not_conflict_with_what_it_provides_itself() -> None:
    assert names(solve("Package: a\nProvides: v\nConflicts: v", "a")) == ["a"]


MULTI = """
    Package: tool
    Architecture: arm64
    Depends: lib, helper, perl:any

    Package: lib
    Architecture: arm64
    Multi-Arch: same

    Package: lib
    Multi-Arch: same

    Package: helper
    Multi-Arch: foreign

    Package: perl
    Multi-Arch: allowed
"""


def test_a_foreign_package_takes_its_libraries_and_shares_programs() -> None:
    found = solve(MULTI, "tool:arm64", foreign=["arm64"])

    assert sorted(f"{one.name}:{one.architecture}" for one in found.install) == [
        *("helper:amd64", "lib:arm64", "perl:amd64", "tool:arm64")
    ]
    assert found.auto == {"helper", "lib:arm64", "perl"}


def test_a_package_that_is_only_there_for_a_foreign_architecture_is_found_by_its_name() -> None:
    assert "tool" in names(solve(MULTI, "tool", foreign=["arm64"]))


def test_a_library_has_one_version_on_all_architectures() -> None:
    upon = "Package: lib\nMulti-Arch: same\nVersion: 0"

    found = solve(MULTI, "lib:arm64", foreign=["arm64"], upon=upon)

    assert [f"{one.architecture}={one.version}" for one in found.install] == ["amd64=1", "arm64=1"]


def test_a_program_is_there_for_one_architecture() -> None:
    universe = "Package: a\n\nPackage: a\nArchitecture: arm64"

    found = solve(universe, "a:arm64", foreign=["arm64"], upon="Package: a")

    assert [one.architecture for one in found.install] == ["arm64"]
    assert [one.architecture for one in found.remove] == ["amd64"]
    with pytest.raises(Unsatisfiable, match="a:arm64 1 cannot be there for two architectures"):
        solve(universe, "a:amd64", "a:arm64", foreign=["arm64"])


def test_the_essential_set_and_apt_are_added_when_wanted() -> None:
    universe = """
        Package: base
        Essential: yes
        Depends: lib

        Package: lib

        Package: apt

        Package: a
    """

    found = solve(universe, "a", wanted=Wanted(essential=True, apt=True))

    assert names(found) == ["a", "apt", "base", "lib"]
    assert found.auto == {"lib"}


def test_a_file_is_taken_before_what_archives_have() -> None:
    universe = "Package: a\nVersion: 2\n\nPackage: a\nFile: /tmp/a.deb\nDepends: b\n\nPackage: b"

    assert names(solve(universe, wanted=Wanted(files=("/tmp/a.deb",)))) == ["a", "b"]


def test_names_that_end_in_a_sign_are_names() -> None:
    assert names(solve("Package: g++\n\nPackage: a", "g++")) == ["g++"]
    assert names(solve("Package: g++\n\nPackage: a", "a+")) == ["a"]


def test_of_a_name_with_one_provider_that_is_taken() -> None:
    assert names(solve("Package: p\nProvides: v", "v")) == ["p"]


@pytest.mark.parametrize(
    ("word", "message", "hint"),
    [
        ("bb", "there is no package bb", "do you mean b?"),
        ("zzzz", "there is no package zzzz", "no archive has one of a name like it"),
        ("b=9", "b has no version 9", "there is 3, 2"),
        ("b/sid", "b is not in sid", "it is in old, stable"),
        ("b:arm64", "b:arm64 is for an architecture that is not asked for: arm64", "NAME:arm64"),
        ("b*", "not a package: 'b*'", "patterns are not supported"),
        ("web^", "not a package: 'web^'", "tasks are not supported"),
        ("bb-", "there is no package bb", "do you mean b?"),
        ("mail", "mail is provided by several packages", "ask for one of p, q"),
        ("mail-", "mail is no package, but provided by some", "by p, q"),
        ("away", "away is pinned away", "there is 1"),
    ],
)
def test_a_word_that_names_nothing_says_what_there_is(word: str, message: str, hint: str) -> None:
    more = "\n\nPackage: q\nProvides: mail\n\nPackage: p\nProvides: mail\n\nPackage: away\nPin: -1"

    with pytest.raises(ArtificerError) as raised:
        solve(VERSIONS + more.replace("\n", "\n    "), word)

    assert raised.value.message == message
    assert hint in (raised.value.hint or "")


def test_what_is_asked_for_twice_must_be_one_version() -> None:
    with pytest.raises(BadWord, match="b is asked for as 3 and as 2"):
        solve(VERSIONS, "b", "b=2")


def test_what_is_asked_for_and_excluded_is_an_error() -> None:
    with pytest.raises(BadWord, match="b is asked for and excluded"):
        solve(VERSIONS, "b", wanted=Wanted(exclude=("b",)))


def test_an_exclusion_that_names_nothing_is_an_error() -> None:
    with pytest.raises(UnknownPackage, match="there is no package bb"):
        solve(VERSIONS, "b", wanted=Wanted(exclude=("bb",)))


def test_a_conflict_is_explained_by_who_needs_whom() -> None:
    universe = """
        Package: web
        Depends: server

        Package: server
        Depends: lib (>= 2) | other

        Package: lib
        Version: 2
        Conflicts: old

        Package: other
        Depends: nowhere

        Package: old
    """

    with pytest.raises(Unsatisfiable) as raised:
        solve(universe, "old", "web")

    assert raised.value.message.splitlines() == [
        "there is no set of packages in which all this holds:",
        "  web depends on server",
        "    server depends on lib (>= 2) | other",
        "      lib 2 conflicts with old 1 (asked for)",
        "      other depends on nowhere",
        "        there is no package nowhere",
    ]


def test_a_relation_that_cannot_be_read_is_told_with_its_package() -> None:
    with pytest.raises(ArtificerError, match="a:amd64=1: Depends: not a relation"):
        solve("Package: a\nDepends: b (1)", "a")


def test_what_brought_a_package_in_is_told() -> None:
    found = solve(ALTERNATIVES, "a")

    assert found.why == {"a": "it was asked for", "b": "a depends on b | c"}
