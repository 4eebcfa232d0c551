"""Which packages take the place of which: their files, or the whole of them."""

from artificer.sources.debian.deb import Package
from artificer.sources.debian.relations import parse_relations
from artificer.sources.debian.unpack import Owner
from artificer.sources.debian.versions import satisfies


def replaces(package: Package, other: Owner) -> bool:
    """Whether *package* says that it may take files from *other* (the field ``Replaces``)."""
    return any(
        one.name == other.name and satisfies(other.version, one.operator, one.version)
        for clause in parse_relations(package.field("Replaces"), package.architecture)
        for one in clause
    )
