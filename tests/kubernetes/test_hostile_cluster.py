"""A cluster that tells nonsense is heard out, or refused by name; nobody waits for it for ever."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from artificer.kubernetes.api import Account, Api, opened
from artificer.kubernetes.cluster import Change, Kind, Listed, Selector
from artificer.kubernetes.objects import items_of, job_of, name_of, ranges
from artificer.kubernetes.result import result_of
from artificer.kubernetes.state import State, folded, index_at, places
from artificer.oci.document import InvalidDocument
from tests.kubernetes.fake_api import FakeApi, fake_api
from tests.kubernetes.recordings import FINALS, KINDS, Document, recording, watched

ODD: st.SearchStrategy[Any] = st.sampled_from(
    [None, True, -1, 10**30, 1.5, "", "x", "9" * 5000, "\x1b[31m", [], {}, [None], {"name": 1}]
)
OBJECTS: dict[Kind, list[Document]] = {
    kind: [one["object"] for name in FINALS for one in watched(name)[kind]] for kind in KINDS
}


@st.composite
def told(draw: st.DrawFn) -> tuple[Kind, Document]:
    """An object of a real server, in which something was replaced."""
    kind = draw(st.sampled_from(KINDS))
    return kind, _changed(draw, draw(st.sampled_from(OBJECTS[kind])))


def _changed(draw: st.DrawFn, value: Document) -> Document:
    """*value* with another thing somewhere within it."""
    if not value:
        return value
    key = draw(st.sampled_from(sorted(value)))
    inner = value[key]
    if isinstance(inner, dict) and draw(st.booleans()):
        return {**value, key: _changed(draw, inner)}
    if isinstance(inner, list) and inner and isinstance(inner[0], dict) and draw(st.booleans()):
        return {**value, key: [_changed(draw, inner[0]), *inner[1:]]}
    return {**value, key: draw(ODD)}


@settings(max_examples=150, deadline=None)
@given(st.lists(told(), min_size=1, max_size=4), st.booleans())
def test_objects_may_be_anything(
    objects: list[tuple[Kind, Document]],
    listed: bool,
) -> None:
    state = State()
    for kind, document in objects:
        news = Listed(kind, (document,)) if listed else Change(kind, "MODIFIED", document)
        state = folded(state, news)
        for place in places(state, news):
            pod = index_at(state, place).pod
            assert pod is None or result_of(pod, "r.example.org/a").seconds is not None


@pytest.mark.parametrize("metadata", [None, 1, [], {"name": None}, {"name": 5}])
def test_what_has_no_name_has_none(metadata: object) -> None:
    assert name_of({"metadata": metadata}) == ""
    assert items_of({"items": [metadata]}) == ((metadata,) if isinstance(metadata, dict) else ())
    assert items_of({"items": None}) == ()


def test_a_job_has_as_many_indexes_as_the_api_takes() -> None:
    job = recording("succeeded")["job"]
    job["spec"]["completions"] = 10**18

    assert job_of(job).completions == 100_000


def test_indexes_are_read_in_bounded_time() -> None:
    before = time.process_time()

    assert len(ranges("0-99999," * 50_000)) == 100_000
    assert ranges("9" * 5000) == ranges("1-" + "9" * 5000) == ranges("²") == frozenset()
    assert ranges("4-2,3,3") == {3}

    assert time.process_time() - before < 5


@pytest.fixture
def api(tmp_path: Path) -> Iterator[FakeApi]:
    with fake_api(tmp_path, "watch-succeeded") as server:
        yield server


@pytest.fixture
def cluster(api: FakeApi) -> Iterator[Api]:
    found = opened(Account(f"localhost:{api.port}", str(api.folder)), lambda _: None)
    yield found
    found.close()


@pytest.mark.parametrize(
    "page", [{"metadata": None, "items": "pods"}, {"metadata": 5, "items": [1, None]}, {}]
)
def test_a_list_that_is_none_is_empty(api: FakeApi, cluster: Api, page: Document) -> None:
    api.answers = [(200, page, "")]

    assert cluster.listed("pods", Selector()) == ()


@pytest.mark.parametrize("review", [{"status": None}, {"status": {"allowed": "no"}}, {}])
def test_only_a_yes_is_a_right(api: FakeApi, cluster: Api, review: Document) -> None:
    api.answers = [(201, review, "")]

    assert not cluster.may("create", "jobs")


@pytest.mark.parametrize("answer", [[1], None, "x", 5])
def test_an_answer_that_is_no_object_is_refused(api: FakeApi, cluster: Api, answer: Any) -> None:
    api.answers = [(200, answer, "")]

    with pytest.raises(InvalidDocument, match="something else than an object"):
        cluster.version()
