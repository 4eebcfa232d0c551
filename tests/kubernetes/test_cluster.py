"""A real cluster, named by ARTIFICER_TEST_KUBECONFIG: what recordings cannot show.

The nodes have to be able to pull ARTIFICER_TEST_IMAGE (busybox, if it is not set): it stands in
for the builder image, and its shell for what a pod does.
"""

import json
import os
import secrets
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from artificer.errors import ArtificerError, Cancelled
from artificer.events import CommandOutput, Event, Note, TargetDone
from artificer.kubernetes.batch import Batch, marked
from artificer.kubernetes.cluster import Cluster, Document, Selector
from artificer.kubernetes.doctor import examined, preflight
from artificer.kubernetes.graph import Graph, Node, ready
from artificer.kubernetes.job import Job, JobOptions, Pace, Resources, Work, Workspace
from artificer.kubernetes.kubectl import Kubeconfig, Kubectl, kubectl_of
from artificer.kubernetes.manifest import manifest
from artificer.kubernetes.run import Circumstances, Submission, Watch, cancel, submission_of
from artificer.kubernetes.submit import created
from artificer.stop import Stop

CONFIG = os.environ.get("ARTIFICER_TEST_KUBECONFIG", "")
IMAGE = os.environ.get("ARTIFICER_TEST_IMAGE", "docker.io/library/busybox:1.36")
DIGEST = "sha256:" + "0a" * 32
DONE = (
    'printf \'{"schema":1,"image":"registry.example/t%s:1","digest":"' + DIGEST + "\"}' "
    '"$JOB_COMPLETION_INDEX" >/dev/termination-log'
)

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.skipif(not CONFIG, reason="ARTIFICER_TEST_KUBECONFIG names no cluster"),
]


class Lab:
    """A namespace of its own, with whoever watches Jobs in it."""

    def __init__(self, namespace: str) -> None:
        self.namespace = namespace
        self.events: list[Event] = []
        self.built: list[str] = []
        self.stop = Stop()

    def cluster(self) -> Cluster:
        program = kubectl_of(os.environ)
        assert program is not None
        chosen = Kubeconfig(CONFIG, namespace=self.namespace)
        return Kubectl(program, chosen, os.environ, self.events.append)

    def kubectl(self, *words: str, data: str = "") -> str:
        program = kubectl_of(os.environ)
        assert program is not None
        command = [program, "--kubeconfig", CONFIG, "-n", self.namespace, *words]
        done = subprocess.run(command, check=True, input=data, capture_output=True, text=True)
        return done.stdout

    def around(self, cluster: Cluster) -> Circumstances:
        return Circumstances(cluster, self.events.append, self.built.append, self.stop)

    def submit(
        self, script: str, graph: Graph, change: Callable[[Document], None] = lambda _: None
    ) -> Submission:
        numbers = ready(graph, (), ())
        works = tuple(graph.nodes[one].work for one in numbers)
        options = JobOptions(
            IMAGE,
            namespace=self.namespace,
            pace=Pace(graph.parallelism, deadline=300, grace=5),
            resources=Resources(cpu="10m", memory="16Mi", memory_limit="64Mi"),
        )
        document = manifest(Job(options, works, Workspace(directory="/tmp")))
        build = document["spec"]["template"]["spec"]["containers"][0]
        build["command"] = ["sh", "-ec", script]
        change(document)
        first = self.cluster().create(marked(document, secrets.token_hex(4), graph, numbers))
        return Submission(graph, (Batch(first["metadata"]["name"], numbers),), first)

    def watch(self, submission: Submission) -> None:
        Watch(submission, self.around(self.cluster())).follow()

    def failed(self, submission: Submission) -> ArtificerError:
        with pytest.raises(ArtificerError) as caught:
            self.watch(submission)
        return caught.value

    def pods(self, name: str) -> list[Document]:
        return list(self.cluster().listed("pods", Selector(labels=f"job-name={name}")))


@pytest.fixture
def lab() -> Iterator[Lab]:
    name = f"artificer-test-{secrets.token_hex(4)}"
    found = Lab(name)
    found.kubectl("create", "namespace", name)
    level = "pod-security.kubernetes.io/enforce=restricted"
    found.kubectl("label", "namespace", name, level)
    yield found
    found.kubectl("delete", "namespace", name, "--wait=false")


def graph_of(count: int, parallelism: int = 10) -> Graph:
    works = [Work(f"//:t{one}", ("version",)) for one in range(count)]
    return Graph(tuple(map(Node, works)), parallelism)


def _later(happened: Callable[[], Any], act: Callable[[], Any]) -> threading.Thread:
    def wait() -> None:
        end = time.monotonic() + 120
        while not happened() and time.monotonic() < end:
            time.sleep(0.5)
        act()

    thread = threading.Thread(target=wait)
    thread.start()
    return thread


def test_targets_are_built_and_told_by_digest(lab: Lab) -> None:
    lab.watch(lab.submit(DONE, graph_of(2)))

    assert sorted(lab.built) == [f"registry.example/t{one}@{DIGEST}" for one in (0, 1)]


def test_logs_come_while_the_pod_runs_each_line_once(lab: Lab) -> None:
    script = f"for i in 1 2 3 4 5 6 7 8; do echo line $i; sleep 0.5; done; {DONE}"

    lab.watch(lab.submit(script, graph_of(1)))

    lines = [event.line for event in lab.events if isinstance(event, CommandOutput)]
    assert lines == [f"line {number}" for number in range(1, 9)]
    first = next(i for i, event in enumerate(lab.events) if isinstance(event, CommandOutput))
    done = next(i for i, event in enumerate(lab.events) if isinstance(event, TargetDone))
    assert first < done


def test_who_cancels_leaves_neither_job_nor_pods(lab: Lab) -> None:
    submission = lab.submit("sleep 600", graph_of(2))
    running = _later(
        lambda: any(_runs(pod) for pod in lab.pods(submission.names[0])), lab.stop.set
    )

    with pytest.raises(Cancelled):
        lab.watch(submission)

    running.join()
    assert lab.cluster().find("jobs", submission.names[0]) is None
    assert lab.pods(submission.names[0]) == []


def _runs(pod: Document) -> bool:
    return bool(pod["status"].get("phase") == "Running")


def test_an_evicted_pod_is_replaced_and_costs_no_retry(lab: Lab) -> None:
    # The first pod sleeps until it is evicted: an init file would be gone with it, so time tells.
    submission = lab.submit(f"sleep 15; {DONE}", graph_of(1))
    name = submission.names[0]

    def evict() -> None:
        pod = lab.pods(name)[0]["metadata"]["name"]
        eviction = {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": pod, "namespace": lab.namespace},
        }
        path = f"/api/v1/namespaces/{lab.namespace}/pods/{pod}/eviction"
        lab.kubectl("create", "--raw", path, "-f", "-", data=json.dumps(eviction))

    evicting = _later(lambda: any(map(_runs, lab.pods(name))), evict)
    lab.watch(submission)
    evicting.join()

    job = lab.cluster().find("jobs", name)
    assert job is not None
    assert len(lab.built) == 1
    assert job["status"].get("failed", 0) == 0


def test_a_user_error_fails_at_once_and_the_others_go_on(lab: Lab) -> None:
    script = (
        'if [ "$JOB_COMPLETION_INDEX" = 1 ]; then echo "error: no such file"; '
        f'echo "hint: look again"; exit 1; fi; {DONE}'
    )

    error = lab.failed(lab.submit(script, graph_of(3)))

    assert (error.exit_code, error.message, error.hint) == (
        1,
        "//:t1: no such file (exit code 1)",
        "look again",
    )
    assert len(lab.built) == 2


def test_what_may_pass_is_tried_again(lab: Lab) -> None:
    submission = lab.submit("echo error: the registry is away; exit 75", graph_of(1))

    error = lab.failed(submission)

    assert (error.exit_code, len(lab.pods(submission.names[0]))) == (75, 2)
    assert any(isinstance(one, Note) and "tried again" in one.text for one in lab.events)


def test_a_forbidden_pod_is_said_within_seconds(lab: Lab) -> None:
    def privileged(document: Document) -> None:
        build = document["spec"]["template"]["spec"]["containers"][0]
        build["securityContext"] = {}

    began = time.monotonic()
    error = lab.failed(lab.submit(DONE, graph_of(1), privileged))

    assert error.exit_code == 1
    assert "forbidden by Pod Security" in error.message
    assert time.monotonic() - began < 60


def _build(document: Document) -> Document:
    found: Document = document["spec"]["template"]["spec"]["containers"][0]
    return found


def test_an_image_that_is_not_there_is_said(lab: Lab) -> None:
    missing = f"{IMAGE.partition(':')[0]}-of-nobody:none"

    error = lab.failed(
        lab.submit(DONE, graph_of(1), lambda document: _build(document).update(image=missing))
    )

    assert missing in error.message


def test_a_secret_that_is_not_there_is_said(lab: Lab) -> None:
    def asking(document: Document) -> None:
        spec = document["spec"]["template"]["spec"]
        spec["volumes"].append({"name": "s", "secret": {"secretName": "nope"}})
        _build(document)["volumeMounts"].append({"name": "s", "mountPath": "/s"})

    error = lab.failed(lab.submit(DONE, graph_of(1), asking))

    assert error.message.endswith("there is no Secret nope in this namespace")


def test_too_much_memory_is_said_by_name(lab: Lab) -> None:
    script = "x=x; while true; do x=$x$x; done"

    error = lab.failed(lab.submit(script, graph_of(1)))

    assert "ran out of memory" in error.message


def test_a_deadline_is_told_although_the_pods_are_gone(lab: Lab) -> None:
    def short(document: Document) -> None:
        document["spec"]["activeDeadlineSeconds"] = 25

    error = lab.failed(lab.submit("echo begun; sleep 600", graph_of(1), short))

    assert (error.exit_code, error.message) == (
        75,
        "//:t0: not done within the Job's deadline of 25 s",
    )
    assert any(isinstance(one, CommandOutput) and one.line == "begun" for one in lab.events)


def test_long_work_goes_with_its_job(lab: Lab) -> None:
    works = tuple(Work(f"//:{'t' * 60}{one}", ("version",)) for one in range(1200))
    options = JobOptions(IMAGE, namespace=lab.namespace, suspend=True)
    job = Job(options, works, Workspace(directory="/tmp"))
    graph = Graph(tuple(map(Node, works)))

    submission = created(lab.cluster(), job, graph, lab.events.append, run="a1")

    found = submission_of(lab.cluster(), submission.names[0])
    assert found.graph.nodes[1199].work == works[1199]
    assert _config_maps(lab) != []
    cancel(lab.cluster(), submission.names, lab.events.append)
    end = time.monotonic() + 60
    while _config_maps(lab) and time.monotonic() < end:
        time.sleep(1)
    assert _config_maps(lab) == []


def _config_maps(lab: Lab) -> list[Document]:
    selector = Selector(labels="app.kubernetes.io/managed-by=artificer")
    return list(lab.cluster().listed("configmaps", selector))


def test_fifty_targets_are_all_built(lab: Lab) -> None:
    lab.watch(lab.submit(DONE, graph_of(50)))

    assert len(set(lab.built)) == 50


def test_a_submitter_that_was_killed_is_resumed_with_what_waits(lab: Lab) -> None:
    nodes = (
        Node(Work("//:base", ("version",))),
        Node(Work("//:app", ("version",)), (0,)),
    )
    submission = lab.submit(DONE, Graph(nodes))

    lab.watch(submission_of(lab.cluster(), submission.names[0]))

    done = [event.label for event in lab.events if isinstance(event, TargetDone)]
    assert done == ["//:base", "//:app"]


def test_the_doctor_and_the_preflight_find_nothing_wrong(lab: Lab) -> None:
    job = Job(JobOptions(IMAGE, name="x"), graph_of(1).nodes[0][:1], Workspace(directory="/tmp"))

    preflight(lab.cluster(), job, lab.events.append)

    assert [one for one in examined(lab.cluster(), job) if one.state == "fail"] == []
