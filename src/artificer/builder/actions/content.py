"""The content of a layer, or of a tar, as entries: what a BUILD file puts where."""

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from posixpath import dirname, join, normpath, relpath
from typing import BinaryIO, NamedTuple, TypeVar

from artificer.builder.products import File
from artificer.builder.targets import Content, Put
from artificer.builder.task import Task, WrongInput
from artificer.errors import ArtificerError
from artificer.layers.archive import Archives
from artificer.layers.entry import DIRECTORY, FILE, HARDLINK, SYMLINK, Entry
from artificer.layers.merge import merged
from artificer.layers.parents import outer
from artificer.layers.rules import Rules
from artificer.layers.select import TarFile
from artificer.layers.walk import Group
from artificer.layers.whiteout import is_whiteout
from artificer.sources.debian.deb import PieceNames, read_deb, status_entries

_T = TypeVar("_T")

_SHARED_MODES = {"tmp": 0o1777, "var/tmp": 0o1777, "root": 0o700}
"""Modes of directories that nobody names, where 0755 would break whatever is below."""


_USR = frozenset(("bin", "sbin", "lib", "lib32", "lib64", "libx32"))


class Contents(NamedTuple):
    """Entries in their order, and the packages among them whose scripts were not run."""

    entries: list[Entry]
    scripts: tuple[str, ...]


class WrongPath(ArtificerError):
    """A path of a BUILD file that no image can have."""


def contents(content: Content, task: Task, spools: ExitStack) -> Contents:
    """The entries that *content* comes to; *spools* keeps open what they are spans of.

    Of several entries with one path the first is taken. Parents that nobody names are not added.
    """
    packer = _Packer(content, task, spools)
    groups = [
        ("its files", list(packer.files())),
        ("its empty files and directories", list(packer.empty())),
        ("its symlinks", list(packer.links())),
        *packer.tars(),
        *packer.debs(),
    ]
    entries = _first_of_each(groups, task)
    if content.windows:
        entries = _below_files(entries)
    merged([Group(task.label, entries, {}, archive=True)])
    return Contents(entries, tuple(packer.scripts))


def with_parents(entries: list[Entry], mtime: int) -> list[Entry]:
    """*entries*, each behind the directories above it; those that nobody names are 0755, 0:0."""
    named = {entry.path: entry for entry in entries if entry.kind == DIRECTORY}
    done = {""}
    out: list[Entry] = []
    for entry in entries:
        for parent in outer(entry.path):
            if parent not in done:
                done.add(parent)
                out.append(named.get(parent) or _directory(parent, mtime))
        if entry.path not in done:
            out.append(entry)
        if entry.kind == DIRECTORY:
            done.add(entry.path)
    return out


def image_path(text: str, task: Task) -> str:
    """*text*, a path in an image with or without its first slash, as an entry has it."""
    parts = [part for part in text.split("/") if part not in {"", "."}]
    if ".." in parts or "\0" in text:
        raise WrongPath(f"{task.label}: a path that goes upwards: {text!r}")
    path = "/".join(parts)
    if is_whiteout(path):
        raise WrongPath(f"{task.label}: /{path}: a name that begins with .wh. hides a file")
    return path


def merged_usr(entries: Iterable[Entry]) -> Iterator[Entry]:
    """*entries* where the directories of the root are links into /usr, which are there already."""
    for entry in entries:
        path = _below_usr(entry.path)
        if entry.kind == HARDLINK:
            yield entry._replace(path=path, link=_below_usr(entry.link))
        elif path == entry.path:
            yield entry
        elif entry.kind != SYMLINK:
            yield from () if entry.path in _USR else (entry._replace(path=path),)
        else:
            target = _below_usr(normpath(join("/", dirname(entry.path), entry.link)).lstrip("/"))
            link = relpath(target, dirname(path)) if ".." in entry.link else entry.link
            # One that would lead to itself was for those who look in the other directory.
            yield from () if target == path else (entry._replace(path=path, link=link),)


def _below_usr(path: str) -> str:
    return f"usr/{path}" if path.partition("/")[0] in _USR else path


class _Packer:
    """The parts of one content, each as entries."""

    def __init__(self, content: Content, task: Task, spools: ExitStack) -> None:
        self._content = content
        self._task = task
        self._spools = spools
        self._modes = {image_path(path, task): mode for path, mode in content.modes}
        self._owners = {image_path(path, task): owner for path, owner in content.owners}
        self.scripts: list[str] = []

    def files(self) -> Iterator[Entry]:
        """What is put as it is: one entry a file."""
        for put in self._content.puts:
            files = self._task.files(put.source)
            if put.name is not None and len(files) != 1:
                raise WrongInput(f"/{put.name} is to be {len(files)} files at once")
            for file in files:
                yield self._file(put, file)

    def empty(self) -> Iterator[Entry]:
        """What has no bytes. Neither is put below the directory of the files (RD-22)."""
        for path in self._content.empty_files:
            yield self._made(path, FILE, 0o644)
        for path in self._content.empty_dirs:
            yield self._made(path, DIRECTORY, 0o755)

    def links(self) -> Iterator[Entry]:
        """The symbolic links."""
        for path, target in self._content.symlinks:
            yield self._made(path, SYMLINK, 0o777)._replace(link=target)

    def tars(self) -> Iterator[tuple[str, list[Entry]]]:
        """The members of each tar, in its order."""
        for put in self._content.tars:
            for file in self._task.files(put.source):
                yield file.short, self._owned(self._tar(put, file), put)

    def debs(self) -> Iterator[tuple[str, list[Entry]]]:
        """The files of each package, and what scanners know it by."""
        content, pieces = self._content, PieceNames()
        for put in content.debs:
            for file in self._task.files(put.source):
                deb = _called(file, lambda path: read_deb(path, self._spool))
                files = merged_usr(deb.entries) if content.merged_usr else deb.entries
                name = pieces.of(deb.package)
                entries = [*files, *status_entries(deb.package, content.mtime, name)]
                if deb.package.acts:
                    self.scripts.append(deb.package.name)
                    names = ", ".join(deb.package.acts)
                    self._task.warn(f"{deb.package.name}: maintainer scripts are not run: {names}")
                yield file.short, self._owned([self._moved(one, put) for one in entries], put)

    def _file(self, put: Put, file: File) -> Entry:
        path = self._path(put, file)
        if put.linked:
            top = image_path(f"{self._content.directory}/{put.directory}", self._task)
            link = f"/{put.linked}{path.removeprefix(top)}"
            return self._made(path, SYMLINK, 0o777)._replace(link=link)
        if file.kind != "file":
            return self._other(put, file, path)
        mode = self._modes.get(path, put.mode)
        if mode is None:
            mode = self._content.mode
        if mode is None:
            mode = 0o755 if file.executable else 0o644
        uid, gid = self._owner(path, put)
        size = os.stat(file.path).st_size
        seen = self._task.tools.inputs.stat_of(file.path)
        time = self._content.mtime
        return Entry(path, FILE, mode, uid, gid, size, time, "", file.path, stat=seen)

    def _other(self, put: Put, file: File, path: str) -> Entry:
        """A link, or an empty directory, of a directory."""
        if file.kind == "directory":
            entry = self._made(path, DIRECTORY, 0o755)
        else:
            with open(file.path, "rb") as opened:
                link = os.fsdecode(opened.read())
            entry = self._made(path, SYMLINK, 0o777)._replace(link=link)
        uid, gid = self._owner(path, put)
        return entry._replace(uid=uid, gid=gid)

    def _path(self, put: Put, file: File) -> str:
        if put.name is not None:
            return image_path(put.name, self._task)
        if put.strip is not None:
            below = self._stripped(put.strip, file)
        elif file.tree:
            below = file.short[len(file.tree.rpartition("/")[0]) :]
        else:
            below = file.short.rpartition("/")[2]
        return image_path(f"{self._content.directory}/{put.directory}/{below}", self._task)

    def _stripped(self, prefix: str, file: File) -> str:
        prefix = prefix.strip("/")
        if not prefix:
            return file.short
        if not file.short.startswith(f"{prefix}/"):
            # As the docker rules do; only what another repository has is put by its name.
            elsewhere = file.short.startswith("external/")
            return file.short.rpartition("/")[2] if elsewhere else file.short
        return file.short[len(prefix) + 1 :]

    def _made(self, path: str, kind: str, mode: int) -> Entry:
        place = image_path(path, self._task)
        if not place:
            raise WrongPath(f"{self._task.label}: the root directory cannot be changed: {path!r}")
        if kind != SYMLINK:
            usual = mode if self._content.mode is None else self._content.mode
            if kind == DIRECTORY:
                # Who may read a directory may enter it, whatever the mode of the files is.
                usual |= (usual & 0o444) >> 2
            mode = self._modes.get(place, usual)
        uid, gid = self._owner(place, None)
        data = b"" if kind == FILE else None
        return Entry(place, kind, mode, uid, gid, 0, self._content.mtime, "", data)

    def _owner(self, path: str, put: Put | None) -> tuple[int, int]:
        own = put.owner if put is not None else None
        return self._owners.get(path) or own or self._content.owner

    def _tar(self, put: Put, file: File) -> list[Entry]:
        content = self._content
        rules = Rules(archive_mtime=None if content.keep_times else content.mtime)
        dest = image_path(f"{content.directory}/{put.directory}", self._task)
        archives = Archives(rules, self._spool)
        return _called(file, lambda path: archives.entries(TarFile(path, dest)))

    def _moved(self, entry: Entry, put: Put) -> Entry:
        content = self._content
        prefix = image_path(f"{content.directory}/{put.directory}", self._task)
        link = entry.link
        if prefix and entry.kind == HARDLINK:
            link = f"{prefix}/{link}"
        return entry._replace(
            path=f"{prefix}/{entry.path}" if prefix else entry.path,
            link=link,
            mtime=entry.mtime if content.keep_times else content.mtime,
        )

    def _owned(self, entries: list[Entry], put: Put) -> list[Entry]:
        if put.owner is None and put.mode is None and not (self._owners or self._modes):
            return entries
        return [self._attributed(entry, put) for entry in entries]

    def _attributed(self, entry: Entry, put: Put) -> Entry:
        uid, gid = self._owners.get(entry.path) or put.owner or (entry.uid, entry.gid)
        mode = self._modes.get(entry.path)
        if mode is None and put.mode is not None and entry.kind == FILE:
            mode = put.mode
        if mode is None or entry.kind == SYMLINK:
            mode = entry.mode
        return entry._replace(uid=uid, gid=gid, mode=mode)

    def _spool(self) -> BinaryIO:
        return self._spools.enter_context(self._task.reach.store.spool())


def _called(file: File, read: Callable[[str], _T]) -> _T:
    """What *read* makes of *file*, whose errors name it as people do."""
    try:
        return read(file.path)
    except ArtificerError as error:
        error.message = error.message.replace(file.path, file.short)
        error.args = (error.message,)
        raise


def _first_of_each(groups: list[tuple[str, list[Entry]]], task: Task) -> list[Entry]:
    taken: dict[str, tuple[Entry, str]] = {}
    for origin, entries in groups:
        for entry in entries:
            first = taken.setdefault(entry.path, (entry, origin))
            if first[0] is not entry and not first[0].kind == entry.kind == DIRECTORY:
                task.warn(f"/{entry.path} of {origin} is left out: {first[1]} came first")
    return _linked([entry for entry, _ in taken.values()], groups)


def _linked(entries: list[Entry], groups: list[tuple[str, list[Entry]]]) -> list[Entry]:
    """Drop hard links to something that was left out: they would name other bytes."""
    links = [entry for entry in entries if entry.kind == HARDLINK]
    if not links:
        return entries
    kept = set(map(id, entries))
    lost = {
        entry.path
        for _, group in groups
        for entry in group
        if entry.kind == FILE and id(entry) not in kept
    }
    broken = next((link for link in links if link.link in lost), None)
    if broken is not None:
        raise WrongInput(
            f"/{broken.path} is a hard link to /{broken.link}, of which another file came first",
            hint="leave one of the two archives out, or put them into layers of their own",
        )
    return entries


def _below_files(entries: list[Entry]) -> list[Entry]:
    """As layers of Windows images have it: files below Files/, and a directory for hives."""
    moved = [
        entry._replace(
            path=f"Files/{entry.path}",
            link=f"Files/{entry.link}" if entry.kind == HARDLINK else entry.link,
        )
        for entry in entries
    ]
    return [_directory("Files", 0), *moved, _directory("Hives", 0)]


def _directory(path: str, mtime: int) -> Entry:
    mode = _SHARED_MODES.get(path, 0o755)
    return Entry(path, DIRECTORY, mode, 0, 0, 0, mtime, "", None)
