"""Work is done after what it needs, once, whatever the order and the number of threads."""

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artificer.builder.schedule import Cycle, Doing, closure, run
from artificer.errors import ArtificerError
from artificer.stop import Stop

Graph = dict[int, tuple[int, ...]]


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    """Graphs without cycles: everybody needs only lower numbers."""
    size = draw(st.integers(1, 12))
    needs = st.lists(st.integers(0, size), max_size=4)
    return {one: tuple(n for n in draw(needs) if n < one) for one in range(size)}


def doing(graph: Graph, done: list[int], bad: frozenset[int] = frozenset()) -> Doing[int, int]:
    lock = threading.Lock()

    def act(one: int) -> int:
        if one in bad:
            raise ArtificerError(f"{one} is bad")
        with lock:
            assert all(need in done for need in graph[one])
            done.append(one)
        return one

    return Doing(graph.__getitem__, lambda one: act(one) if one % 3 == 0 else None, act)


@given(graphs(), st.integers(1, 4))
def test_everything_is_done_once_after_what_it_needs(graph: Graph, jobs: int) -> None:
    done: list[int] = []

    finished = run(list(graph), doing(graph, done), jobs=jobs, keep_going=False, stop=Stop())

    assert sorted(done) == sorted(graph)
    assert set(finished.results) == set(graph)


@given(graphs(), st.integers(1, 4), st.sets(st.integers(0, 11)))
def test_only_what_depends_on_a_failure_is_left_out(
    graph: Graph, jobs: int, bad: set[int]
) -> None:
    done: list[int] = []

    finished = run(
        list(graph),
        doing(graph, done, frozenset(bad)),
        jobs=jobs,
        keep_going=True,
        stop=Stop(),
    )

    def spoiled(one: int) -> bool:
        return one in bad or any(spoiled(need) for need in graph[one])

    assert set(done) == {one for one in graph if not spoiled(one)}
    assert set(finished.failures) == {
        one for one in graph if one in bad and not any(map(spoiled, graph[one]))
    }


@given(graphs())
def test_a_closure_has_what_is_needed_first(graph: Graph) -> None:
    ordered = list(closure([max(graph)], graph.__getitem__))

    for number, one in enumerate(ordered):
        assert set(graph[one]) <= set(ordered[:number])


def test_a_long_chain_is_no_matter() -> None:
    graph = {one: (one - 1,) if one else () for one in range(20_000)}

    assert list(closure([19_999], graph.__getitem__)) == list(range(20_000))


def test_a_cycle_is_told_from_where_it_begins() -> None:
    graph = {"a": ("b",), "b": ("c",), "c": ("d",), "d": ("b",)}

    with pytest.raises(Cycle, match="b depends on itself: b → c → d → b"):
        closure(["a"], graph.__getitem__)


def test_a_defect_is_not_taken_for_a_failed_target() -> None:
    def act(one: int) -> int:
        raise ZeroDivisionError(one)

    with pytest.raises(ZeroDivisionError):
        run(
            [1],
            Doing(lambda _: (), lambda _: None, act),
            jobs=2,
            keep_going=True,
            stop=Stop(),
        )
