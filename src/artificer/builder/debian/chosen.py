"""Which packages a step comes to on an image now: what archives have, upon what is there."""

from artificer import limits
from artificer.builder.debian.choice import Chosen
from artificer.builder.debian.tools import DebTools
from artificer.builder.recipe import AddDebs
from artificer.images.files import read_files, tree_of
from artificer.images.reach import Reach
from artificer.oci.image import Image
from artificer.sources.debian.acquire import open_universe
from artificer.sources.debian.binary import Binary
from artificer.sources.debian.listing import files_of, installed
from artificer.sources.debian.resolve import resolve
from artificer.sources.debian.values import Installed, Locked, Wanted


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
