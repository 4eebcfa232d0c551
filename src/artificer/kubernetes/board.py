"""What is told of a submission while it runs, each thing once; and whether it can still end."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from artificer.events import Note, Report, TargetDone, TargetFailed, TargetStarted, Warned
from artificer.kubernetes.cluster import Change, Listed
from artificer.kubernetes.failure import Failure, Stuck, stuck_job
from artificer.kubernetes.graph import Node
from artificer.kubernetes.logs import Logs, Source
from artificer.kubernetes.state import Index, Place, State, folded, index_at, places, result_at

if TYPE_CHECKING:
    from artificer.kubernetes.result import Result

_WAITING = Index("waiting")
_DOUBT = 1.0


class Tellers(NamedTuple):
    """Whom to tell: events, the references that are built, and the logs to follow."""

    report: Report
    built: Callable[[str], None]
    logs: Logs


class Board:
    """How far each target is. Heard and asked by one thread."""

    def __init__(self, tellers: Tellers, clock: Callable[[], float]) -> None:
        self._tellers = tellers
        self._clock = clock
        self._state = State()
        self._labels: dict[Place, str] = {}
        self._inner: set[Place] = set()
        self._seen: dict[Place, Index] = {}
        self._since: dict[tuple[str, str], float] = {}
        self._unsure: dict[Place, float] = {}
        self.results: dict[Place, Result] = {}
        self.failures: dict[Place, Failure] = {}

    def expect(self, job: str, nodes: Sequence[Node]) -> None:
        """A Job is there, whose indexes are *nodes*; what was heard of it counts."""
        for number, node in enumerate(nodes):
            self._labels[job, number] = node.work.target
            if node.inner:
                self._inner.add((job, number))
            self._look((job, number))

    def hear(self, news: Change | Listed) -> None:
        """Take in what the cluster tells, and tell what is new about targets."""
        self._state = folded(self._state, news)
        for place in places(self._state, news):
            if place in self._labels:
                self._look(place)

    @property
    def open(self) -> int:
        """How many targets have no outcome yet."""
        return len(self._labels) - len(self.results) - len(self.failures)

    def doubtful(self) -> bool:
        """Whether a Job said a while ago what is over, and its pod did not: ask once more."""
        now = self._clock()
        return any(now - since >= _DOUBT for since in self._unsure.values())

    def settle(self) -> None:
        """All was listed: what is not known now never will be."""
        for place in tuple(self._unsure):
            self._look(place, settled=True)

    def hopeless(self) -> Failure | None:
        """What keeps all that is left from ever starting, once it lasted long enough."""
        stuck = [*self._stuck_jobs(), *self._stuck_pods()]
        now = self._clock()
        found = None
        for where, one in stuck:
            since = self._since.setdefault((where, one.failure.hint), now)
            if since == now:
                self._tell_stuck(where, one)
            if one.patience is not None and now - since >= one.patience:
                found = found or one.failure
        current = {(where, one.failure.hint) for where, one in stuck}
        self._since = {key: since for key, since in self._since.items() if key in current}
        running = any(index.phase == "running" for index in self._seen.values())
        return None if running else found

    def _stuck_jobs(self) -> list[tuple[str, Stuck]]:
        found = []
        for name, job in self._state.jobs.items():
            stuck = None if job.outcome else stuck_job(job, self._state.told.get(name, ()))
            if stuck is not None and not self._lives(name):
                found.append((name, stuck))
        return found

    def _lives(self, job: str) -> bool:
        """Whether a pod of *job* is on its way: then it matters no more why one was refused."""
        return any(
            place[0] == job
            and index.pod is not None
            and not index.pod.deleted
            and index.pod.phase in {"Pending", "Running"}
            for place, index in self._seen.items()
        )

    def _stuck_pods(self) -> list[tuple[str, Stuck]]:
        # Pods of a Job are alike, and so is what keeps them: it is told of the first alone. What
        # to do tells one trouble from another: its words have ports and times, and change.
        found: dict[tuple[str, str], tuple[str, Stuck]] = {}
        for place, index in self._seen.items():
            if index.stuck is not None:
                key = (place[0], index.stuck.failure.hint)
                found.setdefault(key, (self._labels[place], index.stuck))
        return list(found.values())

    def _tell_stuck(self, where: str, stuck: Stuck) -> None:
        failure = stuck.failure
        self._tellers.report(Warned(f"{where}: {failure.message}", failure.hint))

    def _look(self, place: Place, *, settled: bool = False) -> None:
        if place in self.results or place in self.failures:
            return
        old, new = self._seen.get(place, _WAITING), index_at(self._state, place)
        self._seen[place] = new
        label = self._labels[place]
        self._follow(new, label)
        if not new.sure and not settled:
            self._unsure.setdefault(place, self._clock())
            return
        self._unsure.pop(place, None)
        if new.phase == "running" and (old.phase != "running" or old.tries != new.tries):
            self._tellers.report(TargetStarted(label))
        match new.phase:
            case "succeeded":
                self._succeeded(place, new)
            case "failed" if new.failure is not None:
                self.failures[place] = new.failure
                where = f"pod {new.pod.name}" if new.pod else f"job {place[0]}"
                self._tellers.report(TargetFailed(label, where, new.failure.message))
            case _ if new.failure is not None and new.again and new.tries != old.tries:
                self._tellers.report(Note(f"{label}: {new.failure.message}; it is tried again"))

    def _succeeded(self, place: Place, index: Index) -> None:
        label = self._labels[place]
        result = self.results[place] = result_at(index, label)
        self._tellers.report(TargetDone(label, result.seconds, "known" if result.cached else ""))
        if place in self._inner:
            return
        if not result.references:
            hint = "the pod is gone, or its last words were no result; the registry has it"
            self._tellers.report(Warned(f"{label}: done, but its digest is not known", hint))
        for reference in result.references:
            self._tellers.built(reference)
        if result.more:
            hint = "the log of its pod names all: `artificer job logs`"
            self._tellers.report(Warned(f"{label}: and {result.more} more images", hint))

    def _follow(self, index: Index, label: str) -> None:
        if index.pod is None:
            return
        for one in index.pod.containers:
            if one.state != "waiting":
                self._tellers.logs.follow(Source(index.pod.name, one.name, label))
            if one.state == "ended" or index.pod.deleted:
                self._tellers.logs.over(index.pod.name, one.name)
