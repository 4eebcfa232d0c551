"""Targets that need each other: which come next, and what is kept of them on a Job."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artificer.kubernetes.batch import spans
from artificer.kubernetes.graph import (
    Graph,
    LostGraph,
    Node,
    batches,
    blocked,
    packed,
    ready,
    unpacked,
    waves,
)
from artificer.kubernetes.job import Work
from artificer.kubernetes.objects import ranges


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    count = draw(st.integers(1, 12))
    nodes = []
    for number in range(count):
        needs = draw(st.sets(st.integers(0, number - 1))) if number else set[int]()
        work = Work(f"//:t{number}", ("build", "é", ""), draw(st.sampled_from(("", "linux/arm"))))
        nodes.append(Node(work, tuple(sorted(needs)), draw(st.booleans())))
    most = draw(st.none() | st.integers(0, 5))
    return Graph(tuple(nodes), draw(st.integers(1, 50)), most)


@given(graphs())
def test_all_targets_come_after_what_they_need(graph: Graph) -> None:
    done: set[int] = set()
    while len(done) < len(graph.nodes):
        found = ready(graph, done, done)
        assert found
        assert all(need in done for one in found for need in graph.nodes[one].needs)
        done |= set(found)


@given(graphs())
def test_a_wave_needs_only_those_before_it(graph: Graph) -> None:
    done: set[int] = set()
    for wave in waves(graph):
        assert all(set(graph.nodes[one].needs) <= done for one in wave)
        done |= set(wave)

    assert done == set(range(len(graph.nodes)))


@given(graphs())
def test_a_graph_is_what_it_was_packed_as(graph: Graph) -> None:
    assert unpacked(packed(graph)) == graph


@given(graphs(), st.sets(st.integers(0, 11)))
def test_blocked_targets_are_those_that_never_become_ready(graph: Graph, failed: set[int]) -> None:
    failed = {one for one in failed if one < len(graph.nodes)}
    never = blocked(graph, failed)
    done: set[int] = set()
    while found := ready(graph, done, done | failed):
        done |= set(found)

    assert {*never} == {*range(len(graph.nodes))} - done - failed
    assert all(below in failed for below in never.values())


@given(st.sets(st.integers(0, 300)))
def test_spans_are_read_as_they_are_written(numbers: set[int]) -> None:
    assert ranges(spans(sorted(numbers))) == numbers


def test_work_that_is_too_long_for_a_variable_is_several_jobs() -> None:
    works = [Work(f"//:t{one}", ("x" * 30_000,)) for one in range(7)]
    graph = Graph(tuple(map(Node, works)))

    assert list(batches(graph, range(7))) == [(0, 1, 2), (3, 4, 5), (6,)]


@pytest.mark.parametrize("text", ["", "x", "H4sIAAAAAAAA/w==", "e30="])
def test_an_annotation_that_is_no_graph_is_an_error(text: str) -> None:
    with pytest.raises(LostGraph):
        unpacked(text)
