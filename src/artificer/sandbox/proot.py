"""The program proot: for whoever may only trace processes of their own.

It translates every path, slowly. An ordinary user cannot give files away with it: the owners of
what commands make are lost, which must be asked for.
"""

import contextlib
import errno
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from typing import Literal, NamedTuple, NoReturn

from artificer.sandbox import calls
from artificer.sandbox.chroot import furnish, prepared
from artificer.sandbox.command import Chain, Command, Secret
from artificer.sandbox.directory import SKIPPED, DirectorySite
from artificer.sandbox.fittings import Fittings
from artificer.sandbox.inside import environment
from artificer.sandbox.keeper import child, ended, kept
from artificer.sandbox.lent import Lender, fit
from artificer.sandbox.ondisk import Node
from artificer.sandbox.roots import Roots
from artificer.sandbox.rung import NotPossible, Place
from artificer.sandbox.seccomp import Rule, When, error, install, program
from artificer.sandbox.users import Identity

_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
_MEMORY = "/dev/shm"  # noqa: S108 - a file of its own is made in it
# Calls with paths that proot 5.1 does not know: they would reach the machine's own files. The C
# libraries have an older way for each of them.
_UNKNOWN = (
    *("statx", "renameat2", "faccessat2", "openat2", "fchmodat2", "execveat", "io_uring_setup"),
    *("setxattrat", "getxattrat", "listxattrat", "removexattrat", "open_tree"),
)
_PR_SET_SECCOMP = 22
_SEARCHABLE = 0o001
_FOR_WHO_KNOWS_THE_NAME = 0o711


def translated_filter(*, as_root: bool) -> bytes:
    """Return the filter that proot and its commands are under."""
    rules = [Rule(call, error(errno.ENOSYS)) for call in _UNKNOWN]
    if as_root:
        # proot's own filter makes it read with the wrong rights ("bad address"); without it, it
        # stops at every call.
        own = When(0, (_PR_SET_SECCOMP,))
        rules += [Rule("seccomp", error(errno.ENOSYS)), Rule("prctl", error(errno.EINVAL), (own,))]
    return program(rules, foreign=error(errno.ENOSYS))


class ProotRung:
    """Everybody who may trace: owners are real for root, and lost for others."""

    name = "proot"

    def __init__(self) -> None:
        self._user = os.geteuid()
        self.identity: Literal["real", "lost"] = "lost" if self._user else "real"

    def enter(self) -> None:
        """Let no command read this process: its memory holds what the builder knows."""
        calls.prctl(calls.PR_SET_DUMPABLE, 0)

    def try_out(self, state: str) -> None:
        """Let proot look for a file that is in its root only, by way of this machine's shell."""
        program_path = shutil.which("proot")
        if program_path is None:
            raise FileNotFoundError(errno.ENOENT, "there is no program proot")
        if not self._user:
            _see_that_others_get_to(state)
        folder = f"{state}/try-{os.getpid()}"
        os.makedirs(f"{folder}/root")
        try:
            with open(f"{folder}/root/marker", "xb"):
                pass
            _try(program_path, f"{folder}/root", as_root=not self._user)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def open(self, chain: Chain, place: Place) -> DirectorySite:
        """Make a root of *chain*."""
        if self._user and not place.allow_lost_owners:
            raise NotPossible(
                "without root, proot cannot keep the owners of files: the layer would be another "
                "than elsewhere",
                hint="take it as it is with --allow-lost-owners, or give this user ids in "
                "/etc/subuid and /etc/subgid and allow user namespaces",
            )
        kind = f"{self.name}-{self._user}"
        folder, marked = f"{place.state}/roots/{kind}", bool(self._user)
        roots = Roots(folder, marked=marked, skipped=SKIPPED, check=place.check)
        lender = Lender(f"{place.state}/caches/{kind}", roots)

        def run(folder: str, command: Command, output: int) -> int:
            who = prepared(folder, command)
            return kept(lambda: _fitted(folder, command, who, (output, lender)), place.leash)

        return DirectorySite(chain, place, roots, run, self._shown)

    def _shown(self, node: Node, status: os.stat_result) -> Node:
        """What cannot belong to anybody but us belongs to root, unless it is marked."""
        if not self._user or (node.uid, node.gid) != (status.st_uid, status.st_gid):
            return node
        return node._replace(uid=0, gid=0)


def _fitted(folder: str, command: Command, who: Identity, means: tuple[int, Lender]) -> int:
    """In the keeper: put everything in place, run, and take it back."""
    root, aside = f"{folder}/root", f"{folder}/aside"
    output, lender = means
    os.makedirs(aside, exist_ok=True)
    with contextlib.ExitStack() as stack:
        # What is lent must be back before its lock is opened.
        sources = stack.enter_context(lender.lent(command.mounts))
        fittings = Fittings(root, aside)
        stack.callback(fittings.take_back)
        words = _fit_system(fittings, command)
        fit(fittings, command.mounts, sources)
        for mount in command.mounts:
            if isinstance(mount, Secret):
                # proot makes what is missing on the way, and leaves a directory's time changed.
                fittings.make_file(mount.target, b"", mount.mode)
                words += ["-b", f"{stack.enter_context(_in_memory(mount))}:{mount.target}"]
        run = _Run(root, command, who, tuple(words))
        process, listener = child(lambda _: _become(run), output)
        return ended(process, listener, None)
    raise AssertionError("an exit stack hides nothing")


class _Run(NamedTuple):
    root: str
    command: Command
    who: Identity
    binds: tuple[str, ...]


def _become(run: _Run) -> NoReturn:
    command, who = run.command, run.who
    null = os.open("/dev/null", os.O_RDONLY)
    os.dup2(null, 0)
    as_root = not os.geteuid()
    words = ["proot", "-r", run.root, *run.binds, "-w", command.cwd or "/"]
    if as_root:
        os.setgroups(who.groups)
        os.setresgid(who.gid, who.gid, who.gid)
        os.setresuid(who.uid, who.uid, who.uid)
    else:
        words += ["-i", f"{who.uid}:{who.gid}"]
    os.umask(command.umask)
    install(translated_filter(as_root=as_root))
    os.closerange(3, 4096)
    program_path = shutil.which("proot") or "proot"
    os.execve(program_path, [*words, *command.argv], environment(command, who))  # noqa: S606 - it


def _fit_system(fittings: Fittings, command: Command) -> list[str]:
    """Put in what every command finds; return the words for what is bound."""
    dev = fittings.make_directory("/dev")
    words = ["-b", "/proc", "-b", "/sys"]
    for name in _DEVICES:
        with open(f"{dev}/{name}", "xb"):
            words += ["-b", f"/dev/{name}"]
    furnish(fittings, dev, command)
    return words


@contextlib.contextmanager
def _in_memory(secret: Secret) -> Iterator[str]:
    """Yield a file in memory that holds *secret*, for its owner only, and is gone afterwards."""
    if not os.path.isdir(_MEMORY):
        raise NotPossible(
            f"a secret would be written to disk: there is no {_MEMORY}",
            hint="give the container a tmpfs there",
        )
    folder = tempfile.mkdtemp(prefix="artificer-", dir=_MEMORY)
    try:
        path = f"{folder}/secret"
        with open(path, "xb") as file:
            file.write(secret.data)
            os.fchmod(file.fileno(), secret.mode)
            if not os.geteuid():
                os.fchown(file.fileno(), secret.uid, secret.gid)
                os.chmod(folder, _FOR_WHO_KNOWS_THE_NAME)
        yield path
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _see_that_others_get_to(state: str) -> None:
    """Raise if users of a root could not open its files: proot does it as they are."""
    path = os.path.realpath(state)
    while path != "/":
        if not os.stat(path).st_mode & _SEARCHABLE:
            raise PermissionError(errno.EACCES, f"users in a root cannot get through {path}")
        path = os.path.dirname(path)


def _try(program_path: str, root: str, *, as_root: bool) -> None:
    output = os.memfd_create("output", os.MFD_CLOEXEC)
    # All of this machine but its root, so that there is a shell, and what it needs.
    binds = [word for name in os.listdir("/") for word in ("-b", f"/{name}")]
    words = [*([] if as_root else ["-0"]), "-r", root, *binds, "-w", "/"]

    def become(_: socket.socket) -> None:
        install(translated_filter(as_root=as_root))
        shell = ("/bin/sh", "-c", "test -e /marker")
        os.execve(program_path, ["proot", *words, *shell], {"PATH": "/bin"})  # noqa: S606 - it

    try:
        code = kept(lambda: ended(*child(become, output), None))
        if code:
            text = os.pread(output, 1000, 0).decode("utf-8", "replace").strip()
            raise OSError(errno.EPERM, text or f"proot does not run a shell (exit code {code})")
    finally:
        os.close(output)
