"""Daemons started for the tests and surely ended with them."""

import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.parts.waiting import PATIENCE

PR_SET_PDEATHSIG = 1
_prctl = ctypes.CDLL(None).prctl if os.name == "posix" and hasattr(os, "sched_yield") else None


class NotStarted(Exception):
    """A daemon that ended, or did not answer in time, with the last lines of its log."""


class Server:
    """A running daemon: its process and the file that it logs to."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process = process
        self.log = log

    def wait_until(self, ready: Callable[[], bool], seconds: float = PATIENCE) -> None:
        """Return when *ready*; raise NotStarted when the daemon ends or takes too long."""
        end = time.monotonic() + seconds
        while not ready():
            if self.process.poll() is not None or time.monotonic() > end:
                tail = "\n".join(self.log.read_text(errors="replace").splitlines()[-15:])
                raise NotStarted(f"{self.process.args!r}\n{tail}")
            time.sleep(0.02)

    def stop(self, seconds: float = 15) -> None:
        """End it politely, then with everything it started."""
        self.process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(seconds)
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def _end_with_parent() -> None:
    # A test run that is killed outright leaves no daemon behind.
    if _prctl is not None:
        _prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


@contextmanager
def serving(words: Sequence[str], log: Path, environ: Mapping[str, str]) -> Iterator[Server]:
    """Start a daemon in a session of its own, so that Ctrl-C reaches the tests first."""
    with log.open("wb") as output, log.with_suffix(".access").open("wb") as access:
        process = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=access,
            stderr=output,
            env=environ,
            start_new_session=True,
            preexec_fn=_end_with_parent,
        )
    server = Server(process, log)
    try:
        yield server
    finally:
        server.stop()
