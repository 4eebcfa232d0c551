"""What a request for packages comes to now, exactly, for each architecture."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from artificer.builder.debian.chosen import resolved
from artificer.builder.debian.tools import DebTools
from artificer.builder.debian.upon import chain_name, with_archives
from artificer.builder.package_lock import LockedSet
from artificer.builder.recipe import AddDebs
from artificer.errors import Misused
from artificer.images.reach import Reach
from artificer.oci.edit import empty
from artificer.oci.image import Image
from artificer.oci.platform import LINUX_AMD64
from artificer.oci.reference import Reference
from artificer.sources.debian.values import Locked, Pin, Wanted

_KEEP = 1001
"""The priority of a locked version: also where another is newer, or installed."""


class Earlier(NamedTuple):
    """What a lock had; with names to *update*, all others keep their versions if they can."""

    packages: Mapping[str, tuple[Locked, ...]] = {}
    update: Sequence[str] = ()


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
        own = _held(step, architecture, earlier)
        chosen = resolved(own, image or empty(LINUX_AMD64, "oci"), architecture, reach, tools)
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


def _held(step: AddDebs, architecture: str, earlier: Earlier) -> AddDebs:
    """*step*, all packages but those to be updated held at the versions that were locked."""
    if not earlier.update:
        return step
    wanted = step.wanted or Wanted()
    pins = tuple(
        Pin((one.name,), "version", one.version, _KEEP)
        for one in earlier.packages.get(architecture, ())
        if one.name not in earlier.update
    )
    return step._replace(wanted=wanted._replace(pins=(*pins, *wanted.pins)))
