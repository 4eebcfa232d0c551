"""Waiting for what others do: as long as a busy machine may need, no longer than it takes."""

import itertools
import os
import time
from collections.abc import Callable
from pathlib import Path

PATIENCE = 120.0
"""Seconds after which a test says that something does not happen, however busy the machine."""


_NUMBERS = itertools.count()


def wait_until(
    is_so: Callable[[], object], what: str = "it does not happen", seconds: float = PATIENCE
) -> None:
    """Return once *is_so*; fail saying *what* when nothing comes of it."""
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, what
        time.sleep(0.02)


def lifetime() -> str:
    """Seconds that nobody else on this machine sleeps, and far more than a test takes."""
    return f"{100_000 + os.getpid()}{next(_NUMBERS) % 100:02}"


def processes_with(word: str) -> list[int]:
    """The processes of this machine that have *word* among their own words."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                words = Path(f"/proc/{name}/cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if word.encode() in words:
                found.append(int(name))
    return found


def opened_fifo(path: Path) -> int:
    """Wait until somebody reads the fifo *path*, who then waits for what is written to it."""
    found: list[int] = []

    def is_read() -> bool:
        try:
            found.append(os.open(path, os.O_WRONLY | os.O_NONBLOCK))
        except OSError:  # nobody reads it yet
            return False
        return True

    wait_until(is_read, f"nobody reads {path}")
    return found[0]
