"""A program as a child, of whose output none is too long; a stream never outlives us.

A request that is being made when we are killed goes on to its own timeout, of seconds.
"""

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import IO, TYPE_CHECKING, NamedTuple, cast

if TYPE_CHECKING:
    from io import BufferedReader

_SAID = 64 * 1024
"""Bytes of what a program complains that are kept."""
_PART = 64 * 1024
_GRACE = 5.0
"""Seconds in which the rest of what was said is heard once a program was killed."""

# A stream lives as long as somebody reads it. Whoever reads is killed without a word, so a shell
# waits for the end of its standard input, which is a pipe of ours, and then ends the program. It
# lets go of what the program writes to: the end of that is the program's own.
_KEEPER = (
    '"$@" </dev/null & child=$!; exec >/dev/null 2>&1; read -r _; kill "$child"; wait "$child"'
)
SIGNALLED = range(129, 193)
"""What a shell says of a program that a signal ended."""

Process = subprocess.Popen[bytes]


class Ended(NamedTuple):
    """What a program did: its exit code, all that it printed, the end of what it complained.

    *whole* is False if it was ended because it printed more than it may, *late* is True if that
    was because it took longer.
    """

    code: int
    out: bytes
    err: bytes
    whole: bool
    late: bool = False


def started(words: Sequence[str], environ: Mapping[str, str]) -> Process:
    """The program *words* with three pipes. Raises `OSError` if it cannot be run."""
    # A session of its own: Ctrl-C is for us to hear, who still need it.
    return subprocess.Popen(  # noqa: S603 – no shell, and the program was searched for
        list(words),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=dict(environ),
        start_new_session=True,
    )


def ended(process: Process, data: bytes, limit: int, seconds: float) -> Ended:
    """Give *process* its input, and wait for it; it may print *limit* bytes in *seconds*."""
    out = _Listener(_pipe(process.stdout), limit, lambda: signalled(process, signal.SIGKILL))
    err = _Listener(_pipe(process.stderr), _SAID)
    late = threading.Event()

    def too_late() -> None:
        late.set()
        signalled(process, signal.SIGKILL)

    timer = threading.Timer(seconds, too_late)
    timer.daemon = True
    timer.start()
    # What ends without reading its input tells why.
    with contextlib.suppress(BrokenPipeError), _pipe(process.stdin) as stream:
        stream.write(data)
    # Who left the group may hold the pipes, and is waited for no longer.
    out.join(seconds + _GRACE)
    err.join(_GRACE)
    timer.cancel()
    return Ended(process.wait(), out.kept, err.kept, out.whole, late.is_set())


def signalled(process: Process, number: signal.Signals) -> None:
    """Send a signal to *process* and what it has started, which may hold its pipes."""
    # It is only waited for when nobody listens any more: until then its number is its own.
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)


def kept(words: Sequence[str], environ: Mapping[str, str]) -> Process:
    """The program *words* as one that ends when its input does, even if we are killed."""
    return started(("/bin/sh", "-c", _KEEPER, "sh", *words), environ)


class Stream:
    """The output of a `kept` process as it comes; what it complains is read beside it."""

    def __init__(self, process: Process, over: Callable[[int, bytes], None]) -> None:
        self._process = process
        self._over = over
        self._err = _Listener(_pipe(process.stderr), _SAID)

    def __enter__(self) -> "IO[bytes]":
        return _pipe(self._process.stdout)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        end(self._process)
        self._process.wait()
        self._err.join()
        _pipe(self._process.stdout).close()
        code = self._process.returncode
        # Who left before its end wants to hear nothing of that.
        self._over(code if kind is None else 0, self._err.kept)


def end(process: Process) -> None:
    """Let a `kept` process end, from any thread; what has ended already is left alone."""
    with contextlib.suppress(BrokenPipeError):
        _pipe(process.stdin).close()


class _Listener(threading.Thread):
    """Reads to the end. Of too much the end is *kept*, or *full* is called and no more is read."""

    def __init__(
        self, stream: "BufferedReader", limit: int, full: Callable[[], None] | None = None
    ) -> None:
        super().__init__(daemon=True)
        self.kept = b""
        self.whole = True
        self._stream = stream
        self._limit = limit
        self._full = full
        self.start()

    def run(self) -> None:
        """Read."""
        parts: list[bytes] = []
        size = 0
        with self._stream as stream:
            while data := stream.read1(_PART):
                parts.append(data)
                size += len(data)
                if size <= self._limit:
                    continue
                self.whole = False
                if self._full is not None:
                    self._full()
                    break
                parts = [b"".join(parts)[-self._limit :]]
                size = self._limit
        self.kept = b"".join(parts)


def _pipe(stream: "IO[bytes] | None") -> "BufferedReader":
    return cast("BufferedReader", stream)
