"""The sandbox as the build sees it: roots of images, commands in them, what they changed."""

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import artificer
from artificer.errors import ArtificerError, reason
from artificer.oci.digest import Digest
from artificer.sandbox import calls, protocol
from artificer.sandbox.command import Chain, Command
from artificer.sandbox.rung import NotPossible
from artificer.stop import Stop

_MOST = 1 << 16
_CHUNK = 1 << 18
_GLANCE = 50  # milliseconds
_GRACE = 30.0
_TOGETHER = ("chroot", "proot")
_UNWANTED = "the process that runs commands is not wanted any more"
_GONE = "the process that runs commands was killed"
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class SandboxFailed(ArtificerError):
    """Something in the sandbox went wrong that is not the command's doing."""


class NoSandbox(SandboxFailed):
    """This machine lets us run no command."""


class SandboxOptions(NamedTuple):
    """How commands are run.

    *rung* names the one way that may be used, or is None: the best there is. *started* is when
    the build began (nanoseconds); files that commands make are newer and get *epoch* (seconds),
    unless *preserve_mtime*. *launcher* are words before the interpreter's: who starts it for us.
    """

    rung: str | None = None
    allow_lost_owners: bool = False
    started: int = 0
    epoch: int = 0
    preserve_mtime: bool = False
    launcher: tuple[str, ...] = ()


class Tried(NamedTuple):
    """A way to run commands that was tried, and why it cannot be used ("" where it can)."""

    name: str
    reason: str


class Chosen(NamedTuple):
    """How commands are run here: the way's name, whether owners are real or lost, all tried."""

    name: str
    identity: str
    tried: tuple[Tried, ...]


class Changes(NamedTuple):
    """What commands changed: a canonical tar of *tar_size* bytes, read from *chunks* once."""

    tar_size: int
    entries: int
    chunks: Iterator[bytes]


class Pruned(NamedTuple):
    """What a prune removed: bytes of unpacked layers, and how many whole roots and caches."""

    freed: int
    roots: int
    caches: int


class Sandbox:
    """A handle on the process in which roots are made; it is started when first needed.

    *state* is a directory for unpacked layers and caches, which outlives the build. May be used
    by several threads, each with roots of its own.
    """

    def __init__(self, state: str, options: SandboxOptions, stop: Stop) -> None:
        self._state = os.path.abspath(state)
        self._options = options
        self._stop = stop
        self._lock = threading.Lock()
        self._workers: set[socket.socket] = set()
        # Who closes does not wait for a way to be found, but no process begins afterwards.
        self._beginning = threading.Lock()
        self._closed = False
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._chosen: Chosen | SandboxFailed | None = None

    @property
    def rung(self) -> Chosen:
        """How commands are run on this machine. `SandboxFailed` says why they cannot be."""
        with self._lock:
            if self._chosen is None:
                try:
                    self._chosen = self._start()
                except SandboxFailed as error:
                    self._chosen = error
                    raise
            if isinstance(self._chosen, SandboxFailed):
                # Another try would come to the same.
                failed = self._chosen
                raise type(failed)(failed.message, hint=failed.hint) from failed
            return self._chosen

    @contextlib.contextmanager
    def at(self, chain: Chain) -> Iterator["Root"]:
        """Make a root of *chain*, whose layers are unpacked if they are not yet."""
        with self._worker() as worker:
            root = Root(worker, self._stop)
            root.ask(protocol.OPEN, chain)
            yield root

    def prune(self, older_than: float, *, with_caches: bool = False) -> Pruned:
        """Remove unpacked layers that nobody used for *older_than* seconds; caches if asked.

        Only here can it be done: most of it belongs to ids that only a namespace has.
        """
        with self._worker() as worker:
            words = {"older_than": older_than, "caches": with_caches}
            return Pruned(*Root(worker, self._stop).ask(protocol.PRUNE, words))

    @contextlib.contextmanager
    def _worker(self) -> Iterator[socket.socket]:
        _ = self.rung
        ours, theirs = socket.socketpair()
        with ours:
            with theirs, self._beginning:
                if self._control is None or self._closed:
                    raise SandboxFailed(_UNWANTED)
                try:
                    socket.send_fds(self._control, [b"work"], [theirs.fileno()])
                except (BrokenPipeError, ConnectionResetError) as error:
                    raise SandboxFailed(_GONE) from error
                self._workers.add(ours)
            try:
                yield ours
            finally:
                with self._beginning:
                    self._workers.discard(ours)

    def close(self) -> None:
        """End all processes; what they held is removed. Who waits for one is told so."""
        with self._beginning:
            self._closed = True
            process = self._process
            # Each worker sees that nobody waits, ends what runs, and removes what it made.
            for line in filter(None, (self._control, *self._workers)):
                with contextlib.suppress(OSError):
                    line.shutdown(socket.SHUT_RDWR)
        if process is None:
            return
        try:
            process.wait(_GRACE)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        self._process = None
        if self._control is not None:
            self._control.close()
            self._control = None

    def __enter__(self) -> "Sandbox":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _start(self) -> Chosen:
        control = self._begun()
        options = self._options._asdict()
        options.update(state=self._state, rung=self._options.rung or "")
        answer = self._asked(control, options)
        if "error" in answer:
            raise NoSandbox(answer["error"], hint=answer["hint"])
        tried = tuple(Tried(name, why) for name, _, why in answer["tried"])
        if answer["name"] in _TOGETHER:
            # No namespace keeps commands from us, and we hold credentials.
            calls.prctl(calls.PR_SET_DUMPABLE, 0)
        return Chosen(answer["name"], answer["identity"], tried)

    def _begun(self) -> socket.socket:
        """The control socket of the process, which begins."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        words = [
            *self._options.launcher,
            sys.executable,
            *("-X", "utf8", "-P", "-m", "artificer.sandbox", str(theirs.fileno())),
        ]
        # Nothing of our environment: commands must not find credentials in it.
        package = os.path.dirname(os.path.dirname(str(artificer.__file__)))
        environ = {"PATH": _PATH, "PYTHONPATH": package}
        with theirs, self._beginning:
            if self._closed:
                ours.close()
                raise SandboxFailed(_UNWANTED)
            try:
                self._process = subprocess.Popen(  # noqa: S603 - ourselves
                    words,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    pass_fds=(theirs.fileno(),),
                    env=environ,
                    cwd="/",
                    start_new_session=True,
                )
            except OSError as error:
                ours.close()
                raise NoSandbox(f"{words[0]} cannot be run: {reason(error)}") from error
            self._control = ours
        return ours

    def _asked(self, control: socket.socket, options: dict[str, Any]) -> dict[str, Any]:
        try:
            control.send(json.dumps(options).encode())
            _await(control, self._stop)
            data = control.recv(_MOST)
        except (BrokenPipeError, ConnectionResetError) as error:
            raise SandboxFailed(_GONE) from error
        if not data:
            raise SandboxFailed("the process that runs commands ended before it began")
        answer: dict[str, Any] = json.loads(data)
        return answer


class Root:
    """A handle on one root: a chain, and what commands change upon it."""

    def __init__(self, worker: socket.socket, stop: Stop) -> None:
        self._worker = worker
        self._stop = stop

    def run(self, command: Command, output: Callable[[bytes], None]) -> int:
        """Run *command*, give all it says to *output*, and return its exit code.

        It is negative if a signal ended the command. `NotPossible` says that the outcome would be
        wrong on this machine.
        """
        read, write = os.pipe()
        with contextlib.ExitStack() as stack:
            stack.callback(os.close, read)
            try:
                words = protocol.command_words(command)
                protocol.send(self._worker, protocol.RUN, words, descriptor=write)
            finally:
                os.close(write)
            self._pass_on(read, output)
            return int(self._result())

    def changes(self) -> Changes:
        """Return what commands changed since the root was made, or adopted. Read it to its end."""
        words = self.ask(protocol.CHANGES, None)
        size = words["tar_size"]
        return Changes(size, words["entries"], self._chunks(size))

    def cached(self, identity: str) -> Changes | None:
        """Return what the cache *identity* holds; None while it is in use. Read it to its end."""
        words = self.ask(protocol.CACHED, identity)
        if words is None:
            return None
        size = words["tar_size"]
        return Changes(size, words["entries"], self._chunks(size))

    def adopt(self, diff_id: Digest) -> None:
        """Take what `changes` gave as the next layer of the chain; it is not unpacked again."""
        self.ask(protocol.ADOPT, diff_id)

    def extend(self, layers: Chain) -> None:
        """Put *layers* upon the chain. What commands changed must have been adopted."""
        self.ask(protocol.EXTEND, layers)

    def ask(self, kind: bytes, words: Any) -> Any:
        """Send one question and return the answer's words."""
        protocol.send(self._worker, kind, words)
        return self._result()

    def _result(self) -> Any:
        _await(self._worker, self._stop)
        frame, _ = protocol.receive(self._worker)
        if frame.kind == protocol.FAILED:
            told = frame.words
            kind = NotPossible if told["kind"] == NotPossible.__name__ else SandboxFailed
            raise kind(told["message"], hint=told["hint"])
        return frame.words

    def _pass_on(self, read: int, output: Callable[[bytes], None]) -> None:
        """Give what comes through the pipe to *output*, until the command is answered for."""
        poll = select.poll()
        poll.register(read, select.POLLIN)
        poll.register(self._worker, select.POLLIN)
        answered = False
        while not answered:
            self._stop.check()
            ready = {descriptor for descriptor, _ in poll.poll(_GLANCE)}
            answered = self._worker.fileno() in ready
            if read in ready:
                data = os.read(read, _CHUNK)
                if data:
                    output(data)
                else:
                    poll.unregister(read)
        os.set_blocking(read, False)
        with contextlib.suppress(BlockingIOError):
            while data := os.read(read, _CHUNK):
                output(data)

    def _chunks(self, size: int) -> Iterator[bytes]:
        while size:
            self._stop.check()
            chunk = self._worker.recv(min(size, _CHUNK))
            if not chunk:
                raise protocol.Hung("the sandbox ended while it told what had changed")
            size -= len(chunk)
            yield chunk


def _await(source: socket.socket, stop: Stop) -> None:
    poll = select.poll()
    poll.register(source, select.POLLIN)
    while not poll.poll(_GLANCE):
        stop.check()
