"""Work that depends on other work: what is ready is done, several pieces at once."""

import threading
from collections import deque
from collections.abc import Callable, Hashable, Mapping, Sequence
from queue import SimpleQueue
from typing import Generic, NamedTuple, TypeVar

from artificer.errors import ArtificerError, Cancelled
from artificer.stop import Stop

_Id = TypeVar("_Id", bound=Hashable)
_Result = TypeVar("_Result")

Needs = Callable[[_Id], Sequence[_Id]]


class Cycle(ArtificerError):
    """Work that depends on itself."""


class Finished(NamedTuple, Generic[_Id, _Result]):
    """What was done, and what failed; *skipped* was not begun because of that."""

    results: Mapping[_Id, _Result]
    failures: Mapping[_Id, ArtificerError]
    skipped: tuple[_Id, ...]


class Doing(NamedTuple, Generic[_Id, _Result]):
    """How work is done: *quick* tells at once what is known already, *act* does the rest.

    Only *act* is called from other threads. A piece is done once, whoever needs it.
    """

    needs: Needs[_Id]
    quick: Callable[[_Id], _Result | None]
    act: Callable[[_Id], _Result]


def closure(roots: Sequence[_Id], needs: Needs[_Id]) -> dict[_Id, tuple[_Id, ...]]:
    """*roots* and all that they need, what is needed first; a `Cycle` is told as a path."""
    ordered: dict[_Id, tuple[_Id, ...]] = {}
    path: dict[_Id, tuple[_Id, ...]] = {}
    for root in roots:
        waiting: list[tuple[_Id, bool]] = [(root, True)]
        while waiting:
            one, entering = waiting.pop()
            if not entering:
                ordered[one] = path.pop(one)
            elif one in path:
                raise _cycle(list(path), one)
            elif one not in ordered:
                path[one] = tuple(dict.fromkeys(needs(one)))
                waiting.append((one, False))
                waiting.extend((each, True) for each in reversed(path[one]) if each not in ordered)
    return ordered


def run(
    roots: Sequence[_Id],
    doing: Doing[_Id, _Result],
    *,
    jobs: int,
    keep_going: bool,
    stop: Stop,
) -> Finished[_Id, _Result]:
    """Do *roots* and what they need; nothing is begun before all that it needs is done.

    After a failure what depends on it is left out, and without *keep_going* all that was not
    begun; what is running is finished. Raise `Cancelled` when *stop* is set.
    """
    return _Run(closure(roots, doing.needs), doing, jobs, keep_going, stop).finished()


class _Answer(NamedTuple, Generic[_Id, _Result]):
    one: _Id
    result: _Result | None
    error: BaseException | None


class _Run(Generic[_Id, _Result]):
    """One run over a graph that is known to have no cycle."""

    def __init__(
        self,
        graph: Mapping[_Id, tuple[_Id, ...]],
        doing: Doing[_Id, _Result],
        jobs: int,
        keep_going: bool,  # noqa: FBT001 - internal
        stop: Stop,
    ) -> None:
        self._graph = graph
        self._doing = doing
        self._crew = _Crew(doing.act, max(jobs, 1))
        self._keep_going = keep_going
        self._stop = stop
        self._left = {one: len(needs) for one, needs in graph.items()}
        self._users: dict[_Id, list[_Id]] = {one: [] for one in graph}
        for one, needs in graph.items():
            for need in needs:
                self._users[need].append(one)
        self._ready = deque(one for one, count in self._left.items() if not count)
        self._due: deque[_Id] = deque()
        self._results: dict[_Id, _Result] = {}
        self._failures: dict[_Id, ArtificerError] = {}

    def finished(self) -> Finished[_Id, _Result]:
        """Work until nothing is left that could be done."""
        try:
            self._work()
        finally:
            self._crew.dismiss()
        self._stop.check()
        done = self._results.keys() | self._failures.keys()
        skipped = tuple(one for one in self._graph if one not in done)
        return Finished(self._results, self._failures, skipped)

    def _work(self) -> None:
        while True:
            while self._ready and not self._halted():
                self._begin(self._ready.popleft())
            while self._due and self._crew.has_room and not self._halted():
                self._crew.give(self._due.popleft())
            if not self._crew.busy:
                return
            one, result, error = self._crew.next()
            if error is not None:
                self._fail(one, error)
            elif result is not None:
                self._finish(one, result)

    def _halted(self) -> bool:
        return self._stop.is_set() or bool(self._failures and not self._keep_going)

    def _begin(self, one: _Id) -> None:
        try:
            known = self._doing.quick(one)
        except ArtificerError as error:
            self._fail(one, error)
            return
        if known is None:
            self._due.append(one)
        else:
            self._finish(one, known)

    def _finish(self, one: _Id, result: _Result) -> None:
        self._results[one] = result
        for user in self._users[one]:
            self._left[user] -= 1
            if not self._left[user]:
                self._ready.append(user)

    def _fail(self, one: _Id, error: BaseException) -> None:
        if isinstance(error, Cancelled) or not isinstance(error, ArtificerError):
            raise error
        self._failures[one] = error


class _Crew(Generic[_Id, _Result]):
    """Threads that are begun when there is work for them; fed and heard by one other thread."""

    def __init__(self, act: Callable[[_Id], _Result], jobs: int) -> None:
        self._act = act
        self._jobs = jobs
        self._orders: SimpleQueue[_Id | None] = SimpleQueue()
        self._answers: SimpleQueue[_Answer[_Id, _Result]] = SimpleQueue()
        self._members: list[threading.Thread] = []
        self._closed = False
        self.busy = 0

    @property
    def has_room(self) -> bool:
        """Whether somebody would begin at once."""
        return self.busy < self._jobs

    def give(self, one: _Id) -> None:
        """Have *one* done."""
        self.busy += 1
        if len(self._members) < self.busy:
            member = threading.Thread(
                target=self._serve, name=f"target-{len(self._members)}", daemon=True
            )
            self._members.append(member)
            member.start()
        self._orders.put(one)

    def next(self) -> _Answer[_Id, _Result]:
        """Wait for a piece that is done."""
        answer = self._answers.get()
        self.busy -= 1
        return answer

    def dismiss(self) -> None:
        """Let everybody finish what is running, and go."""
        self._closed = True
        for _ in self._members:
            self._orders.put(None)
        for member in self._members:
            member.join()

    def _serve(self) -> None:
        while (one := self._orders.get()) is not None:
            if self._closed:
                continue
            try:
                answer = _Answer(one, self._act(one), None)
            except BaseException as error:  # raised again, or told, by the thread that asked
                self._answers.put(_Answer(one, None, error))
            else:
                self._answers.put(answer)


def _cycle(path: Sequence[_Id], again: _Id) -> Cycle:
    start = path.index(again)
    names = [str(one) for one in (*path[start:], again)]
    return Cycle(
        f"{names[0]} depends on itself: {' → '.join(names)}",
        hint="one of these targets must do without the next",
    )
