"""An image's files as scripts would find them, and what they would make of them."""

import os
from collections.abc import Callable, Collection, Iterator, Mapping

from artificer import limits
from artificer.errors import ArtificerError
from artificer.layers.entry import DIRECTORY, FILE, HARDLINK, SYMLINK, Entry, Span
from artificer.layers.parents import parents
from artificer.layers.tree import TooManyLinks, Tree
from artificer.layers.whiteout import is_whiteout

_MOST_LINKS = 40  # as Linux


class InTheWay(ArtificerError):
    """What packages have where something else is to be made in the place of their scripts."""

    def __init__(self, path: str, why: str) -> None:
        super().__init__(
            f"/{path} {why}, so that what scripts would make of it cannot be made",
            hint="run where commands can be (`artificer doctor run`)",
        )


class Files:
    """*placed* are new entries upon the files of *tree*, but for those at *gone*.

    *read* gives the bytes of a file of either by where it really is. What is put there keeps to
    links to directories, has no time of its own unless one is given, and is in `made`; what was
    there and is not any more is in `removed`.
    """

    def __init__(
        self,
        placed: Mapping[str, Entry],
        read: Callable[[str], bytes],
        tree: Tree | None = None,
        gone: Collection[str] = (),
        mtime: int = 0,
    ) -> None:
        self.made: dict[str, Entry] = {}
        self.removed: set[str] = set()
        self.mtime = mtime
        self._placed = placed
        self._read = read
        self._tree = tree
        self._gone = set(gone)
        self._folders: dict[str, str] = {"": ""}
        self._names: dict[str, set[str]] = {}
        self._held = 0
        for path in placed:
            self._note(path)

    def lookup(self, path: str) -> Entry | None:
        """What is at *path*, its links followed; a link that leads nowhere is nothing."""
        return self._at(self.resolve(path))

    def itself(self, path: str) -> Entry | None:
        """What is at *path*; links above it are followed, itself is not."""
        return self._at(self.real(path))

    def is_file(self, path: str) -> bool:
        """Whether *path* leads to a file."""
        entry = self.lookup(path)
        return entry is not None and entry.kind in {FILE, HARDLINK}

    def is_directory(self, path: str) -> bool:
        """Whether *path* leads to a directory."""
        entry = self.lookup(path)
        return entry is not None and entry.kind == DIRECTORY

    def is_of_base(self, real: str) -> bool:
        """Whether what is at *real*, which is no link, is the base's and was not changed."""
        return real not in self.made and real not in self._placed

    @property
    def has_base(self) -> bool:
        """Whether there is anything below."""
        return self._tree is not None

    def listdir(self, path: str) -> list[str]:
        """The names in the directory that *path* leads to, sorted; none if it is none."""
        real = self.resolve(path)
        names = self._names.get(real, set())
        if self._tree is not None:
            names = names.union(self._tree.listdir(real))
        prefix = f"{real}/" if real else ""
        return sorted(name for name in names if self._at(f"{prefix}{name}") is not None)

    def below(self, path: str) -> Iterator[str]:
        """Every path below the directory *path*; links to directories are not followed."""
        waiting = [path]
        while waiting:
            folder = waiting.pop()
            for name in self.listdir(folder):
                inner = f"{folder}/{name}"
                entry = self.itself(inner)
                yield inner
                if entry is not None and entry.kind == DIRECTORY:
                    waiting.append(inner)

    def read(self, path: str) -> bytes:
        """The bytes of the file that *path* leads to."""
        real = self.resolve(path)
        entry = self._at(real)
        if entry is not None and entry.size > limits.REPLACED_BYTES:
            raise InTheWay(real, f"is larger than {limits.REPLACED_BYTES:,} bytes")
        made = self.made.get(real)
        return made.source if made and isinstance(made.source, bytes) else self._read(real)

    def part(self, path: str, offset: int, size: int) -> bytes:
        """Some bytes of the file that *path* leads to: from *offset*, *size* or less."""
        real = self.resolve(path)
        entry = self._at(real)
        for _ in range(_MOST_LINKS):
            if entry is not None and entry.kind == HARDLINK:
                entry = self._at(entry.link)
        if entry is None or offset >= entry.size:
            return b""
        if isinstance(entry.source, Span):
            with open(entry.source.path, "rb") as file:
                return os.pread(
                    file.fileno(), min(size, entry.size - offset), entry.source.offset + offset
                )
        return self.read(real)[offset : offset + size]

    def text(self, path: str) -> str | None:
        """The text of the file that *path* leads to, if there is one."""
        entry = self.lookup(path)
        if entry is None or entry.kind not in {FILE, HARDLINK}:
            return None
        if entry.size > limits.SETTINGS_BYTES:
            raise InTheWay(entry.path, f"is larger than {limits.SETTINGS_BYTES:,} bytes")
        return self.read(path).decode("utf-8", "surrogateescape")

    def put(self, path: str, data: bytes | str, mode: int | None = None) -> None:
        """Put a file at *path*; of one that is there only the bytes change, unless by *mode*."""
        real = self.resolve(path)
        old = self._at(real)
        held = data.encode("utf-8", "surrogateescape") if isinstance(data, str) else data
        entry = Entry(real, FILE, mode or 0o644, 0, 0, len(held), self.mtime, "", held)
        if old is not None and old.kind == FILE:
            entry = entry._replace(
                uid=old.uid, gid=old.gid, mode=old.mode if mode is None else mode
            )
        self._make(entry)

    def put_link(self, path: str, target: str, mtime: int | None = None) -> None:
        """Put a symbolic link at *path*, whatever file or link is there."""
        time = self.mtime if mtime is None else mtime
        self._make(Entry(self.real(path), SYMLINK, 0o777, 0, 0, 0, time, target, None))
        self._folders = {"": ""}

    def put_directory(self, path: str, mode: int = 0o755, uid: int = 0, gid: int = 0) -> None:
        """Put a directory at *path*, if there is nothing."""
        real = self.resolve(path)
        if self._at(real) is None:
            self._make(Entry(real, DIRECTORY, mode, uid, gid, 0, self.mtime, "", None))

    def copy(self, path: str, source: str, *, timed: bool) -> None:
        """Put a copy of *source* at *path*, unless anything is there; *timed*: with its time."""
        first = self.lookup(source)
        if self.itself(path) is None and first is not None and first.kind in {FILE, HARDLINK}:
            self.put(path, self.read(source), first.mode)
            self.change(path, mtime=first.mtime if timed else None)

    def change(self, path: str, **values: int | None) -> None:
        """Give the file or directory that *path* leads to other values; None leaves one alone."""
        real = self.resolve(path)
        old = self._at(real)
        if not real or old is None or old.kind not in {FILE, DIRECTORY}:
            return
        if old.kind == FILE and old.source is None and old.size:
            old = old._replace(source=self._taken(old))
        new = {name: value for name, value in values.items() if value is not None}
        self._make(old._replace(**new))  # type: ignore[arg-type]

    def _taken(self, entry: Entry) -> bytes:
        """The bytes of a file of the base, which a layer has to have again."""
        self._held += entry.size
        if self._held > limits.REPLACED_BYTES:
            what = f"and others of the base have more than {limits.REPLACED_BYTES:,} bytes"
            raise InTheWay(entry.path, what)
        return self._read(entry.path)

    def mark(self, path: str, name: str, value: bytes) -> None:
        """Give the file that *path* leads to an extended attribute."""
        self.change(path, mode=None)
        made = self.made.get(self.resolve(path))
        if made is not None:
            others = tuple(pair for pair in made.xattrs if pair[0] != name)
            self._make(made._replace(xattrs=(*others, (name, value))))

    def remove(self, path: str) -> None:
        """Take away what is at *path* itself, if anything is; not what is below it."""
        real = self.real(path)
        if self._at(real) is None:
            return
        self.made.pop(real, None)
        self.removed.add(real)
        self._folders = {"": ""}

    def real(self, path: str) -> str:
        """Where *path* is: the links above it are followed, itself is not."""
        folder, _, name = path.strip("/").rpartition("/")
        if name in {".", ".."}:
            return self._followed(path)
        if folder not in self._folders:
            self._folders[folder] = self._followed(folder)
        above = self._folders[folder]
        return f"{above}/{name}" if above else name

    def resolve(self, path: str) -> str:
        """Where *path* leads to: all links are followed."""
        real = self.real(path)
        entry = self._at(real)
        return self._followed(real) if entry is not None and entry.kind == SYMLINK else real

    def _followed(self, path: str) -> str:
        waiting = path.split("/")[::-1]
        found: list[str] = []
        links = 0
        while waiting:
            name = waiting.pop()
            if name in {"", "."}:
                continue
            if name == "..":
                del found[-1:]
                continue
            found.append(name)
            entry = self._at("/".join(found))
            if entry is None or entry.kind != SYMLINK:
                continue
            links += 1
            if links > _MOST_LINKS:
                raise TooManyLinks(f"too many symbolic links at /{path}")
            waiting += entry.link.split("/")[::-1]
            found = [] if entry.link.startswith("/") else found[:-1]
        return "/".join(found)

    def _at(self, real: str) -> Entry | None:
        entry = self.made.get(real)
        if entry is not None:
            return entry
        if real in self.removed:
            return None
        entry = self._placed.get(real)
        if entry is not None:
            return entry
        if self._tree is not None and real not in self._gone:
            file = self._tree.lookup(real, follow=False)
            if file is not None and file.path == real:
                what = (file.kind, file.mode, file.uid, file.gid, file.size, file.mtime)
                return Entry(real, *what, file.link, None, xattrs=file.xattrs)
        if real in self._names or not real:
            return Entry(real, DIRECTORY, 0o755, 0, 0, 0, self.mtime, "", None)
        return None

    def _make(self, entry: Entry) -> None:
        self._check(entry)
        self.made[entry.path] = entry
        self.removed.discard(entry.path)
        self._note(entry.path)

    def _check(self, entry: Entry) -> None:
        """Refuse what no layer can hold beside what is there."""
        if is_whiteout(entry.path):
            raise InTheWay(entry.path, "is a name that no layer can hold")
        there = self._at(entry.path)
        if there is not None and there.kind == DIRECTORY and entry.kind != DIRECTORY:
            raise InTheWay(entry.path, "is a directory")
        for folder in parents(entry.path):
            above = self._at(folder)
            if above is not None and above.kind != DIRECTORY:
                raise InTheWay(folder, "is no directory")

    def _note(self, path: str) -> None:
        while path:
            folder, _, name = path.rpartition("/")
            names = self._names.setdefault(folder, set())
            if name in names:
                return
            names.add(name)
            path = folder
