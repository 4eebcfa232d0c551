"""Layers upon a base as one layer that comes to the same: pure, and no byte is read."""

from collections.abc import Iterable, Iterator, Sequence

from artificer.errors import ArtificerError
from artificer.layers.entry import DIRECTORY, HARDLINK, Entry
from artificer.layers.merge import by_components
from artificer.layers.parents import parents, parents_of
from artificer.layers.tree import Tree
from artificer.layers.whiteout import hidden, is_opaque, is_whiteout, whiteout


class LostLink(ArtificerError):
    """A hard link names a file that none of the layers has."""


def squashed(base: Tree, layers: Iterable[Sequence[Entry]], *, mtime: int) -> list[Entry]:
    """Return the one layer that, upon *base*, comes to what *layers* do one after the other.

    Whiteouts come first, and are of files of *base* only: what one layer brings and a later one
    takes away leaves no trace. No directory is opaque: where one is taken away and made anew, what
    it lacks is named. Then come files, sorted; the first path of those that are one file has the
    bytes. The directories above an entry are in it (as the base has them, or else of *mtime*), and
    one that is as the base has it only where something below it is other than there.
    """
    over = _Over(base)
    for layer in layers:
        over.apply(layer)
    gone = [whiteout(path, mtime) for path in over.gone()]
    there = dict(over.files)
    changed = [mark.path for mark in gone]
    changed += [path for path, entry in there.items() if not over.is_as_below(path, entry)]
    needed = parents_of(changed)
    for path in needed.difference(there):
        there[path] = over.directory_below(path) or _directory(path, mtime)
    kept = needed.union(changed)
    listed = [one._replace(path=path) for path, one in there.items() if path in kept]
    return [*by_components(gone), *_linked(by_components(listed), there)]


class _Over:
    """What layers put over a base: *files* by path, and which paths of the base they hide.

    All names of one file have the very same entry in *files*, whatever path is in it.
    """

    def __init__(self, base: Tree) -> None:
        self.files: dict[str, Entry] = {}
        self._base = base
        self._below: dict[str, set[str]] = {}
        self._hidden: set[str] = set()

    def apply(self, layer: Sequence[Entry]) -> None:
        """Put *layer* on top. Its whiteouts speak of what is below it, wherever they stand."""
        for entry in layer:
            if is_opaque(entry.path):
                self._clear(entry.path.rpartition("/")[0])
            elif is_whiteout(entry.path) and (gone := hidden(entry.path)) is not None:
                self._remove(gone)
                self._hide(gone)
        for entry in layer:
            if not is_whiteout(entry.path):
                self._put(entry)

    def gone(self) -> Iterator[str]:
        """Yield the paths of the base that are there no more, the topmost only."""
        for path in self._hidden:
            if not any(above in self._hidden for above in parents(path)):
                yield from self._marks(path)

    def is_as_below(self, path: str, entry: Entry) -> bool:
        """Whether *entry* is a directory that the base has, in all respects."""
        return entry.kind == DIRECTORY and self._directory(path) == entry

    def directory_below(self, path: str) -> Entry | None:
        """Return the directory of the base at *path*, unless there is none, or it is hidden."""
        if path in self._hidden or not self._hidden.isdisjoint(parents(path)):
            return None
        return self._directory(path)

    def _directory(self, path: str) -> Entry | None:
        file = self._base.lookup(path, follow=False)
        if file is None or not path or file.path != path or file.kind != DIRECTORY:
            return None
        base = (path, DIRECTORY, file.mode, file.uid, file.gid, 0, file.mtime, "", None)
        return Entry(*base, file.xattrs)

    def _put(self, entry: Entry) -> None:
        path = entry.path
        if entry.kind == HARDLINK:
            linked = self.files.get(entry.link)
            if linked is None or linked.kind == DIRECTORY:
                raise LostLink(f"/{path} is a hard link to /{entry.link}, which is not there")
            entry = linked
        if entry.kind != DIRECTORY:
            self._remove(path)
            self._hide(path)
        self.files[path] = entry
        self._name(path)

    def _name(self, path: str) -> None:
        """Let the directories above *path* know of it; what is no directory there goes."""
        for parent in parents(path):
            names = self._below.setdefault(parent, set())
            if path in names:
                return
            names.add(path)
            above = self.files.get(parent)
            if above is not None and above.kind != DIRECTORY:
                del self.files[parent]
            path = parent
        if path:
            self._below.setdefault("", set()).add(path)

    def _remove(self, path: str) -> None:
        self.files.pop(path, None)
        for below in self._below.pop(path, ()):
            self._remove(below)
        self._below.get(path.rpartition("/")[0], set()).discard(path)

    def _clear(self, path: str) -> None:
        for below in tuple(self._below.get(path, ())):
            self._remove(below)
        for file in self._base.children(path):
            self._hide(file.path)

    def _hide(self, path: str) -> None:
        file = self._base.lookup(path, follow=False)
        if file is not None and file.path == path:
            self._hidden.add(path)

    def _marks(self, path: str) -> Iterator[str]:
        there = self.files.get(path)
        if there is None and not self._below.get(path):
            yield path
        elif there is None or there.kind == DIRECTORY:
            for file in self._base.children(path):
                yield from self._marks(file.path)


def _directory(path: str, mtime: int) -> Entry:
    return Entry(path, DIRECTORY, 0o755, 0, 0, 0, mtime, "", None)


def _linked(listed: Sequence[Entry], there: dict[str, Entry]) -> Iterator[Entry]:
    """Yield *listed*, of which those that are one file in *there* become links to the first."""
    firsts: dict[int, str] = {}
    for entry in listed:
        first = firsts.setdefault(id(there[entry.path]), entry.path)
        if first == entry.path or entry.kind == DIRECTORY:
            yield entry
            continue
        yield entry._replace(
            kind=HARDLINK, size=0, link=first, source=None, xattrs=(), device=(0, 0), stat=None
        )
