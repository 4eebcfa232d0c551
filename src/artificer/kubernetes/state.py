"""What is known of Jobs and their pods: a fold of what the cluster tells, and no I/O."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Literal, NamedTuple

from artificer.errors import Transient
from artificer.kubernetes.cluster import Change, Listed
from artificer.kubernetes.failure import (
    Failure,
    Stuck,
    job_failure,
    pod_failure,
    stuck_pod,
    vanished,
)
from artificer.kubernetes.objects import (
    JobView,
    Pod,
    Told,
    event_of,
    job_of,
    name_of,
    pod_of,
)
from artificer.kubernetes.result import Result, result_of

_AGAIN = Transient.exit_code
_TOLD = 8
"""Events that are kept of one object."""

_OBJECTS = 4096
"""Objects of which events are kept: a namespace may be full of others."""
_OF_THE_JOB = frozenset(("DeadlineExceeded", "MaxFailedIndexesExceeded"))
"""Why a Job ends pods that have done nothing wrong."""

Place = tuple[str, int]
"""A Job's name and one of its indexes."""

Phase = Literal["waiting", "running", "succeeded", "failed"]


class State(NamedTuple):
    """Everything by name; a pod that is gone is kept, as it may be the last attempt."""

    jobs: Mapping[str, JobView] = MappingProxyType({})
    pods: Mapping[str, Pod] = MappingProxyType({})
    told: Mapping[str, tuple[Told, ...]] = MappingProxyType({})
    attempts: Mapping[Place, tuple[str, ...]] = MappingProxyType({})
    """The pods of each index, the oldest first."""


class Index(NamedTuple):
    """How far one index is; *tries* counts its pods, *pod* is the last of them."""

    phase: Phase
    tries: int = 0
    pod: Pod | None = None
    stuck: Stuck | None = None
    failure: Failure | None = None
    """Of the last attempt that failed, also while another one runs."""
    sure: bool = True
    """Whether the pod itself was heard of: what its Job says may come before it."""

    @property
    def again(self) -> bool:
        """Whether there is another pod after one that failed: only then it is tried again."""
        pod = self.pod
        alive = pod is not None and pod.phase != "Failed" and not pod.deleted
        return alive and self.failure is not None


def folded(state: State, news: Change | Listed) -> State:
    """*state* after *news*; to hear the same twice changes nothing."""
    match news:
        case Change("jobs", kind, document):
            job = job_of(document)
            gone = job._replace(deleted=True) if kind == "DELETED" else job
            return state._replace(jobs={**state.jobs, job.name: gone})
        case Change("pods", kind, document):
            pod = pod_of(document)
            return _with_pod(state, pod._replace(deleted=True) if kind == "DELETED" else pod)
        case Change("events", kind, document):
            return state if kind == "DELETED" else _with_event(state, event_of(document))
        case Listed(kind, documents):
            for document in documents:
                state = folded(state, Change(kind, "MODIFIED", document))
            return _without_others(state, news)
        case _:
            return state


def places(state: State, news: Change | Listed) -> Iterator[Place]:
    """The indexes that *news*, which *state* has heard of, may be about."""
    if isinstance(news, Listed):
        for name in state.jobs:
            yield from _all(state, name)
    elif news.kind == "jobs":
        yield from _all(state, name_of(news.object))
    elif news.kind == "pods":
        pod = state.pods[name_of(news.object)]
        yield pod.job, pod.number
    elif news.kind == "events":
        about = state.pods.get(event_of(news.object).name)
        if about is not None:
            yield about.job, about.number


def index_at(state: State, place: Place) -> Index:
    """How far the index at *place* is."""
    job = state.jobs.get(place[0])
    pods = [state.pods[name] for name in state.attempts.get(place, ())]
    tries, last = len(pods), (pods[-1] if pods else None)
    done = next((pod for pod in pods if pod.phase == "Succeeded"), None)
    if done is not None or (job is not None and place[1] in job.completed):
        return Index("succeeded", tries, done or last, sure=done is not None)
    failures = [failure for pod in pods if (failure := pod_failure(pod)) is not None]
    failure = failures[-1] if failures else None
    final = None if job is None else _final(job, place[1], failure)
    if final is not None:
        sure = failure is not None or job is None or job.deleted or job.reason in _OF_THE_JOB
        return Index("failed", tries, last, failure=final, sure=sure)
    if last is None or last.deleted or last.phase == "Failed":
        return Index("waiting", tries, last, failure=failure)
    stuck = stuck_pod(last, state.told.get(last.name, ()))
    running = any(one.state == "running" for one in last.containers)
    return Index("running" if running else "waiting", tries, last, stuck, failure)


def _final(job: JobView, number: int, failure: Failure | None) -> Failure | None:
    """Why the index will not be tried again; *failure* is that of its last attempt."""
    # The deadline kills the pods: what they ended with is no fault of theirs.
    killed = failure is not None and job.reason == "DeadlineExceeded" and failure.code == _AGAIN
    if number in job.failed and not killed:
        return failure or job_failure(job)
    if job.outcome:
        return failure if failure and job.reason == "FailedIndexes" else job_failure(job)
    return vanished(job.name) if job.deleted else None


def result_at(index: Index, target: str) -> Result:
    """What an index that succeeded has built; without its pod, that is not known any more."""
    if index.pod is None:
        return Result((), "", cached=False, seconds=0.0)
    return result_of(index.pod, target)


def _all(state: State, name: str) -> Iterator[Place]:
    job = state.jobs.get(name)
    for number in range(0 if job is None else job.completions):
        yield name, number


def _with_pod(state: State, pod: Pod) -> State:
    pods = {**state.pods, pod.name: pod}
    place = (pod.job, pod.number)
    known = state.attempts.get(place, ())
    if pod.name in known:
        return state._replace(pods=pods)
    ordered = tuple(sorted((*known, pod.name), key=lambda name: (pods[name].created, name)))
    return state._replace(pods=pods, attempts={**state.attempts, place: ordered})


def _with_event(state: State, told: Told) -> State:
    if told.type != "Warning":
        return state
    if len(state.told) >= _OBJECTS and told.name not in state.told:
        # Others work in the namespace, too: what was told first of them is forgotten.
        kept = tuple(state.told.items())[_OBJECTS // 4 :]
        state = state._replace(told=dict(kept))
    known = tuple(one for one in state.told.get(told.name, ()) if one.reason != told.reason)
    return state._replace(told={**state.told, told.name: (*known[-_TOLD:], told)})


def _without_others(state: State, listed: Listed) -> State:
    there = {name_of(document) for document in listed.objects}
    if listed.kind == "jobs":
        jobs = {
            name: job if name in there else job._replace(deleted=True)
            for name, job in state.jobs.items()
        }
        return state._replace(jobs=jobs)
    if listed.kind == "pods":
        pods = {
            name: pod if name in there else pod._replace(deleted=True)
            for name, pod in state.pods.items()
        }
        return state._replace(pods=pods)
    return state
