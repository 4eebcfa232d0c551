"""Debian packages of BUILD files: upon their base or upon nothing, as layers."""

import os
from collections.abc import Iterator, Mapping

from artificer.builder.actions.image import base_image
from artificer.builder.debian.locking import Earlier, locked_now
from artificer.builder.debian.stack import debs_stack
from artificer.builder.debian.tools import DebTools, NoTools, architecture_of, platform_of
from artificer.builder.debian.upon import chain_name, with_archives
from artificer.builder.kind import kind_of
from artificer.builder.lock import NotLocked
from artificer.builder.package_lock import LockedSet, read_packages, request_of, text_of
from artificer.builder.package_targets import Debs, DebsLock
from artificer.builder.products import File, Files, Layers
from artificer.builder.recipe import AddDebs, Compress
from artificer.builder.task import Task, WrongInput, told
from artificer.builder.work import Work
from artificer.oci.edit import empty
from artificer.oci.image import Image
from artificer.oci.platform import LINUX_AMD64, Platform
from artificer.sources.debian.archives.preferences import pins_of
from artificer.sources.debian.archives.sourceslist import archives_of
from artificer.sources.debian.values import Archive, Locked, Pin, Wanted

_NOTHING = LockedSet("", {})


def package_layers(target: Debs, task: Task) -> Layers:
    """The layers of *target*, each with a line of history."""
    if target.unlocked:
        raise NotLocked(
            f"there is no {os.path.basename(target.unlocked)} beside its BUILD file",
            hint="`artificer lock` writes it",
        )
    image = ground_of(target, task)
    step = step_of(target, image, task)
    kind = kind_of(Compress(), "oci")
    work = Work(kind, task.reach, task.tools.known, None, task.tools.fresh)
    stack = debs_stack(step, image, work, lambda: tools_of(task))
    return Layers(stack.layers, tuple(f"{task.label}: {line}" for line in stack.lines), ())


def lock_file(target: DebsLock, task: Task) -> Files:
    """The lock of packages as it is now, as a file."""
    debs = target.debs
    step = requested(debs, task)
    bases = {name: _upon(debs, platform_of(name), task) for name in debs.architectures}
    if not bases:
        image = ground_of(debs, task)
        bases[architecture_of(image.platform or LINUX_AMD64)] = image if image.layers else None
    old = read_packages(task.file(target.old).path) if target.old is not None else _NOTHING
    names = {name: chain_name(image) for name, image in bases.items()}
    found = old
    if target.anew or target.update or not _is_of(old, names, request_name_of(debs, task)):
        earlier = Earlier(old.packages, target.update)
        base = told(debs.base) if debs.base is not None else ""
        found = locked_now(step, base, bases, task.reach, tools_of(task), earlier)
        found = portable(found, debs, task)
    digest = task.reach.store.put(text_of(found).encode())
    return Files((File(task.reach.store.blob_path(digest), task.below(task.name), digest),))


def _is_of(lock: LockedSet, bases: Mapping[str, str], request: str) -> bool:
    own = {name: lock.bases.get(name, "") for name in lock.packages}
    return lock.request == request and own == bases


def _upon(debs: Debs, platform: Platform, task: Task) -> Image | None:
    if debs.base is None:
        return None
    image = base_image(debs.base, platform, task)
    there = image.platform or LINUX_AMD64
    if architecture_of(there) != architecture_of(platform):
        raise WrongInput(
            f"{told(debs.base)} is of {there}, and packages are to be locked for {platform}, too",
            hint="take a base that is an index, or one architecture",
        )
    return image


def ground_of(target: Debs, task: Task) -> Image:
    """The image that the packages of *target* are installed upon."""
    platform = task.id.platform
    if target.base is None:
        return empty(platform or LINUX_AMD64, "oci")
    return base_image(target.base, platform, task)


def step_of(target: Debs, image: Image, task: Task) -> AddDebs:
    """The step of *target* with what its files, its lock and its base say."""
    step = requested(target, task)
    architecture = architecture_of(image.platform or LINUX_AMD64)
    if target.lock is not None:
        lock = read_packages(task.file(target.lock).path)
        locked = lock.of(
            architecture,
            request=request_name_of(target, task) if lock.request else "",
            base=chain_name(image if image.layers else None) if lock.request else "",
            what=task.file(target.lock).short,
        )
        return step._replace(
            locked=((architecture, tuple(_here(locked, target, task))),),
            leaving=tuple(lock.leaving.items()),
        )
    base = told(target.base) if target.base is not None else ""
    return with_archives(step, base, {architecture: image if image.layers else None}, task.reach)


def requested(target: Debs, task: Task) -> AddDebs:
    """The step of *target* with the archives, pins and packages that files say."""
    step = target.step
    wanted = step.wanted or Wanted()
    keyrings = tuple(task.file(one).path for one in target.keyrings)
    archives = (*step.archives, *_listed(target, task))
    return step._replace(
        archives=tuple(_completed(one, keyrings, target.snapshot) for one in archives),
        wanted=wanted._replace(
            files=tuple(one.path for one in _debs(target, task)),
            pins=(*wanted.pins, *_preferred(target, task)),
        ),
    )


def request_name_of(target: Debs, task: Task) -> str:
    """What decides which packages *target* comes to, the same on every machine."""
    step = requested(target, task)
    names = tuple(f"{one.short}@{one.digest}" for one in _debs(target, task))
    wanted = (step.wanted or Wanted())._replace(files=names)
    base = told(target.base) if target.base is not None else ""
    return request_of(wanted, step.archives, base)


def portable(found: LockedSet, target: Debs, task: Task) -> LockedSet:
    """*found* with the packages of files called by their names in the workspace."""
    names = {one.digest.hex: f"file:{one.short}" for one in _debs(target, task)}
    packages = {
        architecture: tuple(
            one._replace(urls=(names[one.sha256],)) if one.sha256 in names else one for one in each
        )
        for architecture, each in found.packages.items()
    }
    return found._replace(request=request_name_of(target, task), packages=packages)


def tools_of(task: Task) -> DebTools:
    """What packages are fetched and installed with."""
    options = task.tools.options
    if options.web is None or options.sandbox is None:
        raise NoTools(f"{task.label}: packages cannot be installed by this command")
    return DebTools(options.web, options.sandbox)


def _here(locked: tuple[Locked, ...], target: Debs, task: Task) -> Iterator[Locked]:
    paths = {one.digest.hex: one.path for one in _debs(target, task)}
    for one in locked:
        path = paths.get(one.sha256)
        yield one if path is None else one._replace(urls=(path,))


def _debs(target: Debs, task: Task) -> tuple[File, ...]:
    found = [file for source in target.debs for file in task.files(source)]
    for file in found:
        if not file.short.endswith((".deb", ".udeb")):
            raise WrongInput(f"{file.short} is no .deb file")
    return tuple({file.path: file for file in found}.values())


def _listed(target: Debs, task: Task) -> Iterator[Archive]:
    for source in target.archives:
        yield from archives_of(task.content(source).encode(), task.file(source).short)


def _preferred(target: Debs, task: Task) -> Iterator[Pin]:
    for source in target.preferences:
        yield from pins_of(task.content(source).encode(), task.file(source).short)


def _completed(archive: Archive, keyrings: tuple[str, ...], snapshot: str) -> Archive:
    if snapshot and not archive.snapshot:
        archive = archive._replace(snapshot=snapshot)
    return archive if archive.signed_by else archive._replace(signed_by=keyrings)
