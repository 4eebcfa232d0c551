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


def end_all() -> None:
    """Kill all that descend from this process, a subreaper, and wait until they are gone.

    A process may fork while we look, so we look again.
    """
    end = time.monotonic() + _PATIENCE
    while _has_children() and time.monotonic() < end:
        for process in below(os.getpid()):
            _kill(process)
        time.sleep(_PAUSE)


def _has_children() -> bool:
    try:
        while os.waitpid(-1, os.WNOHANG) != (0, 0):
            continue
    except ChildProcessError:
        return False
    return True


def _kill(process: int) -> None:
    try:
        os.kill(process, signal.SIGKILL)
    except OSError as error:
        if error.errno != errno.ESRCH:
            raise
