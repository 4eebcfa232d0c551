"""The Jobs after the first: made once, and not lost with an answer of the cluster."""

import time
from collections.abc import Callable

import pytest

from artificer.errors import ArtificerError
from artificer.events import Event, Note, Retrying, TargetDone, Warned
from artificer.kubernetes.batch import following
from artificer.kubernetes.cluster import Conflict, Full
from artificer.kubernetes.further import Tries, further
from artificer.kubernetes.job import Job, JobOptions, Workspace
from artificer.kubernetes.resume import Clock
from artificer.kubernetes.run import Watch, submission_of
from artificer.kubernetes.submit import created
from tests.kubernetes.recordings import Fake, each
from tests.kubernetes.test_run import Told, graph_of, submitted

TWO = graph_of(2, t1=(0,))
AWAY = "Error from server (ServiceUnavailable): the server is away"
FULL = "Error from server (Forbidden): jobs.batch is forbidden: exceeded quota: jobs"
POLICY = "Error from server (Forbidden): admission webhook denied the request"


def test_a_job_that_somebody_else_submitted_meanwhile_is_taken_for_ours(fake: Fake) -> None:
    fake.plan(**each())
    told = Told(fake)
    first = submitted(told, TWO).first

    one, other = (further(told.cluster, first, TWO, (1,), 2) for _ in range(2))

    assert one == other == ("build-00001-2", (1,))


def test_a_job_of_others_is_not(fake: Fake) -> None:
    fake.plan(**each())
    told = Told(fake)
    first = submitted(told, TWO).first
    others = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "build-00001-2"}}
    told.cluster.create({**others, "spec": {"template": {"spec": {"containers": []}}}})

    with pytest.raises(Conflict):
        further(told.cluster, first, TWO, (1,), 2)


@pytest.mark.parametrize("length", [10, 57, 61])
def test_its_name_fits_however_long_that_of_the_first_is(fake: Fake, length: int) -> None:
    fake.plan(**each())
    first = submitted(Told(fake), TWO).first
    first["metadata"]["name"] = "x" * length

    names = [following(first, TWO, (1,), part)["metadata"]["name"] for part in (2, 2, 3)]

    assert names[0] == names[1] != names[2]
    assert max(map(len, names)) <= 61


def _after_the_first(
    fake: Fake, told: Told, said: str, now: Callable[[], float] | None = None
) -> None:
    """Let the cluster refuse Jobs from the first target on; and no more once that is told."""

    def report(event: Event) -> None:
        told.events.append(event)
        if isinstance(event, TargetDone):
            fake.plan(**each(), refused={"Job": said})
        if isinstance(event, Retrying | Warned) and "Job" in str(event):
            fake.plan(**each())

    submission = submitted(told, TWO)
    Watch(submission, told.around()._replace(report=report, now=now or told.now)).follow()


def test_a_cluster_that_is_away_for_a_moment_gets_it_later(fake: Fake) -> None:
    fake.plan(**each())
    told = Told(fake)

    _after_the_first(fake, told, AWAY, time.monotonic)

    assert len(told.built) == 2
    assert told.of(Note)[-1].text == "submitted the Job build-00001-2: 1 more target"


def test_a_quota_that_others_fill_is_waited_for(fake: Fake) -> None:
    fake.plan(**each())
    told = Told(fake)

    _after_the_first(fake, told, FULL)

    assert len(told.built) == 2
    assert [one.text for one in told.of(Warned)] == [
        "the next Job waits: the namespace has no room: exceeded quota: jobs"
    ]


def test_a_quota_is_not_waited_for_beyond_the_deadline() -> None:
    now, events = [100.0], list[Event]()
    first = {"metadata": {"name": "x"}, "spec": {"activeDeadlineSeconds": 60}}
    tries = Tries(first, Clock(lambda: now[0], lambda _: False), events.append)
    full = Full("no room", hint="wait")

    tries.refused(full, 2)
    at_once, now[0] = tries.due, 160.0
    later = tries.due
    tries.refused(full, 2)
    now[0] = 161.0

    with pytest.raises(Full, match="2 more targets could not be submitted: no room"):
        tries.refused(full, 2)
    assert (at_once, later, len(events)) == (False, True, 1)


def test_what_cannot_be_submitted_says_what_goes_on_and_how_to_resume(fake: Fake) -> None:
    fake.plan(**each())
    told = Told(fake)

    with pytest.raises(ArtificerError) as caught:
        _after_the_first(fake, told, POLICY)

    assert caught.value.message.startswith(
        "1 more target could not be submitted: the cluster refuses it: admission webhook denied"
    )
    assert (caught.value.hint or "").endswith(
        "what runs goes on: once this is mended, `artificer job wait build-00001` goes on with "
        "the others, too; `artificer job cancel build-00001` ends all"
    )
    assert not [call for call in fake.calls() if call[0] == "delete"]


def test_platforms_are_jobs_on_nodes_of_their_own(fake: Fake) -> None:
    fake.plan(**each())
    graph = graph_of(3, t2=(0, 1))
    some, others, last = graph.nodes
    nodes = (some._replace(architecture="amd64"), others._replace(architecture="arm64"), last)
    graph = graph._replace(nodes=nodes)
    works = tuple(node.work for node in nodes)
    told = Told(fake)
    job = Job(JobOptions("registry.example/builder:1"), works, Workspace())

    submission = created(told.cluster, job, graph, told.events.append, run="r1")
    Watch(submission_of(told.cluster, submission.names[0]), told.around()).follow()

    chosen = [
        one["spec"]["template"]["spec"].get("nodeSelector", {}).get("kubernetes.io/arch")
        for one in fake.created()
        if one["kind"] == "Job"
    ]
    assert chosen == ["amd64", "arm64", None]
    assert len(told.built) == 3
