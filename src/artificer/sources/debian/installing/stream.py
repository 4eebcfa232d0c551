"""Packages at level `unpack`: their files and `status.d`, no script run, no database."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import BinaryIO, NamedTuple

from artificer.layers.entry import Entry
from artificer.sources.debian.deb import (
    STATUS,
    Deb,
    PieceNames,
    read_package,
    status_entries,
)
from artificer.sources.debian.installing import seeds
from artificer.sources.debian.installing.ahead import read_ahead
from artificer.sources.debian.installing.database import DIVERSIONS, diversions_of
from artificer.sources.debian.installing.filters import Filters
from artificer.sources.debian.installing.installation import Base, Options
from artificer.sources.debian.installing.layout import Layout, merged_usr
from artificer.sources.debian.installing.replacing import replaces, replacing_first
from artificer.sources.debian.installing.unpack import FileConflict, Placed, Placement
from artificer.sources.debian.listing import installed
from artificer.stop import Stop


class Reading(NamedTuple):
    """How packages are read: how many at once, and into which files where memory is too small."""

    spool: Callable[[], BinaryIO]
    stop: Stop
    threads: int = 2


class Unpacked(NamedTuple):
    """Some entries more; they can be read until the next are asked for.

    *placed* is the package they are of: None for links that no package ships.
    """

    placed: Placed | None
    entries: tuple[Entry, ...]


def unpacked(
    paths: Sequence[str], base: Base | None, options: Options, reading: Reading
) -> Iterator[Unpacked]:
    """Yield the packages at *paths* unpacked upon *base*, without their going over a disk.

    What replaces others' files comes before these, so the order is not that of *paths*; it depends
    on nothing else than the packages.
    """
    packages = [read_package(path) for path in paths]
    order = replacing_first(packages)
    stream = read_ahead(
        [paths[number] for number in order],
        reading.spool,
        threads=reading.threads,
        stop=reading.stop,
    )
    names = Counter(package.name for package in packages)
    yield from files_only(
        stream, base, options, {one for one, count in names.items() if count > 1}
    )


def files_only(
    debs: Iterable[Deb], base: Base | None, options: Options, twins: Collection[str] = ()
) -> Iterator[Unpacked]:
    """Yield each of *debs*, which are in the order of `replacing_first`, unpacked upon *base*.

    *twins* are the names that come for several architectures, where the first one may be closed
    when the other comes.
    """
    links = {} if base else merged_usr(options.architecture)
    layout = Layout(base.tree if base else None, links)
    placement = Placement(
        layout,
        replaces,
        filters=Filters(options.profile.filters),
        diversions=diverted(base, layout),
    )
    names = PieceNames(lambda name: _noted(base, name))
    shipped: set[str] = set()
    for deb in debs:
        before = len(placement.lost)
        placed = placement.add(deb, twin=deb.package.name in twins)
        for owner, path in placement.lost[before:]:
            if owner != placed.owner:
                raise FileConflict(f"{placed.owner} and {owner} replace one another: /{path}")
        shipped.update(entry.path for entry in placed.entries)
        status = status_entries(placed.package, options.epoch, names.of(placed.package))
        yield Unpacked(placed, (*placed.entries, *status))
    rest = seeds.merged_links(links, shipped, options.epoch)
    if rest:
        yield Unpacked(None, tuple(rest))


def _noted(base: Base | None, name: str) -> str:
    """The architecture of the package that *base* has in `status.d` by *name*, if there is any."""
    path = f"{STATUS}/{name}"
    if base is None or base.tree.lookup(path) is None:
        return ""
    return next((one.architecture for one in installed({path: base.read(path)})), "")


def diverted(base: Base | None, layout: Layout) -> dict[str, tuple[str, str]]:
    """The files that others are put beside: where they are, where they go, but for whose."""
    if base is None or base.tree.lookup(DIVERSIONS) is None:
        return {}
    real = layout.real
    return {
        real(path[1:]): (real(place[1:]), by)
        for path, place, by in diversions_of(base.read(DIVERSIONS))
    }
