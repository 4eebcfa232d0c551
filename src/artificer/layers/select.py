"""What the command line names, as the entries of one layer."""

import os
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from typing import NamedTuple, assert_never

from artificer.errors import Misused
from artificer.events import Report, unheard
from artificer.layers.entry import DIRECTORY, FILE, SYMLINK, Entry, stat_of
from artificer.layers.merge import merged
from artificer.layers.patterns import expanded, is_pattern
from artificer.layers.rules import Rules
from artificer.layers.walk import Group, Seen, Unreadable, Walk, unreadable
from artificer.layers.whiteout import PREFIX, whiteout


class InvalidSource(Misused):
    """A word that does not say which files, or not where to."""


class LocalPath(NamedTuple):
    """A file, a directory or a pattern on this machine, and where it goes.

    *dest* None means by its name at `/`. Ending with "/" it is a directory to put it into;
    otherwise a file gets this path, and a directory's contents go below it.
    """

    source: str
    dest: str | None = None


class TarFile(NamedTuple):
    """An archive (`-` is standard input) whose members are put below *dest*."""

    path: str
    dest: str = ""


class SymlinkTo(NamedTuple):
    """A symbolic link at *path* to *target*, which is kept as it is."""

    path: str
    target: str


class EmptyDir(NamedTuple):
    """A directory at *path*."""

    path: str
    mode: int = 0o755


class EmptyFile(NamedTuple):
    """A file of no bytes at *path*."""

    path: str
    mode: int = 0o644


class Delete(NamedTuple):
    """*path* of the base, and all below it, is not in the image."""

    path: str


Source = LocalPath | TarFile | SymlinkTo | EmptyDir | EmptyFile | Delete
Archive = Callable[[TarFile], list[Entry]]
"""Reads an archive: `archive.Archives(…).entries`, imported by whoever has one to read."""


def parse_files_word(word: str) -> LocalPath:
    """Read `SRC` or `SRC:/DEST`. Nothing is looked up on disk."""
    source, dest = _divided(word)
    if not source:
        raise InvalidSource(f"no file is named: {word!r}", hint="write SRC or SRC:/DEST")
    name = _without_slashes(source)
    if dest is None and name.rpartition("/")[2] == "..":
        raise InvalidSource(
            f"{source} has no name of its own",
            hint=f"say where it goes: `{source}:/DEST`, or name it from the directory above",
        )
    if dest is not None and is_pattern(source) and not dest.endswith("/") and dest:
        raise InvalidSource(
            f"a pattern may name several files: {word!r}",
            hint=f"end the destination with a slash: `{source}:/{dest}/`",
        )
    return LocalPath(source, dest)


def parse_tar_word(word: str) -> TarFile:
    """Read `FILE` or `FILE:/DEST`; `-` is standard input."""
    path, dest = _divided(word)
    if not path:
        raise InvalidSource(f"no archive is named: {word!r}", hint="write FILE or FILE:/DEST")
    return TarFile(path, (dest or "").rstrip("/"))


def parse_symlink_word(word: str) -> SymlinkTo:
    """Read `LINK=TARGET`."""
    link, equals, target = word.partition("=")
    if not equals or not target or "\0" in target:
        raise InvalidSource(f"not a link: {word!r}", hint="write LINK=TARGET")
    return SymlinkTo(image_path(link), target)


def image_path(text: str) -> str:
    """Return *text*, an absolute path in an image, as an entry has it: no slash at either end.

    `..` is refused, `.` and doubled slashes vanish.
    """
    path = destination(text).rstrip("/")
    if not path:
        raise InvalidSource(f"the root directory cannot be changed: {text!r}")
    return path


def destination(text: str) -> str:
    """Return *text*, an absolute path, without its first slash; a last one stays ("" is `/`)."""
    parts = [part for part in text.split("/") if part not in {"", "."}]
    if ".." in parts:
        raise InvalidSource(f"a path that goes upwards: {text!r}", hint="write it without `..`")
    if not text.startswith("/"):
        raise InvalidSource(f"not an absolute path: {text!r}", hint=f"write `/{text}`")
    if "\0" in text or any(part.startswith(PREFIX) for part in parts):
        raise InvalidSource(f"not a path for a file: {text!r}", hint="use `--delete` to hide one")
    return "/".join(parts) + ("/" if parts and text.endswith("/") else "")


def entries_of(
    sources: Iterable[Source],
    rules: Rules,
    *,
    report: Report = unheard,
    archive: Archive | None = None,
    seen: list[Seen] | None = None,
) -> list[Entry]:
    """Return what *sources* name: whiteouts, then files by path, then archives as they are.

    Parents that nobody names are not among them (`place.placed` adds what the base lacks), and
    no extended attributes (`walk.with_xattrs`). Without *archive*, archives are left out. To
    *seen* is added everything on disk that the entries depend on: while all of it is unchanged,
    they are (standard input is not on disk).
    """
    try:
        groups = [group for source in sources for group in _groups(source, rules, report, archive)]
        entries = merged(groups)
    except OSError as error:
        raise unreadable(error) from error
    if seen is not None:
        seen.extend(chain.from_iterable(map(_seen, groups)))
    return entries


def _seen(group: Group) -> Iterator[Seen]:
    # The stat of a link that was followed is its target's: it has been noted as what it is.
    noted = {path for path, _ in group.seen}
    for entry in group.entries:
        path = entry.source
        if entry.stat is not None and isinstance(path, str) and path not in noted:
            yield path, entry.stat
    yield from group.seen


def _groups(
    source: Source, rules: Rules, report: Report, archive: Archive | None
) -> Sequence[Group]:
    match source:
        case LocalPath():
            return _local(source, rules, report)
        case TarFile(path):
            files = () if path == "-" else ((path, stat_of(os.stat(path))),)
            entries = archive(source) if archive is not None else []
            return [Group(path, entries, {}, archive=True, seen=files)]
        case SymlinkTo(path, target):
            return [_made(path, SYMLINK, 0o777, target, rules)]
        case EmptyDir(path, mode):
            return [_made(path, DIRECTORY, mode, "", rules)]
        case EmptyFile(path, mode):
            return [_made(path, FILE, mode, "", rules)]
        case Delete(path):
            return [Group(f"--delete /{path}", [whiteout(path, rules.mtime or 0)], {})]
        case _:
            assert_never(source)


def _made(path: str, kind: str, mode: int, link: str, rules: Rules) -> Group:
    permissions = mode if kind == SYMLINK else rules.mode(path, mode, mode)
    uid, gid = rules.owner(path, (0, 0), (0, 0))
    data = b"" if kind == FILE else None
    entry = Entry(path, kind, permissions, uid, gid, 0, rules.mtime or 0, link, data)
    return Group(f"the word for /{path}", [entry], {})


def _local(word: LocalPath, rules: Rules, report: Report) -> list[Group]:
    if not is_pattern(word.source) or os.path.lexists(_without_slashes(word.source)):
        return [_named(word, rules, report)]
    groups = _matched(word, rules, report)
    if not groups:
        raise Unreadable(
            f"no file matches {word.source}", hint="`**` spans directories; `*` skips dot files"
        )
    return groups


def _matched(word: LocalPath, rules: Rules, report: Report) -> list[Group]:
    """Return what a shell would: each match as a word. Below a `**`, files keep their path."""
    parts = word.source.split("/")
    listed: list[Seen] = []

    def names(directory: str) -> list[str]:
        found = _names(directory)
        if found:
            path = os.path.realpath(directory or ".")
            listed.append((path, stat_of(os.stat(path))))
        return found

    found = expanded(word.source, names)
    if "**" not in parts:
        groups = [_named(LocalPath(path, word.dest), rules, report) for path in found]
        return [*groups, Group(word.source, [], {}, seen=tuple(listed))] if groups else []
    start = parts.index("**")
    walk = Walk(rules, report)
    for path in found:
        status = os.stat(path) if rules.follow else os.lstat(path)
        if not stat.S_ISDIR(status.st_mode):
            below = "/".join(path.split("/")[start:])
            walk.one(path, f"{word.dest or ''}{below}", status)
    if not walk.entries:
        return []
    seen = (*listed, *walk.seen)
    return [Group(word.source, walk.entries, walk.identities, seen=seen)]


def _named(word: LocalPath, rules: Rules, report: Report) -> Group:
    source = _without_slashes(word.source)
    status = os.stat(source)
    walk = Walk(rules, report)
    if not stat.S_ISDIR(status.st_mode):
        if word.source.endswith("/"):
            raise Unreadable(f"{word.source}: not a directory", hint=f"name it as `{source}`")
        dest = "" if word.dest is None else word.dest
        path = dest if dest and not dest.endswith("/") else dest + os.path.basename(source)
        _checked_name(path, source)
        walk.one(source, path, status)
        return Group(word.source, walk.entries, walk.identities, seen=tuple(walk.seen))
    path, itself = _directory_place(word)
    _checked_name(path, source)
    walk.directory(source.removesuffix("/.") or "/", path)
    # Contents that go to a directory do not change it; but an empty one would not be there.
    if path and (itself or not walk.entries):
        itself_only = Walk(rules, report)
        itself_only.one(source, path, status)
        walk.entries.insert(0, itself_only.entries[0])
    return Group(word.source, walk.entries, walk.identities, seen=tuple(walk.seen))


def _directory_place(word: LocalPath) -> tuple[str, bool]:
    """Return where a directory goes, and whether it is named itself or only its contents are."""
    name = os.path.basename(_without_slashes(word.source))
    only_contents = name in {"", ".", ".."}
    if word.dest is None:
        return ("", False) if only_contents else (name, True)
    if word.dest and not word.dest.endswith("/"):
        return word.dest, False
    return (word.dest.rstrip("/"), False) if only_contents else (word.dest + name, True)


def _checked_name(path: str, source: str) -> None:
    if path.rpartition("/")[2].startswith(PREFIX):
        raise InvalidSource(
            f"{source}: a name that begins with {PREFIX} says that a file is gone",
            hint="ask for that with `--delete /PATH`",
        )


def _divided(word: str) -> tuple[str, str | None]:
    source, colon, dest = word.rpartition(":/")
    return (source, destination(f"/{dest}")) if colon else (word, None)


def _without_slashes(path: str) -> str:
    return path.rstrip("/") or path[:1]


def _names(directory: str) -> list[str]:
    try:
        return os.listdir(directory or ".")
    except (FileNotFoundError, NotADirectoryError):
        return []
