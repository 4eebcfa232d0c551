"""Where the files of a COPY land: its destination, links and directories that are there."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from artificer import limits
from artificer.builder.staged.select import Source
from artificer.builder.stages import Inline
from artificer.errors import ArtificerError
from artificer.layers.entry import DIRECTORY, SYMLINK, Entry
from artificer.layers.index import File
from artificer.layers.merge import TooLarge, check_path
from artificer.layers.place import missing_parents
from artificer.layers.tree import Tree

Owner = tuple[int, int]


class NoRoom(ArtificerError):
    """A file cannot stand at its destination: something of another kind is there."""


class Landed(NamedTuple):
    """What lands where: *files* and *inline* by path, and *folders*, which have to be there."""

    files: dict[str, File]
    inline: dict[str, bytes]
    folders: dict[str, None]

    @property
    def paths(self) -> list[str]:
        """Where something lands, in the order of a layer."""
        return sorted((*self.files, *self.inline), key=order)


def order(path: str) -> bytes:
    """Return what sorts paths by their components, as bytes."""
    return path.encode("utf-8", "surrogateescape").replace(b"/", b"\0")


def landed(sources: Iterable[Source], inline: Sequence[Inline], dest: str, tree: Tree) -> Landed:
    """Return where *sources* and *inline* land in the image of *tree* for the destination *dest*.

    What *dest* leads to is followed to its end. A directory's contents go below it, a file goes
    to it, or into it where it ends with "/" or is a directory; what comes later wins.
    """
    landing = _Landing(dest, tree)
    for source in sources:
        if source.is_directory:
            landing.contents(source)
        else:
            landing.file(source.name, source.picked[0].file)
    for one in inline:
        landing.file(one.name, one.data)
    _check(landing.found)
    return landing.found


def with_parents(entries: Sequence[Entry], tree: Tree, owner: Owner, mtime: int) -> list[Entry]:
    """Return *entries*, which are in order, each after the directories above it.

    Those of the image stay as they are; others are made, 0755, for *owner*.
    """
    named = {entry.path for entry in entries if entry.kind == DIRECTORY}
    done = {""}
    out: list[Entry] = []
    for entry in entries:
        for parent in missing_parents(entry.path, done):
            done.add(parent)
            if parent not in named:
                out.append(_parent(parent, tree, owner, mtime))
        out.append(entry)
        if entry.kind == DIRECTORY:
            done.add(entry.path)
    return out


def folder(path: str, tree: Tree, owner: Owner, mtime: int) -> Entry:
    """Return the entry of the directory *path*: as it is in *tree*, or a new one."""
    return _parent(path, tree, owner, mtime)


class _Landing:
    def __init__(self, dest: str, tree: Tree) -> None:
        self.found = Landed({}, {}, {})
        self._tree = tree
        self._dest = dest
        self._at = tree.resolve(dest.strip("/"))
        self._single = ""

    def file(self, name: str, what: File | bytes) -> None:
        """Put one file, called *name*, to the destination or into it."""
        at = self._at
        if self._dest.endswith("/") or not at or self._is_folder(at):
            self._need_folder(at)
            at = f"{at}/{name}" if at else name
        elif self._single:
            raise NoRoom(
                f"{self._single} and {name} both go to /{at}, which is not a directory",
                hint=f"end the destination with a slash: {self._dest}/",
            )
        else:
            self._single = name
        self._put(at, what, new=False)

    def contents(self, source: Source) -> None:
        """Put the contents of a directory below the destination."""
        self._need_folder(self._at)
        known = self._tree.lookup(self._at) is not None or not self._at
        # Where each directory lands, and whether the image has anything there.
        places: dict[str, tuple[str, bool]] = {"": (self._at, known)}
        for file, below in source.picked:
            above, _, name = below.rpartition("/")
            parent, known = places[above]
            path = f"{parent}/{name}" if parent else name
            if file.kind == DIRECTORY:
                places[below] = path, known = self._directory(path, known)
            self._put(path, file, new=not known)

    def _directory(self, path: str, known: bool) -> tuple[str, bool]:  # noqa: FBT001 - internal
        there = self._tree.lookup(path, follow=False) if known else None
        if there is None:
            return path, False
        if there.kind == SYMLINK and self._tree.is_directory(path):
            return self._tree.resolve(path), True
        if there.kind != DIRECTORY:
            raise NoRoom(f"a directory cannot be copied over the file /{path}")
        return path, True

    def _put(self, path: str, what: File | bytes, *, new: bool) -> None:
        found = self.found
        is_directory = isinstance(what, File) and what.kind == DIRECTORY
        before = found.files.get(path)
        if path in found.folders or (before is not None and before.kind == DIRECTORY):
            if not is_directory:
                raise NoRoom(f"a file cannot be copied over the directory /{path}")
        elif is_directory:
            if before is not None or path in found.inline:
                raise NoRoom(f"a directory cannot be copied over the file /{path}")
        elif not new and self._holds_directory(path):
            raise NoRoom(f"a file cannot be copied over the directory /{path}")
        found.files.pop(path, None)
        found.inline.pop(path, None)
        if isinstance(what, File):
            found.files[path] = what
        else:
            found.inline[path] = what

    def _need_folder(self, path: str) -> None:
        there = self._tree.lookup(path, follow=False) if path else None
        taken = path in self.found.inline or path in self.found.files
        if (there is not None and there.kind != DIRECTORY) or taken:
            raise NoRoom(
                f"/{path} is a file, not a directory to copy into",
                hint=None if taken else "leave out the slash at the end to replace it",
            )
        if path:
            self.found.folders[path] = None

    def _is_folder(self, path: str) -> bool:
        return path in self.found.folders or self._holds_directory(path)

    def _holds_directory(self, path: str) -> bool:
        there = self._tree.lookup(path, follow=False)
        return there is not None and there.kind == DIRECTORY


def _check(found: Landed) -> None:
    count = len(found.files) + len(found.inline)
    if count > limits.ENTRIES:
        raise TooLarge(f"{count} files: more than {limits.ENTRIES}")
    for path in (*found.files, *found.inline):
        if len(path) > limits.DEPTH * 2:
            check_path(path)


def _parent(path: str, tree: Tree, owner: Owner, mtime: int) -> Entry:
    there = tree.lookup(path, follow=False)
    if there is None:
        return Entry(path, DIRECTORY, 0o755, *owner, 0, mtime, "", None)
    if there.kind != DIRECTORY:
        raise NoRoom(f"/{path} is not a directory, but something is to be put below it")
    own = (there.mode, there.uid, there.gid)
    return Entry(path, DIRECTORY, *own, 0, there.mtime, "", None, there.xattrs)
