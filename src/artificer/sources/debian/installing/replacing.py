"""Which packages take the place of which: their files, or the whole of them."""

from collections.abc import Sequence

from artificer.sources.debian.deb import Package
from artificer.sources.debian.installing.unpack import Owner, owner_of
from artificer.sources.debian.resolving.relations import parse_relations
from artificer.sources.debian.resolving.versions import satisfies


def replaces(package: Package, other: Owner) -> bool:
    """Whether *package* says that it may take files from *other* (the field ``Replaces``)."""
    return any(
        one.name == other.name and satisfies(other.version, one.operator, one.version)
        for clause in parse_relations(package.field("Replaces"), package.architecture)
        for one in clause
    )


def replacing_first(packages: Sequence[Package]) -> list[int]:
    """The numbers of *packages* so that what replaces another's files is before that other one.

    Else their order is kept. Where packages replace one another, one of them is first.
    """
    numbers = {package.name: number for number, package in enumerate(packages)}
    replacers: dict[int, list[int]] = {}
    for number, package in enumerate(packages):
        for clause in parse_relations(package.field("Replaces"), package.architecture):
            other = numbers.get(clause[0].name, number)
            if other != number and replaces(package, owner_of(packages[other])):
                replacers.setdefault(other, []).append(number)
    ordered: dict[int, None] = {}
    for number in range(len(packages)):
        _visit(number, replacers, ordered)
    return list(ordered)


def _visit(start: int, replacers: dict[int, list[int]], ordered: dict[int, None]) -> None:
    waiting, seen = [start], {start}
    while waiting:
        new = [one for one in replacers.get(waiting[-1], ()) if one not in seen]
        if not new:
            ordered.setdefault(waiting.pop())
        seen.update(new[:1])
        waiting += new[:1]
