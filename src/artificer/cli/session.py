"""One run of the command: its environment, its streams, and the handles that it opens."""

import os
import stat
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import NamedTuple, TextIO

from artificer.cli.terminal.console import Console
from artificer.errors import ArtificerError, Misused, reason
from artificer.events import Report
from artificer.stop import Stop
from artificer.store.blobs import Store, open_store


class UnsafeStore(ArtificerError):
    """The store would be in a place that others may write to, and its blobs are believed."""


class Made(NamedTuple):
    """An image that a command was about; *name* is its reference by digest, "" without a name."""

    name: str
    digest: str
    size: int


class Session:
    """What a command is given besides its words. Handles are opened when first asked for."""

    def __init__(
        self, environ: Mapping[str, str], stdin: TextIO, stdout: TextIO, stderr: TextIO
    ) -> None:
        self.environ = environ
        self.stdin = stdin
        self.stdout = stdout
        self.stderr = stderr
        self.stop = Stop()
        self.signal = 0
        self.farewell = ""
        """What a second signal leaves undone: set by what takes its time to end at the first."""
        self.started = time.time_ns()
        self.console = Console(stderr, environ)
        self.made: list[Made] = []
        self._closing: list[object] = []

    @property
    def report(self) -> Report:
        """Where events are told."""
        return self.console.report

    def out(self, text: str) -> None:
        """Print *text*, which is data, to standard output."""
        self.console.close()  # Whoever takes a bar away later would take lines of it, too.
        try:
            print(text, file=self.stdout, flush=True)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise _unheard(error) from error
        except UnicodeEncodeError:
            # A path that is not UTF-8 goes out as it came in; what a terminal of another
            # encoding cannot show does as an escape.
            shown = f"{text}\n".encode(self.stdout.encoding, "backslashreplace")
            with suppress(UnicodeEncodeError):
                shown = f"{text}\n".encode(self.stdout.encoding, "surrogateescape")
            self.stdout.buffer.write(shown)
            self.stdout.flush()

    def write(self, chunks: Iterable[bytes]) -> None:
        """Write *chunks*, which no terminal could show, to standard output."""
        if self.stdout.isatty():
            raise Misused(
                "the data would go to the terminal",
                hint="name a file with `-o FILE`, or redirect standard output",
            )
        for chunk in chunks:
            self._put(chunk)
        self._put(b"")

    def _put(self, data: bytes) -> None:
        """Write *data* to standard output; none sends off what was written."""
        try:
            self.stdout.buffer.write(data)
            if not data:
                self.stdout.flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            raise _unheard(error) from error

    def say(self, text: str) -> None:
        """Print *text*, which is for people, to standard error."""
        self.console.say(text)

    def fail(self, error: ArtificerError) -> None:
        """Tell an error and its way out."""
        self.console.fail(error)

    def cancel(self, number: int) -> None:
        """Ask everything to stop, because signal *number* came."""
        self.signal = number
        self.stop.set()
        for handle in self._closing:
            abort = getattr(handle, "abort", None)
            if abort is not None:
                abort()

    def closing(self, handle: object) -> None:
        """Close *handle* at the end, and abort it when cancelled."""
        self._closing.append(handle)

    def close(self) -> None:
        """Close whatever was opened."""
        self.console.close()
        for handle in reversed(self._closing):
            close = getattr(handle, "close", None)
            if close is not None:
                close()

    def store_directory(self, chosen: str | None) -> str:
        """Where the store is: ``--store``, ARTIFICER_STORE, or the user's data directory."""
        explicit = chosen or self.environ.get("ARTIFICER_STORE")
        if explicit:
            return explicit
        data = self.environ.get("XDG_DATA_HOME")
        home = self.environ.get("HOME", "")
        if data and data.startswith("/"):
            return f"{data}/artificer"
        if home and home != "/":
            return f"{home}/.local/share/artificer"
        return self._shared_directory

    @property
    def _shared_directory(self) -> str:
        # No home, as in a pod with a random user: a directory of this user's own.
        user = os.getuid() if hasattr(os, "getuid") else "user"
        return f"{self.environ.get('TMPDIR') or '/tmp'}/artificer-{user}"  # noqa: S108

    def store(self, chosen: str | None) -> Store:
        """Open the store."""
        directory = self.store_directory(chosen)
        if directory == self._shared_directory:
            _make_private(directory)
        return open_store(directory)


def _unheard(error: OSError) -> ArtificerError:
    return ArtificerError(f"cannot write to standard output: {reason(error)}")


def _make_private(directory: str) -> None:
    """Make *directory*, beside which anybody may make others, and see that it is ours alone."""
    try:
        os.mkdir(directory, 0o700)
    except OSError as error:
        if not os.path.lexists(directory):
            raise UnsafeStore(f"{directory}: {reason(error)}") from error
    status = os.lstat(directory)
    ours = not hasattr(os, "getuid") or status.st_uid == os.getuid()
    if not stat.S_ISDIR(status.st_mode) or not ours or status.st_mode & 0o022:
        raise UnsafeStore(
            f"{directory}: others could put layers into this store",
            hint="choose another with `--store DIR` or ARTIFICER_STORE",
        )
