"""Where entries land in a base image: through its links, below directories that it has."""

from collections.abc import Iterable, Sequence

from artificer.layers.entry import DIRECTORY, HARDLINK, Entry
from artificer.layers.merge import merged
from artificer.layers.tree import Tree
from artificer.layers.walk import Group
from artificer.layers.whiteout import is_whiteout

STANDARD = frozenset(
    (
        *("bin", "boot", "dev", "etc", "home", "lib", "lib32", "lib64", "libx32", "media", "mnt"),
        *("opt", "proc", "root", "run", "sbin", "srv", "sys", "tmp", "usr", "var"),
    )
)
"""Top directories that any base may have, with links and modes of their own."""


def needs_index(entries: Iterable[Entry], workdir: str, volumes: Iterable[str]) -> bool:
    """Whether the base's files have to be known to place *entries*.

    A rule on the destinations alone – never on what is cached – or the digest would depend on
    it: something lands in a standard top directory, or under the base's working directory or
    one of its volumes.
    """
    own = tuple(path for path in (_relative(text) for text in (workdir, *volumes)) if path)
    below = tuple(f"{path}/" for path in own)
    return any(
        entry.path.partition("/")[0] in STANDARD
        or entry.path in own
        or entry.path.startswith(below)
        for entry in entries
    )


def placed(entries: Sequence[Entry], tree: Tree | None, *, mtime: int = 0) -> list[Entry]:
    """Return *entries* where they land in the image of which *tree* has the files.

    Directories of the base that are links are followed, so a file for `/bin` of a merged `/usr`
    goes to `/usr/bin`. Parents that neither the entries nor the base have are made, 0755 and
    0:0, before what is in them; a directory that an entry names comes before its contents. An
    entry over something of another kind replaces it, as overlay file systems do: nothing is
    added to say so. Without *tree*, nothing is known of the base and all parents are made.
    """
    resolved = list(entries) if tree is None else _resolved(entries, tree)
    return _with_parents(resolved, tree, mtime)


def _relative(path: str) -> str:
    return "/".join(part for part in path.split("/") if part not in {"", "."})


def _resolved(entries: Sequence[Entry], tree: Tree) -> list[Entry]:
    parents: dict[str, str] = {"": ""}
    moved: dict[str, str] = {}
    for entry in entries:
        path = _landing(entry, tree, parents)
        if path != entry.path:
            moved[entry.path] = path
    if not moved:
        return list(entries)
    landed = [
        entry._replace(
            path=moved.get(entry.path, entry.path),
            link=moved.get(entry.link, entry.link) if entry.kind == HARDLINK else entry.link,
        )
        for entry in entries
    ]
    # An archive: its order stays. Two names of one directory may now hold the same path.
    return merged([Group("the files", landed, {}, archive=True)])


def _landing(entry: Entry, tree: Tree, parents: dict[str, str]) -> str:
    parent, _, name = entry.path.rpartition("/")
    if parent not in parents:
        parents[parent] = tree.resolve(parent)
    above = parents[parent]
    path = f"{above}/{name}" if above else name
    # A named directory over a link to a directory is that directory.
    return tree.resolve(path) if entry.kind == DIRECTORY and tree.is_directory(path) else path


def _with_parents(entries: Sequence[Entry], tree: Tree | None, mtime: int) -> list[Entry]:
    named = {entry.path: entry for entry in entries if entry.kind == DIRECTORY}
    done = {""}
    out: list[Entry] = []
    for entry in entries:
        path = entry.path
        if is_whiteout(path):
            out.append(entry)
            continue
        for parent in _missing(path, done):
            done.add(parent)
            if parent in named:
                out.append(named[parent])
            elif tree is None or not tree.is_directory(parent):
                out.append(Entry(parent, DIRECTORY, 0o755, 0, 0, 0, mtime, "", None))
        if path not in done:
            out.append(entry)
        if entry.kind == DIRECTORY:
            done.add(path)
    return out


def _missing(path: str, done: set[str]) -> list[str]:
    """Return the parents of *path* that are not in *done*, the topmost first."""
    missing: list[str] = []
    parent = path[: max(path.rfind("/"), 0)]
    while parent not in done:
        missing.append(parent)
        parent = parent[: max(parent.rfind("/"), 0)]
    return missing[::-1]
