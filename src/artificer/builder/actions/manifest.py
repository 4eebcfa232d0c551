"""Manifests of rules_distroless: the packages that they come to now, as files or as a lock."""

import os
from collections.abc import Iterator, Sequence

from artificer import limits
from artificer.builder.actions.packages import tools_of
from artificer.builder.debian.chosen import resolved
from artificer.builder.debian.locking import Earlier, locked_now
from artificer.builder.debian.tools import architecture_of
from artificer.builder.distroless_lock import lock_text, read_lock
from artificer.builder.naming import Source
from artificer.builder.package_lock import LockedSet, request_of
from artificer.builder.package_targets import ManifestDebs, ManifestLock
from artificer.builder.products import File, Files
from artificer.builder.recipe import AddDebs
from artificer.builder.task import Task, WrongInput
from artificer.events import Warned
from artificer.oci.digest import Digest
from artificer.oci.edit import empty
from artificer.oci.platform import LINUX_AMD64
from artificer.sources.debian.archives.acquire import acquire, offered, universe_of
from artificer.sources.debian.archives.manifest import Manifest, manifest_of
from artificer.sources.debian.resolving.resolve import resolve
from artificer.sources.debian.values import Locked, Wanted

_NOTHING = LockedSet("", {})


def debs(target: ManifestDebs, task: Task) -> Files:
    """The .deb files that *target* names."""
    manifest = _read(target.manifest, task)
    if target.called:
        name = f"@{target.called}"
        text = f"{name} has no lock, and is whatever archives have now"
        hint = f"`artificer run {name}//:lock` writes one; `nolock = True` says that none is to be"
        task.reach.report(Warned(text, hint))
    architecture = _architecture(target, manifest, task)
    chosen = _chosen(manifest, manifest.packages, architecture, task)
    if not target.transitive:
        chosen = [one for one in chosen if one.name in manifest.names]
    if target.package:
        chosen = _of_one(target, chosen, manifest, architecture, task)
    paths = acquire(chosen, tools_of(task).web)
    return Files(tuple(_file(one, paths[one], task) for one in chosen))


def _architecture(target: ManifestDebs, manifest: Manifest, task: Task) -> str:
    own = architecture_of(task.id.platform or LINUX_AMD64)
    wanted = target.architecture
    if not wanted:
        there = own in manifest.architectures or task.id.platform is not None
        wanted = own if there else manifest.architectures[0]
    if wanted not in manifest.architectures:
        raise WrongInput(
            f"{task.file(target.manifest).short} has no packages for {wanted}",
            hint=f"it is for {', '.join(manifest.architectures)}",
        )
    return wanted


def _chosen(
    manifest: Manifest, words: Sequence[str], architecture: str, task: Task
) -> list[Locked]:
    step = AddDebs(Wanted(tuple(words)), manifest.archives, level="unpack")
    nothing = empty(LINUX_AMD64, "oci")
    return list(resolved(step, nothing, architecture, task.reach, tools_of(task)).packages)


def _of_one(
    target: ManifestDebs,
    chosen: list[Locked],
    manifest: Manifest,
    architecture: str,
    task: Task,
) -> list[Locked]:
    name = target.package
    if name not in {one.name for one in chosen}:
        raise WrongInput(
            f"{task.file(target.manifest).short} does not come to the package {name}",
            hint="add it to `packages`",
        )
    if not target.needs or not target.transitive:
        return [one for one in chosen if one.name == name]
    words = [one for one in manifest.packages if one.partition("=")[0] == name] or [name]
    needed = {one.name for one in _chosen(manifest, words, architecture, task)}
    return [one for one in chosen if one.name in needed]


def _file(one: Locked, path: str, task: Task) -> File:
    version = one.version.replace(":", "%3a")
    name = task.below(f"{one.name}_{version}_{one.architecture}.deb")
    return File(path, name, Digest(f"sha256:{one.sha256}"))


def lock(target: ManifestLock, task: Task) -> Files:
    """The lock of a manifest as it is now, as a file."""
    manifest = _read(target.manifest, task)
    old = read_lock(target.old.path)[0] if target.old is not None else _NOTHING
    request = request_of(Wanted(manifest.packages), manifest.archives, _rest(target, manifest))
    # What Bazel wrote does not say what it is of, and stays until it is to be updated.
    kept = target.old is not None and old.request in {"", request}
    if target.old is not None and kept and not (target.anew or target.update):
        with open(target.old.path, encoding="utf-8") as file:
            text = file.read()
    else:
        text = _locked(target, manifest, old, request, task)
    digest = task.reach.store.put(text.encode())
    name = os.path.basename(target.path)
    return Files((File(task.reach.store.blob_path(digest), task.below(name), digest),))


def _rest(target: ManifestLock, manifest: Manifest) -> str:
    return f"{' '.join(sorted(manifest.architectures))} {target.transitive}"


def _locked(
    target: ManifestLock, manifest: Manifest, old: LockedSet, request: str, task: Task
) -> str:
    step = AddDebs(Wanted(manifest.packages), manifest.archives, level="unpack")
    earlier = Earlier(old.packages, target.update)
    bases = dict.fromkeys(manifest.architectures)
    found = locked_now(step, "", bases, task.reach, tools_of(task), earlier)
    if not target.transitive:
        packages = {
            name: tuple(one for one in each if one.name in manifest.names)
            for name, each in found.packages.items()
        }
        return lock_text(found._replace(request=request, packages=packages), {})
    needs = {
        (name, architecture): names
        for architecture in manifest.architectures
        for name, names in _needed(manifest, architecture, found.packages[architecture], task)
    }
    return lock_text(found._replace(request=request), needs)


def _needed(
    manifest: Manifest, architecture: str, packages: Sequence[Locked], task: Task
) -> Iterator[tuple[str, tuple[str, ...]]]:
    """For each package that is asked for, the names of all that it needs."""
    there = {one.name for one in packages}
    offer = offered(manifest.archives, (architecture,), tools_of(task).web)
    universe = universe_of(offer, (), tools_of(task).web)
    for name, word in zip(manifest.names, manifest.packages, strict=True):
        solution = resolve(Wanted((word,)), universe, (), architecture, ())
        needed = {one.name for one in solution.install} & there
        yield name, tuple(sorted(needed - {name}))


def _read(source: Source, task: Task) -> Manifest:
    file = task.file(source)
    with open(file.path, "rb") as opened:
        data = opened.read(limits.SOURCES_BYTES + 1)
    return manifest_of(data, file.short, os.path.dirname(file.path))
