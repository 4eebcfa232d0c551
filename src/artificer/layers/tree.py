"""The files of an image: the indexes of its layers, merged as a runtime would. Pure."""

from collections.abc import Iterable, Iterator, Sequence

from artificer.errors import ArtificerError
from artificer.layers.entry import DIRECTORY, SYMLINK
from artificer.layers.index import File, Index
from artificer.layers.whiteout import PREFIX, hidden, is_opaque, is_whiteout

_MOST_LINKS = 40  # as Linux
_ROW_BITS = 24
_DIRECTORY = ord(DIRECTORY)


class TooManyLinks(ArtificerError):
    """Symbolic links that lead to one another without end."""


class _Directory:
    """The names in a directory, and its own entry, if any layer has one."""

    __slots__ = ("names", "place")

    def __init__(self) -> None:
        self.names: dict[str, _Directory | int] = {}
        self.place = -1


class Tree:
    """All files of an image, each as its topmost layer has it; changed by `grow` alone.

    Paths have no leading slash; "" is the root. A directory that no layer has an entry for is
    0755 and 0:0, as it is when unpacked.
    """

    __slots__ = ("_indexes", "_root")

    def __init__(self, indexes: Sequence[Index]) -> None:
        self._indexes = tuple(indexes)
        self._root = _Directory()
        for layer, index in enumerate(self._indexes):
            self._apply(index, layer << _ROW_BITS)

    def grow(self, index: Index) -> None:
        """Put another layer on top: for who made the tree, and has not given it to others."""
        self._indexes = (*self._indexes, index)
        self._apply(index, (len(self._indexes) - 1) << _ROW_BITS)

    def lookup(self, path: str, *, follow: bool = True) -> File | None:
        """Return the file at *path*, or None; links above it are followed, itself if *follow*.

        The file's path is where it really is.
        """
        real = self._real(path, follow=follow)
        node = self._node(real)
        return None if node is None else self._file(real, node)

    def layer_of(self, path: str) -> int | None:
        """Return which layer the entry of *path*, which is no link, comes from (0 is lowest)."""
        node = self._node(self._real(path, follow=False))
        place = node.place if isinstance(node, _Directory) else node
        return None if place is None or place < 0 else place >> _ROW_BITS

    def is_directory(self, path: str) -> bool:
        """Whether *path* leads to a directory."""
        return isinstance(self._node(self._real(path, follow=True)), _Directory)

    def resolve(self, path: str) -> str:
        """Return where *path* really is, all links followed; what is missing stays as it is."""
        return self._real(path, follow=True)

    def listdir(self, path: str) -> list[str]:
        """Return the names in the directory *path*, sorted by their bytes; none if it is none."""
        node = self._node(self._real(path, follow=True))
        return _sorted(node.names) if isinstance(node, _Directory) else []

    def children(self, path: str) -> list[File]:
        """Return the files in the directory *path* (no links in it), sorted by their names."""
        node = self._node(path)
        if not isinstance(node, _Directory):
            return []
        prefix = f"{path}/" if path else ""
        return [self._file(prefix + name, node.names[name]) for name in _sorted(node.names)]

    def walk(self, path: str = "") -> Iterator[File]:
        """Yield all files below *path*, a directory before what is in it, sorted by component."""
        real = self._real(path, follow=True)
        node = self._node(real)
        if isinstance(node, _Directory):
            yield from self._walk(f"{real}/" if real else "", node)

    def __iter__(self) -> Iterator[File]:
        """Every file but the root."""
        return self.walk()

    def _walk(self, prefix: str, directory: _Directory) -> Iterator[File]:
        for name in _sorted(directory.names):
            node = directory.names[name]
            path = prefix + name
            yield self._file(path, node)
            if isinstance(node, _Directory):
                yield from self._walk(f"{path}/", node)

    def _file(self, path: str, node: _Directory | int) -> File:
        place = node.place if isinstance(node, _Directory) else node
        if place < 0:
            return File(path, DIRECTORY, 0o755, 0, 0, 0, 0, 0)
        return self._indexes[place >> _ROW_BITS].file(place & ((1 << _ROW_BITS) - 1))

    def _node(self, real: str) -> _Directory | int | None:
        node: _Directory | int = self._root
        for name in _parts(real):
            if not isinstance(node, _Directory) or name not in node.names:
                return None
            node = node.names[name]
        return node

    def _real(self, path: str, *, follow: bool) -> str:
        waiting = _parts(path)[::-1]
        real: list[str] = []
        nodes: list[_Directory | int | None] = [self._root]
        links = 0
        while waiting:
            name = waiting.pop()
            if name == "..":
                if real:  # The root's parent is the root.
                    real.pop()
                    nodes.pop()
                continue
            above = nodes[-1]
            node = above.names.get(name) if isinstance(above, _Directory) else None
            target = self._target(node) if waiting or follow else ""
            if not target:
                real.append(name)
                nodes.append(node)
                continue
            links += 1
            if links > _MOST_LINKS:
                raise TooManyLinks(f"too many symbolic links at /{path}")
            if target.startswith("/"):
                real, nodes = [], [self._root]
            waiting += _parts(target)[::-1]
        return "/".join(real)

    def _target(self, node: _Directory | int | None) -> str:
        if not isinstance(node, int):
            return ""
        index = self._indexes[node >> _ROW_BITS]
        row = node & ((1 << _ROW_BITS) - 1)
        return index.link(row) if chr(index.kinds[row]) == SYMLINK else ""

    def _apply(self, index: Index, base: int) -> None:
        # Whiteouts speak of the layers below only, wherever in the archive they stand.
        marks = [path for path in index.paths if PREFIX in path and is_whiteout(path)]
        for path in marks:
            self._hide(path)
        directory, parent = self._root, ""
        made = {"": self._root}
        for row, (path, kind) in enumerate(zip(index.paths, index.kinds, strict=True)):
            if marks and is_whiteout(path):
                continue
            if not path:
                self._root.place = base + row
                continue
            above, _, name = path.rpartition("/")
            if above != parent:
                directory, parent = made.get(above) or self._made(above), above
            if kind == _DIRECTORY:
                made[path] = below = _directory_in(directory, name)
                below.place = base + row
                continue
            if isinstance(directory.names.get(name), _Directory):
                # What was kept in hand may just have gone.
                parent, made = "/", {}
            directory.names[name] = base + row

    def _hide(self, path: str) -> None:
        if is_opaque(path):
            node = self._node(path.rpartition("/")[0])
            if isinstance(node, _Directory):
                node.names.clear()
            return
        gone = hidden(path)
        if gone is None:
            return
        above, _, name = gone.rpartition("/")
        node = self._node(above)
        if isinstance(node, _Directory):
            node.names.pop(name, None)

    def _made(self, path: str) -> _Directory:
        node = self._root
        for name in _parts(path):
            node = _directory_in(node, name)
        return node


def _directory_in(directory: _Directory, name: str) -> _Directory:
    """Return the directory *name*, made anew if a file is in its place, or nothing."""
    node = directory.names.get(name)
    if not isinstance(node, _Directory):
        node = directory.names[name] = _Directory()
    return node


def _parts(path: str) -> list[str]:
    return [part for part in path.split("/") if part not in {"", "."}]


def _sorted(names: Iterable[str]) -> list[str]:
    return sorted(names, key=lambda name: name.encode("utf-8", "surrogateescape"))
