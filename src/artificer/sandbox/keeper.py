"""A process that has a command for its own, ends all that it started, and tidies up after it.

It does so too when the builder is killed: no namespace does it where these rungs are used.
"""

import contextlib
import json
import os
import select
import signal
import socket
from collections.abc import Callable
from types import FrameType
from typing import NoReturn

from artificer.errors import ArtificerError
from artificer.sandbox import calls
from artificer.sandbox.command import Command
from artificer.sandbox.inside import CAPABILITIES, environment, execute
from artificer.sandbox.processes import end_all
from artificer.sandbox.rung import Cut, NotPossible, Supervisor
from artificer.sandbox.users import Identity

_PIECE = 1 << 16


class Lost(ArtificerError):
    """A command could not be started, or its processes vanished."""


class _Ended(BaseException):
    """The builder is gone."""


def kept(work: Callable[[], int], leash: int = -1) -> int:
    """Return the exit code that *work* gives, done in a keeper: its `finally` always comes.

    `Cut` once *leash*, a descriptor, can be read: then all is ended.
    """
    result, told = os.pipe()
    builder = os.getpid()
    keeper = os.fork()
    if not keeper:
        os.close(result)
        _keep(work, told, builder)
    os.close(told)
    text = b""
    try:
        while _awaited(result, leash) and (piece := os.read(result, _PIECE)):
            text += piece
    finally:
        os.close(result)
        with contextlib.suppress(ProcessLookupError):
            os.kill(keeper, signal.SIGTERM)
        os.waitpid(keeper, 0)
    if not text:
        raise Lost("the command's processes were killed", hint="was there too little memory?")
    answer = json.loads(text)
    if answer.get("refused"):
        raise NotPossible(answer["error"], hint=answer["hint"])
    if "error" in answer:
        raise Lost(f"the command could not be run: {answer['error']}", hint=answer["hint"])
    return int(answer["code"])


def _awaited(result: int, leash: int) -> bool:
    poll = select.poll()
    for descriptor in (result, leash):
        if descriptor >= 0:
            poll.register(descriptor, select.POLLIN)
    if leash in {descriptor for descriptor, _ in poll.poll()}:
        raise Cut("nobody waits for the command")
    return True


def _keep(work: Callable[[], int], told: int, builder: int) -> NoReturn:
    answer: dict[str, object] = {}
    try:
        signal.signal(signal.SIGTERM, _end)
        calls.prctl(calls.PR_SET_PDEATHSIG, signal.SIGTERM)
        calls.prctl(calls.PR_SET_CHILD_SUBREAPER, 1)
        os.setsid()
        if os.getppid() == builder:
            answer = {"code": work()}
    except ArtificerError as error:
        refused = isinstance(error, NotPossible)
        answer = {"error": error.message, "hint": error.hint, "refused": refused}
    except BaseException as error:
        answer = {"error": str(error) or repr(error), "hint": None}
    finally:
        with contextlib.suppress(BaseException):
            os.write(told, json.dumps(answer).encode())
        os._exit(0)


def _end(_number: int, _frame: FrameType | None) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise _Ended


def ended(child: int, listener: socket.socket, watch: Callable[[int], Supervisor] | None) -> int:
    """Wait for *child*, answer what it asks, and return its exit code; nothing of it is left.

    What comes through *listener* is the descriptor that *watch* makes a supervisor of.
    """
    poll = select.poll()
    watched = os.pidfd_open(child)
    poll.register(watched, select.POLLIN)
    poll.register(listener, select.POLLIN)
    supervisor: Supervisor | None = None
    try:
        while True:
            ready = {descriptor for descriptor, _ in poll.poll()}
            if supervisor is not None and supervisor.fileno() in ready and not supervisor.serve():
                poll.unregister(supervisor.fileno())
            if watched in ready:
                return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            if listener.fileno() in ready:
                poll.unregister(listener)
                supervisor = _supervisor(listener, watch)
                if supervisor is not None:
                    poll.register(supervisor.fileno(), select.POLLIN)
    finally:
        os.close(watched)
        # Who waits for an answer can be killed; nobody gets one that is late.
        end_all()
        if supervisor is not None:
            os.close(supervisor.fileno())


def _supervisor(
    listener: socket.socket, watch: Callable[[int], Supervisor] | None
) -> Supervisor | None:
    with contextlib.suppress(ConnectionResetError):
        _, descriptors, _, _ = socket.recv_fds(listener, 1, 1)
        if descriptors and watch is not None:
            return watch(descriptors[0])
    return None


def child(become: Callable[[socket.socket], None], output: int) -> tuple[int, socket.socket]:
    """Fork; *become* the command in the child, with *output* for both its streams."""
    ours, theirs = socket.socketpair()
    process = os.fork()
    if process:
        theirs.close()
        return process, ours
    try:
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.setsid()
        calls.prctl(calls.PR_SET_PDEATHSIG, signal.SIGKILL)
        for number in (signal.SIGPIPE, signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        become(theirs)
    except BaseException as error:
        os.write(2, f"the command could not be started: {error}\n".encode())
    finally:
        os._exit(125)


def become(command: Command, identity: Identity, held: frozenset[int]) -> NoReturn:
    """Become *command*, in the root and with the filter that this process has already.

    *held* are the capabilities that there are; it gets what docker would give of them.
    """
    null = os.open("/dev/null", os.O_RDONLY)
    os.dup2(null, 0)
    os.chdir(command.cwd or "/")
    os.umask(command.umask)
    environ = environment(command, identity)
    calls.keep_capabilities(CAPABILITIES & held)
    os.setgroups(identity.groups)
    os.setresgid(identity.gid, identity.gid, identity.gid)
    if identity.uid:
        os.setresuid(identity.uid, identity.uid, identity.uid)
    os.closerange(3, 4096)
    execute(command, environ)
