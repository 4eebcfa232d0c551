"""Files as a layer describes them and as they lie on disk: owners, devices, attributes."""

import contextlib
import errno
import os
import stat
import struct
from collections.abc import Iterator
from typing import NamedTuple

from artificer.layers.entry import BLOCK, CHAR, DIRECTORY, FIFO, FILE, SYMLINK
from artificer.sandbox.rung import CAPABILITY_MARK, DEVICE_MARK, MARKS, OWNER_MARK

CAPABILITY = "security.capability"
_OVERLAY = ("trusted.overlay.", "user.overlay.")
_REVISION_2, _REVISION_3, _REVISIONS = 0x02000000, 0x03000000, 0xFF000000
# What a file system, or a user who is not root, refuses to keep: the file is right without it.
_NOT_KEPT = {errno.EPERM, errno.ENOTSUP, errno.EACCES}
_KINDS = {
    stat.S_IFREG: FILE,
    stat.S_IFDIR: DIRECTORY,
    stat.S_IFLNK: SYMLINK,
    stat.S_IFCHR: CHAR,
    stat.S_IFBLK: BLOCK,
    stat.S_IFIFO: FIFO,
}

Owners = dict[tuple[int, int], tuple[int, int]]
"""Owners of files that cannot carry a mark (links, fifos), by device and inode."""


class Node(NamedTuple):
    """What a file is, whoever stores it: all that an entry says but its path, size and bytes."""

    kind: str
    mode: int
    uid: int
    gid: int
    xattrs: tuple[tuple[str, bytes], ...] = ()
    device: tuple[int, int] = (0, 0)


def node_of(path: str, status: os.stat_result, owner: tuple[int, int] | None = None) -> Node:
    """Return what the file at *path* is, marks taken into account; *owner* is what a table says.

    A socket is no `Node`: ask for none.
    """
    kind = _KINDS[stat.S_IFMT(status.st_mode)]
    node = Node(kind, stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid)
    if owner is not None:
        node = node._replace(uid=owner[0], gid=owner[1])
    if kind in {CHAR, BLOCK}:
        device = os.major(status.st_rdev), os.minor(status.st_rdev)
        return node._replace(device=device)
    found = attributes(path)
    return _marked(node, found) if found else node


def attributes(path: str) -> dict[str, bytes]:
    """Return all extended attributes of *path*, no link followed."""
    try:
        names = os.listxattr(path, follow_symlinks=False)
        return {name: os.getxattr(path, name, follow_symlinks=False) for name in names}
    except OSError as error:
        if error.errno in {errno.ENOTSUP, errno.ENODATA}:
            return {}
        raise


def _marked(node: Node, found: dict[str, bytes]) -> Node:
    uid, gid = node.uid, node.gid
    if OWNER_MARK in found:
        uid, gid = map(int, found[OWNER_MARK].split(b":"))
    kept = {name: value for name, value in found.items() if _is_kept(name)}
    if CAPABILITY_MARK in found:
        kept[CAPABILITY] = found[CAPABILITY_MARK]
    if CAPABILITY in kept:
        kept[CAPABILITY] = plain_capability(kept[CAPABILITY])
    node = node._replace(uid=uid, gid=gid, xattrs=tuple(sorted(kept.items())))
    if DEVICE_MARK not in found:
        return node
    letter, major, minor, mode = found[DEVICE_MARK].split(b":")
    kind = CHAR if letter == b"c" else BLOCK
    return node._replace(kind=kind, device=(int(major), int(minor)), mode=int(mode, 8))


def _is_kept(name: str) -> bool:
    # Labels of SELinux belong to the machine.
    return not name.startswith(_OVERLAY) and name not in MARKS and name != "security.selinux"


def plain_capability(value: bytes) -> bytes:
    """Return file capabilities without the namespace that they were given in."""
    if len(value) < struct.calcsize("<I"):
        return value
    magic = struct.unpack_from("<I", value)[0]
    if magic & _REVISIONS != _REVISION_3:
        return value
    return struct.pack("<I", _REVISION_2 | magic & ~_REVISIONS) + value[4:20]


def set_node(path: str | int, node: Node, *, marked: bool) -> bool:
    """Give owner, attributes and mode to the file at *path*, no link followed, or an open file.

    Say whether the owner is there, as it is or as a mark: links and fifos cannot have marks.
    """
    follow = isinstance(path, int)
    owned = _set_owner(path, node, marked=marked)
    for name, value in node.xattrs:
        if not _is_kept(name):
            continue
        with _tolerated():
            own = CAPABILITY_MARK if marked and name == CAPABILITY else name
            os.setxattr(path, own, value, follow_symlinks=follow)
    if node.kind != SYMLINK:
        # After the owner: a change of it takes the set-user-id bit away.
        os.chmod(path, node.mode)
    return owned


def _set_owner(path: str | int, node: Node, *, marked: bool) -> bool:
    follow = isinstance(path, int)
    if not marked:
        try:
            os.chown(path, node.uid, node.gid, follow_symlinks=follow)
        except OSError as error:
            # EINVAL: the map of this user namespace has no such owner.
            if error.errno != errno.EINVAL:
                raise
        else:
            return True
    if not (node.uid or node.gid):
        return True
    if node.kind in {SYMLINK, FIFO}:
        return False
    os.setxattr(path, OWNER_MARK, b"%d:%d" % (node.uid, node.gid), follow_symlinks=follow)
    return True


def set_time(path: str | int, seconds: int) -> None:
    """Give the file at *path*, no link followed, or an open file a time of change."""
    nanoseconds = seconds * 1_000_000_000
    os.utime(path, ns=(nanoseconds, nanoseconds), follow_symlinks=isinstance(path, int))


def device_mark(node: Node) -> bytes:
    """Return the mark of a file that stands for a device."""
    letter = b"c" if node.kind == CHAR else b"b"
    return b"%b:%d:%d:%o" % (letter, *node.device, node.mode)


@contextlib.contextmanager
def _tolerated() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in _NOT_KEPT:
            raise
