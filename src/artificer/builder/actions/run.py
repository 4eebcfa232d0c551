"""A process of its own group: its output line by line, its end whatever happens."""

import os
import selectors
import signal
import subprocess
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import IO, NamedTuple

from artificer.errors import ArtificerError, reason
from artificer.leash import kill_group, leashed
from artificer.stop import Stop

_POLL = 0.1
_LINES = 40
_LINE_BYTES = 64 * 1024
_STRANGE_UMASK = 0o077


class CommandFailed(ArtificerError):
    """A command ended badly, did not end in time, or did not make what it had to."""


class Process(NamedTuple):
    """What is run, and where; nothing of our own environment is passed on."""

    words: Sequence[str]
    folder: str
    environ: Mapping[str, str]
    timeout: float
    umask: int = 0o022


class Ended(NamedTuple):
    """How a process ended: its code (negative: the signal), and the last lines that it wrote."""

    code: int
    lines: tuple[str, ...]


def run(process: Process, tell: Callable[[str], None], stop: Stop) -> Ended:
    """Run *process* and *tell* each line; whatever it started is killed at its end."""
    last: deque[str] = deque(maxlen=_LINES)
    with _started(process) as child:
        assert child.stdout is not None  # noqa: S101 - it is a pipe
        deadline = time.monotonic() + process.timeout
        for line in _lines(child, child.stdout, deadline, stop):
            last.append(line)
            tell(line)
        code = child.wait()
    if time.monotonic() >= deadline and code == -signal.SIGKILL:
        raise CommandFailed(
            f"it did not end within {process.timeout:g} seconds",
            hint="give it more with the attribute `timeout`",
        )
    return Ended(code, tuple(last))


@contextmanager
def _started(process: Process) -> Iterator["subprocess.Popen[bytes]"]:
    try:
        child = subprocess.Popen(  # noqa: S603 - to run what a BUILD file says is the purpose
            process.words,
            cwd=process.folder,
            env=dict(process.environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            bufsize=0,
            start_new_session=True,
            umask=process.umask,
        )
    except OSError as error:
        raise CommandFailed(f"{process.words[0]} cannot be run: {reason(error)}") from error
    with leashed(child):
        yield child


def _lines(
    child: "subprocess.Popen[bytes]", pipe: IO[bytes], deadline: float, stop: Stop
) -> Iterator[str]:
    rest = b""
    os.set_blocking(pipe.fileno(), False)
    with selectors.DefaultSelector() as selector:
        selector.register(pipe, selectors.EVENT_READ)
        while True:
            stop.check()
            if time.monotonic() >= deadline:
                kill_group(child)
                break
            data = pipe.read(_LINE_BYTES) if selector.select(_POLL) else None
            if data == b"":
                break
            if data is None:
                # What was left running in the background may hold the pipe open for ever.
                if child.poll() is not None:
                    break
                continue
            *whole, rest = (rest + data).split(b"\n")
            yield from (line.decode("utf-8", "replace") for line in whole)
            if len(rest) > _LINE_BYTES:
                yield rest.decode("utf-8", "replace")
                rest = b""
    if rest:
        yield rest.decode("utf-8", "replace")


def umask_of(*, strange: bool) -> int:
    """The umask that commands run with."""
    return _STRANGE_UMASK if strange else 0o022
