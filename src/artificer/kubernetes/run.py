"""Jobs submitted and watched to their end, or cancelled: the loop that all of it meets in."""

import queue
import threading
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple, NoReturn

from artificer.errors import ArtificerError, Cancelled, Transient, Unavailable
from artificer.events import Note, Report, Warned
from artificer.kubernetes.batch import RUN, Batch, batch_of, graph_of
from artificer.kubernetes.board import Board, Tellers
from artificer.kubernetes.cluster import (
    Change,
    Cluster,
    Document,
    Kind,
    Listed,
    NotFound,
    Selector,
)
from artificer.kubernetes.failure import Failure, worst
from artificer.kubernetes.further import Tries, further
from artificer.kubernetes.graph import Graph, batches, blocked, ready
from artificer.kubernetes.logs import Logs
from artificer.kubernetes.objects import JOB_NAME
from artificer.kubernetes.resume import Clock
from artificer.stop import Stop

_GLANCE = 0.2
_QUIET = 60.0
"""Seconds without news after which all is listed, in case a stream is dead and does not say so."""
_GATHERED = 1.0
"""Seconds that targets which became ready wait for others, to be of one Job."""
_SHOWN = 10


class JobFailed(ArtificerError):
    """Targets of a Job were not built."""

    def __init__(self, message: str, *, hint: str | None, code: int) -> None:
        super().__init__(message, hint=hint)
        self.exit_code = code


class Circumstances(NamedTuple):
    """Whom to ask, whom to tell, and who may want to stop. *built* takes each reference."""

    cluster: Cluster
    report: Report
    built: Callable[[str], None]
    stop: Stop
    now: Callable[[], float] = time.monotonic
    cancels: bool = True
    """Whether the wish to stop is also one to cancel the Jobs."""


class Submission(NamedTuple):
    """Jobs that are there: the first of them, and which targets each has."""

    graph: Graph
    batches: tuple[Batch, ...]
    first: Document

    @property
    def names(self) -> tuple[str, ...]:
        """The Jobs."""
        return tuple(batch.name for batch in self.batches)


def submission_of(cluster: Cluster, name: str) -> Submission:
    """What a Job and those submitted with it are, as the cluster keeps it."""
    first = _found(cluster, name)
    graph, run = graph_of(first, cluster), _run_of(first)
    alone = graph.flat or not run
    jobs = (first,) if alone else cluster.listed("jobs", Selector(labels=f"{RUN}={run}"))
    return Submission(graph, tuple(batch_of(one, graph) for one in jobs), first)


def names_of(cluster: Cluster, name: str) -> tuple[str, ...]:
    """A Job and those submitted with it, also when nobody knows any more what they are."""
    run = _run_of(_found(cluster, name))
    if not run:
        return (name,)
    jobs = cluster.listed("jobs", Selector(labels=f"{RUN}={run}"))
    return tuple(str(one["metadata"]["name"]) for one in jobs)


def _found(cluster: Cluster, name: str) -> Document:
    found = cluster.find("jobs", name)
    if found is None:
        raise NotFound(
            f"there is no Job {name} in the namespace {cluster.namespace()}",
            hint="`kubectl get jobs -l app.kubernetes.io/managed-by=artificer` lists them; "
            "a finished one is kept for the time of `--keep`",
        )
    return found


def _run_of(job: Document) -> str:
    return str(job["metadata"].get("labels", {}).get(RUN, ""))


def selectors(submission: Submission) -> dict[Kind, Selector]:
    """What to watch of *submission*: Jobs and pods by label, and of events the warnings."""
    run = _run_of(submission.first)
    warnings = Selector(fields="type=Warning")
    if run:
        mine = Selector(labels=f"{RUN}={run}")
        return {"jobs": mine, "pods": mine, "events": warnings}
    name = submission.batches[0].name
    return {
        "jobs": Selector(fields=f"metadata.name={name}"),
        "pods": Selector(labels=f"{JOB_NAME}={name}"),
        "events": warnings,
    }


def cancel(cluster: Cluster, names: Sequence[str], report: Report) -> None:
    """Delete Jobs with their pods, and wait until these are gone."""
    for name in names:
        report(Note(f"cancelling the Job {name}: waiting for its pods to end"))
        cluster.delete("jobs", name)


class Watch:
    """One submission while it is watched. Close it, whatever happens."""

    def __init__(self, submission: Submission, circumstances: Circumstances) -> None:
        self._submission = submission
        self._around = circumstances
        self._news: queue.SimpleQueue[Change | Listed | ArtificerError] = queue.SimpleQueue()
        self._ending = Stop()
        self._selectors = selectors(submission)
        self._logs = Logs(circumstances.cluster, self._ending, circumstances.report)
        tellers = Tellers(circumstances.report, circumstances.built, self._logs)
        self._board = Board(tellers, circumstances.now)
        self._ready_since: float | None = None
        clock = Clock(circumstances.now, circumstances.stop.wait)
        self._tries = Tries(submission.first, clock, circumstances.report)
        self._quiet_since = circumstances.now()
        for batch in submission.batches:
            self._expect(batch)

    def follow(self) -> None:
        """Watch to the end. A failure of any target is raised when all have an outcome."""
        for kind, selector in self._selectors.items():
            words = (kind, selector)
            threading.Thread(target=self._listen, args=words, name=kind, daemon=True).start()
        try:
            while not self._finished():
                self._around.stop.check()
                self._hear()
                self._give_up()
                self._continue()
        except Cancelled:
            self._cancelled()
            raise
        finally:
            if not self._around.stop.is_set():
                self._logs.close()
            self._ending.set()
            self._around.cluster.close()
        self._judge()

    def _listen(self, kind: Kind, selector: Selector) -> None:
        try:
            for news in self._around.cluster.watch(kind, selector):
                self._news.put(news)
        except ArtificerError as error:
            self._news.put(error)

    def _hear(self) -> None:
        try:
            news = self._news.get(timeout=_GLANCE)
        except queue.Empty:
            self._refresh()
            return
        self._quiet_since = self._around.now()
        while True:
            if isinstance(news, ArtificerError):
                self._lose_sight(news)
            self._board.hear(news)
            try:
                news = self._news.get_nowait()
            except queue.Empty:
                return

    def _lose_sight(self, error: ArtificerError) -> NoReturn:
        if isinstance(error, Transient | Unavailable):
            name = self._submission.batches[0].name
            hint = f"the Job goes on without us; `artificer job wait {name}` watches it again"
            raise type(error)(f"lost sight of the Job: {error.message}", hint=hint) from error
        self._goes_on()
        raise error

    def _refresh(self) -> None:
        doubtful = self._board.doubtful()
        if self._around.now() - self._quiet_since < _QUIET and not doubtful:
            return
        self._quiet_since = self._around.now()
        kinds: tuple[Kind, ...] = ("pods", "jobs")
        for kind in kinds:
            try:
                found = self._around.cluster.listed(kind, self._selectors[kind])
            except (Transient, Unavailable):
                return  # The streams notice by themselves, and know when to give up.
            self._board.hear(Listed(kind, found))
        self._board.settle()

    def _give_up(self) -> None:
        failure = self._board.hopeless()
        if failure is None:
            return
        names = self._submission.names
        cancel(self._around.cluster, names, self._around.report)
        raise JobFailed(
            f"{_jobs(names)}: {failure.message}", hint=failure.hint or None, code=failure.code
        )

    def _finished(self) -> bool:
        return self._board.open == 0 and not self._waiting()

    def _waiting(self) -> tuple[int, ...]:
        """The targets that can start now, and are of no Job yet."""
        graph = self._submission.graph
        most = graph.max_failed
        if most is not None and len(self._board.failures) > most:
            return ()
        taken = {number for batch in self._submission.batches for number in batch.numbers}
        return () if len(taken) == len(graph.nodes) else ready(graph, self._done(), taken)

    def _done(self) -> set[int]:
        return {self._number(place) for place in self._board.results}

    def _number(self, place: tuple[str, int]) -> int:
        batch = next(one for one in self._submission.batches if one.name == place[0])
        return batch.numbers[place[1]]

    def _continue(self) -> None:
        """Submit what can start now, a moment after the first of it could."""
        waiting, now = self._waiting(), self._around.now()
        if not waiting:
            self._ready_since = None
            return
        if self._ready_since is None:
            self._ready_since = now
        gathered = now - self._ready_since >= _GATHERED or not self._board.open
        if not gathered or not self._tries.due:
            return
        self._ready_since = None
        for numbers in batches(self._submission.graph, waiting):
            if not self._further(numbers):
                return

    def _further(self, numbers: Sequence[int]) -> bool:
        """Submit *numbers*; False if the cluster cannot take them just now."""
        around, (graph, known, first) = self._around, self._submission
        try:
            batch = further(around.cluster, first, graph, numbers, len(known) + 1)
        except ArtificerError as error:
            self._tries.refused(error, len(numbers))
            return False
        self._tries.well()
        count = len(batch.numbers)
        told = f"{count} more target{'s' if count > 1 else ''}"
        around.report(Note(f"submitted the Job {batch.name}: {told}"))
        self._submission = self._submission._replace(batches=(*known, batch))
        self._expect(batch)
        # What somebody else submitted meanwhile may be other targets.
        return batch.numbers == tuple(numbers)

    def _expect(self, batch: Batch) -> None:
        nodes = self._submission.graph.nodes
        self._board.expect(batch.name, [nodes[one] for one in batch.numbers])

    def _cancelled(self) -> None:
        if not self._around.cancels:
            self._goes_on()
            return
        try:
            cancel(self._around.cluster, self._submission.names, self._around.report)
        except ArtificerError as error:
            hint = f"by hand: `kubectl delete job {' '.join(self._submission.names)}`"
            self._around.report(Warned(f"the Job may go on: {error.message}", hint))

    def _goes_on(self) -> None:
        name = self._submission.names[0]
        self._around.report(Note(f"the Job goes on; `artificer job cancel {name}` ends it"))

    def _judge(self) -> None:
        graph, failures = self._submission.graph, self._board.failures
        if not failures:
            return
        numbers = {self._number(place): failure for place, failure in failures.items()}
        for number, below in sorted(blocked(graph, numbers).items()):
            label, base = graph.nodes[number].work.target, graph.nodes[below].work.target
            self._around.report(Note(f"{label}: not built, as {base} failed"))
        raise _failed(graph, numbers)


def _failed(graph: Graph, failures: dict[int, Failure]) -> JobFailed:
    """One error for all failures: of the permanent ones, the first is the most telling."""
    code = worst([failure.code for failure in failures.values()])
    number = min(one for one, failure in failures.items() if failure.code == code)
    first = failures[number]
    label = graph.nodes[number].work.target
    if len(failures) == 1:
        return JobFailed(f"{label}: {first.message}", hint=first.hint or None, code=code)
    names = [graph.nodes[one].work.target for one in sorted(failures)]
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    some = ", ".join(names[:_SHOWN])
    return JobFailed(
        f"{len(failures)} of {len(graph.nodes)} targets failed: {some}{more}; "
        f"{label}: {first.message}",
        hint=first.hint or None,
        code=code,
    )


def _jobs(names: Sequence[str]) -> str:
    return f"Job {names[0]}" if len(names) == 1 else f"Jobs {', '.join(names)}"
