import pytest
from hypothesis import given
from hypothesis import strategies as st

from artificer.sources.debian.resolving.relations import (
    BadRelation,
    Relation,
    parse_relations,
    shown,
)


def test_alternatives_versions_and_qualifiers_are_read() -> None:
    found = parse_relations("a (>= 1:2~), b:any | c (<<3),\n d:i386 (= 4)")

    assert found == (
        (Relation("a", "", ">=", "1:2~"),),
        (Relation("b", "any"), Relation("c", "", "<<", "3")),
        (Relation("d", "i386", "=", "4"),),
    )


@pytest.mark.parametrize(("old", "operator"), [("<", "<="), (">", ">="), ("==", "=")])
def test_obsolete_operators_are_read_as_dpkg_reads_them(old: str, operator: str) -> None:
    assert parse_relations(f"a ({old} 1)")[0][0].operator == operator


@pytest.mark.parametrize(
    ("restriction", "is_there"),
    [
        *(("[amd64]", True), ("[i386]", False), ("[i386 amd64]", True), ("[!amd64]", False)),
        *(("[!i386]", True), ("[linux-any]", True), ("[any-amd64]", True), ("[hurd-any]", False)),
        *(("[any]", True), ("<!nocheck>", True), ("<stage1>", False), ("<stage1> <!cross>", True)),
        *(("[amd64] <!nocheck>", True), ("[i386] <!nocheck>", False)),
    ],
)
def test_what_is_restricted_to_others_is_left_out(restriction: str, *, is_there: bool) -> None:
    found = parse_relations(f"a {restriction}, b", "amd64")

    assert [clause[0].name for clause in found] == (["a", "b"] if is_there else ["b"])


def test_nothing_is_no_relation_and_empty_parts_do_not_matter() -> None:
    assert parse_relations("") == ()
    assert parse_relations(" , a,, ") == ((Relation("a"),),)


@pytest.mark.parametrize("text", ["a b", "a (1)", "a (>= )", "(>= 1)", "a |", "a; b", "a (>= 1"])
def test_what_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(BadRelation, match="not a relation between packages"):
        parse_relations(text)


def test_long_blanks_cost_no_time() -> None:
    with pytest.raises(BadRelation):
        parse_relations("a" + " " * 100_000 + "(")


RELATIONS = st.builds(
    Relation,
    st.from_regex(r"[a-z0-9][a-z0-9+.-]{1,8}", fullmatch=True),
    st.sampled_from(["", "any", "native", "armhf"]),
    st.just(">="),
    st.from_regex(r"[0-9][0-9.+~]{0,4}", fullmatch=True),
)


@given(st.lists(st.lists(RELATIONS, min_size=1, max_size=3).map(tuple), max_size=4).map(tuple))
def test_what_is_shown_is_read_as_it_was(clauses: tuple[tuple[Relation, ...], ...]) -> None:
    assert parse_relations(", ".join(map(shown, clauses))) == clauses
