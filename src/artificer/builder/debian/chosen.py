"""Which packages a step comes to on an image now: what archives have, upon what is there."""

from collections.abc import Iterable

from artificer import limits
from artificer.builder.debian.choice import Chosen, foreign_in
from artificer.builder.debian.ground import ground
from artificer.builder.debian.recalled import Asked, asked, keep
from artificer.builder.debian.tools import DebTools
from artificer.builder.recipe import AddDebs
from artificer.errors import Misused
from artificer.images.files import read_files
from artificer.images.reach import Reach
from artificer.oci.image import Image
from artificer.sources.debian.archives.acquire import universe_of
from artificer.sources.debian.listing import STATUS, files_of, installed
from artificer.sources.debian.resolving.binary import Binary
from artificer.sources.debian.resolving.resolve import resolve
from artificer.sources.debian.values import Installed, Locked, Wanted, name_beside


class NotAdded(Misused):
    """Packages of a base have to change, and only files can be added."""


def resolved(
    step: AddDebs, image: Image, architecture: str, reach: Reach, tools: DebTools
) -> Chosen:
    """What archives have for *step* now, upon what *image* has.

    They are always asked; where they say what they said before, so is what the step comes to.
    """
    told = asked(step, image, architecture, tools.web)
    return settled(told, step, image, architecture, reach, tools)


def settled(
    told: Asked, step: AddDebs, image: Image, architecture: str, reach: Reach, tools: DebTools
) -> Chosen:
    """What *step* comes to: what it came to before, or what is found in what archives *told*."""
    found = told.known or _searched(told, step, image, architecture, reach, tools)
    if step.level == "unpack" and image.layers:
        _check_added(found, image, reach)
    return found


def _searched(
    told: Asked, step: AddDebs, image: Image, architecture: str, reach: Reach, tools: DebTools
) -> Chosen:
    wanted = step.wanted or Wanted()
    universe = universe_of(told.offer, wanted.pins, tools.web)
    there = installed_in(image, reach)
    solution = resolve(wanted, universe, there, architecture, foreign_in(step, architecture))
    packages = tuple(
        locked_of(one, auto=name_beside(architecture, one.name, one.architecture) in solution.auto)
        for one in solution.install
    )
    gone = tuple(f"{one.name}:{one.architecture}" for one in solution.remove)
    found = Chosen(packages, gone, "resolved")
    keep(told.name, found, tools.web.store)
    return found


def _check_added(chosen: Chosen, image: Image, reach: Reach) -> None:
    """Refuse what has to go or change: mere files come beside those of older versions.

    What `status.d` alone knows may change, for what is unpacked is noted there.
    """
    tree = ground(image, reach)
    paths = [path for path in files_of(tree) if path == STATUS]
    files = read_files(image, tree, paths, limits.STATUS_BYTES, reach)
    old = {(one.name, one.architecture): one.version for one in installed(files)}
    changed = [
        f"{one.name} {old[key]} → {one.version}"
        for one in chosen.packages
        for key in _places(one, old)
    ]
    if gone := [*changed, *chosen.remove]:
        raise NotAdded(
            f"level `unpack` only adds packages, and these of the base have to change or go: "
            f"{', '.join(gone)}",
            hint="take level `configure`, which updates dpkg's database, or name versions that "
            "go with the base (`NAME=VERSION`)",
        )


def _places(package: Locked, old: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Which of *old*, names and architectures, *package* would be in the place of."""
    own = package.architecture
    return [
        key for key in old if key[0] == package.name and (own == "all" or key[1] in {own, "all"})
    ]


def installed_in(image: Image, reach: Reach) -> tuple[Installed, ...]:
    """The packages that *image* has."""
    if not image.layers:
        return ()
    tree = ground(image, reach)
    return installed(read_files(image, tree, files_of(tree), limits.STATUS_BYTES, reach))


def locked_of(package: Binary, *, auto: bool) -> Locked:
    """*package*, pinned to the very file."""
    return Locked(
        package.name,
        package.version,
        package.architecture,
        package.urls,
        package.sha256,
        package.size,
        package.source,
        auto,
    )
