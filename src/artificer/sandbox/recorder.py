"""Owners, devices and capabilities that a single mapped id cannot have, kept on the files.

In a user namespace of one id chown, mknod of devices and setcap fail. Here they are answered as
if they had worked: what they set goes into extended attributes (`rung.MARKS`) of the file itself,
so that it is renamed, linked, copied up and removed with it. Symbolic links and pipes cannot have
any: their owners are kept aside. Whoever looks (stat, getxattr) sees what was set.
"""

import errno
import os
import stat
import weakref
from contextlib import suppress
from ctypes import get_errno

from artificer.sandbox.impostor import ID_CALLS, Impostors
from artificer.sandbox.listener import Answer, Call
from artificer.sandbox.marks import (
    Marks,
    Owner,
    is_marked,
    mark_device,
    mark_owner,
    markable,
    marks_of,
    status_with,
)
from artificer.sandbox.rung import CAPABILITY_MARK, MARKS, NotPossible
from artificer.sandbox.seccomp import NOTIFY, Rule, When, error, program
from artificer.sandbox.tracee import (
    AT_EMPTY_PATH,
    AT_FDCWD,
    AT_SYMLINK_NOFOLLOW,
    Spot,
    Tracee,
    open_below,
    signed,
)

Inode = tuple[int, int]
"""Device and number, as `os.lstat` gives them for a file in the upper directory."""

_CAPABILITY = b"security.capability"
_HANDLE = "/proc/self/fd/%d"
_XATTR_MAX = 65536

_CHOWN = ("chown", "lchown", "fchown", "fchownat")
_XATTR = tuple(
    f"{kind}{verb}xattr" for verb in ("set", "get", "list", "remove") for kind in ("", "l", "f")
)
_STAT = ("stat", "lstat", "fstat", "newfstatat", "statx")
_XATTR_AT = ("setxattrat", "getxattrat", "listxattrat", "removexattrat")
_ROOTS = ("chroot", "pivot_root")
_DEVICES = When(1, (stat.S_IFCHR, stat.S_IFBLK), mask=0o170000)


def recording_filter() -> bytes:
    """Return the filter of a command whose calls a `Recorder` answers."""
    return program(
        (
            *(Rule(call, NOTIFY) for call in (*_STAT, *_CHOWN, *_XATTR, *ID_CALLS, *_ROOTS)),
            Rule("mknod", NOTIFY, (_DEVICES,)),
            Rule("mknodat", NOTIFY, (_DEVICES._replace(argument=2),)),
            # Newer than the C libraries: all of them can do without.
            *(Rule(call, error(errno.ENOSYS)) for call in _XATTR_AT),
        ),
        # The numbers of i386 are others: what it sets would be lost. Better it fails.
        foreign=error(errno.ENOSYS),
    )


class Recorder:
    """What commands in one root set on its files; *upper* is where its changes are.

    *aside* are the owners of links and pipes of *upper*: given when a root is opened, to be read
    when its changes are collected.
    """

    def __init__(self, upper: str, aside: dict[Inode, Owner]) -> None:
        self.aside = aside
        self._upper = os.fsencode(upper)
        self._impostors = Impostors()
        self._root: int | None = None
        self._answers: dict[str, Answer] = {
            **dict.fromkeys(_STAT, self._stat),
            **dict.fromkeys(_CHOWN, self._chown),
            **dict.fromkeys(_XATTR, self._xattr),
            **dict.fromkeys(ID_CALLS, self._impostors.answer),
            **dict.fromkeys(("mknod", "mknodat"), self._mknod),
            **dict.fromkeys(_ROOTS, self._changed_root),
        }

    def answer(self, call: Call) -> int | None:
        """Answer *call*, for a `Listener`."""
        return self._answers[call.name](call)

    def check(self) -> None:
        """Raise `NotPossible` if a command wanted to be another user: its files are not right."""
        if self._impostors.caught:
            name, uid = self._impostors.caught[0]
            raise NotPossible(
                f"{name} changed to user {uid}, but there is only one user id here",
                hint="give this user ids in /etc/subuid and /etc/subgid (and install newuidmap), "
                "or build as root or in a pod",
            )

    def _chown(self, call: Call) -> int:
        words, tracee = call.arguments, call.tracee
        if call.name == "fchown":
            spot, owner = _descriptor(words[0]), words[1:3]
        elif call.name == "fchownat":
            spot, owner = _at(tracee, words[0], words[1], words[4]), words[2:4]
        else:
            path = tracee.path(words[0])
            spot, owner = Spot(AT_FDCWD, path, follow=call.name == "chown"), words[1:3]
        with tracee.opened(spot) as handle:
            self._own(handle, signed(owner[0]), signed(owner[1]))
        return 0

    def _own(self, handle: int, uid: int, gid: int) -> None:
        path = _HANDLE % handle
        # The same with the only ids there are. So it fails where it would (a read-only file
        # system); else the file is copied up, and setuid and setgid are cleared as ever.
        os.chown(path, min(uid, 0), min(gid, 0))
        status = os.fstat(handle)
        if not stat.S_ISDIR(status.st_mode):
            with suppress(OSError):
                os.removexattr(path, CAPABILITY_MARK)
        old = self._marks(handle, status).owner
        kept = old or (0, 0)
        new = (kept[0] if uid < 0 else uid, kept[1] if gid < 0 else gid)
        if markable(status.st_mode):
            if new != old:
                mark_owner(path, new)
        elif new == (0, 0):
            self.aside.pop(self._inode(handle, status), None)
        else:
            self.aside[self._inode(handle, status)] = new

    def _inode(self, handle: int, status: os.stat_result) -> Inode:
        """The inode in the upper directory: what is copied up shows the number it had before."""
        with suppress(OSError):
            status = os.lstat(self._upper + os.readlink(os.fsencode(_HANDLE % handle)))
        return status.st_dev, status.st_ino

    def _marks(self, handle: int, status: os.stat_result) -> Marks:
        if markable(status.st_mode):
            return marks_of(_HANDLE % handle)
        found = self.aside.get(self._inode(handle, status)) if self.aside else None
        return Marks(found, None)

    def _mknod(self, call: Call) -> int:
        words, tracee = call.arguments, call.tracee
        directory, first = (signed(words[0]), 1) if call.name == "mknodat" else (AT_FDCWD, 0)
        parent, slash, last = tracee.path(words[first]).rpartition(b"/")
        mode, device = words[first + 1] & 0xFFFF, words[first + 2]
        with tracee.opened(Spot(directory, parent or slash or b".")) as handle:
            place = b"/".join((os.fsencode(_HANDLE % handle), last))
            made = os.open(place, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        try:
            mode &= ~tracee.umask()
            mark_device(made, mode, device)
            os.fchmod(made, mode & 0o7777)
        finally:
            os.close(made)
        return 0

    def _stat(self, call: Call) -> int | None:
        name, words, tracee = call.name, call.arguments, call.tracee
        try:
            if name == "newfstatat":
                return self._shown(call, _at(tracee, words[0], words[1], words[3]), words[2])
            if name == "fstat":
                return self._shown(call, _descriptor(words[0]), words[1])
            if name == "statx":
                return self._shown(call, _at(tracee, words[0], words[1], words[2]), words[4])
            spot = Spot(AT_FDCWD, tracee.path(words[0]), follow=name == "stat")
            return self._shown(call, spot, words[1])
        except OSError:
            return None  # The kernel knows what is wrong.

    def _shown(self, call: Call, spot: Spot, result: int) -> int | None:
        """Write what the file should be, where it is not what the kernel sees."""
        tracee = call.tracee
        if not self.aside and self._is_plain(tracee, spot):
            return None
        with tracee.opened(spot) as handle:
            marks = self._marks(handle, os.fstat(handle))
            if marks == (None, None):
                return None
            tracee.write(result, status_with(call, handle, marks))
        return 0

    def _is_plain(self, tracee: Tracee, spot: Spot) -> bool:
        """Whether it is quickly seen that a file has no marks: nearly all of them have none."""
        if not spot.path:
            number = spot.directory
            return number >= 0 and not is_marked(f"/proc/{tracee.tid}/fd/{number}")
        if not spot.path.startswith(b"/"):
            return not spot.follow and _is_plain_name(tracee, spot)
        if spot.path.startswith(b"/proc/"):
            return False
        root = self._root_of(tracee)
        if root < 0:
            return False
        handle = open_below(root, spot.path, follow=spot.follow)
        if handle < 0:
            # What is not there is looked for most of all.
            return get_errno() in {errno.ENOENT, errno.ENOTDIR}
        try:
            return not is_marked(_HANDLE % handle)
        finally:
            os.close(handle)

    def _root_of(self, tracee: Tracee) -> int:
        """The root that all processes have, or -1 once one of them has changed it."""
        if self._root is None:
            root = self._root = os.open(f"/proc/{tracee.tid}/root", os.O_PATH | os.O_CLOEXEC)
            weakref.finalize(self, os.close, root)
        return self._root

    def _changed_root(self, _: Call) -> None:
        self._root = -1

    def _xattr(self, call: Call) -> int | None:
        name, words, tracee = call.name, call.arguments, call.tracee
        attribute = b"" if "list" in name else tracee.path(words[1])
        if attribute not in _OURS:
            return None
        if name[0] == "f":
            spot = _descriptor(words[0])
        else:
            spot = Spot(AT_FDCWD, tracee.path(words[0]), follow=name[0] != "l")
        with tracee.opened(spot) as handle:
            path = _HANDLE % handle
            if not attribute:
                return _listed(tracee, path, words[1], words[2])
            if attribute != _CAPABILITY:
                # Ours are not for others to see: they would end up in archives.
                raise OSError(errno.ENODATA, os.strerror(errno.ENODATA))
            return _capability(call, path)


def _is_plain_name(tracee: Tracee, spot: Spot) -> bool:
    """The same for a name in a directory, if no link is followed: whoever walks a tree asks so."""
    if b"/" in spot.path or spot.path in {b".", b".."}:
        return False
    base = "cwd" if spot.directory == AT_FDCWD else f"fd/{spot.directory}"
    place = f"/proc/{tracee.tid}/{base}/".encode() + spot.path
    try:
        return MARKS.isdisjoint(os.listxattr(place, follow_symlinks=False))
    except OSError as failure:
        return failure.errno == errno.ENOENT


_OURS = frozenset((b"", _CAPABILITY, *(mark.encode() for mark in MARKS)))


def _descriptor(word: int) -> Spot:
    return Spot(signed(word), b"", empty=True)


def _at(tracee: Tracee, directory: int, path: int, flags: int) -> Spot:
    follow, empty = not flags & AT_SYMLINK_NOFOLLOW, bool(flags & AT_EMPTY_PATH)
    return Spot(signed(directory), tracee.path(path) if path else b"", follow, empty)


def _capability(call: Call, path: str) -> int:
    """Set, get or remove the file's capability, which is kept under another name."""
    words = call.arguments
    if "set" in call.name:
        value = call.tracee.bytes_at(words[2], min(words[3], _XATTR_MAX))
        os.setxattr(path, CAPABILITY_MARK, value, words[4] & 3)
        return 0
    if "remove" in call.name:
        os.removexattr(path, CAPABILITY_MARK)
        return 0
    return call.tracee.give(os.getxattr(path, CAPABILITY_MARK), words[2], words[3])


def _listed(tracee: Tracee, path: str, address: int, room: int) -> int:
    names = os.listxattr(path)
    shown = [name for name in names if name not in MARKS]
    if CAPABILITY_MARK in names:
        shown.append(_CAPABILITY.decode())
    joined = b"".join(os.fsencode(name) + b"\0" for name in shown)
    return tracee.give(joined, address, room)
