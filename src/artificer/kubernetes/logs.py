"""Logs of running pods, each line told with its target; what breaks is taken up where it was."""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import NamedTuple

from artificer.errors import ArtificerError
from artificer.events import CommandOutput, Report, Warned, unheard
from artificer.kubernetes.cluster import Cluster, LogLine, NotFound, Refused
from artificer.kubernetes.resume import Breaks, Clock
from artificer.stop import Stop

AT_ONCE = 16
"""Streams at once: each is a process or a connection. Who waits is read from its beginning."""
_TRIES = 4
"""How often the log of a container that has ended is taken up where it broke."""
_LAST_SECONDS = 10.0
"""How long the end of a log is waited for, once all else is done."""


class Source(NamedTuple):
    """The log of one container; its lines are told as those of *label*."""

    pod: str
    container: str
    label: str


class Logs:
    """Follows the logs it is given. Memory does not grow with them: a line is told at once."""

    def __init__(self, cluster: Cluster, stop: Stop, report: Report) -> None:
        self._cluster = cluster
        self._stop = stop
        self._report = report
        self._lock = threading.Lock()
        self._waiting: deque[Source] = deque()
        self._known: set[tuple[str, str]] = set()
        self._over: set[tuple[str, str]] = set()
        self._threads: list[threading.Thread] = []
        self._active = 0

    def follow(self, source: Source) -> None:
        """Tell the lines of *source*; a second time does nothing."""
        with self._lock:
            if (source.pod, source.container) in self._known:
                return
            self._known.add((source.pod, source.container))
            self._waiting.append(source)
            if self._active < AT_ONCE:
                self._active += 1
                thread = threading.Thread(target=self._work, name="logs", daemon=True)
                self._threads = [one for one in self._threads if one.is_alive()]
                self._threads.append(thread)
                thread.start()

    def over(self, pod: str, container: str) -> None:
        """The container has ended: what ends with it need not be taken up again."""
        self._over.add((pod, container))

    def wait(self) -> None:
        """Hear all to its end."""
        while any(thread.is_alive() for thread in self._threads) and not self._stop.wait(0.02):
            pass

    def close(self) -> None:
        """Hear what is still to be heard, but not for long."""
        end = time.monotonic() + _LAST_SECONDS
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._waiting or self._stop.is_set():
                    self._active -= 1
                    return
                source = self._waiting.popleft()
            self._tell(source)

    def _tell(self, source: Source) -> None:
        clock = Clock(time.monotonic, self._stop.wait)
        try:
            for text in lines(
                lambda since: self._cluster.logs(source.pod, source.container, since),
                clock,
                lambda: (source.pod, source.container) in self._over,
            ):
                self._report(CommandOutput(source.label, text))
        except (NotFound, Refused):
            pass  # The pod has gone, or its container was never started: others tell why.
        except ArtificerError as error:
            if not self._stop.is_set():
                self._report(Warned(f"{source.label}: no log: {error.message}", error.hint or ""))


def lines(
    stream: Callable[[str], Iterator[LogLine]], clock: Clock, over: Callable[[], bool]
) -> Iterator[str]:
    """The lines of the log that *stream* gives from a time on, each once, however often it breaks.

    A stream that ends is taken up again until its container is *over*, and then until it ends
    unbroken.
    """
    breaks = Breaks("a log", clock, unheard)
    heard = _Heard()
    ended = 0
    while True:
        problem: ArtificerError | None = None
        try:
            heard.again()
            for line in stream(heard.last):
                if heard.news(line):
                    breaks.well()
                    yield line.text
        except ArtificerError as error:
            problem = error
        ended += over()
        if ended and (problem is None or ended > _TRIES):
            return
        if not breaks.broke(problem):
            return


class _Heard:
    """Which lines were told: a stream begins at a whole second, so some of them come again.

    Times are those of the node that the container runs on; several lines may be of one.
    """

    def __init__(self) -> None:
        self.last = ""
        self._count = 0
        self._again = 0
        self._known = False

    def again(self) -> None:
        """A stream begins."""
        self._again = 0
        self._known = bool(self.last)

    def news(self, line: LogLine) -> bool:
        """Whether *line* was not told yet. After the first that is new, all are.

        So a node whose clock is put back loses no line of a stream that does not break.
        """
        if self._known:
            moment, last = _moment(line.time), _moment(self.last)
            self._again += moment == last
            self._known = moment < last or (moment == last and self._again <= self._count)
        if self._known:
            return False
        self._count = self._count + 1 if line.time == self.last else 1
        self.last = line.time
        return True


def _moment(time: str) -> str:
    """*time* as text that can be compared: a node leaves the zeros at the end away."""
    head, _, fraction = time.partition(".")
    return f"{head[:19]}{''.join(filter(str.isdigit, fraction[:10])):0<9}"
