"""A real cluster, named by ARTIFICER_TEST_KUBECONFIG: what recordings cannot show.

Nothing else is needed: an image with a shell, which stands in for the builder image, is looked for
on the nodes and in some registries; or ARTIFICER_TEST_IMAGE names one. `test_model.py` runs these
against a cluster of a few hundred lines.
"""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from artificer.errors import Cancelled
from artificer.events import CommandOutput, Event, Note, TargetDone, Warned
from artificer.kubernetes.cluster import Document, Forbidden, Selector
from artificer.kubernetes.doctor import examined, preflight
from artificer.kubernetes.graph import Graph, Node
from artificer.kubernetes.job import Job, Work, Workspace
from artificer.kubernetes.run import cancel, submission_of
from artificer.kubernetes.submit import created as submitted
from artificer.oci.reference import parse_name
from tests.kubernetes.lab import (
    CONFIG,
    SPEED,
    Ground,
    Lab,
    build_of,
    created,
    found_ground,
    graph_of,
    later,
    namespace,
    until,
)

DIGEST = "sha256:" + "0a" * 32
DONE = (
    'printf \'{"schema":1,"image":"registry.example/t%s:1","digest":"' + DIGEST + "\"}' "
    '"$JOB_COMPLETION_INDEX" >/dev/termination-log'
)

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.skipif(not CONFIG, reason="ARTIFICER_TEST_KUBECONFIG names no cluster"),
]


@pytest.fixture(scope="session")
def ground() -> Ground:
    return found_ground()


@pytest.fixture
def lab(ground: Ground, tmp_path: Path) -> Iterator[Lab]:
    with namespace() as name:
        lab = Lab(name, ground, tmp_path)
        yield lab
        lab.close()


@pytest.fixture(params=["kubectl", "in a pod"])
def any_lab(lab: Lab, request: pytest.FixtureRequest) -> Lab:
    """The same through the API, with the rights of the guide's Role."""
    lab.in_pod = request.param != "kubectl"
    return lab


def test_targets_are_built_and_told_by_digest(any_lab: Lab) -> None:
    any_lab.watch(any_lab.submit(DONE, graph_of(2)))

    assert sorted(any_lab.built) == [f"registry.example/t{one}@{DIGEST}" for one in (0, 1)]


def test_logs_come_while_the_pod_runs_each_line_once(any_lab: Lab) -> None:
    script = f"for i in 1 2 3 4 5 6 7 8; do echo line $i; sleep {0.5 / SPEED}; done; {DONE}"

    any_lab.watch(any_lab.submit(script, graph_of(1)))

    said = any_lab.events
    lines = [event.line for event in said if isinstance(event, CommandOutput)]
    assert lines == [f"line {number}" for number in range(1, 9)]
    first = next(i for i, event in enumerate(said) if isinstance(event, CommandOutput))
    done = next(i for i, event in enumerate(said) if isinstance(event, TargetDone))
    assert first < done


def test_who_cancels_leaves_neither_job_nor_pods(any_lab: Lab) -> None:
    submission = any_lab.submit("sleep 600", graph_of(2))
    (name,) = submission.names
    running = later(lambda: any_lab.runs(name), any_lab.stop.set)

    with pytest.raises(Cancelled):
        any_lab.watch(submission)

    running.join()
    assert any_lab.cluster().find("jobs", name) is None
    assert any_lab.pods(name) == []


def test_an_evicted_pod_is_replaced_and_costs_no_retry(lab: Lab) -> None:
    def told(document: Document) -> None:
        spec = document["spec"]["template"]["spec"]
        spec["volumes"].append({"name": "told", "configMap": {"name": "told", "optional": True}})
        build_of(document)["volumeMounts"].append({"name": "told", "mountPath": "/etc/told"})

    # The second pod is told what the first was not.
    submission = lab.submit(f"[ -e /etc/told/end ] || sleep 600; {DONE}", graph_of(1), told)
    name = submission.names[0]

    def evict() -> None:
        about = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "told"}}
        created(lab.namespace, {**about, "data": {"end": "now"}})
        pod = lab.pods(name)[0]["metadata"]["name"]
        eviction = {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": pod, "namespace": lab.namespace},
        }
        path = f"/api/v1/namespaces/{lab.namespace}/pods/{pod}/eviction"
        lab.kubectl("create", "--raw", path, "-f", "-", data=json.dumps(eviction))

    evicting = later(lambda: lab.runs(name), evict)
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
        build_of(document)["securityContext"] = {}

    began = time.monotonic()
    error = lab.failed(lab.submit(DONE, graph_of(1), privileged))

    assert error.exit_code == 1
    assert "forbidden by Pod Security" in error.message
    assert time.monotonic() - began < 60


def test_an_image_that_is_not_there_is_said(lab: Lab) -> None:
    missing = f"{parse_name(lab.ground.image).repository}-of-nobody:none"

    error = lab.failed(
        lab.submit(DONE, graph_of(1), lambda document: build_of(document).update(image=missing))
    )

    assert missing in error.message


def test_a_secret_that_is_not_there_is_said(lab: Lab) -> None:
    def asking(document: Document) -> None:
        spec = document["spec"]["template"]["spec"]
        spec["volumes"].append({"name": "s", "secret": {"secretName": "nope"}})
        build_of(document)["volumeMounts"].append({"name": "s", "mountPath": "/s"})

    error = lab.failed(lab.submit(DONE, graph_of(1), asking))

    assert error.message.endswith("there is no Secret nope in this namespace")


def test_too_much_memory_is_said_by_name(lab: Lab) -> None:
    script = "exec dd if=/dev/zero of=/dev/null bs=256M count=1"

    error = lab.failed(lab.submit(script, graph_of(1)))

    assert "ran out of memory" in error.message


def test_a_deadline_is_told_although_the_pods_are_gone(lab: Lab) -> None:
    seconds = max(8, int(20 / SPEED))

    def short(document: Document) -> None:
        document["spec"]["activeDeadlineSeconds"] = seconds

    error = lab.failed(lab.submit("echo begun; sleep 600", graph_of(1), short))

    assert (error.exit_code, error.message) == (
        75,
        f"//:t0: not done within the Job's deadline of {seconds} s",
    )
    assert any(isinstance(one, CommandOutput) and one.line == "begun" for one in lab.events)


def test_long_work_goes_with_its_job(lab: Lab) -> None:
    works = tuple(Work(f"//:{'t' * 60}{one}", ("version",)) for one in range(1200))
    options = lab.options()._replace(suspend=True)
    job = Job(options, works, Workspace(directory="/tmp"))
    graph = Graph(tuple(map(Node, works)))

    submission = submitted(lab.cluster(), job, graph, lab.events.append, run="a1")

    found = submission_of(lab.cluster(), submission.names[0])
    assert found.graph.nodes[1199].work == works[1199]
    assert _config_maps(lab) != []
    cancel(lab.cluster(), submission.names, lab.events.append)
    assert until(lambda: not _config_maps(lab))


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


def _job(lab: Lab) -> Job:
    works = (Work("//:t0", ("version",)),)
    return Job(lab.options()._replace(name="x"), works, Workspace(directory="/tmp"))


def test_the_doctor_and_the_preflight_find_nothing_wrong(lab: Lab) -> None:
    job = _job(lab)

    preflight(lab.cluster(), job, lab.events.append)

    assert [one for one in examined(lab.cluster(), job) if one.state == "fail"] == []


def test_who_may_not_submit_is_told_what_is_missing(lab: Lab) -> None:
    lab.account("stranger")
    (lab.folder / "token").write_text(lab.token("stranger"))
    lab.in_pod = True

    with pytest.raises(Forbidden) as caught:
        preflight(lab.cluster(), _job(lab), lab.events.append)

    assert "you may not create, get, list, watch, delete jobs" in caught.value.message


def test_what_fits_on_no_node_is_told_and_waited_for(lab: Lab) -> None:
    def huge(document: Document) -> None:
        build_of(document)["resources"]["requests"]["cpu"] = "10000"

    submission = lab.submit(DONE, graph_of(1), huge)
    told = later(lambda: _warned(lab.events, "waiting for a node"), lab.stop.set)

    with pytest.raises(Cancelled):
        lab.watch(submission)

    told.join()
    assert _warned(lab.events, "Insufficient cpu")


def _warned(events: list[Event], text: str) -> bool:
    return any(isinstance(one, Warned) and text in one.text for one in tuple(events))


def test_each_platform_is_built_on_nodes_of_its_own(lab: Lab) -> None:
    here = Node(Work("//:here", ("version",)), architecture=lab.ground.architecture)
    graph = Graph((here, Node(Work("//:anywhere", ("version",)))))

    lab.watch(lab.submit(DONE, graph))

    jobs = lab.cluster().listed("jobs", Selector())
    chosen = [
        one["spec"]["template"]["spec"]["nodeSelector"].get("kubernetes.io/arch") for one in jobs
    ]
    assert len(lab.built) == 2
    assert sorted(map(str, chosen)) == sorted([lab.ground.architecture, "None"])


def test_an_image_that_is_not_artificers_is_said_by_the_command(lab: Lab) -> None:
    ground = lab.ground
    nodes = ("--node-selector", f"kubernetes.io/hostname={ground.hostname}")
    users = ("--host-users",) if ground.host_users else ()
    where = ("--kubeconfig", CONFIG, "-n", lab.namespace, "--image", ground.image, "--retries=0")
    small = ("--cpu=10m", "--memory=16Mi", "--memory-limit=64Mi")
    line = ("--", "copy", "r.example/a", "r.example/b")
    words = ("job", "submit", *where, *nodes, *users, *small, *line)
    command = [sys.executable, "-m", "artificer", *words]

    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert "the build cannot be started: " in done.stderr
    assert "hint: is it artificer's image (`--image`)" in done.stderr
