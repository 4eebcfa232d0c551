"""The one thing that threads share besides frozen values: the wish to stop."""

import threading

from artificer.errors import Cancelled


class Stop:
    """Set once, from a signal handler; asked between chunks by whoever does long work."""

    __slots__ = ("_event",)

    def __init__(self) -> None:
        self._event = threading.Event()

    def set(self) -> None:
        """Ask everybody to stop. Never blocks; may be called again."""
        self._event.set()

    def is_set(self) -> bool:
        """Whether stopping was asked for."""
        return self._event.is_set()

    def check(self) -> None:
        """Raise `Cancelled` once stopping was asked for."""
        if self._event.is_set():
            raise Cancelled

    def wait(self, seconds: float) -> bool:
        """Sleep for *seconds*, or less when stopping is asked for; say whether it was."""
        return self._event.wait(seconds)
