"""Files on disk as entries: one look at each, in the order of their names' bytes."""

import os
import stat
from collections.abc import Iterable
from typing import NamedTuple

from artificer import limits
from artificer.errors import ArtificerError, reason
from artificer.events import Report, SocketSkipped
from artificer.layers.entry import DIRECTORY, FIFO, FILE, SYMLINK, Entry, Source, Stat, stat_of
from artificer.layers.rules import Rules
from artificer.layers.whiteout import PREFIX

Identity = tuple[int, int]
"""Device and inode: what two names of one file share."""

Seen = tuple[str, Stat]
"""A path on disk, no link but in its last component, and what `os.lstat` says of it."""


class Unreadable(ArtificerError):
    """A file or directory that is missing, or that we may not read."""


class Unfit(ArtificerError):
    """A file that an image cannot be made of."""


class Group(NamedTuple):
    """The entries of one source, and *origin*, its name for people.

    *identities* tells the regular files that have more than one name on disk. An archive's
    entries keep their order, others are sorted. *seen* is what was looked at besides the
    entries that are files on disk: what else has to be unchanged for these entries to be so.
    """

    origin: str
    entries: list[Entry]
    identities: dict[str, Identity]
    archive: bool = False
    seen: tuple[Seen, ...] = ()


class Walk:
    """What was found so far below one named directory."""

    __slots__ = ("_above", "_cut", "_report", "_rules", "entries", "identities", "seen")

    def __init__(self, rules: Rules, report: Report) -> None:
        self.entries: list[Entry] = []
        self.identities: dict[str, Identity] = {}
        self.seen: list[Seen] = []
        self._rules = rules
        self._report = report
        self._cut = 0
        self._above: list[Identity] = []

    def directory(self, source: str, path: str) -> None:
        """Add what is in the directory *source*, but not itself, below *path* in the image.

        The patterns of what is left out are matched against names relative to *source*.
        """
        prefix = f"{path}/" if path else ""
        self._cut = len(prefix)
        status = os.stat(source)
        self._note(source, status)
        if self._rules.follow:
            self._above.append(_identity(status))
        self._below(source, prefix)

    def one(self, source: str, path: str, status: os.stat_result) -> None:
        """Add the single file *source*, of which *status* is known, as *path*."""
        mode = status.st_mode
        rules = self._rules
        real = self._note(source, status)
        mtime = int(status.st_mtime_ns // 1_000_000_000) if rules.mtime is None else rules.mtime
        link = ""
        size = 0
        where = None
        if stat.S_ISREG(mode):
            kind, size, where = FILE, status.st_size, real
            normal = 0o755 if mode & 0o100 else 0o644
            if status.st_nlink > 1:
                self.identities[path] = _identity(status)
        elif stat.S_ISDIR(mode):
            kind, normal = DIRECTORY, 0o755
        elif stat.S_ISLNK(mode):
            kind, normal, link = SYMLINK, 0o777, os.readlink(source)
        elif stat.S_ISFIFO(mode):
            kind, normal = FIFO, 0o644
        else:
            self._special(source, mode)
            return
        own = stat.S_IMODE(mode)
        permissions = normal if kind == SYMLINK else rules.mode(path, normal, own)
        uid, gid = rules.owner(path, (0, 0), (status.st_uid, status.st_gid))
        self.entries.append(
            Entry(
                path, kind, permissions, uid, gid, size, mtime, link, where, stat=stat_of(status)
            )
        )

    def _note(self, source: str, status: os.stat_result) -> str:
        """Remember what *source* is, and return what it led to: nobody follows it again."""
        if stat.S_ISLNK(status.st_mode) or not os.path.islink(source):
            self.seen.append((source, stat_of(status)))
            return source
        # A link that was followed: it may be led elsewhere, and what it leads to may change.
        real = os.path.realpath(source)
        self.seen.append((source, stat_of(os.lstat(source))))
        self.seen.append((real, stat_of(status)))
        return real

    def _special(self, source: str, mode: int) -> None:
        if not stat.S_ISSOCK(mode):
            raise Unfit(
                f"a device: {source}",
                hint="devices come from tars only: `--tar FILE`; or leave it out with `--exclude`",
            )
        self._report(SocketSkipped(source))

    def _below(self, directory: str, prefix: str) -> None:
        rules = self._rules
        excluded = rules.excluded if rules.excluded.rules else None
        plain = not (rules.chmod or rules.chown or rules.follow) and rules.mtime is not None
        mtime = rules.mtime or 0
        add = self.entries.append
        for item in _sorted(directory):
            path = prefix + item.name
            if excluded is not None and excluded(path[self._cut :]):
                self._left_out(item, path)
                continue
            if item.name.startswith(PREFIX):
                raise _marker(item.path)
            status = item.stat(follow_symlinks=rules.follow)
            mode = status.st_mode
            # Nearly every file goes this way: spelled out, since it is 2 µs of 4.
            if plain and mode & 0o170000 == 0o100000 and status.st_nlink == 1:
                size = status.st_size
                seen = stat_of(status)
                permissions = 0o755 if mode & 0o100 else 0o644
                where = item.path
                add(Entry(path, FILE, permissions, 0, 0, size, mtime, "", where, (), (0, 0), seen))
                continue
            self.one(item.path, path, status)
            if mode & 0o170000 == 0o040000:
                self._descend(item.path, path, status)

    def _descend(self, source: str, path: str, status: os.stat_result) -> None:
        if path.count("/") >= limits.DEPTH:
            raise Unfit(f"directories nested deeper than {limits.DEPTH}: {source}")
        if not self._rules.follow:
            self._below(source, f"{path}/")
            return
        identity = _identity(status)
        if identity in self._above:
            raise Unfit(
                f"a symbolic link leads back to a directory above it: {source}",
                hint="leave it out with `--exclude`, or keep links by not asking to follow them",
            )
        self._above.append(identity)
        self._below(source, f"{path}/")
        self._above.pop()

    def _left_out(self, item: "os.DirEntry[str]", path: str) -> None:
        # A `!` may take in again what lies below a directory that is left out.
        rules = self._rules
        if not rules.excluded.prunes and item.is_dir(follow_symlinks=rules.follow):
            status = item.stat(follow_symlinks=rules.follow)
            self._note(item.path, status)
            self._descend(item.path, path, status)


def unreadable(error: OSError) -> ArtificerError:
    """Return what to tell about *error*, which the system gave for a file."""
    name = os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else "a file"
    if isinstance(error, FileNotFoundError):
        return Unreadable(f"{name}: {reason(error)}", hint=_missing_hint(name))
    hint = None
    if isinstance(error, PermissionError):
        hint = "make it readable for this user, or leave it out with `--exclude`"
    return Unreadable(f"{name}: {reason(error)}", hint=hint)


def with_xattrs(entries: Iterable[Entry]) -> list[Entry]:
    """Return *entries* with the extended attributes of the files on disk among them.

    `user.…` and file capabilities are kept; whatever else there is belongs to the host (ACLs,
    labels). A second look at each file, so not part of the walk: a change of attributes shows
    in the stat that the walk saw.
    """
    if not hasattr(os, "listxattr"):
        return list(entries)
    return [_with_own_xattrs(entry, entry.source) for entry in entries]


def _with_own_xattrs(entry: Entry, source: Source) -> Entry:
    if entry.kind != FILE or not isinstance(source, str):
        return entry
    found = _xattrs(source)
    return entry._replace(xattrs=found) if found else entry


def _xattrs(path: str) -> tuple[tuple[str, bytes], ...]:
    try:
        return tuple(
            (name, os.getxattr(path, name))
            for name in sorted(os.listxattr(path))
            if name.startswith("user.") or name == "security.capability"
        )
    except OSError:  # The file system has none; or the file is gone, which its reader will tell.
        return ()


def _sorted(directory: str) -> "list[os.DirEntry[str]]":
    with os.scandir(directory) as items:
        found = {item.name: item for item in items}
    names = sorted(found)
    if not "".join(names).isascii():
        names.sort(key=os.fsencode)
    return [found[name] for name in names]


def _marker(name: str) -> Unfit:
    return Unfit(
        f"{name}: a name that begins with {PREFIX} says that a file is gone",
        hint="ask for that with `--delete /PATH`, or leave the file out with `--exclude`",
    )


def _identity(status: os.stat_result) -> Identity:
    return status.st_dev, status.st_ino


def _missing_hint(name: str) -> str:
    if name.startswith("~"):
        return "the shell expands `~` only at the start of a word: write `--files ~/x`, or $HOME"
    source, colon, dest = name.rpartition(":")
    if colon and os.path.lexists(source):
        return f"a destination begins with a slash: `{source}:/{dest}`"
    if os.path.islink(name):
        return f"{name} is a link to {os.readlink(name)}, which is not there"
    above, missing = os.path.split(os.path.abspath(name))
    while not os.path.lexists(above):
        above, missing = os.path.split(above)
    return f"there is no {missing} in {above}"
