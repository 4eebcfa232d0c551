"""An installation carried out in a root: what it changes, as the entries of layers."""

import hashlib
import os
import shlex
from collections.abc import Callable, Collection, Sequence
from contextlib import ExitStack
from typing import NamedTuple

from artificer.builder.output import Output
from artificer.events import Note
from artificer.images.reach import Reach
from artificer.layers.archive import path_of
from artificer.layers.entry import FILE, Entry, Span
from artificer.layers.read import members
from artificer.layers.tape import FileTape
from artificer.layers.write import temporary_tar
from artificer.oci.digest import Digest
from artificer.sandbox.client import Root, Sandbox
from artificer.sandbox.command import Chain, Command, TreeLayer
from artificer.sources.debian.installing.actions import failure
from artificer.sources.debian.installing.database import INFO
from artificer.sources.debian.installing.installation import Action, Installation
from artificer.sources.debian.installing.unpack import bytes_of

_KEPT = 1 << 16
_CONFIG = ".config"
_HOME = ("HOME", "/root")
_ASKED = "usr/bin/ischroot"
_YES = b"#!/bin/sh\nexit 0 # of a container that is being built\n"


class Room(NamedTuple):
    """Where packages are installed: upon the layers of *chain*, in *sandbox*.

    *spools* keeps open what the entries' bytes are in. *meanwhile* begins what this process can
    do while the sandbox has work: before that it would be in the way.
    """

    chain: Chain
    sandbox: Callable[[], Sandbox]
    reach: Reach
    spools: ExitStack
    meanwhile: Callable[[], None] = lambda: None


def carried_out(plan: Installation, room: Room) -> list[Sequence[Entry]]:
    """Do what *plan* says; return the layers that come of it, in their order."""
    if not plan.before and not plan.commands:
        return [plan.entries]
    entries = answering(plan.entries)
    asking = _asking(plan.entries)
    with temporary_tar(entries, room.reach.store, room.reach.stop) as (diff_id, path):
        own = TreeLayer(diff_id, path)
        room.meanwhile()
        if not plan.before:
            with room.sandbox().at((*room.chain, own)) as root:
                _run(plan.commands, root, room.reach, asking)
                return [plan.entries, restored(_changes(root, room)[1], plan.entries)]
        with room.sandbox().at(room.chain) as root:
            _run(plan.before, root, room.reach, asking)
            first, changed = _changes(root, room)
            root.adopt(first)
            root.extend((own,))
            _run(plan.commands, root, room.reach, asking)
            return [changed, plan.entries, restored(_changes(root, room)[1], plan.entries)]


def answering(entries: Sequence[Entry]) -> list[Entry]:
    """*entries* as scripts see them: ``ischroot`` says yes.

    There is no init that they could restart. The program looks for process 1, and cannot tell or
    takes ours for an init; libc6 then calls that, and sleeps for a second.
    """
    return [
        one._replace(source=_YES, size=len(_YES)) if _is_asked(one) else one for one in entries
    ]


def restored(changes: Sequence[Entry], entries: Sequence[Entry]) -> list[Entry]:
    """*changes* where the program of *entries* was moved, as by a diversion: itself again."""
    asked = next((one for one in entries if _is_asked(one)), None)
    if asked is None:
        return list(changes)
    return [
        one._replace(source=asked.source, size=asked.size) if _is_answer(one) else one
        for one in changes
    ]


def _is_asked(entry: Entry) -> bool:
    return entry.path == _ASKED and entry.kind == FILE


def _is_answer(entry: Entry) -> bool:
    same = entry.kind == FILE and entry.size == len(_YES)
    return same and b"".join(bytes_of(entry)) == _YES


def _asking(entries: Sequence[Entry]) -> frozenset[str]:
    """The packages that bring a script for debconf, which asks their questions."""
    paths = (entry.path for entry in entries if entry.path.endswith(_CONFIG))
    return frozenset(
        path.rpartition("/")[2].removesuffix(_CONFIG).partition(":")[0]
        for path in paths
        if path.startswith(f"{INFO}/")
    )


def _run(actions: Sequence[Action], root: Root, reach: Reach, asking: Collection[str]) -> None:
    for action in actions:
        reach.stop.check()
        output, kept = Output(action.package or "dpkg", reach.report), bytearray()

        def take(data: bytes, output: Output = output, kept: bytearray = kept) -> None:
            output.take(data)
            kept.extend(data)
            del kept[:-_KEPT]

        code = root.run(_command(action), take)
        output.end()
        if code:
            raise failure(action, code, bytes(kept), asking)


def _command(action: Action) -> Command:
    env = dict((_HOME, *action.env))
    if not action.stdin:
        return Command(action.argv, tuple(env.items()))
    # A command's input is empty; what it is to read comes in a file that only it sees.
    words = ("/bin/sh", "-c", f'exec {shlex.join(action.argv)} < "$0"')
    return Command(words, tuple(env.items()), script=action.stdin)


def _changes(root: Root, room: Room) -> tuple[Digest, list[Entry]]:
    """Take what was changed: its diff_id, and its entries with their bytes in a spool."""
    room.reach.report(Note("taking what scripts have changed"))
    found = root.changes()
    spool = room.spools.enter_context(room.reach.store.spool())
    hasher = hashlib.sha256()
    for chunk in found.chunks:
        hasher.update(chunk)
        spool.write(chunk)
    spool.flush()
    spool.seek(0, os.SEEK_SET)
    path = path_of(spool)
    entries = [
        member.entry._replace(source=Span(path, member.offset))
        if member.entry.kind == FILE
        else member.entry
        for member in members(FileTape(spool))
    ]
    return Digest.sha256(hasher), entries
