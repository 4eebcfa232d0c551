"""Locks of the Debian packages of BUILD files: what is to be written, and what changes by it."""

import os
from collections.abc import Iterator
from typing import NamedTuple

from artificer.builder.lock import write_text
from artificer.builder.package_lock import LockedSet, differences, read_packages
from artificer.builder.package_targets import Debs, DebsLock, ManifestLock
from artificer.builder.products import Files
from artificer.builder.targets import Declared, Graph, SourceFile, Target, TargetId
from artificer.cli.workspace.open import Workspace, pinned
from artificer.errors import Misused
from artificer.frontends.buildfile.graph import load_graph
from artificer.frontends.buildfile.rules.book import BOOK


class PackageLock(NamedTuple):
    """A lock file that is not what it should be: its new *text*, and what changes, by lines."""

    name: str
    path: str
    text: str
    told: tuple[str, ...]


def package_locks(workspace: Workspace, repositories: Graph) -> list[PackageLock]:
    """The locks of targets of *workspace*, and of its *repositories*, that have to be written.

    All of them, unless the command line names targets.
    """
    graph, locks = _meant(workspace, repositories)
    update = workspace.args.update
    known: set[str] = set()
    wishes = {
        TargetId(f"{one.label}.lock", one.platform): (declared, wish)
        for one, declared in locks.items()
        if (wish := _wish(declared.target, update, known)) is not None
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
        if isinstance(product, Files):
            made[_path(declared.target)] = product.files[0].path
    return list(_changed(made, workspace.root))


def write_lock(declared: Declared, graph: Graph, workspace: Workspace) -> int:
    """Write the lock of a manifest anew, as ``bazel run @NAME//:lock`` does."""
    target, one = declared.target, declared.id
    if not isinstance(target, ManifestLock):
        raise TypeError("not a lock")
    anew = declared._replace(target=target._replace(anew=True))
    outcome = workspace.make([one], {**graph, one: anew})
    outcome.check()
    product, session = outcome.products[one], workspace.session
    made = {target.path: product.files[0].path} if isinstance(product, Files) else {}
    name = os.path.relpath(target.path, workspace.root)
    said = "is up to date"
    for lock in _changed(made, workspace.root):
        write_text(lock.path, lock.text)
        said = "is written"
        for line in lock.told:
            session.out(line)
    session.say(f"{name} {said}.")
    if not declared.attributes.get("lock"):
        folder, _, file = name.rpartition("/")
        session.say(f'Add `lock = "//{folder}:{file}"` at {declared.place}.')
    return 0


def _meant(workspace: Workspace, repositories: Graph) -> tuple[Graph, Graph]:
    """All targets that are needed, and those of them that are of a lock."""
    asked = workspace.args.targets
    found = load_graph(
        workspace.root, asked or ["//..."], workspace.load_options(keep_going=not asked), BOOK
    )
    names = {one.label.partition("//")[0] for one in found.graph}
    manifests = {
        one: declared
        for one, declared in repositories.items()
        if isinstance(declared.target, ManifestLock)
        and (not asked or one.label.partition("//")[0] in names)
        and not (declared.attributes.get("nolock") and not declared.attributes.get("lock"))
    }
    graph = pinned({**found.graph, **manifests}, workspace.lock)
    locks = {
        one: declared
        for one, declared in graph.items()
        if isinstance(declared.target, Debs | ManifestLock)
    }
    return graph, locks


def _wish(
    target: Target, update: list[str] | None, known: set[str]
) -> DebsLock | ManifestLock | None:
    """What makes the lock of *target*; names that it has are added to *known*."""
    if isinstance(target, ManifestLock):
        names = _names(target.old, known) if update else set()
        asked = tuple(one for one in update or () if one in names)
        return target._replace(anew=update == [], update=asked)
    if not isinstance(target, Debs) or not _path(target):
        return None
    bare = target._replace(lock=None, unlocked="")
    if not update or not isinstance(target.lock, SourceFile):
        return DebsLock(bare, target.lock, update == [])
    names = _names(target.lock, known)
    return DebsLock(bare, target.lock, update=tuple(one for one in update if one in names))


def _names(lock: SourceFile | None, known: set[str]) -> set[str]:
    """The packages of *lock*, which are added to *known*."""
    there = read_packages(lock.path).packages.values() if lock is not None else ()
    names = {one.name for packages in there for one in packages}
    known |= names
    return names


def _path(target: Target) -> str:
    if isinstance(target, ManifestLock):
        return target.path
    if not isinstance(target, Debs):
        return ""
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
