"""The one thing that threads share besides frozen values: the wish to stop."""

import time

from artificer.errors import Cancelled

_GLANCE = 0.05


class Stop:
    """Set once, from a signal handler; asked between chunks by whoever does long work.

    No lock is in it: a signal that comes while somebody holds one could never be told.
    """

    __slots__ = ("_wanted",)

    def __init__(self) -> None:
        self._wanted = False

    def set(self) -> None:
        """Ask everybody to stop. Never blocks; may be called again."""
        self._wanted = True

    def is_set(self) -> bool:
        """Whether stopping was asked for."""
        return self._wanted

    def check(self) -> None:
        """Raise `Cancelled` once stopping was asked for."""
        if self._wanted:
            raise Cancelled

    def wait(self, seconds: float) -> bool:
        """Sleep for *seconds*, or less when stopping is asked for; say whether it was."""
        end = time.monotonic() + seconds
        while not self._wanted and (left := end - time.monotonic()) > 0:
            time.sleep(min(left, _GLANCE))
        return self._wanted
