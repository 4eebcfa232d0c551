"""What a path below /proc, /sys or /dev/fd is to a command in a chroot: where it is for us."""

import errno
import os
import posixpath
import re
from collections.abc import Callable
from typing import NamedTuple

from artificer.sandbox.rung import HOSTNAME
from artificer.sandbox.tracee import Tracee

BEGINNINGS = (b"/proc/", b"/proc\0", b"/sys/", b"/sys\0", b"/dev/fd/", b"/dev/fd\0", b"/dev/std")
"""How the first bytes of a path (with its end) look that may be one of ours."""

_MOUNT_INFO = b"""\
20 1 0:20 / / rw,relatime - overlay overlay rw
21 20 0:21 / /proc rw,nosuid,nodev,noexec,relatime - proc proc rw
22 20 0:22 / /dev rw,nosuid - tmpfs tmpfs rw,mode=755
23 20 0:23 / /sys ro,nosuid,nodev,noexec,relatime - sysfs sysfs ro
"""
_MOUNTS = b"""\
overlay / overlay rw,relatime 0 0
proc /proc proc rw,nosuid,nodev,noexec,relatime 0 0
tmpfs /dev tmpfs rw,nosuid,mode=755 0 0
sysfs /sys sysfs ro,nosuid,nodev,noexec,relatime 0 0
"""
_STANDARD = {b"/dev/stdin": b"0", b"/dev/stdout": b"1", b"/dev/stderr": b"2"}
DEVICE_LINKS = frozenset((b"/dev/fd", *_STANDARD))
"""What lies in the root as a link, for whoever asks what it is."""

_OF_PROCESS = re.compile(rb"/proc/(self|thread-self|[0-9]{1,9})((?:/task/[0-9]{1,9})?)(/.*|)")
_OPENED = re.compile(rb"/(root|cwd|fd/[0-9]{1,9})(/.*|)")


class There(NamedTuple):
    """A file outside: *path*. With *mine* it is of a process of the command; *link* is magic."""

    path: bytes
    mine: bool = False
    link: bool = False


class Inside(NamedTuple):
    """*path* in the root."""

    path: bytes


class Text(NamedTuple):
    """A file that is made up."""

    data: bytes


class Listing(NamedTuple):
    """/proc itself."""


Meaning = There | Inside | Text | Listing


class ProcPaths:
    """The paths of one command in *root*; *is_ours* tells which processes it may see."""

    __slots__ = ("_is_ours", "_root")

    def __init__(self, root: bytes, is_ours: Callable[[int], bool]) -> None:
        self._root = root
        self._is_ours = is_ours

    def meaning(self, path: bytes, tracee: Tracee) -> Meaning | None:
        """Return what *path* is to *tracee*, None if it is none of ours."""
        path = _below_proc(path)
        if path == b"/proc":
            return Listing()
        if path == b"/sys" or path.startswith(b"/sys/"):
            return There(path)
        if not path.startswith(b"/proc/"):
            return None
        if path == b"/proc/sys/kernel/hostname":
            return Text(HOSTNAME.encode() + b"\n")
        found = _OF_PROCESS.fullmatch(path)
        return There(path) if found is None else self._of_process(found, tracee)

    def _of_process(self, found: "re.Match[bytes]", tracee: Tracee) -> Meaning:
        who, task, rest = found.groups()
        if who == b"self":
            who = b"%d" % tracee.process
        elif who == b"thread-self":
            who, task = b"%d" % tracee.process, b"/task/%d" % tracee.tid
        elif int(who) != tracee.process and not self._is_ours(int(who)):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        place = b"/proc/" + who + task
        if rest in {b"/mountinfo", b"/mounts"}:
            return Text(_MOUNT_INFO if rest == b"/mountinfo" else _MOUNTS)
        opened = _OPENED.fullmatch(rest)
        if opened is None:
            return There(place + rest, mine=True, link=rest == b"/exe")
        link = place + b"/" + opened[1]
        if not opened[2]:
            return There(link, mine=True, link=True)
        # Links on the way are the root's, so the kernel may not follow them for us.
        return Inside(self.shown(os.readlink(link)) + opened[2])

    def shown(self, path: bytes) -> bytes:
        """Return a path outside as the command sees it."""
        if path == self._root:
            return b"/"
        return path.removeprefix(self._root) if path.startswith(self._root + b"/") else path


def _below_proc(path: bytes) -> bytes:
    """Return what *path* is another name of."""
    if b"/." in path or b"//" in path or path.endswith(b"/"):
        path = posixpath.normpath(path)
    if path in _STANDARD:
        return b"/proc/self/fd/" + _STANDARD[path]
    if path == b"/dev/fd" or path.startswith(b"/dev/fd/"):
        return b"/proc/self/fd" + path[7:]
    if path in {b"/proc/mounts", b"/proc/net"} or path.startswith(b"/proc/net/"):
        return b"/proc/self" + path[5:]
    return path
