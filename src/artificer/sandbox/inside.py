"""The processes of one command: its namespaces, its mounts, its first process, itself.

The worker forks a keeper, which has the namespaces made and waits; the keeper forks the first
process in them, which mounts, forks the command and reaps. When one dies, so do those below it.
"""

import contextlib
import json
import os
import signal
import socket
import stat
from collections.abc import Callable
from typing import NamedTuple, NoReturn

from artificer.sandbox import calls
from artificer.sandbox.command import Command
from artificer.sandbox.network import loopback_up
from artificer.sandbox.points import opened
from artificer.sandbox.rung import HOSTNAME, SCRIPT
from artificer.sandbox.users import Identity

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

# What docker leaves to root in a container: CHOWN DAC_OVERRIDE FOWNER FSETID KILL SETGID SETUID
# SETPCAP NET_BIND_SERVICE NET_RAW SYS_CHROOT MKNOD AUDIT_WRITE SETFCAP.
CAPABILITIES = frozenset((0, 1, 3, 4, 5, 6, 7, 8, 10, 13, 18, 27, 29, 31))

Action = Callable[[], None]
"""Mounts something, in the namespaces of the command."""


class Inside(NamedTuple):
    """What the processes need: all is known before the first fork.

    *mounts* are done in this order. *own_pids* says whether there is a namespace of processes.
    *install* puts the command under a filter and returns its listener, or -1.
    """

    root: str
    command: Command
    identity: Identity
    mounts: tuple[Action, ...]
    own_pids: bool
    groups: bool
    install: Callable[[], int]


class Started(NamedTuple):
    """A command that runs: *keeper* is its process, *result* and *listener* are to be read."""

    keeper: int
    result: int
    listener: socket.socket


def start(inside: Inside, output: int) -> Started:
    """Start the command; both its streams go to *output*."""
    result, told = os.pipe()
    ours, theirs = socket.socketpair()
    keeper = os.fork()
    if not keeper:
        _guarded(told, lambda: _keep(inside, told, theirs, output))
    os.close(told)
    theirs.close()
    return Started(keeper, result, ours)


def _guarded(told: int, work: Callable[[], None]) -> NoReturn:
    """Do the work of a child that never returns; what goes wrong is told."""
    try:
        work()
    except BaseException as error:
        with contextlib.suppress(OSError):
            os.write(told, json.dumps({"error": str(error) or repr(error)}).encode())
    finally:
        os._exit(1)


def _keep(inside: Inside, told: int, listener: socket.socket, output: int) -> None:
    calls.prctl(calls.PR_SET_PDEATHSIG, signal.SIGKILL)
    flags = calls.CLONE_NEWNS | calls.CLONE_NEWUTS | calls.CLONE_NEWIPC
    if inside.own_pids:
        flags |= calls.CLONE_NEWPID
    if inside.command.network == "none":
        flags |= calls.CLONE_NEWNET
    calls.unshare(flags)
    first = os.fork()
    if not first:
        _guarded(told, lambda: _first(inside, told, listener, output))
    os.close(told)
    os.close(output)
    listener.close()
    os.waitpid(first, 0)


def _first(inside: Inside, told: int, listener: socket.socket, output: int) -> None:
    calls.prctl(calls.PR_SET_PDEATHSIG, signal.SIGKILL)
    calls.prctl(calls.PR_SET_CHILD_SUBREAPER, 1)
    calls.set_hostname(HOSTNAME)
    if inside.command.network == "none":
        loopback_up()
    for mount in inside.mounts:
        mount()
    os.chdir(inside.root)
    calls.pivot_root(".", ".")
    calls.unmount(".")
    os.chdir("/")
    command = os.fork()
    if not command:
        _guarded(told, lambda: _become(inside, listener, output))
    listener.close()
    os.close(output)
    code = _reaped(command)
    if not inside.own_pids:
        _end_descendants()
    os.write(told, json.dumps({"code": code}).encode())


def _reaped(command: int) -> int:
    while True:
        process, status = os.wait()
        if process == command:
            return os.waitstatus_to_exitcode(status)


def _end_descendants() -> None:
    """Kill whatever the command left, where no namespace does: orphans come to us."""
    while True:
        with open("/proc/thread-self/children") as file:
            children = [int(word) for word in file.read().split()]
        for child in children:
            os.kill(child, signal.SIGKILL)
        try:
            os.wait()
        except ChildProcessError:
            return


def _become(inside: Inside, listener: socket.socket, output: int) -> None:
    """Become the command."""
    command, identity = inside.command, inside.identity
    null = os.open("/dev/null", os.O_RDONLY)
    for source, target in ((null, 0), (output, 1), (output, 2)):
        os.dup2(source, target)
    os.setsid()
    os.chdir(command.cwd or "/")
    os.umask(command.umask)
    held = permitted()
    own_filter = inside.install()
    if own_filter >= 0:
        socket.send_fds(listener, [b"x"], [own_filter])
        os.close(own_filter)
    calls.keep_capabilities(CAPABILITIES & held)
    if inside.groups:
        os.setgroups(identity.groups)
    if inside.groups or identity.gid:
        os.setresgid(identity.gid, identity.gid, identity.gid)
    if identity.uid:
        os.setresuid(identity.uid, identity.uid, identity.uid)
    calls.prctl(calls.PR_SET_PDEATHSIG, signal.SIGKILL)
    for number in (signal.SIGPIPE, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    os.closerange(3, 1 << 20)
    execute(command, environment(command, identity))


def permitted() -> frozenset[int]:
    """Return the capabilities that this process may have."""
    with open("/proc/self/status") as file:
        word = next(line.split()[1] for line in file if line.startswith("CapPrm:"))
    mask = int(word, 16)
    return frozenset(number for number in range(64) if mask >> number & 1)


def environment(command: Command, identity: Identity) -> dict[str, str]:
    """Return all that *command* finds in its environment."""
    environ = dict(command.env)
    environ.setdefault("PATH", PATH)
    environ.setdefault("HOME", identity.home)
    return environ


def execute(command: Command, environ: dict[str, str]) -> NoReturn:
    """Become the program of *command*, or say why not and end as a shell would."""
    argv = [*command.argv, SCRIPT] if command.script else list(command.argv)
    code, why = 127, "not found"
    for path in _candidates(argv[0], environ["PATH"]):
        try:
            os.execve(path, argv, environ)  # noqa: S606 - commands are what this is for
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            code, why = 126, (error.strerror or str(error)).lower()
    os.write(2, f"{argv[0]}: {why}\n".encode("utf-8", "surrogateescape"))
    os._exit(code)


def _candidates(name: str, path: str) -> list[str]:
    if "/" in name:
        return [name]
    return [f"{folder or '.'}/{name}" for folder in path.split(":")]


def bind(source: str, root: str, target: str, *, read_only: bool = False) -> None:
    """Mount *source*, with all that is mounted in it, at *target* of *root*."""
    point = opened(root, target)
    try:
        calls.mount(source, f"/proc/self/fd/{point}", None, calls.MS_BIND | calls.MS_REC)
    finally:
        os.close(point)
    if read_only:
        set_read_only(root, target)


def set_read_only(root: str, target: str) -> None:
    """Make what is mounted at *target* of *root* read-only."""
    point = opened(root, target)
    try:
        calls.set_read_only(f"/proc/self/fd/{point}")
    finally:
        os.close(point)


def mount_at(root: str, target: str, kind: str, flags: int, data: str | None = None) -> None:
    """Mount a new file system of *kind* at *target* of *root*."""
    point = opened(root, target)
    try:
        calls.mount(kind, f"/proc/self/fd/{point}", kind, flags, data)
    finally:
        os.close(point)


def mode_at(root: str, target: str) -> int:
    """Return the mode of the directory at *target* of *root*."""
    point = opened(root, target)
    try:
        return stat.S_IMODE(os.fstat(point).st_mode)
    finally:
        os.close(point)
