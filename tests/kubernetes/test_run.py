"""Jobs submitted to a replayed server and watched, over a `kubectl` whose streams break."""

import hashlib
import json
import threading
import time
from typing import Any

import pytest

from artificer.errors import ArtificerError, Cancelled
from artificer.events import CommandOutput, Event, Note, TargetDone, TargetFailed, Warned
from artificer.kubernetes.batch import Batch, marked
from artificer.kubernetes.cluster import Forbidden, NotFound
from artificer.kubernetes.graph import Graph, LostGraph, Node, ready
from artificer.kubernetes.job import Job, JobOptions, Work, Workspace
from artificer.kubernetes.manifest import manifest
from artificer.kubernetes.run import Circumstances, Submission, Watch, names_of, submission_of
from artificer.kubernetes.submit import created
from artificer.stop import Stop
from tests.kubernetes.recordings import WATCHES, Fake, each, whole

DIGEST = "sha256:0a73bf26cb803b9ab03ed41b34c3c90b3185c568810b9f16c6e7a1e689e8333a"

DELETED = (
    "delete jobs build-00001 --cascade=foreground --ignore-not-found --wait=false "
    "--request-timeout=30s"
)


class Told:
    """Whom a watch tells, with a clock that runs a hundred times as fast."""

    def __init__(self, fake: Fake) -> None:
        self.events: list[Event] = []
        self.built: list[str] = []
        self.stop = Stop()
        self.cluster = fake.cluster(self.events.append)
        self._began = time.monotonic()

    def around(self) -> Circumstances:
        return Circumstances(
            self.cluster, self.events.append, self.built.append, self.stop, self.now
        )

    def now(self) -> float:
        return 100 * (time.monotonic() - self._began)

    def of(self, kind: type[Any]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]


def graph_of(count: int = 1, **needs: tuple[int, ...]) -> Graph:
    names = [f"//:t{number}" for number in range(count)]
    return Graph(
        tuple(
            Node(Work(name, ("run", name)), needs.get(f"t{number}", ()))
            for number, name in enumerate(names)
        )
    )


def submitted(told: Told, graph: Graph) -> Submission:
    numbers = ready(graph, (), ())
    works = tuple(graph.nodes[one].work for one in numbers)
    job = Job(JobOptions("registry.example/builder:1"), works, Workspace())
    first = told.cluster.create(marked(manifest(job), "r1", graph, numbers))
    return Submission(graph, (Batch(first["metadata"]["name"], numbers),), first)


def watched(fake: Fake, graph: Graph) -> Told:
    told = Told(fake)
    Watch(submitted(told, graph), told.around()).follow()
    return told


def failed(fake: Fake, graph: Graph) -> tuple[ArtificerError, Told]:
    told = Told(fake)
    submission = submitted(told, graph)
    with pytest.raises(ArtificerError) as caught:
        Watch(submission, told.around()).follow()
    return caught.value, told


def deleted(fake: Fake) -> list[str]:
    return [" ".join(call) for call in fake.calls() if call[0] == "delete"]


def test_each_image_that_is_done_is_told_by_digest(fake: Fake) -> None:
    fake.plan(**whole("watch-succeeded"))

    told = watched(fake, graph_of(2))

    assert sorted(told.built) == [f"10.244.0.1:5201/team/rec{one}@{DIGEST}" for one in (0, 1)]
    assert {one.label for one in told.of(TargetDone)} == {"//:t0", "//:t1"}


def test_a_job_is_created_strictly_and_from_standard_input(fake: Fake) -> None:
    fake.plan(**whole("watch-succeeded"))

    watched(fake, graph_of(2))

    create = next(call for call in fake.calls() if call[0] == "create")
    assert create == [
        *("create", "-f", "-", "-o", "json", "--validate=strict", "--request-timeout=30s"),
    ]


@pytest.mark.parametrize("first", [0, 1, 2, 5])
def test_streams_that_break_are_taken_up_and_nothing_is_told_twice(fake: Fake, first: int) -> None:
    breaks = {"jobs": [1, first], "pods": [first, 1, 3], "events": [first]}
    fake.plan(**whole("watch-succeeded"), breaks=breaks)

    told = watched(fake, graph_of(2))

    assert sorted(told.built) == [f"10.244.0.1:5201/team/rec{one}@{DIGEST}" for one in (0, 1)]
    assert len(told.of(TargetDone)) == 2


ENDINGS = {
    "watch-deadline-exceeded": (75, "//:t0: not done within the Job's deadline of 6 s"),
    "watch-exit-1-retried": (1, "//:t0: transient (exit code 1)"),
    "watch-exit-64-fail-index": (1, "//:t0: usage error (exit code 64)"),
    "watch-init-64-fail-index": (
        1,
        "//:t0: the source could not be fetched: bad ref (exit code 64)",
    ),
    "watch-image-not-found": (
        1,
        "Job build-00001: there is no image 10.244.0.1:5200/no/such:1",
    ),
    "watch-pod-security-forbidden": (
        1,
        "Job build-00001: pods of the Job are forbidden by Pod Security: "
        "allowPrivilegeEscalation != false",
    ),
    "image-invalid-name": (
        1,
        "Job build-00001: not the name of an image: 'UPPER/case:bad tag'",
    ),
    "image-unauthorized": (
        77,
        "Job build-00001: the nodes may not pull the image 10.244.0.1:5201/private/python:1",
    ),
    "run-as-root-denied": (
        1,
        "Job build-00001: the image 10.244.0.1:5200/library/debian:bookworm-slim wants to run "
        "as root, and the pod must not",
    ),
    "secret-missing": (1, "Job build-00001: there is no Secret nope in this namespace"),
    "oom-killed": (1, "//:t0: the build ran out of memory and was killed (OOMKilled)"),
    "init-failed": (
        1,
        "//:t0: the source could not be fetched: it said nothing (exit code 128)",
    ),
}


@pytest.mark.parametrize("name", sorted(ENDINGS))
def test_a_watch_ends_with_why_it_failed(fake: Fake, name: str) -> None:
    fake.plan(**whole(name))

    error, _ = failed(fake, graph_of())

    code, message = ENDINGS[name]
    assert (error.exit_code, error.message[: len(message)]) == (code, message)
    assert error.hint or name in {"watch-exit-1-retried", "watch-exit-64-fail-index"}
    # What would wait for ever is cancelled, and what has ended is kept for who wants to look.
    stuck = message.startswith("Job ")
    assert deleted(fake) == ([DELETED] if stuck else [])


def test_every_recorded_stream_is_watched() -> None:
    assert {*WATCHES} <= {*ENDINGS, "watch-succeeded"}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("unschedulable", "//:t0: waiting for a node: 0/1 nodes are available"),
        ("suspended", "build-00001: suspended"),
    ],
)
def test_what_may_pass_is_told_and_waited_for(fake: Fake, name: str, text: str) -> None:
    fake.plan(**whole(name))
    told = Told(fake)
    watch = Watch(submitted(told, graph_of()), told.around())

    _stopped_when(told, lambda: bool(told.of(Warned)), watch)

    assert [one.text[: len(text)] for one in told.of(Warned)] == [text]
    assert told.of(Warned)[0].hint


def _stopped_when(told: Told, happened: Any, watch: Watch) -> None:
    """Follow, and wish to stop a moment after it *happened*."""

    def wait() -> None:
        while not happened():
            time.sleep(0.02)
        time.sleep(0.3)
        told.stop.set()

    threading.Thread(target=wait).start()
    with pytest.raises(Cancelled):
        watch.follow()


def test_who_cancels_waits_until_the_pods_are_gone(fake: Fake) -> None:
    fake.plan(**whole("suspended"), **{"delete-seconds": 0.5})
    told = Told(fake)
    watch = Watch(submitted(told, graph_of()), told.around())

    _stopped_when(told, lambda: bool(told.of(Warned)), watch)

    assert deleted(fake) == [DELETED]
    assert Note("cancelling the Job build-00001: waiting for its pods to end") in told.events


def test_who_only_waits_leaves_the_job_alone(fake: Fake) -> None:
    fake.plan(**whole("suspended"))
    told = Told(fake)
    watch = Watch(submitted(told, graph_of()), told.around()._replace(cancels=False))

    _stopped_when(told, lambda: bool(told.of(Warned)), watch)

    assert deleted(fake) == []
    assert told.events[-1] == Note("the Job goes on; `artificer job cancel build-00001` ends it")


def test_a_cancel_that_fails_says_how_to_do_it_by_hand(fake: Fake) -> None:
    fake.plan(**whole("suspended"), fails={"delete": "error: the server is away\n"})
    told = Told(fake)
    watch = Watch(submitted(told, graph_of()), told.around())

    _stopped_when(told, lambda: bool(told.of(Warned)), watch)

    assert told.of(Warned)[-1].hint == "by hand: `kubectl delete job build-00001`"


def test_one_failure_does_not_keep_the_others_from_being_built(fake: Fake) -> None:
    fake.plan(**each(), bad={"//:t1": "exit-64"})

    error, told = failed(fake, graph_of(3))

    assert error.message == "//:t1: usage error (exit code 64)"
    assert sorted(told.built) == [f"registry.example/rec{one}@{DIGEST}" for one in (0, 2)]


def test_several_failures_are_one_error(fake: Fake) -> None:
    fake.plan(**each(), bad={"//:t1": "exit-64", "//:t2": "exit-64"})

    error, told = failed(fake, graph_of(3))

    assert error.message == (
        "2 of 3 targets failed: //:t1, //:t2; //:t1: usage error (exit code 64)"
    )
    assert len(told.of(TargetFailed)) == 2


def test_a_target_starts_when_its_bases_are_done(fake: Fake) -> None:
    fake.plan(**each())

    told = watched(fake, graph_of(4, t1=(0,), t2=(0,), t3=(1, 2)))

    jobs = [document for document in fake.created() if document["kind"] == "Job"]
    assert [job["metadata"]["annotations"]["artificer/nodes"] for job in jobs] == ["0", "1-2", "3"]
    assert len(told.built) == 4
    assert [one.text for one in told.of(Note)] == [
        "submitted the Job build-00001-2: 2 more targets",
        "submitted the Job build-00001-3: 1 more target",
    ]


def test_what_only_others_need_is_no_result(fake: Fake) -> None:
    fake.plan(**each())
    graph = graph_of(2, t1=(0,))
    graph = graph._replace(nodes=(graph.nodes[0]._replace(inner=True), graph.nodes[1]))

    told = watched(fake, graph)

    assert [one.label for one in told.of(TargetDone)] == ["//:t0", "//:t1"]
    assert len(told.built) == 1


def test_what_is_upon_a_failure_is_not_started(fake: Fake) -> None:
    fake.plan(**each(), bad={"//:t0": "exit-64"})

    error, told = failed(fake, graph_of(4, t1=(0,), t2=(1,)))

    assert error.message == "//:t0: usage error (exit code 64)"
    assert [one.label for one in told.of(TargetFailed)] == ["//:t0"]
    assert told.events[-2:] == [
        Note("//:t1: not built, as //:t0 failed"),
        Note("//:t2: not built, as //:t0 failed"),
    ]
    assert len([one for one in fake.created() if one["kind"] == "Job"]) == 1


def test_who_was_killed_is_resumed_from_what_is_on_the_job(fake: Fake) -> None:
    fake.plan(**each())
    first = Told(fake)
    submitted(first, graph_of(3, t1=(0,), t2=(1,)))

    told = Told(fake)
    Watch(submission_of(told.cluster, "build-00001"), told.around()).follow()

    assert len(told.built) == 3
    assert [one.label for one in told.of(TargetDone)] == ["//:t0", "//:t1", "//:t2"]


def _long(count: int) -> Graph:
    """Targets whose words are not to be made shorter, all upon the first."""
    noise = [hashlib.sha512(str(number).encode()).hexdigest() for number in range(count)]
    return Graph(
        tuple(
            Node(Work(f"//{word[:90]}:t", ("run", f"--define=x={word}")), (0,) if number else ())
            for number, word in enumerate(noise)
        )
    )


def test_two_thousand_targets_are_resumed_however_long_their_words_are(fake: Fake) -> None:
    fake.plan(**each())
    graph, told = _long(2000), Told(fake)
    job = Job(JobOptions("registry.example/builder:1"), (graph.nodes[0].work,), Workspace())
    submission = created(told.cluster, job, graph, told.events.append, run="r1")

    found = submission_of(told.cluster, submission.names[0])

    maps = [one for one in fake.created() if one["kind"] == "ConfigMap"]
    assert found.graph == graph
    assert [one["metadata"]["name"] for one in maps] == ["artificer-graph-r1-0"]
    assert all(one["metadata"]["ownerReferences"][0]["kind"] == "Job" for one in maps)


def test_why_a_job_has_to_go_is_told_also_where_it_stays(fake: Fake) -> None:
    away = {"delete": "error: the server is away\n"}
    fake.plan(**each(), refused={"ConfigMap": "error: no room for maps\n"}, fails=away)
    graph, told = _long(2000), Told(fake)
    job = Job(JobOptions("registry.example/builder:1"), (graph.nodes[0].work,), Workspace())

    with pytest.raises(ArtificerError, match="no room for maps"):
        created(told.cluster, job, graph, told.events.append, run="r1")

    hint = "its pods wait for ever: `kubectl delete job build-00001`"
    text = "the Job build-00001 is still there: kubectl: the server is away"
    assert told.events == [Warned(text, hint)]


def test_a_graph_that_was_never_kept_is_said_to_be_lost(fake: Fake) -> None:
    fake.plan(**each())
    told, graph = Told(fake), _long(2000)
    submitted(told, graph)

    with pytest.raises(LostGraph, match="there is no ConfigMap artificer-graph-r1-0") as caught:
        submission_of(told.cluster, "build-00001")

    assert "submit again" in str(caught.value.hint)
    assert names_of(told.cluster, "build-00001") == ("build-00001",)


def test_the_targets_of_a_job_are_read_from_its_pods_words(fake: Fake) -> None:
    fake.plan(**each())
    told = Told(fake)
    submitted(told, graph_of(3))

    found = submission_of(told.cluster, "build-00001")

    assert found.graph.nodes == graph_of(3).nodes
    assert found.batches == (Batch("build-00001", (0, 1, 2)),)


@pytest.mark.parametrize("nodes", ["", "0-2", "7"])
def test_annotations_that_somebody_changed_are_an_error(fake: Fake, nodes: str) -> None:
    fake.plan(**each())
    told = Told(fake)
    submitted(told, graph_of(3, t1=(0,), t2=(1,)))
    path = fake.folder / "job-build-00001.json"
    document = json.loads(path.read_text())
    document["metadata"]["annotations"]["artificer/nodes"] = nodes
    path.write_text(json.dumps(document))

    with pytest.raises(LostGraph, match="about other targets"):
        submission_of(told.cluster, "build-00001")


def test_a_job_that_is_not_there_says_where_jobs_are_listed(fake: Fake) -> None:
    with pytest.raises(NotFound, match="there is no Job nope in the namespace builds"):
        submission_of(fake.cluster(), "nope")


def test_logs_are_told_with_their_target_and_taken_up_where_they_broke(fake: Fake) -> None:
    lines = [
        "2026-11-21T21:35:34.1Z one",
        "2026-11-21T21:35:34.12Z two",
        "2026-11-21T21:35:34.12Z three",
        "2026-11-21T21:35:35Z four",
    ]
    logs = {"source": ["2026-11-21T21:35:33Z cloned"], "build": lines}
    fake.plan(**whole("watch-exit-64-fail-index"), logs=logs, breaks={"logs": [1, 3, 9]})

    _, told = failed(fake, graph_of())

    heard = [one.line for one in told.of(CommandOutput)]
    assert {one.label for one in told.of(CommandOutput)} == {"//:t0"}
    assert [one for one in heard if one != "cloned"] == ["one", "two", "three", "four"]
    assert heard.count("cloned") == 1


def test_what_may_not_be_watched_is_said(fake: Fake) -> None:
    fake.plan(**each())
    told = Told(fake)
    submission = submitted(told, graph_of())
    said = 'pods is forbidden: User "u" cannot watch resource "pods" in the namespace "builds"'
    fake.plan(fails={"watch": f"Error from server (Forbidden): {said}\n"})

    with pytest.raises(Forbidden) as caught:
        Watch(submission, told.around()).follow()

    assert caught.value.message == f"not allowed: {said}"
    assert told.events[-1] == Note("the Job goes on; `artificer job cancel build-00001` ends it")


def test_a_job_that_somebody_deletes_is_said_to_be_gone(fake: Fake) -> None:
    plan = whole("suspended")
    plan["whole"]["jobs"].append(plan["whole"]["jobs"][0].replace("ADDED", "DELETED"))
    fake.plan(**plan)

    error, _ = failed(fake, graph_of())

    assert error.message == "//:t0: the Job build-00001 was deleted while it was watched"
    assert error.exit_code == 75
