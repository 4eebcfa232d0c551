"""Jobs, Pods and Events as a server tells them, read at the border: only what we need of them."""

from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

from artificer.kubernetes.cluster import Document

INDEX = "batch.kubernetes.io/job-completion-index"
JOB_NAME = "batch.kubernetes.io/job-name"
_INDEXES = 100_000
"""Of one Job: the API takes no more."""


class Ended(NamedTuple):
    """How a container ended; *message* is its termination message, or the end of its log."""

    code: int
    reason: str
    message: str
    started: str = ""
    finished: str = ""


class Container(NamedTuple):
    """One container: *waiting* says for what, *ended* how it did."""

    name: str
    image: str
    initial: bool
    state: Literal["waiting", "running", "ended"]
    waiting: str = ""
    message: str = ""
    ended: Ended | None = None


class Pod(NamedTuple):
    """One attempt at one index of a Job."""

    name: str
    uid: str
    job: str
    number: int
    """The index of the Job that it works on."""
    phase: str
    reason: str
    message: str
    containers: tuple[Container, ...]
    conditions: tuple[tuple[str, str, str], ...]
    """Type, reason and message of those that matter."""
    deleted: bool
    created: str

    @property
    def running(self) -> tuple[str, ...]:
        """The containers that run or have ended: those that have a log."""
        return tuple(one.name for one in self.containers if one.state != "waiting")

    def condition(self, kind: str) -> tuple[str, str] | None:
        """Reason and message of the condition *kind*, if it holds."""
        return next(((why, text) for name, why, text in self.conditions if name == kind), None)


class JobView(NamedTuple):
    """A Job: which indexes are done, which have failed for good, whether all is over."""

    name: str
    uid: str
    completions: int
    completed: frozenset[int]
    failed: frozenset[int]
    suspended: bool
    queue: str
    outcome: str
    """``Complete`` or ``Failed`` once it is over; else empty."""
    ending: str
    """The same when it is decided, but pods still run."""
    reason: str
    message: str
    deleted: bool
    deadline: int


class Told(NamedTuple):
    """An Event: something that happened to the object *name*."""

    kind: str
    name: str
    uid: str
    type: str
    reason: str
    message: str


def name_of(document: Document) -> str:
    """What an object is called; nothing if it does not say."""
    return _text(_map(document, "metadata"), "name")


def items_of(page: Document) -> tuple[Document, ...]:
    """The objects of a list."""
    return tuple(_maps(page, "items"))


def job_of(document: Document) -> JobView:
    """A Job as the server tells it."""
    metadata, spec, status = (_map(document, key) for key in ("metadata", "spec", "status"))
    conditions = {
        str(one.get("type")): one
        for one in _maps(status, "conditions")
        if one.get("status") == "True"
    }
    last = conditions.get("Failed") or conditions.get("Complete")
    soon = conditions.get("FailureTarget") or conditions.get("SuccessCriteriaMet")
    shown = last or soon or {}
    return JobView(
        _text(metadata, "name"),
        _text(metadata, "uid"),
        min(_number(spec, "completions", 1), _INDEXES),
        ranges(_text(status, "completedIndexes")),
        ranges(_text(status, "failedIndexes")),
        bool(spec.get("suspend")),
        _text(_map(metadata, "labels"), "kueue.x-k8s.io/queue-name"),
        "" if last is None else _text(last, "type"),
        "" if soon is None else _ENDINGS[_text(soon, "type")],
        _text(shown, "reason"),
        _text(shown, "message"),
        "deletionTimestamp" in metadata,
        _number(spec, "activeDeadlineSeconds", 0),
    )


_ENDINGS = {"FailureTarget": "Failed", "SuccessCriteriaMet": "Complete"}


def pod_of(document: Document) -> Pod:
    """A Pod as the server tells it."""
    metadata, spec, status = (_map(document, key) for key in ("metadata", "spec", "status"))
    labels = _map(metadata, "labels")
    index = _text(_map(metadata, "annotations"), INDEX) or _text(labels, INDEX)
    return Pod(
        _text(metadata, "name"),
        _text(metadata, "uid"),
        _text(labels, JOB_NAME) or _text(labels, "job-name"),
        _index(index) or 0,
        _text(status, "phase"),
        _text(status, "reason"),
        _text(status, "message"),
        tuple(_containers(spec, status)),
        tuple(_conditions(status)),
        "deletionTimestamp" in metadata,
        _text(metadata, "creationTimestamp"),
    )


def event_of(document: Document) -> Told:
    """An Event as the server tells it."""
    about = _map(document, "involvedObject")
    return Told(
        _text(about, "kind"),
        _text(about, "name"),
        _text(about, "uid"),
        _text(document, "type"),
        _text(document, "reason"),
        _text(document, "message"),
    )


def ranges(text: str) -> frozenset[int]:
    """The numbers of ``0,2-4,7``, which only rise: what comes twice is not made twice."""
    found: set[int] = set()
    following = 0
    for word in filter(None, text.split(",")):
        first, _, last = word.partition("-")
        begin, end = _index(first), _index(last or first)
        if begin is not None and end is not None and following <= begin <= end:
            found.update(range(begin, end + 1))
            following = end + 1
    return frozenset(found)


def _index(text: str) -> int | None:
    number = int(text) if text.isascii() and text.isdecimal() and len(text) < 7 else None
    return number if number is not None and number <= _INDEXES else None


MOUNTED = "PodReadyToStartContainers"
"""The condition of a Pod whose volumes and network are there, whatever was told before."""

# Of each condition, the status that matters.
_TELLING = {"PodScheduled": "False", "DisruptionTarget": "True", MOUNTED: "True"}


def _conditions(status: Document) -> Iterator[tuple[str, str, str]]:
    for one in _maps(status, "conditions"):
        kind = _text(one, "type")
        if _TELLING.get(kind) == one.get("status"):
            yield kind, _text(one, "reason"), _text(one, "message")


def _containers(spec: Document, status: Document) -> Iterator[Container]:
    for initial, where, key in (
        (True, "initContainers", "initContainerStatuses"),
        (False, "containers", "containerStatuses"),
    ):
        images = {_text(one, "name"): _text(one, "image") for one in _maps(spec, where)}
        for one in _maps(status, key):
            yield _container(one, images, initial=initial)


def _container(status: Document, images: dict[str, str], *, initial: bool) -> Container:
    name, state = _text(status, "name"), _map(status, "state")
    image = images.get(name, _text(status, "image"))
    if "terminated" in state:
        ended = _map(state, "terminated")
        return Container(name, image, initial, "ended", ended=_ended(ended))
    if "running" in state:
        return Container(name, image, initial, "running")
    waiting = _map(state, "waiting")
    return Container(
        name, image, initial, "waiting", _text(waiting, "reason"), _text(waiting, "message")
    )


def _ended(state: Document) -> Ended:
    return Ended(
        _number(state, "exitCode", 1),
        _text(state, "reason"),
        _text(state, "message"),
        _text(state, "startedAt"),
        _text(state, "finishedAt"),
    )


def _map(document: Document, key: str) -> Document:
    found = document.get(key)
    return found if isinstance(found, dict) else {}


def _maps(document: Document, key: str) -> list[Document]:
    found = document.get(key)
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _text(document: Document, key: str) -> str:
    found: Any = document.get(key)
    return found if isinstance(found, str) else ""


def _number(document: Document, key: str, otherwise: int) -> int:
    found: Any = document.get(key)
    return found if isinstance(found, int) else otherwise
