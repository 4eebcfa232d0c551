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

    A rule on the entries alone – never on what is cached – or the digest would depend on it:
    something lands in a standard top directory, or under the base's working directory or one of
    its volumes, or something of the base is deleted.
    """
    own = tuple(path for path in (_relative(text) for text in (workdir, *volumes)) if path)
    below = tuple(f"{path}/" for path in own)
    paths = [entry.path for entry in entries]
    if not STANDARD.isdisjoint({path.partition("/")[0] for path in paths}):
        return True
    if own and any(path in own or path.startswith(below) for path in paths):
        return True
    return any(map(is_whiteout, paths))


def placed(entries: Sequence[Entry], tree: Tree | None, *, mtime: int = 0) -> list[Entry]:
    """Return *entries* where they land in the image of which *tree* has the files.

    Directories of the base that are links are followed, so a file for `/bin` of a merged `/usr`
    goes to `/usr/bin`. The directories above an entry come before it: as an entry names them,
    else as the base has them, else made, 0755 and 0:0. (Docker and podman give a directory that
    is missing from a layer the mode 0755 whatever lies below it: `/tmp` would lose its 1777.)
    An entry over something of another kind replaces it, as overlay file systems do: nothing is
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
        if path[: max(path.rfind("/"), 0)] not in done:
            mark = is_whiteout(path)
            for parent in missing_parents(path, done):
                directory = named.get(parent) or _of_base(parent, tree)
                if directory is None and mark:
                    continue  # There is nothing to delete, so nothing to make.
                done.add(parent)
                out.append(directory or Entry(parent, DIRECTORY, 0o755, 0, 0, 0, mtime, "", None))
        if path not in done:
            out.append(entry)
        if entry.kind == DIRECTORY:
            done.add(path)
    return out


def _of_base(path: str, tree: Tree | None) -> Entry | None:
    file = None if tree is None else tree.lookup(path, follow=False)
    if file is None or file.kind != DIRECTORY:
        return None
    return Entry(
        path, DIRECTORY, file.mode, file.uid, file.gid, 0, file.mtime, "", None, file.xattrs
    )


def missing_parents(path: str, done: set[str]) -> list[str]:
    """Return the parents of *path* that are not in *done*, the topmost first."""
    missing: list[str] = []
    parent = path[: max(path.rfind("/"), 0)]
    while parent not in done:
        missing.append(parent)
        parent = parent[: max(parent.rfind("/"), 0)]
    return missing[::-1]
