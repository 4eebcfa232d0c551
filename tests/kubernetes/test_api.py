"""The API itself, as a pod without `kubectl` speaks to it: over TLS, replaying a real server."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from artificer.errors import ArtificerError
from artificer.events import Event
from artificer.http.retry import RateLimited
from artificer.http.tls import CertificateRejected
from artificer.kubernetes.api import Account, Api, opened
from artificer.kubernetes.cluster import (
    Change,
    Forbidden,
    Kind,
    LogLine,
    NotFound,
    Selector,
    Unidentified,
)
from artificer.kubernetes.state import State, folded, index_at
from tests.kubernetes.fake_api import FakeApi, fake_api
from tests.kubernetes.recordings import WATCHES, changes, job_name
from tests.parts.certificates import authority

NAME = "watch-succeeded"


@pytest.fixture
def api(tmp_path: Path) -> Iterator[FakeApi]:
    with fake_api(tmp_path, NAME) as server:
        yield server


@pytest.fixture
def events() -> list[Event]:
    return []


@pytest.fixture
def cluster(api: FakeApi, events: list[Event]) -> Iterator[Api]:
    found = opened(Account(f"localhost:{api.port}", str(api.folder)), events.append)
    yield found
    found.close()


def heard(cluster: Api, kind: Kind, until: int) -> State:
    """What is known after the change with the version *until*, or after a list that is as new."""
    state = State()
    with closing(cluster.watch(kind, Selector())) as stream:
        for news in stream:
            state = folded(state, news)
            objects = (news.object,) if isinstance(news, Change) else news.objects
            # Two pods may be heard of apart: both have to have come as far.
            newest = max((int(one["metadata"]["resourceVersion"]) for one in objects), default=0)
            if newest >= until and len(state.pods) == len(expected(kind).pods):
                return state
    raise AssertionError


def last(kind: Kind) -> int:
    return max(
        int(one.object["metadata"]["resourceVersion"]) for one in changes(NAME) if one.kind == kind
    )


def expected(kind: Kind) -> State:
    state = State()
    for one in changes(NAME):
        if one.kind == kind:
            state = folded(state, one)
    return state


@pytest.mark.parametrize("name", WATCHES)
def test_a_watch_tells_all_that_a_real_server_told(tmp_path: Path, name: str) -> None:
    with fake_api(tmp_path, name) as api:
        cluster = opened(Account(f"localhost:{api.port}", str(tmp_path)), lambda _: None)
        told = [one for one in changes(name) if one.kind == "jobs"]
        with closing(cluster.watch("jobs", Selector())) as stream:
            next(stream)

            assert [next(stream) for _ in told] == told
        cluster.close()


@pytest.mark.parametrize(
    "script",
    [
        ["cut:0"],
        ["cut:3", "cut:1"],
        ["end:2", "end:0", "end:4"],
        ["gone"],
        ["cut:2", "gone"],
        ["expired:3"],
        ["end:1", "cut:2", "expired:1"],
    ],
)
@pytest.mark.parametrize("kind", ["jobs", "pods"])
def test_a_watch_that_breaks_goes_on_where_it_was(
    api: FakeApi, cluster: Api, script: list[str], kind: Kind
) -> None:
    api.watches[kind] = list(script)

    found = heard(cluster, kind, last(kind))

    assert (found.jobs, dict(found.pods)) == (expected(kind).jobs, dict(expected(kind).pods))


def test_a_bookmark_is_where_the_next_watch_begins(api: FakeApi, cluster: Api) -> None:
    api.watches["pods"] = ["bookmark", "gone"]

    with closing(cluster.watch("pods", Selector())) as stream:
        for _ in range(24):
            next(stream)

    versions = [
        query["resourceVersion"]
        for _, path, query, _ in api.requests
        if "watch" in query and path.endswith("pods")
    ]
    assert versions == ["1", "98765"]


def test_a_watch_asks_for_bookmarks_and_an_end(api: FakeApi, cluster: Api) -> None:
    heard(cluster, "jobs", last("jobs"))

    query = next(query for _, _, query, _ in api.requests if "watch" in query)
    assert query == {
        "watch": "true",
        "allowWatchBookmarks": "true",
        "resourceVersion": "1",
        "timeoutSeconds": "240",
    }


def test_a_server_that_restarts_is_waited_for(api: FakeApi, cluster: Api) -> None:
    api.answers = [(503, {"reason": "ServiceUnavailable", "message": "starting"}, "")] * 2

    assert heard(cluster, "jobs", last("jobs")).jobs == expected("jobs").jobs


def test_a_token_that_was_renewed_is_read_anew(api: FakeApi, cluster: Api) -> None:
    cluster.version()
    api.token = "t2"
    real = cluster._read

    def read(name: str) -> str:
        found = real(name)
        if name == "token":
            api.rotate("t2")
        return found

    cluster._read = read  # type: ignore[method-assign]

    assert cluster.version() == "v1.36.2"


def test_a_token_that_is_refused_says_so(api: FakeApi, cluster: Api) -> None:
    api.token = "another"

    with pytest.raises(Unidentified, match="the cluster does not know who we are"):
        cluster.version()


def test_what_is_forbidden_names_the_role(api: FakeApi, cluster: Api) -> None:
    said = 'jobs.batch is forbidden: User "system:serviceaccount:builds:x" cannot list resource'
    api.answers = [(403, {"kind": "Status", "reason": "Forbidden", "message": said}, "")]

    with pytest.raises(Forbidden) as caught:
        cluster.listed("jobs", Selector())

    assert caught.value.message == f"not allowed: {said}"
    assert "whoever submits needs a Role" in str(caught.value.hint)


def test_a_server_that_is_busy_is_asked_again_when_it_says(
    api: FakeApi, cluster: Api, events: list[Event]
) -> None:
    api.answers = [(429, {"reason": "TooManyRequests", "message": "x"}, "Retry-After: 0\r\n")]

    assert cluster.version() == "v1.36.2"
    assert [type(event).__name__ for event in events] == ["Retrying"]


def test_a_server_that_stays_busy_is_transient(api: FakeApi, cluster: Api) -> None:
    status = {"reason": "TooManyRequests", "message": "x"}
    api.answers = [(429, status, "Retry-After: 900\r\n")]

    with pytest.raises(RateLimited):
        cluster.version()


def test_objects_are_created_strictly(api: FakeApi, cluster: Api) -> None:
    job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "j"}}
    made = cluster.create(job)
    cluster.create({"apiVersion": "v1", "kind": "Pod"}, dry_run=True)

    assert made == job
    assert [(path, query) for _, path, query, _ in api.requests] == [
        ("/apis/batch/v1/namespaces/builds/jobs", {"fieldValidation": "Strict"}),
        ("/api/v1/namespaces/builds/pods", {"fieldValidation": "Strict", "dryRun": "All"}),
    ]


def test_deleting_a_job_deletes_its_pods_and_waits(api: FakeApi, cluster: Api) -> None:
    cluster.delete("jobs", "j")

    method, path, _, options = api.requests[0]
    assert (method, path) == ("DELETE", "/apis/batch/v1/namespaces/builds/jobs/j")
    assert options is not None
    assert options["propagationPolicy"] == "Foreground"
    assert cluster.find("jobs", "j") is None


def test_rights_are_asked_for_one_by_one(cluster: Api) -> None:
    assert cluster.may("get", "pods/log")
    assert not cluster.may("delete", "jobs")


def test_a_line_without_an_end_comes_in_parts_of_its_time(api: FakeApi, cluster: Api) -> None:
    api.logs = [b"2026-11-21T21:35:34Z a ", b"b c " * 10_000, b"\n2026-11-21T21:35:35Z two\n"]

    found = list(cluster.logs("p", "build", ""))

    assert {line.time for line in found[:-1]} == {"2026-11-21T21:35:34Z"}
    assert "".join(line.text for line in found[:-1]) == "a " + "b c " * 10_000
    assert found[-1] == ("2026-11-21T21:35:35Z", "two")


def test_a_log_is_read_line_by_line_from_a_time_on(api: FakeApi, cluster: Api) -> None:
    api.logs = [b"2026-11-21T21:35:34Z o", b"ne\n2026-11-21T21:35:35Z two\n"]

    found = list(cluster.logs("p", "build", "2026-11-21T21:35:34Z"))

    assert found == [
        LogLine("2026-11-21T21:35:34Z", "one"),
        LogLine("2026-11-21T21:35:35Z", "two"),
    ]
    assert api.requests[0][2] == {
        "container": "build",
        "follow": "true",
        "timestamps": "true",
        "sinceTime": "2026-11-21T21:35:34Z",
    }


def test_an_error_that_is_no_status_is_an_error_all_the_same(api: FakeApi, cluster: Api) -> None:
    api.answers = [(404, {}, "")]

    with pytest.raises(NotFound, match="status 404"):
        cluster.listed("pods", Selector())


def test_another_authority_than_the_clusters_is_not_believed(api: FakeApi, tmp_path: Path) -> None:
    authority("somebody").write(tmp_path / "ca.crt", tmp_path / "ca.key")

    with pytest.raises(CertificateRejected):
        opened(Account(f"localhost:{api.port}", str(tmp_path)), lambda _: None).version()


def test_a_pod_without_a_token_says_what_mounts_it(api: FakeApi, cluster: Api) -> None:
    (api.folder / "token").unlink()

    with pytest.raises(ArtificerError) as caught:
        cluster.version()

    assert caught.value.hint == "`automountServiceAccountToken: true` mounts it"


def test_an_index_ends_the_same_over_the_api(api: FakeApi, cluster: Api) -> None:
    state = heard(cluster, "pods", last("pods"))

    assert index_at(state, (job_name(NAME), 1)).phase == "succeeded"
