"""The Jobs after the first of a submission: each is made once, whoever watches it."""

from collections.abc import Sequence
from typing import NoReturn

from artificer.errors import ArtificerError
from artificer.events import Report, Warned
from artificer.kubernetes.batch import RUN, Batch, batch_of, following
from artificer.kubernetes.cluster import Cluster, Conflict, Document, Full
from artificer.kubernetes.graph import Graph
from artificer.kubernetes.resume import Breaks, Clock

_ASKED_AGAIN = 10.0
"""Seconds after which a quota may have room."""
_WAITED = 3600.0


def further(
    cluster: Cluster, first: Document, graph: Graph, numbers: Sequence[int], part: int
) -> Batch:
    """The Job that is the *part*-th of those which *first* began: for *numbers*, if it is new.

    Its name is known before. So it is found where it is there already: made by somebody else who
    watches, or by us when the answer was lost.
    """
    document = following(first, graph, numbers, part)
    try:
        made = cluster.create(document)
    except Conflict:
        there = cluster.find("jobs", document["metadata"]["name"])
        if there is None or _run_of(there) != _run_of(document):
            raise
        return batch_of(there, graph)
    return Batch(str(made["metadata"]["name"]), tuple(numbers))


class Tries:
    """When the next Job may be tried: what breaks is tried again, and a full quota waited for.

    That lasts for the deadline of the *first* Job, which has as long to be built.
    """

    def __init__(self, first: Document, clock: Clock, report: Report) -> None:
        self._first = first
        self._clock = clock
        self._report = report
        self._breaks = Breaks("submitting the next Job", clock, report)
        self._full_since: float | None = None
        self._next = 0.0

    @property
    def due(self) -> bool:
        """Whether it is time to try."""
        return self._full_since is None or self._clock.now() >= self._next

    def well(self) -> None:
        """A Job was made."""
        self._breaks.well()
        self._full_since = None

    def refused(self, error: ArtificerError, count: int) -> None:
        """Take in why *count* targets could not be submitted. What does not pass is raised."""
        try:
            if isinstance(error, Full):
                self._full(error)
            else:
                self._breaks.broke(error)
        except ArtificerError:
            _not_continued(error, self._first["metadata"]["name"], count)

    def _full(self, error: Full) -> None:
        # Who watches has other things to hear meanwhile: this does not sleep.
        now = self._clock.now()
        if self._full_since is None:
            self._full_since = now
            self._report(Warned(f"the next Job waits: {error.message}", error.hint or ""))
        if now - self._full_since > self._first["spec"].get("activeDeadlineSeconds", _WAITED):
            raise error
        self._next = now + _ASKED_AGAIN


def _not_continued(error: ArtificerError, name: str, count: int) -> NoReturn:
    """Raise *error*, which kept *count* targets from being submitted, with how to go on."""
    hint = (
        f"what runs goes on: once this is mended, `artificer job wait {name}` goes on with the "
        f"others, too; `artificer job cancel {name}` ends all"
    )
    told = f"{count} more target{'s' if count > 1 else ''} could not be submitted"
    raise type(error)(
        f"{told}: {error.message}", hint=f"{error.hint}; {hint}" if error.hint else hint
    ) from error


def _run_of(job: Document) -> str:
    return str(job["metadata"].get("labels", {}).get(RUN, ""))
