"""Why a target was not built: one message, what to do, and what it means for the exit code."""

import re
from typing import NamedTuple

from artificer.errors import ArtificerError, Transient, Unauthorized, Unavailable
from artificer.kubernetes.job import WORK_MAP
from artificer.kubernetes.objects import MOUNTED, Container, Ended, JobView, Pod, Told

_PERMANENT = ArtificerError.exit_code
_AGAIN = Transient.exit_code
_KILLED = 137
_SIGNALS = {130: "SIGINT", 143: "SIGTERM"}
_TAIL = 600
"""Characters of a log that a message may show."""


class Failure(NamedTuple):
    """What went wrong. *code* is 1 if trying again unchanged is pointless, else 77, 69 or 75."""

    message: str
    hint: str
    code: int


class Stuck(NamedTuple):
    """What keeps a pod, or the whole Job, from starting.

    *patience* is for how many seconds it may pass by itself; None: it is no failure, but told.
    """

    failure: Failure
    patience: float | None


def worst(codes: list[int]) -> int:
    """The exit code of many failures: 1 if any is permanent, else 77, 69, 75."""
    order = (_PERMANENT, Unauthorized.exit_code, Unavailable.exit_code, _AGAIN)
    return next((code for code in order if code in codes), _PERMANENT)


def pod_failure(pod: Pod) -> Failure | None:
    """Why *pod* failed; None if it did not."""
    if pod.phase != "Failed":
        return None
    disrupted = pod.condition("DisruptionTarget")
    if disrupted is not None or pod.reason in _LOST:
        return _lost(pod, *(disrupted or (pod.reason, pod.message)))
    for one in pod.containers:
        if one.ended is not None and one.ended.code != 0:
            return _ended(one, one.ended)
    why = ": ".join(filter(None, (pod.reason, pod.message))) or "for a reason that it does not say"
    return Failure(f"pod {pod.name} failed {why}", "`kubectl describe pod` may tell more", _AGAIN)


_LOST = {
    "Evicted": ("was evicted", "ask for what it needs: `--memory`, `--storage`"),
    "EvictionByEvictionAPI": ("was evicted (the node is drained)", ""),
    "PreemptionByScheduler": ("had to make room for a more important pod", ""),
    "DeletionByTaintManager": ("was removed from its node, which is out of service", ""),
    "DeletionByPodGC": ("was lost with its node", ""),
    "TerminationByKubelet": ("was ended by its node", "the node was short of resources"),
    "NodeLost": ("was lost with its node", ""),
    "NodeShutdown": ("was ended, as its node shuts down", ""),
    "Terminated": ("was ended, as its node shuts down", ""),
    "Shutdown": ("was ended, as its node shuts down", ""),
    "Preempting": ("had to make room for a more important pod", ""),
    "UnexpectedAdmissionError": ("was not admitted by its node", ""),
    "NodeAffinity": ("was not admitted by its node", ""),
}


def _lost(pod: Pod, reason: str, message: str) -> Failure:
    said, hint = _LOST.get(reason, (f"was disrupted ({reason})", ""))
    more = f": {_line(message)}" if message else ""
    again = "submit again: what is done is not done twice"
    return Failure(f"pod {pod.name} {said}{more}", f"{hint}; {again}" if hint else again, _AGAIN)


def _ended(container: Container, ended: Ended) -> Failure:
    if ended.reason == "OOMKilled":
        return Failure(
            f"{_whose(container)} ran out of memory and was killed (OOMKilled)",
            "allow more with `--memory-limit`",
            _PERMANENT,
        )
    if ended.reason in {"StartError", "ContainerCannotRun"}:
        return _unstarted(container, ended.message)
    if ended.code == _KILLED:
        return Failure(
            f"{_whose(container)} was killed (137): its pod was deleted, or its time was over",
            "`--deadline` gives more time; what is done is not done twice",
            _AGAIN,
        )
    if ended.code in _SIGNALS:
        return Failure(
            f"{_whose(container)} was stopped by {_SIGNALS[ended.code]} ({ended.code})",
            "submit again: what is done is not done twice",
            _AGAIN,
        )
    return _told(container, ended)


def _unstarted(container: Container, message: str) -> Failure:
    hint = "is it artificer's image (`--image`), and made for the nodes' architecture?"
    return Failure(
        f"{_whose(container)} cannot be started: {_line(message)}",
        _node_hint(message) if _USERS.search(message) else hint,
        _PERMANENT,
    )


_UNAUTHORIZED = 77
_NOBODY = "`artificer login"
"""What a pod says that has no login: but nobody is there who could log in."""
_WHO = (
    "who the pods are is said by `--registry-secret`, which `artificer job secret` makes, or by "
    "`--service-account`; `job doctor --push REPO` tries it"
)


def _told(container: Container, ended: Ended) -> Failure:
    """What the program itself said at last."""
    error, hint = _last_words(ended.message)
    if container.initial:
        error = f"the source could not be fetched: {error}"
        hint = hint or "is the revision there, and has the Secret for git what it needs?"
    if _NOBODY in hint or (ended.code == _UNAUTHORIZED and not hint):
        hint = _WHO
    code = ended.code if ended.code in {69, 75, 77} else _PERMANENT
    return Failure(f"{error} (exit code {ended.code})", hint, code)


def _last_words(message: str) -> tuple[str, str]:
    """The error and its hint among the last lines of a log; or else its end."""
    lines = [line.rstrip() for line in message.splitlines() if line.strip()]
    error = next((i for i in reversed(range(len(lines))) if lines[i].startswith("error: ")), None)
    if error is None:
        return (_line(" / ".join(lines[-3:])) or "it said nothing"), ""
    hints = [line.removeprefix("hint: ") for line in lines[error:] if line.startswith("hint: ")]
    return _line(lines[error].removeprefix("error: ")), (_line(hints[0]) if hints else "")


def stuck_pod(pod: Pod, told: tuple[Told, ...]) -> Stuck | None:
    """What keeps *pod* from running, as its own state and the events *told* about it say."""
    if pod.phase not in {"Pending", ""} or pod.deleted:
        return None
    unscheduled = pod.condition("PodScheduled")
    if unscheduled is not None:
        return _unscheduled(unscheduled[1])
    for one in pod.containers:
        if one.state == "waiting" and (found := _waiting(one)) is not None:
            return found
    last = next((one for one in reversed(told) if one.reason in {*_MOUNTS, _SANDBOX}), None)
    if last is None or pod.condition(MOUNTED) is not None:
        return None
    return _unmounted(last.message) if last.reason in _MOUNTS else _unboxed(last.message)


_SANDBOX = "FailedCreatePodSandBox"
_MOUNTS = frozenset({"FailedMount", "FailedAttachVolume"})
_PULLS = frozenset({"ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "ImageInspectError"})
_NO_SUCH_IMAGE = re.compile(r"not found|manifest unknown|name unknown|does not exist", re.I)
_DENIED = re.compile(r"authoriz|unauthorized|denied|credentials|forbidden|\b40[13]\b", re.I)
_NO_SECRET = re.compile(r'(secret|configmap) "([^"]+)" not found')
_USERS = re.compile(r"user ?namespace|userns|idmap|HostUsers", re.I)
_NO_KEY = re.compile(r"references non-existent (?:secret|config) key: (\S+)")


def _unscheduled(message: str) -> Stuck:
    text = _line(message.partition(" preemption:")[0].rstrip("., "))
    hint = (
        "nodes may be added or freed; ask for less with `--cpu`, `--memory`; "
        "or look at `--node-selector`, `--toleration`"
    )
    return Stuck(Failure(f"waiting for a node: {text}", hint, _AGAIN), None)


def _waiting(container: Container) -> Stuck | None:
    image, message = container.image, container.message
    if container.waiting == "InvalidImageName":
        hint = "a reference is [host[:port]/]name[:tag][@digest], in lower case: `--image`"
        return Stuck(
            Failure(f"not the name of an image: {image!r}", hint, _PERMANENT), patience=0.0
        )
    if container.waiting in _PULLS:
        return _unpulled(image, message)
    if container.waiting in {"CreateContainerConfigError", "CreateContainerError"}:
        return _unconfigured(container)
    if container.waiting == "RunContainerError":
        return Stuck(_unstarted(container, message), 20.0)
    return None


def _unpulled(image: str, message: str) -> Stuck:
    if _DENIED.search(message):
        hint = (
            "the nodes need credentials for it: name a Secret with `--pull-secret`, or put it "
            "into the ServiceAccount's imagePullSecrets"
        )
        failure = Failure(
            f"the nodes may not pull the image {image}", hint, Unauthorized.exit_code
        )
        return Stuck(failure, 20.0)
    if _NO_SUCH_IMAGE.search(message):
        hint = "push it first, or name another with `--image`"
        return Stuck(Failure(f"there is no image {image}", hint, _PERMANENT), 20.0)
    why = _line(message.rpartition("desc = ")[2] or message)
    hint = "can the nodes reach its registry? they use the cluster's network and DNS"
    failure = Failure(
        f"the nodes cannot pull the image {image}: {why}", hint, Unavailable.exit_code
    )
    return Stuck(failure, 120.0)


def _unconfigured(container: Container) -> Stuck:
    message = container.message
    if "runAsNonRoot" in message:
        return Stuck(
            Failure(
                f"the image {container.image} wants to run as root, and the pod must not",
                "give the image a numeric USER, or the Job one with `--user`",
                _PERMANENT,
            ),
            patience=0.0,
        )
    if found := _NO_SECRET.search(message):
        return _no_secret(*found.groups())
    if "couldn't find key" in message or "non-existent" in message:
        hint = "`artificer job secret` makes one that has what is needed"
        return Stuck(Failure(f"a Secret lacks a key: {_line(message)}", hint, _PERMANENT), 20.0)
    hint = "`kubectl describe pod` may tell more"
    return Stuck(
        Failure(f"{_whose(container)} cannot be made: {_line(message)}", hint, _AGAIN), 60.0
    )


def _unmounted(message: str) -> Stuck:
    if found := _NO_SECRET.search(message):
        return _no_secret(*found.groups())
    if found := _NO_KEY.search(message):
        return Stuck(
            Failure(
                f"a Secret lacks the key {found.group(1)}",
                "it must be of the type kubernetes.io/dockerconfigjson: `artificer job secret` "
                "makes one",
                _PERMANENT,
            ),
            20.0,
        )
    hint = "`kubectl describe pod` tells more; the volumes are those of the Job's options"
    return Stuck(Failure(f"a volume cannot be mounted: {_line(message)}", hint, _AGAIN), 120.0)


def _unboxed(message: str) -> Stuck:
    why = _line(message.rpartition("desc = ")[2] or message)
    failure = Failure(f"the node cannot make the pod: {why}", _node_hint(message), _AGAIN)
    return Stuck(failure, 120.0)


def _node_hint(message: str) -> str:
    if _USERS.search(message):
        return "the node has no user namespaces for this pod, or for its volumes: `--host-users`"
    if "runtime" in message.lower() and "handler" in message.lower():
        return "the node has no such runtime: `--runtime-class`, `--node-selector`"
    return "`kubectl describe pod` tells more: it is the node's network, or its runtime"


def _no_secret(kind: str, name: str) -> Stuck:
    title = {"secret": "Secret", "configmap": "ConfigMap"}[kind]
    if name.startswith(WORK_MAP):
        told = f"the ConfigMap {name}, which says what to build, is not there"
        hint = "its submitter was killed before it made it, or somebody removed it: submit again"
        return Stuck(Failure(told, hint, _AGAIN), 60.0)
    hint = (
        "create it in this namespace, or name another (`--git-secret`, `--env-secret`, "
        "`--mount`); `artificer job secret` makes one of logins for registries"
        if kind == "secret"
        else "create it in this namespace, or leave it away"
    )
    failure = Failure(f"there is no {title} {name} in this namespace", hint, _PERMANENT)
    return Stuck(failure, 20.0)


def stuck_job(job: JobView, told: tuple[Told, ...]) -> Stuck | None:
    """What keeps pods of *job* from being made, as the events *told* about it say.

    Neither the Job nor any pod shows it: the Job stays as it is for ever.
    """
    if job.suspended:
        where = f" in the queue {job.queue} of Kueue" if job.queue else ""
        hint = (
            f"`kubectl get workloads` tells why it waits; is there a LocalQueue {job.queue}?"
            if job.queue
            else f'`kubectl patch job {job.name} -p \'{{"spec":{{"suspend":false}}}}\'` starts it'
        )
        return Stuck(Failure(f"suspended{where}", hint, _AGAIN), None)
    failed = next((one for one in reversed(told) if one.reason == "FailedCreate"), None)
    return None if failed is None else _uncreated(failed.message)


def _uncreated(message: str) -> Stuck:
    text = message.removeprefix("Error creating: ")
    if "violates PodSecurity" in text:
        policy = text.partition("violates PodSecurity ")[2]
        level, _, what = policy.partition(": ")
        level = level.strip('"')
        hint = (
            f"the namespace enforces the Pod Security level {level.partition(':')[0]}: leave away "
            "what it forbids (`--commands`, `--user`), or use a namespace that allows it"
        )
        return Stuck(
            Failure(f"pods of the Job are forbidden by Pod Security: {_line(what)}", hint, 1), 0.0
        )
    if "exceeded quota" in text:
        hint = "it goes on when others finish; ask for less with `--cpu`, `--memory`"
        where = _line(text.partition("is forbidden: ")[2] or text)
        return Stuck(Failure(f"waiting for the quota of the namespace: {where}", hint, 75), None)
    if "service account" in text or "serviceaccount" in text:
        where = _line(text.rpartition("service account ")[2] or text)
        hint = "create it, or name another with `--service-account`"
        return Stuck(Failure(f"the Job's ServiceAccount is not there: {where}", hint, 1), 20.0)
    hint = "whoever guards the namespace (Pod Security, webhooks, limits) refuses the pods"
    return Stuck(Failure(f"pods of the Job cannot be made: {_line(text)}", hint, 1), 20.0)


def job_failure(job: JobView) -> Failure:
    """Why a Job is over although not all of its indexes have an outcome of their own."""
    if job.reason == "DeadlineExceeded":
        after = f" of {job.deadline} s" if job.deadline else ""
        return Failure(
            f"not done within the Job's deadline{after}",
            "allow more with `--deadline`; what is done is not done twice",
            _AGAIN,
        )
    if job.reason == "MaxFailedIndexesExceeded":
        return Failure(
            "not built, as too many other targets failed",
            "`--max-failed` says how many may",
            _PERMANENT,
        )
    why = _line(job.message) or job.reason or "it does not say why"
    return Failure(f"the Job failed: {why}", "`kubectl describe job` may tell more", _AGAIN)


def vanished(name: str) -> Failure:
    """Somebody deleted the Job while it was watched."""
    return Failure(
        f"the Job {name} was deleted while it was watched",
        "if nobody did so by hand, a short time to live may have: `--keep`",
        _AGAIN,
    )


def _whose(container: Container) -> str:
    return "fetching the source" if container.initial else "the build"


def _line(text: str) -> str:
    """*text* as a short line."""
    flat = " ".join(text.split())
    return flat if len(flat) <= _TAIL else f"{flat[: _TAIL - 1]}…"
