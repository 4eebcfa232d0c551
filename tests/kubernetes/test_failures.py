"""Each way in which a Job ended, or did not, on a real server: one message, one hint, one code."""

from typing import Any

import pytest

from artificer.kubernetes.cluster import Change, Kind
from artificer.kubernetes.failure import (
    Failure,
    Stuck,
    job_failure,
    pod_failure,
    stuck_job,
    stuck_pod,
)
from artificer.kubernetes.objects import Told, job_of, pod_of, ranges
from artificer.kubernetes.state import Index, State, folded, index_at, result_at
from tests.kubernetes.recordings import FINALS, WATCHES, changes, final, job_name, recording

_AGAIN = "what is done is not done twice"
_IMAGE = Failure(
    "there is no image 10.244.0.1:5200/no/such:1",
    "push it first, or name another with `--image`",
    1,
)
_FORBIDDEN = Failure(
    "pods of the Job are forbidden by Pod Security: allowPrivilegeEscalation != false (container "
    '"build" must set securityContext.allowPrivilegeEscalation=false), unrestricted capabilities '
    '(container "build" must set securityContext.capabilities.drop=["ALL"])',
    "the namespace enforces the Pod Security level restricted: leave away what it forbids "
    "(`--commands`, `--user`), or use a namespace that allows it",
    1,
)
_DEADLINE = Failure(
    "not done within the Job's deadline of 6 s", f"allow more with `--deadline`; {_AGAIN}", 75
)
_SOURCE_HINT = "is the revision there, and has the Secret for git what it needs?"

FAILED = {
    "deadline-exceeded": _DEADLINE,
    "watch-deadline-exceeded": _DEADLINE,
    "exit-1-retried": Failure("transient (exit code 1)", "", 1),
    "watch-exit-1-retried": Failure("transient (exit code 1)", "", 1),
    "exit-64-fail-index": Failure("usage error (exit code 64)", "", 1),
    "watch-exit-64-fail-index": Failure("usage error (exit code 64)", "", 1),
    "init-failed": Failure(
        "the source could not be fetched: it said nothing (exit code 128)", _SOURCE_HINT, 1
    ),
    "watch-init-64-fail-index": Failure(
        "the source could not be fetched: bad ref (exit code 64)", _SOURCE_HINT, 1
    ),
    "oom-killed": Failure(
        "the build ran out of memory and was killed (OOMKilled)",
        "allow more with `--memory-limit`",
        1,
    ),
}
STUCK = {
    "image-invalid-name": Stuck(
        Failure(
            "not the name of an image: 'UPPER/case:bad tag'",
            "a reference is [host[:port]/]name[:tag][@digest], in lower case: `--image`",
            1,
        ),
        0.0,
    ),
    "image-not-found": Stuck(_IMAGE, 20.0),
    "watch-image-not-found": Stuck(_IMAGE, 20.0),
    "image-unauthorized": Stuck(
        Failure(
            "the nodes may not pull the image 10.244.0.1:5201/private/python:1",
            "the nodes need credentials for it: name a Secret with `--pull-secret`, or put it "
            "into the ServiceAccount's imagePullSecrets",
            77,
        ),
        20.0,
    ),
    "run-as-root-denied": Stuck(
        Failure(
            "the image 10.244.0.1:5200/library/debian:bookworm-slim wants to run as root, and "
            "the pod must not",
            "give the image a numeric USER, or the Job one with `--user`",
            1,
        ),
        0.0,
    ),
    "secret-missing": Stuck(
        Failure(
            "there is no Secret nope in this namespace",
            "create it in this namespace, or name another (`--git-secret`, `--env-secret`, "
            "`--mount`); `artificer job secret` makes one of logins for registries",
            1,
        ),
        20.0,
    ),
    "unschedulable": Stuck(
        Failure(
            "waiting for a node: 0/1 nodes are available: 1 Insufficient memory. no new claims "
            "to deallocate",
            "nodes may be added or freed; ask for less with `--cpu`, `--memory`; or look at "
            "`--node-selector`, `--toleration`",
            75,
        ),
        None,
    ),
}
STUCK_JOBS = {
    "pod-security-forbidden": Stuck(_FORBIDDEN, 0.0),
    "watch-pod-security-forbidden": Stuck(_FORBIDDEN, 0.0),
    "suspended": Stuck(
        Failure(
            "suspended",
            '`kubectl patch job build-b6sx7 -p \'{"spec":{"suspend":false}}\'` starts it',
            75,
        ),
        None,
    ),
}
SUCCEEDED = {"succeeded", "watch-succeeded"}


def _state(name: str) -> State:
    state = State()
    for news in changes(name) if name in WATCHES else final(name):
        state = folded(state, news)
    return state


def _index(name: str, number: int = 0) -> Index:
    return index_at(_state(name), (job_name(name), number))


@pytest.mark.parametrize("name", sorted(FAILED))
def test_what_failed_says_why_and_what_to_do(name: str) -> None:
    index = _index(name)

    assert (index.phase, index.failure) == ("failed", FAILED[name])


@pytest.mark.parametrize("name", sorted(STUCK))
def test_a_pod_that_cannot_start_says_what_it_waits_for(name: str) -> None:
    index = _index(name)

    assert (index.phase, index.stuck) == ("waiting", STUCK[name])


@pytest.mark.parametrize("name", sorted(STUCK_JOBS))
def test_a_job_without_pods_says_what_keeps_them(name: str) -> None:
    state = _state(name)
    job = state.jobs[job_name(name)]

    assert stuck_job(job, state.told.get(job.name, ())) == STUCK_JOBS[name]


@pytest.mark.parametrize("name", sorted(SUCCEEDED))
def test_what_succeeded_says_what_it_made(name: str) -> None:
    results = [result_at(_index(name, number), "//:x") for number in (0, 1)]

    digest = "sha256:0a73bf26cb803b9ab03ed41b34c3c90b3185c568810b9f16c6e7a1e689e8333a"
    assert [one.references for one in results] == [
        (f"10.244.0.1:5201/team/rec{number}@{digest}",) for number in (0, 1)
    ]


def test_no_recording_is_left_out() -> None:
    assert {*FAILED, *STUCK, *STUCK_JOBS, *SUCCEEDED} == {*FINALS, *WATCHES}


@pytest.mark.parametrize("name", WATCHES)
def test_hearing_all_twice_or_only_the_end_comes_to_the_same(name: str) -> None:
    once = _state(name)
    twice = once
    for news in changes(name):
        twice = folded(twice, news)

    assert twice.jobs == once.jobs
    places = [(job.name, number) for job in once.jobs.values() for number in range(2)]
    assert [index_at(twice, one) for one in places] == [index_at(once, one) for one in places]


def test_a_retry_counts_and_shows_why_the_first_failed() -> None:
    state = State()
    for news in changes("watch-exit-1-retried"):
        state = folded(state, news)
        index = index_at(state, (job_name("watch-exit-1-retried"), 0))
        if index.tries == 2:
            break

    assert (index.phase, index.failure) == ("waiting", FAILED["exit-1-retried"])


def _failed_pod(**status: object) -> Failure:
    pod = recording("exit-1-retried")["pods"][0]
    pod["status"] = {**pod["status"], **status}
    failure = pod_failure(pod_of(pod))
    assert failure is not None
    return failure


def _ended(code: int, reason: str = "Error", message: str = "") -> Failure:
    state = {"terminated": {"exitCode": code, "reason": reason, "message": message}}
    statuses = [{"name": "build", "state": state}]
    return _failed_pod(containerStatuses=statuses)


@pytest.mark.parametrize(
    ("code", "ours"), [(1, 1), (2, 1), (64, 1), (127, 1), (69, 69), (75, 75), (77, 77)]
)
def test_exit_codes_of_the_build_keep_their_meaning(code: int, ours: int) -> None:
    said = "pulling\nerror: registry says no\nhint: log in\n"

    assert _ended(code, message=said) == Failure(
        f"registry says no (exit code {code})", "log in", ours
    )


@pytest.mark.parametrize(
    "said",
    ["error: r.example: push denied\nhint: log in with `artificer login r.example`\n", "no"],
)
def test_a_pod_that_is_let_in_nowhere_needs_a_secret(said: str) -> None:
    failure = _ended(77, message=said)

    assert "`--registry-secret`" in failure.hint


@pytest.mark.parametrize(("code", "name"), [(130, "SIGINT"), (143, "SIGTERM")])
def test_a_build_that_was_stopped_may_be_tried_again(code: int, name: str) -> None:
    failure = _ended(code)

    assert failure.message == f"the build was stopped by {name} ({code})"
    assert failure.code == 75


def test_a_build_that_was_killed_may_be_tried_again() -> None:
    assert _ended(137).code == 75
    assert _ended(137).message.startswith("the build was killed (137)")


def test_a_program_that_is_not_there_cannot_be_started() -> None:
    failure = _ended(128, "StartError", 'exec: "artificer": executable file not found in $PATH')

    assert failure == Failure(
        'the build cannot be started: exec: "artificer": executable file not found in $PATH',
        "is it artificer's image (`--image`), and made for the nodes' architecture?",
        1,
    )


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        ("EvictionByEvictionAPI", "was evicted (the node is drained)"),
        ("PreemptionByScheduler", "had to make room for a more important pod"),
        ("DeletionByTaintManager", "was removed from its node, which is out of service"),
        ("DeletionByPodGC", "was lost with its node"),
        ("SomethingNew", "was disrupted (SomethingNew)"),
    ],
)
def test_a_pod_that_was_disrupted_is_no_fault_of_the_build(reason: str, told: str) -> None:
    condition = {"type": "DisruptionTarget", "status": "True", "reason": reason, "message": "m"}

    failure = _failed_pod(conditions=[condition])

    assert failure == Failure(f"pod build-s9tnv-0-bpqk6 {told}: m", f"submit again: {_AGAIN}", 75)


def test_an_eviction_by_the_node_says_what_to_ask_for() -> None:
    failure = _failed_pod(
        reason="Evicted", message="The node was low on resource: ephemeral-storage."
    )

    assert failure == Failure(
        "pod build-s9tnv-0-bpqk6 was evicted: The node was low on resource: ephemeral-storage.",
        f"ask for what it needs: `--memory`, `--storage`; submit again: {_AGAIN}",
        75,
    )


def _job(reason: str, message: str = "why") -> Failure:
    document = recording("deadline-exceeded")["job"]
    for one in document["status"]["conditions"]:
        one["reason"], one["message"] = reason, message
    return job_failure(job_of(document))


def test_a_pod_that_the_deadline_killed_is_late_even_if_it_may_not_be_tried_again() -> None:
    found = recording("deadline-exceeded")
    found["job"]["status"]["failedIndexes"] = "0"
    (pod,) = found["pods"] = recording("exit-64-fail-index")["pods"][:1]
    pod["metadata"]["labels"]["job-name"] = found["job"]["metadata"]["name"]
    pod["metadata"]["labels"]["batch.kubernetes.io/job-name"] = found["job"]["metadata"]["name"]
    ended = pod["status"]["containerStatuses"][0]["state"]["terminated"]
    ended.update(exitCode=137, reason="Error", message="")
    state = State()
    told: tuple[tuple[Kind, Any], ...] = (("jobs", found["job"]), ("pods", pod))
    for kind, one in told:
        state = folded(state, Change(kind, "ADDED", one))

    assert index_at(state, (found["job"]["metadata"]["name"], 0)).failure == _DEADLINE


def test_too_many_failures_of_others_end_a_target_too() -> None:
    assert _job("MaxFailedIndexesExceeded") == Failure(
        "not built, as too many other targets failed", "`--max-failed` says how many may", 1
    )


def test_an_ending_that_nobody_knew_is_told_as_the_server_tells_it() -> None:
    assert _job("New").message == "the Job failed: why"


def test_ranges_of_indexes_are_read_and_nonsense_is_passed_over() -> None:
    assert ranges("0,2-4,7") == {0, 2, 3, 4, 7}
    assert ranges("") == ranges("x") == ranges("0-99999999999") == frozenset()


def _waiting(reason: str, message: str, **status: Any) -> Stuck | None:
    pod = recording("secret-missing")["pods"][0]
    pod["status"].update(status)
    told = Told("Pod", pod["metadata"]["name"], "", "Warning", reason, message)
    return stuck_pod(pod_of(pod), (told,))


@pytest.mark.parametrize(
    ("message", "hint"),
    [
        (
            "rpc error: code = Unknown desc = the runtime does not support user namespaces",
            "the node has no user namespaces for this pod, or for its volumes: `--host-users`",
        ),
        (
            'rpc error: desc = no runtime handler for "gvisor" is configured',
            "the node has no such runtime: `--runtime-class`, `--node-selector`",
        ),
        (
            "rpc error: desc = failed to setup network: no free addresses",
            "`kubectl describe pod` tells more: it is the node's network, or its runtime",
        ),
    ],
)
def test_a_node_that_cannot_make_the_pod_says_why(message: str, hint: str) -> None:
    stuck = _waiting("FailedCreatePodSandBox", message)

    assert stuck is not None
    why = message.rpartition("desc = ")[2]
    assert stuck.failure == Failure(f"the node cannot make the pod: {why}", hint, 75)
    assert stuck.patience == 120


def test_what_kept_a_pod_before_it_was_made_keeps_it_no_more() -> None:
    message = 'MountVolume.SetUp failed for volume "work" : configmap "work-1" not found'
    made = {"type": "PodReadyToStartContainers", "status": "True"}

    assert _waiting("FailedMount", message) is not None
    assert _waiting("FailedMount", message, conditions=[made]) is None


def test_a_volume_without_user_namespaces_says_what_to_do() -> None:
    failure = _ended(128, "StartError", "runc: failed to set MOUNT_ATTR_IDMAP on /nfs")

    assert failure.hint.endswith("`--host-users`")


def test_work_that_nobody_told_its_pods_is_no_fault_of_the_namespace() -> None:
    name = "artificer-work-0a1b-r1"
    message = f'MountVolume.SetUp failed for volume "work" : configmap "{name}" not found'

    stuck = _waiting("FailedMount", message)

    assert stuck is not None
    assert stuck.failure.code == 75
    assert "submit again" in stuck.failure.hint
