"""Where a package's files really go: through merged ``/usr`` and other links to directories."""

from collections.abc import Mapping

from artificer.errors import ArtificerError
from artificer.layers.parents import parents
from artificer.layers.tree import Tree

_MOST_LINKS = 40  # as Linux
_NO_NAMES = frozenset(("", ".", ".."))

_LIBRARIES = {
    "amd64": ("lib32", "lib64", "libx32"),
    "i386": ("lib64", "libx32"),
    "x32": ("lib32", "lib64", "libx32"),
    "mips": ("lib32", "lib64"),
    "mipsel": ("lib32", "lib64"),
    "mips64el": ("lib32", "lib64", "libo32"),
    "ppc64": ("lib64",),
    "ppc64el": ("lib64",),
    "s390x": ("lib32", "lib64"),
    "sparc64": ("lib32", "lib64"),
    "loong64": ("lib64",),
}


class LinksInACircle(ArtificerError):
    """Links to directories that lead to one another without end."""


def merged_usr(architecture: str) -> dict[str, str]:
    """The links of an image from nothing, as debootstrap makes them for *architecture*."""
    names = ("bin", "sbin", "lib", *_LIBRARIES.get(architecture, ()))
    return {name: f"usr/{name}" for name in names}


class Layout:
    """Where paths are, upon *tree* (None is nothing), once *links* are there.

    It learns the links to directories that are put there by and by.
    """

    def __init__(self, tree: Tree | None, links: Mapping[str, str]) -> None:
        self._tree = tree
        self._links = dict(links)
        self._parents: dict[str, str] = {"": ""}
        self._asked: set[str] = set()

    def real(self, path: str) -> str:
        """Where *path* is: the links above it are followed, itself is not."""
        folder, slash, name = path.rpartition("/")
        if name in _NO_NAMES:
            return self._followed(path)
        if not slash:
            return path
        parent = self._parents.get(folder)
        if parent is None:
            parent = self._parents[folder] = self._followed(folder)
            self._asked.update((folder, *parents(folder)))
        return f"{parent}/{name}" if parent else name

    def is_link_to_directory(self, path: str) -> bool:
        """Whether *path*, which is real, is a link that stands for a directory already."""
        if path in self._links:
            return True
        if self._tree is None:
            return False
        file = self._tree.lookup(path, follow=False)
        return file is not None and bool(file.link) and self._tree.is_directory(path)

    def has_directory(self, path: str) -> bool:
        """Whether the base has a directory at *path*, or a link to one."""
        return self._tree is not None and self._tree.is_directory(path)

    def has_file(self, path: str) -> bool:
        """Whether the base has something at *path* that is no directory, nor a link to one."""
        there = self._tree is not None and self._tree.lookup(path, follow=False) is not None
        return there and not self.has_directory(path)

    def learn(self, path: str, target: str) -> None:
        """Know that *path* is a symbolic link to *target* now."""
        self._links[path] = target
        if path in self._asked:
            # To look for what is below it takes as long again for each link.
            self._parents = {"": ""}
            self._asked.clear()

    def _followed(self, path: str) -> str:
        waiting = path.split("/")[::-1]
        real: list[str] = []
        followed = 0
        while waiting:
            name = waiting.pop()
            if name in {"", "."}:
                continue
            if name == "..":
                del real[-1:]
                continue
            real.append(name)
            target = self._links.get("/".join(real))
            if target is None:
                continue
            followed += 1
            if followed > _MOST_LINKS:
                raise LinksInACircle(f"too many symbolic links at /{path}")
            waiting += target.split("/")[::-1]
            real = [] if target.startswith("/") else real[:-1]
        whole = "/".join(real)
        return whole if self._tree is None else self._tree.resolve(whole)
