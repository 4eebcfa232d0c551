"""A program that we start ends when we do, with whatever it started."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress

# Nobody ever writes to its input, which ends when we do: also when we are killed.
_WATCH = 'read -r _ || kill -9 "-$1"'


@contextmanager
def leashed(child: "subprocess.Popen[bytes]") -> Iterator[None]:
    """Kill *child*, which leads a session of its own, and its whole group at the block's end.

    A shell beside it does so where this process does not live to see that end.
    """
    watcher = None
    try:
        watcher = _watcher(child.pid)
        yield
    finally:
        kill_group(child)
        if watcher is not None:
            watcher.kill()
            watcher.communicate()
        if child.stdout is not None:
            child.stdout.close()
        child.wait()


def kill_group(child: "subprocess.Popen[bytes]") -> None:
    """Kill *child*, which leads a session of its own, and all that stayed in its group."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)


def _watcher(group: int) -> "subprocess.Popen[bytes] | None":
    try:
        return subprocess.Popen(  # noqa: S603 - a script of ours, and a number
            ("/bin/sh", "-c", _WATCH, "sh", str(group)),
            cwd="/",
            env={},
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError:
        # Without a shell, or another process, the work can be done all the same.
        return None
