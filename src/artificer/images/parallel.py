"""Several pieces of leaf work at once, on a few threads, with one outcome whatever their order."""

import threading
from collections.abc import Callable, Sequence

from artificer.errors import Cancelled
from artificer.stop import Stop

Work = Callable[[Callable[[], None]], None]
"""A piece of work. It is given a check to call between chunks, which raises `Cancelled`."""


def run_all(work: Sequence[Work], *, threads: int, stop: Stop) -> None:
    """Do all of *work*; at the first failure nothing later is begun, and all threads are joined.

    What is raised is the failure of the earliest piece: pieces before it are let finish, pieces
    after it are stopped. So it does not depend on which thread was quicker.
    """
    if threads <= 1 or len(work) <= 1:
        for piece in work:
            piece(stop.check)
        return
    crew = _Crew(work, stop)
    members = [
        threading.Thread(target=crew.run, name=f"blob-{number}", daemon=True)
        for number in range(min(threads, len(work)))
    ]
    for member in members:
        member.start()
    for member in members:
        member.join()
    crew.raise_failure()


class _Crew:
    """The work that is left, and the earliest failure so far."""

    def __init__(self, work: Sequence[Work], stop: Stop) -> None:
        self._work = work
        self._stop = stop
        self._lock = threading.Lock()
        self._next = 0
        self._failed: dict[int, BaseException] = {}

    def run(self) -> None:
        """Take pieces until there are no more, or one failed."""
        while (number := self._take()) is not None:
            try:
                self._work[number](self._check_of(number))
            except BaseException as error:  # raised again by `raise_failure`
                with self._lock:
                    self._failed[number] = error

    def raise_failure(self) -> None:
        """Raise what the earliest failed piece raised, if any did."""
        if self._failed:
            raise self._failed[min(self._failed)]

    def _take(self) -> int | None:
        with self._lock:
            if self._failed or self._stop.is_set() or self._next == len(self._work):
                if self._stop.is_set() and self._next < len(self._work):
                    self._failed.setdefault(self._next, Cancelled())
                return None
            self._next += 1
            return self._next - 1

    def _check_of(self, number: int) -> Callable[[], None]:
        def check() -> None:
            self._stop.check()
            if self._failed and min(tuple(self._failed)) < number:
                raise Cancelled

        return check
