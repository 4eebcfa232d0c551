"""What was found to have changed, as the entries of a layer and as its tar."""

import os
from collections.abc import Iterable, Sequence
from stat import S_IFMT, S_IFREG

from artificer.layers.entry import FILE, HARDLINK, Entry, told
from artificer.layers.merge import by_components
from artificer.layers.parents import parents_of
from artificer.layers.tar import BLOCK_SIZE, END, header, padding
from artificer.layers.whiteout import is_whiteout
from artificer.sandbox.rung import Found

_CHUNK = 1 << 20


def kept(found: Iterable[Found]) -> list[Found]:
    """Leave out what did not change, unless what did is below it, or a hard link to it.

    A directory that a layer has files below of, and not itself, becomes 0755 in docker and podman.
    """
    listed = list(found)
    changed = [one for one in listed if not one.same]
    linked = {_inode(one.entry) for one in changed} - {0}
    above = parents_of(one.entry.path for one in changed)
    return [
        one
        for one in listed
        if not one.same or _inode(one.entry) in linked or one.entry.path in above
    ]


def entries_of(found: Iterable[Found]) -> list[Entry]:
    """Return a layer's entries: whiteouts first, then by path; the first path of an inode is it.

    The order is that of all layers that we make (docs/concepts/layer-format.md).
    """
    entries = by_components(one.entry for one in kept(found))
    gone = [entry for entry in entries if is_whiteout(entry.path)]
    first: dict[int, str] = {}
    there = []
    for entry in entries:
        if is_whiteout(entry.path):
            continue
        inode = _inode(entry)
        if inode and inode in first:
            there.append(_link(entry, first[inode]))
            continue
        if inode:
            first[inode] = entry.path
        there.append(entry)
    return gone + there


def tar_size(entries: Sequence[Entry]) -> int:
    """Return how long the tar of *entries* is."""
    return len(END) + sum(
        len(header(entry)) + entry.size + -entry.size % BLOCK_SIZE for entry in entries
    )


def send_tar(entries: Iterable[Entry], to: int) -> None:
    """Write the tar of *entries* to the descriptor *to*; their sources are paths, or bytes."""
    waiting: list[bytes] = []
    size = 0
    for entry in entries:
        waiting.append(header(entry))
        size += len(waiting[-1])
        if entry.kind == FILE and entry.size:
            _write(to, b"".join(waiting))
            waiting, size = [padding(entry.size)], 0
            _send(entry, to)
        if size > _CHUNK:
            _write(to, b"".join(waiting))
            waiting, size = [], 0
    _write(to, b"".join(waiting) + END)


def _inode(entry: Entry) -> int:
    """Return what tells a file from others: only of those that have a `stat`, else 0."""
    if entry.kind != FILE or entry.stat is None:
        return 0
    seen = told(entry.stat)
    return seen.inode if S_IFMT(seen.mode) == S_IFREG else 0


def _link(entry: Entry, first: str) -> Entry:
    return entry._replace(kind=HARDLINK, size=0, link=first, source=None, xattrs=(), stat=None)


def _send(entry: Entry, to: int) -> None:
    if isinstance(entry.source, bytes):
        _write(to, entry.source)
        return
    descriptor = os.open(str(entry.source), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        at = 0
        while at < entry.size:
            sent = os.sendfile(to, descriptor, at, min(entry.size - at, _CHUNK))
            if not sent:
                raise EOFError(f"{entry.source} became shorter")
            at += sent
    finally:
        os.close(descriptor)


def _write(to: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(to, view) :]
