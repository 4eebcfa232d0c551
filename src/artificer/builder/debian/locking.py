"""What a request for packages comes to now, exactly, for each architecture."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from artificer.builder.debian.choice import Chosen
from artificer.builder.debian.chosen import settled
from artificer.builder.debian.recalled import Asked, asked
from artificer.builder.debian.tools import DebTools
from artificer.builder.debian.upon import chain_name, with_archives
from artificer.builder.keys import key
from artificer.builder.package_lock import LockedSet
from artificer.builder.recipe import AddDebs
from artificer.errors import ArtificerError, Misused
from artificer.events import Note
from artificer.images.reach import Reach
from artificer.oci.edit import empty
from artificer.oci.image import Image
from artificer.oci.platform import LINUX_AMD64
from artificer.oci.reference import Reference
from artificer.sources.debian.archives.acquire import acquire, local_binary, universe_of
from artificer.sources.debian.resolving.binary import Binary
from artificer.sources.debian.resolving.explain import Unsatisfiable
from artificer.sources.debian.resolving.words import UnknownPackage
from artificer.sources.debian.values import Locked, Pin, Wanted
from artificer.sources.url import NotFetched, NotFound, WrongHash

_KEEP = 1001
"""The priority of a locked version: also where another is newer, or installed."""
_SHOWN = 8


class NotKept(ArtificerError):
    """A package is to stay as it was locked, and cannot be had any more."""


class Earlier(NamedTuple):
    """What a lock had; with names to *update*, all others keep their versions if they can."""

    packages: Mapping[str, tuple[Locked, ...]] = {}
    update: Sequence[str] = ()

    def held(self, architecture: str) -> tuple[Locked, ...]:
        """Those for *architecture* that are to stay as they are."""
        if not self.update:
            return ()
        there = self.packages.get(architecture, ())
        return tuple(one for one in there if one.name not in self.update)


def locked_now(
    step: AddDebs,
    reference: Reference | str,
    bases: Mapping[str, Image | None],
    reach: Reach,
    tools: DebTools,
    earlier: Earlier,
) -> LockedSet:
    """What *step* comes to now on each of *bases*; what the request is called is not in it yet."""
    step = with_archives(step, reference, bases, reach)
    _check(earlier)
    packages: dict[str, tuple[Locked, ...]] = {}
    leaving: dict[str, tuple[str, ...]] = {}
    for architecture, image in bases.items():
        held = earlier.held(architecture)
        own = _pinned(step, held)
        upon = image or empty(LINUX_AMD64, "oci")
        ask = _Question(own, upon, architecture, reach, tools)
        offer = asked(own, upon, architecture, tools.web)
        chosen = _kept(offer, held, ask) if held else ask.answer(offer)
        packages[architecture] = chosen.packages
        if chosen.remove:
            leaving[architecture] = chosen.remove
    names = {architecture: chain_name(image) for architecture, image in bases.items()}
    told = {key: name for key, name in names.items() if name}
    return LockedSet("", packages, told, leaving)


def _check(earlier: Earlier) -> None:
    known = {one.name for each in earlier.packages.values() for one in each}
    for name in earlier.update:
        if name not in known:
            raise Misused(
                f"--update {name}: the lock has no such package",
                hint="`artificer lock` without --update locks everything anew",
            )


def _pinned(step: AddDebs, held: Sequence[Locked]) -> AddDebs:
    """*step* with a pin for each package that is *held*."""
    wanted = step.wanted or Wanted()
    pins = tuple(Pin((one.name,), "version", one.version, _KEEP) for one in held)
    return step._replace(wanted=wanted._replace(pins=(*pins, *wanted.pins)))


class _Question(NamedTuple):
    """What is to be installed upon which image."""

    step: AddDebs
    image: Image
    architecture: str
    reach: Reach
    tools: DebTools

    def answer(self, told: Asked) -> Chosen:
        """What it comes to, of what archives *told*."""
        return settled(told, *self)


def _kept(told: Asked, held: Sequence[Locked], ask: _Question) -> Chosen:
    """The answer, where packages that are *held* may be listed nowhere: then by their files."""
    moved = unlisted = _unlisted(told, held, ask)
    if not unlisted:
        return ask.answer(told)
    try:
        chosen = ask.answer(told)
    except (UnknownPackage, Unsatisfiable):
        # What is locked may be gone in any version.
        return _of_files(told, unlisted, moved, ask)
    moved = _moved(chosen, unlisted)
    return _of_files(told, unlisted, moved, ask) if moved else chosen


def _moved(chosen: Chosen, held: Sequence[Locked]) -> tuple[Locked, ...]:
    """Which of *held* are chosen in another version."""
    versions = {(one.name, one.architecture): one.version for one in chosen.packages}
    return tuple(
        one
        for one in held
        if versions.get((one.name, one.architecture), one.version) != one.version
    )


def _unlisted(told: Asked, held: Sequence[Locked], ask: _Question) -> tuple[Locked, ...]:
    """Which of *held* no archive lists. What is a file beside archives is what it is now."""
    universe = universe_of(told.offer, (), ask.tools.web)
    files = {binary.name for binary in told.offer.files.values()}
    return tuple(
        one
        for one in held
        if one.name not in files
        and one.version not in {it.version for it in universe.versions(one.name, one.architecture)}
    )


def _of_files(
    told: Asked, unlisted: Sequence[Locked], moved: Sequence[Locked], ask: _Question
) -> Chosen:
    """The answer if archives listed the *unlisted*, too, of which *moved* would be others now."""
    paths = _fetched(unlisted, ask)
    binaries = {one: _binary(one, paths.get(one)) for one in unlisted}
    files = {f"{one.sha256} {one.name}": binary for one, binary in binaries.items()}
    offer = told.offer._replace(files={**told.offer.files, **files})
    name = key((told.name,), sorted(files), sorted(one.sha256 for one in paths))
    try:
        chosen = ask.answer(Asked(offer, name, None))
    except Unsatisfiable as error:
        raise NotKept(error.message, hint=_update_too(moved)) from error
    was = {(one.name, one.version, one.architecture): one for one in unlisted}
    taken = [one for each in chosen.packages if (one := was.get(each[:3])) is not None]
    if lost := [one for one in taken if one not in paths]:
        raise _not_kept(lost)
    if taken:
        words = _words(taken, "{0.name} {0.version}")
        ask.reach.report(Note(f"stay as they were locked, though no archive lists them: {words}"))
    packages = tuple(
        one if old is None else old._replace(auto=one.auto)
        for one in chosen.packages
        for old in (was.get(one[:3]),)
    )
    return chosen._replace(packages=packages)


def _fetched(locked: Sequence[Locked], ask: _Question) -> dict[Locked, str]:
    """The files of those that can be had."""
    try:
        return acquire(locked, ask.tools.web)
    except (NotFetched, NotFound, WrongHash):
        if len(locked) == 1:
            return {}
    return {one: path for each in locked for one, path in _fetched((each,), ask).items()}


def _binary(one: Locked, path: str | None) -> Binary:
    """*one* as an archive would list it; without its file only what the lock knows."""
    if path is not None:
        return local_binary(path)
    names = ("Package", "Version", "Architecture")
    return Binary({**dict(zip(names, one[:3], strict=True)), "SHA256": one.sha256})


def _not_kept(lost: Sequence[Locked]) -> NotKept:
    return NotKept(
        "what is not to be updated stays as it was locked, but archives neither list these any "
        f"more nor have their files: {_words(lost, '{0.name} {0.version}')}",
        hint=_update_too(lost),
    )


def _update_too(packages: Sequence[Locked]) -> str:
    if len(packages) > _SHOWN:
        return "lock all of them anew, without names of packages"
    return f"update them as well: add `{' '.join(f'--update {one.name}' for one in packages)}`"


def _words(packages: Sequence[Locked], form: str) -> str:
    shown = ", ".join(map(form.format, packages[:_SHOWN]))
    return shown if len(packages) <= _SHOWN else f"{shown} and {len(packages) - _SHOWN} more"
