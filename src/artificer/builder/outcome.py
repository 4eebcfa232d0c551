"""What came of a build with many targets: products, failures, and when what was done."""

import json
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from artificer.builder.place import Place
from artificer.builder.products import Product
from artificer.builder.targets import TargetId
from artificer.errors import ArtificerError

_WORST_FIRST = (1, 77, 69, 75)
"""Trying again is pointless, needs a login, needs a network, may do."""


class Failure(NamedTuple):
    """A target that could not be made; *place* is None for one that nobody declared."""

    id: TargetId
    place: Place | None
    error: ArtificerError

    def __str__(self) -> str:
        """``nginx/BUILD:3:1: //nginx:nginx: …``."""
        where = f"{self.place}: " if self.place else ""
        return f"{where}{self.id}: {self.error.message}"


class BuildFailed(ArtificerError):
    """Some targets could not be made: all of *failures* are told."""

    def __init__(self, failures: tuple[Failure, ...], skipped: int) -> None:
        first = failures[0]
        if len(failures) == 1:
            message = str(first)
        else:
            lines = "".join(f"\n  {failure}" for failure in failures)
            message = f"{len(failures)} targets could not be made:{lines}"
        if skipped:
            message += f" ({skipped} more were not tried)"
        super().__init__(message, hint=first.error.hint)
        self.failures = failures
        codes = {failure.error.exit_code for failure in failures}
        self.exit_code = next((code for code in _WORST_FIRST if code in codes), 1)
        if codes - set(_WORST_FIRST):
            self.exit_code = 1


class Timing(NamedTuple):
    """When a target was made, on which thread; *why* is empty if it was really made."""

    label: str
    started: float
    seconds: float
    thread: str
    why: str


class Outcome(NamedTuple):
    """What came of a build; *skipped* were not begun, because something failed before."""

    products: Mapping[TargetId, Product]
    failures: tuple[Failure, ...]
    skipped: tuple[TargetId, ...]
    timings: tuple[Timing, ...]

    def check(self) -> None:
        """Raise `BuildFailed` if anything failed."""
        if self.failures:
            raise BuildFailed(self.failures, len(self.skipped))

    def trace(self) -> bytes:
        """The timings as Chrome (chrome://tracing) and Perfetto read them."""
        return json.dumps({"traceEvents": list(self._events())}).encode()

    def _events(self) -> Iterator[dict[str, object]]:
        start = min((timing.started for timing in self.timings), default=0.0)
        threads = {thread: number for number, thread in enumerate(self._threads(), 1)}
        for thread, number in threads.items():
            name = {"name": thread}
            yield {"ph": "M", "pid": 1, "tid": number, "name": "thread_name", "args": name}
        for timing in self.timings:
            yield {
                "ph": "X",
                "pid": 1,
                "tid": threads[timing.thread],
                "name": timing.label,
                "cat": timing.why or "made",
                "ts": round((timing.started - start) * 1_000_000),
                "dur": round(timing.seconds * 1_000_000),
            }

    def _threads(self) -> list[str]:
        return sorted({timing.thread for timing in self.timings})
