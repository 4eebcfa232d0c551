"""From an installed package to another version of it: conffiles, what vanishes, what stays."""

import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import NamedTuple

from artificer.layers.entry import DIRECTORY, FILE, Entry
from artificer.layers.parents import parents
from artificer.layers.tree import Tree
from artificer.sources.debian.installing.database import INFO, Record, file_entry
from artificer.sources.debian.installing.stanza import REMOVED, Conffile
from artificer.sources.debian.installing.unpack import Placed, bytes_of

_NOTHING = "newconffile"


class Kept(NamedTuple):
    """Files as they are put there once those that were changed are left, and what is noted."""

    entries: tuple[Entry, ...]
    conffiles: tuple[Conffile, ...]


def with_conffiles(
    placed: Placed, old: Record | None, tree: Tree | None, read: Callable[[str], bytes]
) -> Kept:
    """The entries of *placed*, its conffiles by dpkg's rules with ``--force-confold``.

    One that was not changed since *old* is replaced; of one that was, the new version is put
    beside it (``.dpkg-dist``), unless it is what *old* had. One that is retired goes; if it was
    changed, it stays under another name (``.dpkg-old``).
    """
    before = {one.path: one for one in old.conffiles} if old else {}
    retired = placed.package.retired
    wanted = {path.lstrip("/"): path for path in placed.package.conffiles if path not in retired}
    known, shipped = set(placed.package.conffiles), set(placed.names)
    found: dict[str, Conffile] = {}
    entries = []
    for name, entry in zip(placed.names, placed.entries, strict=True):
        if name not in wanted or entry.kind != FILE:
            entries.append(entry)
            continue
        new = Conffile(wanted[name], _md5(bytes_of(entry)))
        found[new.path] = new
        put = _put(entry, new, before.get(new.path), _now(entry.path, tree, read))
        entries += [put] if put else []
    left = {path: _retired(path, before.get(path)) for path in retired}
    entries += [one for last in left.values() for one in _set_aside(last, tree, read)]
    noted = [
        found.get(path) or left.get(path) or Conffile(path, _NOTHING)
        for path in placed.package.conffiles
        if path in found or path.lstrip("/") not in shipped
    ]
    gone = [one for path, one in before.items() if path not in known]
    noted += [
        one._replace(flag="obsolete")
        for one in gone
        if tree is not None and tree.lookup(one.path.lstrip("/")) is not None
    ]
    return Kept(tuple(entries), tuple(noted))


def _put(entry: Entry, new: Conffile, old: Conffile | None, now: str | None) -> Entry | None:
    """What is put for the conffile *entry*; *now* is what the file on the image hashes to."""
    if now is None and old is None:
        return entry
    if old is not None and now == old.md5 and now != new.md5:
        return entry
    if now == new.md5 or (old is not None and old.md5 == new.md5):
        return None
    return entry._replace(path=f"{entry.path}.dpkg-dist")


def _retired(path: str, old: Conffile | None) -> Conffile:
    """How dpkg notes a conffile that is no more; what it was is forgotten the second time."""
    known = _NOTHING if old is None or old.flag == REMOVED else old.md5
    return Conffile(path, known, REMOVED)


def _set_aside(last: Conffile, tree: Tree | None, read: Callable[[str], bytes]) -> Iterator[Entry]:
    """What is kept of a conffile that goes, though somebody has changed it."""
    file = tree.lookup(last.path.lstrip("/")) if tree is not None else None
    if file is None or file.kind != FILE:
        return
    data = read(file.path)
    if _md5([data]) != last.md5:
        kept = file_entry(f"{file.path}.dpkg-old", data, file.mtime, file.mode)
        yield kept._replace(uid=file.uid, gid=file.gid)


def _now(path: str, tree: Tree | None, read: Callable[[str], bytes]) -> str | None:
    if tree is None:
        return None
    file = tree.lookup(path)
    if file is None or file.kind == DIRECTORY:
        return None
    return _md5([read(file.path)])


def _md5(pieces: Iterable[bytes]) -> str:
    digest = hashlib.md5(usedforsecurity=False)
    for piece in pieces:
        digest.update(piece)
    return digest.hexdigest()


def md5sums(placed: Placed) -> bytes:
    """The file ``md5sums`` of a package that ships none, as dpkg then writes it."""
    lines = []
    last: dict[str, str] = {}
    for name, entry in zip(placed.names, placed.entries, strict=True):
        if entry.kind == FILE:
            last[entry.path] = _md5(bytes_of(entry))
        elif entry.link not in last:
            continue
        else:
            last[entry.path] = last[entry.link]
        lines.append(f"{last[entry.path]}  {name}\n")
    return "".join(lines).encode("utf-8", "surrogateescape")


def vanished(
    tree: Tree, old: Collection[str], kept: Collection[str], new: Collection[str]
) -> Iterator[str]:
    """Which of *old*, real paths of the base, go because they are not in *kept* or *new*.

    *new* are all paths that are put there. Directories go when nothing is left in them.
    """
    gone: set[str] = set()
    directories: list[str] = []
    needed = {folder for path in new for folder in parents(path)}
    for path in old:
        if not path or path in kept or path in new:
            continue
        file = tree.lookup(path, follow=False)
        if file is None or file.path != path:
            continue
        if file.kind == DIRECTORY:
            directories.append(path)
        else:
            gone.add(path)
    for path in sorted(directories, key=lambda one: one.count("/"), reverse=True):
        if path not in needed and all(child.path in gone for child in tree.children(path)):
            gone.add(path)
    return (path for path in sorted(gone) if gone.isdisjoint(parents(path)))


def old_info(tree: Tree, record: Record, new: Collection[str]) -> list[str]:
    """The files of the database about *record* that the new version has not."""
    names = tree.listdir(INFO)
    keys = (record.owner.key, record.name)
    found = [name for name in names if name.rpartition(".")[0] in keys]
    return [path for name in found if (path := f"{INFO}/{name}") not in new]


def without(lines: Sequence[str], lost: Collection[str]) -> tuple[str, ...]:
    """A package's list without the files that others took."""
    return tuple(line for line in lines if line not in lost)
