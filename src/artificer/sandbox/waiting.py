"""Waiting for a command: its result, its questions, and whether anybody still wants it."""

import contextlib
import errno
import json
import os
import select
import signal
import socket
from collections.abc import Callable
from typing import NamedTuple

from artificer.errors import ArtificerError
from artificer.sandbox.inside import Started
from artificer.sandbox.rung import Cut, Supervisor


class Lost(ArtificerError):
    """A command could not be started, or its processes vanished."""


class Watch(NamedTuple):
    """The filter that commands are under, and who answers what it holds back.

    *install* is called in the command's process and returns the listener, or -1; *supervisor* is
    made from that. *check* raises `NotPossible` when a command is through that was answered what
    is not so.
    """

    install: Callable[[], int] = lambda: -1
    supervisor: Callable[[int], Supervisor] | None = None
    check: Callable[[], None] = lambda: None


class Waiting:
    """Waits for one command, which is gone afterwards with all its processes.

    *leash* is a descriptor that can be read when the command shall be ended, or -1.
    """

    def __init__(self, started: Started, watch: Watch, leash: int) -> None:
        self._started = started
        self._watch = watch
        self._leash = leash
        self._supervisor: Supervisor | None = None
        self._over = False
        self._poll = select.poll()
        for descriptor in (started.result, started.listener.fileno(), leash):
            if descriptor >= 0:
                self._poll.register(descriptor, select.POLLIN)

    def code(self) -> int:
        """Answer what the command asks, and return its exit code."""
        told = b""
        try:
            while True:
                ready = {descriptor for descriptor, _ in self._poll.poll()}
                if self._leash in ready:
                    raise Cut("nobody waits for the command")
                self._answer(ready)
                if self._started.result not in ready:
                    continue
                piece = os.read(self._started.result, 65536)
                if not piece:
                    self._over = True
                    return _code(told)
                told += piece
        finally:
            self._end()

    def _answer(self, ready: set[int]) -> None:
        listener = self._started.listener
        if listener.fileno() in ready:
            self._poll.unregister(listener)
            self._supervisor = self._received()
            if self._supervisor is not None:
                self._poll.register(self._supervisor.fileno(), select.POLLIN)
            return
        supervisor = self._supervisor
        if supervisor is not None and supervisor.fileno() in ready and not supervisor.serve():
            self._poll.unregister(supervisor.fileno())

    def _received(self) -> Supervisor | None:
        """Receive the listener; there is none when the command ended before, or has no filter."""
        try:
            _, descriptors, _, _ = socket.recv_fds(self._started.listener, 1, 1)
        except OSError as error:
            if error.errno != errno.ECONNRESET:
                raise
            return None
        if not descriptors or self._watch.supervisor is None:
            return None
        return self._watch.supervisor(descriptors[0])

    def _end(self) -> None:
        if not self._over:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._started.keeper, signal.SIGKILL)
        # Who ends by itself has waited for those below it: what they used counts as ours.
        os.waitpid(self._started.keeper, 0)
        os.close(self._started.result)
        self._started.listener.close()
        if self._supervisor is not None:
            os.close(self._supervisor.fileno())


def _code(told: bytes) -> int:
    if not told:
        raise Lost("the command's processes were killed", hint="was there too little memory?")
    result = json.loads(told)
    if "error" in result:
        raise Lost(f"the command could not be started: {result['error']}")
    return int(result["code"])
