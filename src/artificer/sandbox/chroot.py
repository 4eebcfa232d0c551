"""Root that may not mount anything: the rung of a default pod in Kubernetes.

A chroot, with devices made in it. What would be mounted is moved into place and back; /proc, /sys
and secrets are served to the command as it opens them.
"""

import contextlib
import errno
import os
import shutil
import socket
import stat
from collections.abc import Callable, Iterator
from typing import Literal, NoReturn

from artificer.sandbox import calls
from artificer.sandbox.command import Chain, Command, Secret
from artificer.sandbox.directory import SKIPPED, DirectorySite
from artificer.sandbox.fittings import Fittings
from artificer.sandbox.inside import permitted
from artificer.sandbox.keeper import become, child, ended, kept
from artificer.sandbox.lent import Lender, fit
from artificer.sandbox.listener import Listener
from artificer.sandbox.points import Points, read_file
from artificer.sandbox.procserver import ProcServer, serving_filter
from artificer.sandbox.roots import Roots
from artificer.sandbox.rung import SCRIPT, NotPossible, Place
from artificer.sandbox.seccomp import install_listened
from artificer.sandbox.secretfiles import SecretFiles
from artificer.sandbox.system import hosts, resolv_conf
from artificer.sandbox.users import Identity, identity

_DEVICES = (
    ("null", 1, 3),
    ("zero", 1, 5),
    ("full", 1, 7),
    ("random", 1, 8),
    ("urandom", 1, 9),
    ("tty", 5, 0),
)
_LINKS = (
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
    ("core", "/proc/kcore"),
    ("ptmx", "pts/ptmx"),
)
_SOMEBODY = 12345
_FOR_ALL = 0o666


class ChrootRung:
    """Root with CAP_SYS_CHROOT, without mounts and namespaces."""

    name = "chroot"
    identity: Literal["real", "lost"] = "real"

    def enter(self) -> None:
        """Let no command read this process: its memory holds what the builder knows."""
        calls.prctl(calls.PR_SET_DUMPABLE, 0)

    def try_out(self, state: str) -> None:
        """Run something in a chroot below *state* that reads its own /proc, and uses a device."""
        folder = f"{state}/try-{os.getpid()}"
        os.makedirs(f"{folder}/root", exist_ok=True)
        os.makedirs(f"{folder}/proc", exist_ok=True)
        try:
            _try(folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def open(self, chain: Chain, place: Place) -> DirectorySite:
        """Make a root of *chain*."""
        folder = f"{place.state}/roots/{self.name}"
        roots = Roots(folder, marked=False, skipped=SKIPPED, check=place.check)
        lender = Lender(f"{place.state}/caches/{self.name}", roots)

        def run(folder: str, command: Command, output: int) -> int:
            who = prepared(folder, command)
            return kept(lambda: _fitted(folder, command, who, (output, lender)), place.leash)

        return DirectorySite(chain, place, roots, run, lambda node, _: node)


def prepared(folder: str, command: Command) -> Identity:
    """Return as whom *command* runs in the root in *folder*, once it is sure that it can."""
    if command.network == "none":
        raise NotPossible(
            "a command without a network is not possible here: this process may not make "
            "namespaces",
            hint="leave `--network=none` out, or build where user namespaces are allowed",
        )
    root = f"{folder}/root"
    with contextlib.suppress(OSError):
        # All others make it, too; it stays.
        Points(root).make(command.cwd or "/", directory=True)
    passwd, group = (read_file(root, path) for path in ("/etc/passwd", "/etc/group"))
    return identity(command.user, passwd, group)


def _fitted(folder: str, command: Command, who: Identity, means: tuple[int, Lender]) -> int:
    """In the keeper: put everything in place, run, and take it back."""
    root, aside = f"{folder}/root", f"{folder}/aside"
    output, lender = means
    held = permitted()
    os.makedirs(f"{aside}/proc", exist_ok=True)
    with contextlib.ExitStack() as stack:
        # What is lent must be back before its lock is opened.
        sources = stack.enter_context(lender.lent(command.mounts))
        fittings = Fittings(root, aside)
        stack.callback(fittings.take_back)
        _fit_system(fittings, command)
        fit(fittings, command.mounts, sources)
        secrets = SecretFiles(root, (one for one in command.mounts if isinstance(one, Secret)))
        server = ProcServer(root, secrets, f"{aside}/proc")
        stack.callback(server.close)
        return _served(root, lambda: become(command, who, held), server, output)
    raise AssertionError("an exit stack hides nothing")


def _fit_system(fittings: Fittings, command: Command) -> None:
    """Put in what every command finds: devices, names of hosts, its script."""
    dev = fittings.make_directory("/dev")
    for name, major, minor in _DEVICES:
        os.mknod(f"{dev}/{name}", stat.S_IFCHR | 0o600, os.makedev(major, minor))
        os.chmod(f"{dev}/{name}", _FOR_ALL)
    furnish(fittings, dev, command)


def furnish(fittings: Fittings, dev: str, command: Command) -> None:
    """Put in all but devices: links of *dev*, the command's script, names of hosts."""
    for name, target in _LINKS:
        os.symlink(target, f"{dev}/{name}")
    for name, mode in (("shm", 0o1777), ("pts", 0o755), ("mqueue", 0o755)):
        os.mkdir(f"{dev}/{name}")
        os.chmod(f"{dev}/{name}", mode)
    if command.script:
        fittings.make_file(SCRIPT, command.script, 0o755)
    fittings.make_file("/etc/hosts", hosts(command))
    fittings.make_file("/etc/resolv.conf", resolv_conf(command))


def _served(root: str, become_it: Callable[[], NoReturn], server: ProcServer, output: int) -> int:
    def start(listener: socket.socket) -> None:
        with _doing("chroot (CAP_SYS_CHROOT)"):
            os.chroot(root)
        os.chdir("/")
        descriptor = install_listened(serving_filter())
        socket.send_fds(listener, [b"x"], [descriptor])
        os.close(descriptor)
        become_it()

    process, listener = child(start, output)
    return ended(process, listener, lambda found: Listener(found, server.answer))


def _try(folder: str) -> None:
    output = os.memfd_create("output", os.MFD_CLOEXEC)
    root = f"{folder}/root"
    null = f"{root}/null"
    with _doing("making a device (CAP_MKNOD)"):
        os.mknod(null, stat.S_IFCHR | 0o666, os.makedev(1, 3))
    with _doing("giving a file away (CAP_CHOWN)"):
        os.chown(null, _SOMEBODY, _SOMEBODY)

    def tried() -> int:
        server = ProcServer(root, SecretFiles(root, ()), f"{folder}/proc")
        return _served(root, _look_around, server, output)

    try:
        if kept(tried) == 0:
            return
        text = os.pread(output, 4096, 0).decode("utf-8", "replace").strip()
        raise OSError(errno.EPERM, text or "a command in a chroot does not run")
    finally:
        os.close(output)


@contextlib.contextmanager
def _doing(what: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, f"{what}: {error.strerror}") from error


def _look_around() -> NoReturn:
    """As the command: /proc must be served, the device must be one."""
    # It executes nothing, which would make it readable again for who serves it.
    calls.prctl(calls.PR_SET_DUMPABLE, 1)
    with open("/proc/self/status") as file:
        shown = any(line.split() == ["Pid:", str(os.getpid())] for line in file)
    with open("/null", "wb", 0) as file:
        file.write(b"x")
    os._exit(0 if shown else 1)
