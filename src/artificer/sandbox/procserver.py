"""/proc, /sys, /dev/fd and secrets for a command in a plain chroot, where nothing can be mounted.

Calls that name a path wait for us. What is not ours goes on to the kernel; the rest is opened
outside the chroot and given to the command as an open file. Of /proc it sees its own processes
only, and no signal reaches others; secrets are files in memory, never on a disk.
"""

import errno
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import assert_never

from artificer.sandbox.calls import RESOLVE_IN_ROOT, openat2
from artificer.sandbox.listener import Answer, Call
from artificer.sandbox.marks import Marks, status_with
from artificer.sandbox.processes import below, is_below
from artificer.sandbox.procpaths import (
    BEGINNINGS,
    DEVICE_LINKS,
    Inside,
    Listing,
    Meaning,
    ProcPaths,
    Text,
    There,
)
from artificer.sandbox.rung import HOSTNAME
from artificer.sandbox.seccomp import NOTIFY, Rule, When, error, program
from artificer.sandbox.secretfiles import SecretFile, SecretFiles
from artificer.sandbox.tracee import AT_FDCWD, AT_SYMLINK_NOFOLLOW, Identity, Tracee, signed

_HANDLE = "/proc/self/fd/%d"
_UNMARKED = Marks(None, None)
_ACCESS_FLAGS = os.O_RDONLY | os.O_WRONLY | os.O_RDWR
_NOT_FOR_US = os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW

# Where the path is among the arguments.
_AT_FIRST = ("open", "creat", "stat", "lstat", "access", "readlink", "chmod")
_XATTR = ("getxattr", "lgetxattr", "listxattr", "llistxattr", "setxattr", "lsetxattr")
_AT_SECOND = (
    *("openat", "newfstatat", "statx", "readlinkat", "faccessat", "faccessat2", "fchmodat"),
)
_PATH_AT = dict.fromkeys((*_AT_FIRST, *_XATTR), 0) | dict.fromkeys(_AT_SECOND, 1)
_OTHERS = ("kill", "tkill", "tgkill", "pidfd_open", "process_vm_readv", "process_vm_writev")
_LINKS_THEMSELVES = {"lstat", "readlink", "readlinkat", "lgetxattr", "llistxattr", "lsetxattr"}
_FLAGS_AT = {"newfstatat": 3, "statx": 2, "openat": 2, "open": 1}
_TRACEME = 0
_EVERYBODY = -1
_XATTR_MAX = 65536


def serving_filter() -> bytes:
    """Return the filter of a command whose calls a `ProcServer` answers."""
    # From other directories than the working one, programs only open what is below them.
    here = When(0, (AT_FDCWD & 0xFFFFFFFF,))
    new = os.O_CREAT | os.O_EXCL
    return program(
        (
            Rule("openat", NOTIFY, (here, When(2, (new,), mask=new, among=False))),
            Rule("open", NOTIFY, (When(1, (new,), mask=new, among=False),)),
            *(Rule(call, NOTIFY, (here,)) for call in _AT_SECOND if call != "openat"),
            *(Rule(call, NOTIFY) for call in (*_AT_FIRST, *_XATTR, *_OTHERS)),
            Rule("ptrace", NOTIFY, (When(0, (_TRACEME,), among=False),)),
            Rule("uname", NOTIFY),
            # If the machine goes down, nobody asks for what was in a root.
            *(Rule(call, error(0)) for call in ("fsync", "fdatasync", "sync", "syncfs")),
            Rule("openat2", error(errno.ENOSYS)),
        )
    )


class ProcServer:
    """Answers the calls of what this process, a subreaper, started in the chroot *root*.

    *stand_in* is an empty directory of ours, for whoever lists /proc.
    """

    def __init__(self, root: str, secrets: SecretFiles, stand_in: str) -> None:
        self._root = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        self._worker = os.getpid()
        self._paths = ProcPaths(os.fsencode(os.path.realpath(root)), self._is_ours)
        self._secrets = secrets
        self._stand_in = stand_in
        self._listing = os.open(stand_in, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        self._reader = Identity(0, 0)
        acts: dict[str, Answer] = dict.fromkeys(_OTHERS, self._other)
        self._acts = acts | {"ptrace": self._other, "uname": _uname}

    def close(self) -> None:
        """Close what was open for the command."""
        os.close(self._root)
        os.close(self._listing)
        self._secrets.close()

    def answer(self, call: Call) -> int | None:
        """Answer *call*, for a `Listener`."""
        place = _PATH_AT.get(call.name)
        if place is None:
            return self._acts[call.name](call)
        tracee, address = call.tracee, call.arguments[place]
        try:
            beginning = self._read(tracee, address)
            if not beginning.startswith(BEGINNINGS) and not self._secrets:
                return None
            path = tracee.path(address)
        except OSError:
            return None  # It cannot be read: the kernel finds its own words.
        if path in DEVICE_LINKS and not _follows(call):
            return None  # These links are in the root.
        found = self._meaning(path, tracee)
        if found is None:
            return None
        if isinstance(found, Listing):
            self._list()
        asks = not call.name.endswith(("stat", "statat", "statx"))
        if isinstance(found, SecretFile) and asks and not found.is_for(tracee.identity()):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        with self._as(self._reader):
            return self._act(call, found)

    def _read(self, tracee: Tracee, address: int) -> bytes:
        """Read where a path begins. Of another user's memory, as that user."""
        try:
            return tracee.read(address, min(16, 4096 - address % 4096))
        except PermissionError:
            identity = tracee.identity()
            if identity == self._reader:
                raise
            self._reader = identity
            # Who reads is compared by the real ids; the others keep our rights.
            os.setresgid(identity.gid, 0, 0)
            os.setresuid(identity.uid, 0, 0)
            return tracee.read(address, min(16, 4096 - address % 4096))

    @contextmanager
    def _as(self, identity: Identity) -> Iterator[None]:
        """Open files with the rights of *identity*, not with ours."""
        if identity == (0, 0):
            yield
            return
        os.setresgid(-1, identity.gid, -1)
        os.setresuid(-1, identity.uid, -1)
        try:
            yield
        finally:
            os.setresuid(-1, 0, -1)
            os.setresgid(-1, 0, -1)

    def _is_ours(self, process: int) -> bool:
        return is_below(process, self._worker)

    def _meaning(self, path: bytes, tracee: Tracee) -> "Meaning | SecretFile | None":
        if self._secrets:
            secret = self._secrets.find(path, tracee, self._paths.shown)
            if secret is not None:
                return secret
        return self._paths.meaning(path, tracee)

    def _act(self, call: Call, found: "Meaning | SecretFile") -> int | None:
        name, words, tracee = call.name, call.arguments, call.tracee
        with self._opened(found, follow=_follows(call)) as handle:
            if name in {"open", "openat", "creat"}:
                return self._open(call, found, handle)
            if name in {"stat", "lstat", "newfstatat", "statx"}:
                marks = found.marks if isinstance(found, SecretFile) else _UNMARKED
                result = {"newfstatat": 2, "statx": 4}.get(name, 1)
                tracee.write(words[result], status_with(call, handle, marks))
                return 0
            first = _PATH_AT[name] + 1
            if name in {"readlink", "readlinkat"}:
                shown = self._paths.shown(os.readlink(b"", dir_fd=handle))[: words[first + 1]]
                return tracee.give(shown, words[first], len(shown))
            if name in _XATTR:
                return _xattr(call, _HANDLE % handle)
            return self._allowed(call, found, handle, words[first])

    def _allowed(self, call: Call, found: "Meaning | SecretFile", handle: int, mode: int) -> int:
        """access and chmod."""
        if "chmod" in call.name:
            if not isinstance(found, Inside | There) or not _is_mine(found):
                raise OSError(errno.EROFS, os.strerror(errno.EROFS))
            os.chmod(_HANDLE % handle, mode & 0o7777)
        elif mode & os.W_OK and not _is_mine(found):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))
        elif not os.access(_HANDLE % handle, mode & 7, effective_ids=True):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return 0

    def _open(self, call: Call, found: "Meaning | SecretFile", handle: int) -> int:
        if call.name == "creat":
            flags = os.O_WRONLY | os.O_TRUNC
        else:
            flags = call.arguments[_FLAGS_AT[call.name]]
        if flags & _ACCESS_FLAGS and not _is_mine(found):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))
        if flags & os.O_PATH:
            return call.inject(handle, flags)
        wanted = flags & 0x7FFFFFFF & ~_NOT_FOR_US | os.O_CLOEXEC | os.O_NOCTTY
        opened = os.open(_HANDLE % handle, wanted | os.O_NONBLOCK)
        try:
            if not flags & os.O_NONBLOCK:
                os.set_blocking(opened, True)
            return call.inject(opened, flags)
        finally:
            os.close(opened)

    @contextmanager
    def _opened(self, found: "Meaning | SecretFile", *, follow: bool) -> Iterator[int]:
        flags = os.O_PATH | os.O_CLOEXEC | (0 if follow else os.O_NOFOLLOW)
        match found:
            case SecretFile():
                handle = os.open(_HANDLE % found.file, os.O_PATH | os.O_CLOEXEC)
            case There(path):
                handle = os.open(path, flags)
            case Inside(path):
                handle = openat2(self._root, path.lstrip(b"/"), flags, RESOLVE_IN_ROOT)
            case Text(data):
                file = os.memfd_create("mounts", os.MFD_CLOEXEC)
                os.write(file, data)
                handle = os.open(_HANDLE % file, os.O_PATH | os.O_CLOEXEC)
                os.close(file)
            case Listing():
                handle = os.dup(self._listing)
            case _ as never:
                assert_never(never)
        try:
            yield handle
        finally:
            os.close(handle)

    def _list(self) -> None:
        """Let the stand-in hold what /proc holds, but of processes only the command's."""
        ours = {str(process) for process in below(self._worker)}
        wanted = {name for name in os.listdir("/proc") if not name.isdigit()} | ours
        there = set(os.listdir(self._stand_in))
        for name in there - wanted:
            os.rmdir(os.path.join(self._stand_in, name))
        for name in wanted - there:
            os.mkdir(os.path.join(self._stand_in, name), 0o555)

    def _other(self, call: Call) -> int | None:
        """Let what one process does to another happen among ours only."""
        process = signed(call.arguments[1 if call.name == "ptrace" else 0])
        if call.name == "kill" and process == _EVERYBODY:
            return self._kill_all(call)
        if process == 0 or self._is_ours(abs(process)):
            return None
        if process < 0 and any(_group(one) == -process for one in below(self._worker)):
            return None
        raise ProcessLookupError(errno.ESRCH, os.strerror(errno.ESRCH))

    def _kill_all(self, call: Call) -> int:
        """Kill everybody but who asks, as in a pid namespace."""
        for process in below(self._worker):
            if process != call.tracee.process:
                with suppress(ProcessLookupError):
                    os.kill(process, signal.Signals(signed(call.arguments[1])))
        return 0


def _uname(call: Call) -> int | None:
    """Name the machine as in roots that have a name of their own."""
    system = os.uname()
    words = (system.sysname, HOSTNAME, system.release, system.version, system.machine, "(none)")
    fields = (word.encode()[:64].ljust(65, b"\0") for word in words)
    try:
        call.tracee.write(call.arguments[0], b"".join(fields))
    except OSError:
        return None  # Somebody else's memory: it gets the pod's name.
    return 0


def _group(process: int) -> int:
    try:
        return os.getpgid(process)
    except ProcessLookupError:
        return 0


def _is_mine(found: "Meaning | SecretFile") -> bool:
    """Whether it may be written to: what belongs to the command's own processes, not /sys."""
    return isinstance(found, Inside) or (isinstance(found, There) and found.mine)


def _follows(call: Call) -> bool:
    if call.name in _LINKS_THEMSELVES:
        return False
    if call.name in {"open", "openat"}:
        return not call.arguments[_FLAGS_AT[call.name]] & os.O_NOFOLLOW
    if call.name in _FLAGS_AT:
        return not call.arguments[_FLAGS_AT[call.name]] & AT_SYMLINK_NOFOLLOW
    return True


def _xattr(call: Call, path: str) -> int:
    words, tracee = call.arguments, call.tracee
    if "list" in call.name:
        names = b"".join(os.fsencode(name) + b"\0" for name in os.listxattr(path))
        return tracee.give(names, words[1], words[2])
    attribute = tracee.path(words[1])
    if "set" in call.name:
        value = tracee.bytes_at(words[2], min(words[3], _XATTR_MAX))
        os.setxattr(path, attribute, value, words[4] & 3)
        return 0
    return tracee.give(os.getxattr(path, attribute), words[2], words[3])
