"""Which packages a step comes to on an image: locked ones, or what is resolved now."""

import os
import re
from collections.abc import Callable, Sequence
from typing import NamedTuple
from urllib.parse import unquote

from artificer import limits
from artificer.builder.debian.tools import DebTools
from artificer.builder.recipe import AddDebs
from artificer.errors import ArtificerError, Misused
from artificer.images.files import read_files, tree_of
from artificer.images.reach import Reach
from artificer.oci.image import Image
from artificer.sources.debian.acquire import open_universe
from artificer.sources.debian.binary import Binary
from artificer.sources.debian.listing import files_of, installed
from artificer.sources.debian.resolve import resolve
from artificer.sources.debian.values import Installed, Locked, Wanted


class NotLockedFor(ArtificerError):
    """A lock has no packages for an image's architecture."""


class Chosen(NamedTuple):
    """The packages to install, in an order that dpkg can take, and installed ones that go.

    *why* says how they were chosen.
    """

    packages: tuple[Locked, ...]
    remove: tuple[str, ...] = ()
    why: str = "locked"


def chosen(
    step: AddDebs, image: Image, architecture: str, reach: Reach, tools: DebTools
) -> Chosen:
    """What *step* comes to on *image*; only where nothing is locked, archives are asked."""
    if step.locked:
        for name, packages in step.locked:
            if name == architecture:
                return Chosen(packages)
        there = ", ".join(name for name, _ in step.locked)
        raise NotLockedFor(
            f"packages are locked for {there}, not for {architecture}",
            hint="lock them for all platforms that are built",
        )
    if step.wanted is None:
        raise Misused("no packages to install")
    return resolved(step, image, architecture, reach, tools)


def resolved(
    step: AddDebs, image: Image, architecture: str, reach: Reach, tools: DebTools
) -> Chosen:
    """What archives have for *step* now, upon what *image* has."""
    wanted = step.wanted or Wanted()
    architectures = (architecture, *step.foreign)
    universe = open_universe(
        step.archives, architectures, tools.web, pins=wanted.pins, files=wanted.files
    )
    there = installed_in(image, reach)
    solution = resolve(wanted, universe, there, architecture, step.foreign)
    packages = tuple(
        locked_of(one, auto=_shown(one, architecture) in solution.auto) for one in solution.install
    )
    gone = tuple(f"{one.name}:{one.architecture}" for one in solution.remove)
    return Chosen(packages, gone, "resolved")


def asked_for(wanted: Wanted | None, packages: Sequence[Locked]) -> frozenset[str]:
    """The names of *packages* that are wanted for themselves, not because all images need them."""
    named = frozenset(one.name for one in packages if not one.auto)
    if wanted is None:
        return named
    words = frozenset(re.split("[=/:]", word)[0] for word in wanted.packages)
    files = tuple(os.path.basename(path) for path in wanted.files)
    brought = frozenset(one.name for one in packages if files and any(map(_ends(files), one.urls)))
    return (words | brought) & named or named


def _ends(names: tuple[str, ...]) -> Callable[[str], bool]:
    return lambda url: unquote(url).endswith(names)


def installed_in(image: Image, reach: Reach) -> tuple[Installed, ...]:
    """The packages that *image* has."""
    if not image.layers:
        return ()
    tree = tree_of(image, reach)
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


def _shown(package: Binary, native: str) -> str:
    own = package.architecture in {"all", native}
    return package.name if own else f"{package.name}:{package.architecture}"
