"""Locks of the Debian packages of BUILD files: what is to be written, and what changes by it."""

import os
from collections.abc import Iterator
from typing import NamedTuple

from artificer.builder.package_lock import LockedSet, differences, read_packages
from artificer.builder.package_targets import Debs, DebsLock
from artificer.builder.products import Files
from artificer.builder.targets import Declared, SourceFile, TargetId
from artificer.cli.workspace.open import Workspace, pinned
from artificer.errors import Misused
from artificer.frontends.buildfile.load import load_graph
from artificer.frontends.buildfile.rules.book import BOOK


class PackageLock(NamedTuple):
    """A lock file that is not what it should be: its new *text*, and what changes, by lines."""

    name: str
    path: str
    text: str
    told: tuple[str, ...]


def package_locks(workspace: Workspace) -> list[PackageLock]:
    """The locks of all targets of *workspace* with packages that have to be written."""
    found = load_graph(workspace.root, ["//..."], workspace.load_options(keep_going=True), BOOK)
    graph = pinned(found.graph, workspace.lock)
    update = workspace.args.update
    known: set[str] = set()
    wishes = {
        TargetId(f"{one.label}.lock", one.platform): (declared, wish)
        for one, declared in graph.items()
        if isinstance(declared.target, Debs)
        and (wish := _wish(declared.target, update, known)) is not None
    }
    if lost := set(update or ()) - known:
        raise Misused(
            f"--update {' '.join(sorted(lost))}: no lock has such a package",
            hint="`artificer lock --update` looks up everything anew",
        )
    if not wishes:
        return []
    more = {
        one: Declared(one, wish, declared.rule, declared.place)
        for one, (declared, wish) in wishes.items()
    }
    outcome = workspace.make(list(more), {**graph, **more})
    outcome.check()
    made = {}
    for one, (declared, _) in wishes.items():
        product = outcome.products[one]
        if isinstance(product, Files) and isinstance(declared.target, Debs):
            made[_path(declared.target)] = product.files[0].path
    return list(_changed(made, workspace.root))


def _wish(target: Debs, update: list[str] | None, known: set[str]) -> DebsLock | None:
    """What makes the lock of *target*; names that it has are added to *known*."""
    if not _path(target):
        return None
    bare = target._replace(lock=None, unlocked="")
    if not update or target.lock is None:
        return DebsLock(bare, target.lock, update == [])
    there = read_packages(target.lock.path).packages.values()
    names = {one.name for packages in there for one in packages}
    known |= names
    return DebsLock(bare, target.lock, update=tuple(one for one in update if one in names))


def _path(target: Debs) -> str:
    return target.lock.path if isinstance(target.lock, SourceFile) else target.unlocked


def _changed(made: dict[str, str], root: str) -> Iterator[PackageLock]:
    for path, new in sorted(made.items()):
        with open(new, encoding="utf-8") as file:
            text = file.read()
        name = os.path.relpath(path, root)
        before: dict[str, LockedSet] = {}
        if os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                if file.read() == text:
                    continue
            before = {name: read_packages(path)}
        after = {name: read_packages(new)}
        yield PackageLock(name, path, text, tuple(differences(before, after)))
