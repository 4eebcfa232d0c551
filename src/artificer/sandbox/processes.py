"""The processes that a command started, where no pid namespace keeps them together."""

import errno
import os
import signal
import time
from collections.abc import Iterator

_PATIENCE = 10.0
_PAUSE = 0.002


def parent_of(process: int) -> int:
    """Return the parent of *process* (or of a thread); 0 if there is none, or no such process."""
    try:
        with open(f"/proc/{process}/stat", "rb", 0) as file:
            # The name in brackets may hold anything, brackets too.
            return int(file.read(4096).rpartition(b")")[2].split()[1])
    except (OSError, IndexError, ValueError):
        return 0


def is_below(process: int, ancestor: int) -> bool:
    """Whether *process* descends from *ancestor*, which must be a subreaper to be sure of it."""
    while process > 1:
        process = parent_of(process)
        if process == ancestor:
            return True
    return False


def below(ancestor: int) -> list[int]:
    """Return all processes that descend from *ancestor*, parents before their children."""
    children: dict[int, list[int]] = {}
    for process in _all():
        children.setdefault(parent_of(process), []).append(process)
    found = [ancestor]
    for process in found:
        found += children.get(process, ())
    return found[1:]


def _all() -> Iterator[int]:
    for name in os.listdir("/proc"):
        if name.isdigit():
            yield int(name)


def end_all(but: frozenset[int] = frozenset()) -> None:
    """Kill all that descend from this process, a subreaper, and wait until they are gone.

    *but* are children that stay. A process may fork while we look, so we look again.
    """
    ancestor = os.getpid()
    end = time.monotonic() + _PATIENCE
    while _reap(but) and time.monotonic() < end:
        for process in below(ancestor):
            if process not in but:
                _kill(process)
        time.sleep(_PAUSE)


def _reap(but: frozenset[int]) -> bool:
    """Collect who has ended; say whether a child may be left."""
    try:
        while True:
            found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            if found is None:
                # With nobody to spare, somebody runs. Else look who it is.
                return not but or any(one not in but for one in below(os.getpid()))
            if found.si_pid in but:
                return False
            os.waitpid(found.si_pid, 0)
    except ChildProcessError:
        return False


def _kill(process: int) -> None:
    try:
        os.kill(process, signal.SIGKILL)
    except OSError as error:
        if error.errno != errno.ESRCH:
            raise
