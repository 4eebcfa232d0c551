"""How long what breaks is tried again: watches and logs of a cluster, whose server may restart."""

from collections.abc import Callable
from typing import NamedTuple

from artificer.errors import ArtificerError, Transient, Unavailable
from artificer.events import Report, Retrying
from artificer.kubernetes.cluster import Killed, Unidentified

_PAUSES = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
GIVEN_UP = 300.0
"""Seconds without any answer after which nobody waits any more."""
_LOGINS = 3
_KILLS = 10
"""Times after which who is killed again and again is not started again."""


class Clock(NamedTuple):
    """*now* never goes back; *sleep* says whether somebody wants to stop."""

    now: Callable[[], float]
    sleep: Callable[[float], bool]


class Breaks:
    """What broke since something worked; shared by nobody."""

    def __init__(self, what: str, clock: Clock, report: Report) -> None:
        self._what = what
        self._clock = clock
        self._report = report
        self._count = 0
        self._kills = 0
        self._since: float | None = None

    def well(self) -> None:
        """It works again."""
        self._count = 0
        self._since = None

    def broke(self, error: ArtificerError | None) -> bool:
        """Wait before the next try, and say whether to try; None is an end without an error.

        What waiting does not mend is raised.
        """
        if error is not None and not self._may_pass(error):
            raise error
        if error is None:
            self._since = None
        elif self._since is None:
            self._since = self._clock.now()
        elif self._clock.now() - self._since > GIVEN_UP:
            raise error
        pause = _PAUSES[min(self._count, len(_PAUSES) - 1)]
        self._count += 1
        if error is not None and (self._count > 1 or isinstance(error, Killed)):
            self._report(Retrying(self._what, error.message, pause))
        return not self._clock.sleep(pause)

    def _may_pass(self, error: ArtificerError) -> bool:
        # A token that is just being renewed is refused for a moment.
        if isinstance(error, Unidentified):
            return self._count < _LOGINS
        if isinstance(error, Killed):
            self._kills += 1
            return self._kills <= _KILLS
        return isinstance(error, Transient | Unavailable)
