"""Rungs of overlays in a mount namespace: as root, or as root of one of three user namespaces."""

import contextlib
import errno
import os
import pwd
import shutil
import stat
import subprocess
from collections.abc import Callable
from typing import Literal, NamedTuple

from artificer.sandbox import calls
from artificer.sandbox.command import Chain
from artificer.sandbox.extract import TRUSTED, USER, Manner
from artificer.sandbox.listener import Listener
from artificer.sandbox.ondisk import Owners
from artificer.sandbox.overlay import Upper, mount_overlay
from artificer.sandbox.recorder import Recorder, recording_filter
from artificer.sandbox.rung import Place
from artificer.sandbox.seccomp import NOTIFY, Rule, When, install_listened, program
from artificer.sandbox.site import Ground, OverlaySite
from artificer.sandbox.trees import Tree, Trees
from artificer.sandbox.waiting import Watch

_DEVICES = When(1, (stat.S_IFCHR, stat.S_IFBLK), mask=0o170000)
_MAP_PROGRAMS = ("newuidmap", "newgidmap")
_SUBORDINATE = ("/etc/subuid", "/etc/subgid")
_LEAST_IDS = 1000


class Overlays:
    """What all these rungs share: `enter` once, then roots of overlays."""

    name = ""
    identity: Literal["real", "lost"] = "real"
    _userxattr = True
    _marked = False

    def __init__(self) -> None:
        self.own_pids = True

    def _enter_users(self) -> None:
        """Go to the user namespace, if there is one."""

    def ids(self) -> str:
        """Return how ids are mapped, for names of files."""
        return self.name

    def enter(self) -> None:
        """Go to the namespaces, with this whole process."""
        self._enter_users()
        calls.unshare(calls.CLONE_NEWNS)
        calls.mount("none", "/", None, calls.MS_REC | calls.MS_PRIVATE)
        self.own_pids = not _failure(_mount_new_proc)

    def try_out(self, state: str) -> None:
        """Mount an overlay below *state*; make, remove and give away files in it."""
        folder = f"{state}/try-{os.getpid()}"
        for name in ("lower/gone", "upper", "work", "root"):
            os.makedirs(f"{folder}/{name}")
        try:
            tree = Tree(f"{folder}/lower", (), {}, hides_all=False, named=False, lock=-1)
            upper = Upper("upper", "work")
            mount_overlay(folder, "root", [tree], upper, userxattr=self._userxattr)
            try:
                use(f"{folder}/root", marked=self._marked)
            finally:
                calls.unmount(f"{folder}/root")
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def open(self, chain: Chain, place: Place) -> OverlaySite:
        """Make a root of *chain*."""
        ids = self.ids()
        opaque = USER if self._userxattr else TRUSTED
        trees = Trees(f"{place.state}/trees/{ids}", Manner(opaque, self._marked), place.check)
        ground = Ground(ids, self._marked, self._userxattr, self.own_pids, self.watch)
        return OverlaySite(chain, place, ground, trees)

    def watch(self, upper: str, aside: Owners) -> Watch:
        """No user namespace lets anybody make devices: they are recorded."""
        recorder = Recorder(upper, aside)
        return Watch(
            lambda: _install(_device_filter()),
            lambda descriptor: Listener(descriptor, recorder.answer),
        )


class RootRung(Overlays):
    """Root of the machine, or of a container that may mount."""

    name = "root"
    _userxattr = False

    def watch(self, _upper: str, _aside: Owners) -> Watch:
        """Root of the machine may do all that there is to record."""
        return Watch()


class FullMapRung(Overlays):
    """Root that may not mount, but map all ids into a user namespace (a pod without seccomp)."""

    name = "full-map"

    def _enter_users(self) -> None:
        with open("/proc/self/uid_map") as users, open("/proc/self/gid_map") as groups:
            maps = _identities(users.read()), _identities(groups.read())
        _enter_mapped(lambda process: _write_maps(process, maps))


class RangeMapRung(Overlays):
    """A user with subordinate ids, which newuidmap and newgidmap may map."""

    name = "range-map"

    def __init__(self) -> None:
        super().__init__()
        self._user = os.geteuid()

    def ids(self) -> str:
        """Return how ids are mapped, and whose."""
        return f"{self.name}-{self._user}"

    def _enter_users(self) -> None:
        own = (os.geteuid(), os.getegid())
        ranges = [_subordinate(path, own[0]) for path in _SUBORDINATE]
        words = [
            [program, "", "0", str(one), "1", "1", str(part.first), str(part.size)]
            for program, one, part in zip(_MAP_PROGRAMS, own, ranges, strict=True)
        ]
        _enter_mapped(lambda process: _run_mappers(process, words))


class SingleMapRung(Overlays):
    """A user with one id only: what it cannot set is recorded."""

    name = "single-map"
    _marked = True

    def __init__(self) -> None:
        super().__init__()
        self._user = os.geteuid()

    def ids(self) -> str:
        """Return how ids are mapped, and whose."""
        return f"{self.name}-{self._user}"

    def _enter_users(self) -> None:
        user, group = os.geteuid(), os.getegid()
        calls.unshare(calls.CLONE_NEWUSER)
        for name, text in (
            ("setgroups", "deny"),
            ("uid_map", f"0 {user} 1"),
            ("gid_map", f"0 {group} 1"),
        ):
            _write(f"/proc/self/{name}", text)
        _become_root()

    def watch(self, upper: str, aside: Owners) -> Watch:
        """Record whatever one id cannot set."""
        recorder = Recorder(upper, aside)
        return Watch(
            lambda: _install(recording_filter()),
            lambda descriptor: Listener(descriptor, recorder.answer),
            recorder.check,
        )


class _Range(NamedTuple):
    first: int
    size: int


def _install(code: bytes) -> int:
    # Root of the namespace may do so without giving up what setuid programs (sudo) are for.
    return install_listened(code, no_new_privileges=False)


def _device_filter() -> bytes:
    return program(
        (
            Rule("mknod", NOTIFY, (_DEVICES,)),
            Rule("mknodat", NOTIFY, (_DEVICES._replace(argument=2),)),
        )
    )


def _enter_mapped(map_ids: Callable[[int], None]) -> None:
    """Enter a new user namespace, whose ids a process outside of it maps."""
    process = os.getpid()
    entered, told = os.pipe()
    answers, mapped = os.pipe()
    mapper = os.fork()
    if not mapper:
        os.close(told)
        os.read(entered, 1)
        why = _failure(lambda: map_ids(process), fork=False)
        os.write(mapped, why.encode())
        os._exit(0)
    for descriptor in (entered, mapped):
        os.close(descriptor)
    try:
        calls.unshare(calls.CLONE_NEWUSER)
        os.write(told, b"x")
        why = os.read(answers, 65536).decode()
    finally:
        os.close(told)
        os.close(answers)
        os.waitpid(mapper, 0)
    if why:
        raise OSError(errno.EPERM, why)
    with contextlib.suppress(PermissionError):
        os.setgroups([])
    _become_root()


def _become_root() -> None:
    os.setresgid(0, 0, 0)
    os.setresuid(0, 0, 0)
    # Else /proc/self belongs to somebody else.
    calls.prctl(calls.PR_SET_DUMPABLE, 1)


def _identities(text: str) -> str:
    rows = [line.split() for line in text.splitlines()]
    return "\n".join(f"{inside} {inside} {count}" for inside, _, count in rows)


def _write_maps(process: int, maps: tuple[str, str]) -> None:
    for name, text in zip(("uid_map", "gid_map"), maps, strict=True):
        _write(f"/proc/{process}/{name}", text)


def _write(path: str, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)


def _run_mappers(process: int, words: list[list[str]]) -> None:
    for program_, _, *rest in words:
        found = shutil.which(program_, path="/usr/bin:/bin:/usr/local/bin:/usr/sbin:/sbin")
        if found is None:
            raise OSError(errno.ENOENT, f"there is no {program_} (package uidmap)")
        done = subprocess.run(  # noqa: S603 - the programs that may map ids
            [found, str(process), *rest], capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise OSError(errno.EPERM, f"{program_}: {done.stderr.strip()}")


def _subordinate(path: str, user: int) -> _Range:
    """Return the largest range of ids that *path* gives the user."""
    try:
        name = pwd.getpwuid(user).pw_name
    except KeyError:
        name = str(user)
    found = _Range(0, 0)
    with contextlib.suppress(FileNotFoundError), open(path) as file:
        for line in file:
            owner, _, rest = line.strip().partition(":")
            start, _, count = rest.partition(":")
            if owner in {name, str(user)} and start.isdigit() and count.isdigit():
                found = max(found, _Range(int(start), int(count)), key=lambda one: one.size)
    if found.size < _LEAST_IDS:
        raise OSError(errno.EPERM, f"{path} has no ids for {name}")
    return found


def use(root: str, *, marked: bool) -> None:
    """Do what overlays that only seem to work do not let anybody do."""
    os.rmdir(f"{root}/gone")
    os.mkdir(f"{root}/gone")
    os.mkdir(f"{root}/new")
    os.rename(f"{root}/new", f"{root}/gone/new")
    if not marked:
        os.chown(f"{root}/gone/new", 1, 1)
    else:
        os.setxattr(f"{root}/gone/new", "user.artificer.try", b"1")


def _mount_new_proc() -> None:
    calls.unshare(calls.CLONE_NEWPID)
    child = os.fork()
    if not child:
        why = _failure(lambda: calls.mount("proc", "/proc", "proc"), fork=False)
        os._exit(1 if why else 0)
    if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]):
        raise OSError(errno.EPERM, "mount of proc")


def _failure(work: Callable[[], None], *, fork: bool = True) -> str:
    """Return why *work* fails, by default in a process of its own; "" if it does not."""
    if not fork:
        try:
            work()
        except OSError as error:
            return error.strerror or str(error)
        return ""
    read, write = os.pipe()
    child = os.fork()
    if not child:
        with contextlib.suppress(OSError):
            calls.unshare(calls.CLONE_NEWNS)
        os.write(write, _failure(work, fork=False).encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as file:
        why = file.read().decode()
    os.waitpid(child, 0)
    return why
