"""COPY, ADD and WORKDIR as entries: what is selected, where it lands, whose it is."""

from bisect import insort
from collections.abc import Sequence
from contextlib import ExitStack
from typing import BinaryIO, NamedTuple

from artificer.builder.staged.adding import (
    Manner as Unpacking,
)
from artificer.builder.staged.adding import (
    archive_path,
    checkout,
    fetched,
    merged,
    unpacked,
)
from artificer.builder.staged.contexts import Provided
from artificer.builder.staged.landing import (
    Landed,
    Owner,
    folder,
    landed,
    order,
    with_parents,
)
from artificer.builder.staged.modes import Mode, parse_mode
from artificer.builder.staged.owners import Read, owner_of
from artificer.builder.staged.select import Source, manner_of, selected
from artificer.builder.staged.shop import Ask, Fetch, Remote
from artificer.builder.stages import AddSources, CopyFiles, Inline, MakeDirectory
from artificer.errors import Misused
from artificer.events import Report
from artificer.layers.entry import DIRECTORY, FILE, SYMLINK, Entry
from artificer.layers.tree import Tree
from artificer.store.blobs import Store

_INLINE_MODE = 0o644


class Onto(NamedTuple):
    """What files are put onto: the files of the image so far, its accounts, and the epoch."""

    tree: Tree
    read: Read
    mtime: int


class Tools(NamedTuple):
    """What ADD needs besides files; *spools* keeps open what entries have their bytes from."""

    fetch: Fetch
    store: Store
    report: Report
    spools: ExitStack


def copied(copy: CopyFiles, provided: Provided | None, onto: Onto) -> list[Entry]:
    """Return the entries of COPY; *provided* has its files, None where it names none."""
    onto = _apart(onto) if copy.link else onto
    found = landed(_sources(copy, provided), copy.inline, copy.dest, onto.tree)
    return _entries(found, provided, _look(copy, onto), onto)


def added(step: AddSources, provided: Provided | None, onto: Onto, tools: Tools) -> list[Entry]:
    """Return the entries of ADD: archives unpacked, and what is fetched beside what is local."""
    copy = step.files
    onto = _apart(onto) if copy.link else onto
    adding = _Adding(step, onto, tools)
    adding.local(provided)
    for url in step.remote:
        adding.remote(tools.fetch(Ask(url, step.checksum, step.keep_git_dir)), url)
    adding.inline()
    return adding.entries()


def made_directory(step: MakeDirectory, onto: Onto) -> list[Entry]:
    """Return the directory of WORKDIR and its parents, those that are missing."""
    real = onto.tree.resolve(step.path.strip("/"))
    if not real or onto.tree.is_directory(real):
        return []
    owner = owner_of(step.owner, onto.read) if step.owner else (0, 0)
    entry = folder(real, onto.tree, owner, onto.mtime)
    return with_parents([entry], onto.tree, owner, onto.mtime)


class _Look(NamedTuple):
    """Whose files are and which mode they have; None keeps their own."""

    owner: Owner | None
    mode: Mode | None


class _Adding:
    def __init__(self, step: AddSources, onto: Onto, tools: Tools) -> None:
        self._step = step
        self._copy = step.files
        self._onto = onto
        self._tools = tools
        self._spools = tools.spools
        self._look = _look(step.files, onto)
        self._groups: list[list[Entry]] = []

    def local(self, provided: Provided | None) -> None:
        plain: list[Source] = []
        for source in _sources(self._copy, provided):
            if self._step.unpack is not False and not source.is_directory and provided:
                probe = provided.entries([(source.picked[0].file, "")], 0)[0]
                path = archive_path(probe, self._spools, self._tools.store.spool)
                if path is not None:
                    self._unpack(path)
                    continue
            plain.append(source)
        if plain:
            self._put(plain, provided)

    def remote(self, found: Remote, url: str) -> None:
        if found.is_directory:
            where = checkout(found.path, self._tools.report)
            whole = selected(where.files, [""], manner_of(self._copy))
            self._put(whole, where)
            return
        if self._step.unpack:
            self._unpack(found.path)
            return
        name = found.name.strip("/")
        if not name and self._copy.dest.endswith("/"):
            raise Misused(
                f"{url} names no file, and {self._copy.dest} is a directory",
                hint="say which file it becomes: end the destination with its name",
            )
        place = landed([], [Inline(name, b"")], self._copy.dest, self._onto.tree)
        (path,) = place.inline
        entry = _styled(fetched(found.path, path, found.mtime), self._look, keeps_owners=False)
        self._add([entry], place)

    def inline(self) -> None:
        if self._copy.inline:
            found = landed([], self._copy.inline, self._copy.dest, self._onto.tree)
            self._groups.append(_entries(found, None, self._look, self._onto))

    def entries(self) -> list[Entry]:
        return merged(self._groups)

    def _unpack(self, path: str) -> None:
        manner = Unpacking(self._look.owner, self._look.mode, self._onto.mtime)
        dest, tree = self._copy.dest, self._onto.tree
        self._groups.append(unpacked(path, dest, tree, manner, self._spool))

    def _spool(self) -> BinaryIO:
        return self._spools.enter_context(self._tools.store.spool())

    def _put(self, sources: Sequence[Source], provided: Provided | None) -> None:
        found = landed(sources, (), self._copy.dest, self._onto.tree)
        self._groups.append(_entries(found, provided, self._look, self._onto))

    def _add(self, entries: list[Entry], place: Landed) -> None:
        self._groups.append(_whole(entries, place, self._look, self._onto))


def _sources(copy: CopyFiles, provided: Provided | None) -> list[Source]:
    if provided is None:
        return []
    return selected(provided.files, copy.sources, manner_of(copy))


def _apart(onto: Onto) -> Onto:
    # What is linked stands on nothing: it is the same layer on every image.
    return onto._replace(tree=Tree(()))


def _look(copy: CopyFiles, onto: Onto) -> _Look:
    owner = owner_of(copy.owner, onto.read) if copy.owner else None
    return _Look(owner, parse_mode(copy.mode) if copy.mode else None)


def _entries(found: Landed, provided: Provided | None, look: _Look, onto: Onto) -> list[Entry]:
    # Taken out, so that there are never all files and all entries at once.
    pairs = ((found.files.pop(path), path) for path in sorted(found.files, key=order))
    entries = provided.entries(pairs, onto.mtime) if provided is not None else []
    keeps = provided is not None and provided.keeps_owners
    styled = [_styled(entry, look, keeps_owners=keeps) for entry in entries]
    for path, data in found.inline.items():
        _insert(styled, _styled(_inline(path, data, onto.mtime), look, keeps_owners=False))
    return _whole(styled, found, look, onto)


def _whole(entries: list[Entry], found: Landed, look: _Look, onto: Onto) -> list[Entry]:
    """Return *entries*, in the order of a layer, with the directories that have to be there."""
    owner = look.owner or (0, 0)
    there = {entry.path for entry in entries if entry.kind == DIRECTORY}
    for path in found.folders:
        if path not in there:
            _insert(entries, folder(path, onto.tree, owner, onto.mtime))
    return with_parents(entries, onto.tree, owner, onto.mtime)


def _insert(entries: list[Entry], entry: Entry) -> None:
    """Put *entry* where it belongs; they are few, and to sort anew takes a key for every file."""
    insort(entries, entry, key=lambda one: order(one.path))


def _inline(path: str, data: bytes, mtime: int) -> Entry:
    return Entry(path, FILE, _INLINE_MODE, 0, 0, len(data), mtime, "", data)


def _styled(entry: Entry, look: _Look, *, keeps_owners: bool) -> Entry:
    owner, mode = look
    if owner is not None:
        entry = entry._replace(uid=owner[0], gid=owner[1])
    elif not keeps_owners and (entry.uid or entry.gid):
        entry = entry._replace(uid=0, gid=0)
    if mode is not None and entry.kind != SYMLINK:
        own = mode.of(entry.mode, directory=entry.kind == DIRECTORY)
        entry = entry._replace(mode=own)
    return entry
