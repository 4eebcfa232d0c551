"""Which version of each package apt would take, and which packages fulfil a relation."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Protocol

from artificer.sources.debian.resolving.binary import Binary
from artificer.sources.debian.resolving.relations import Relation
from artificer.sources.debian.resolving.versions import satisfies, version_key

Key = tuple[str, str]
"""A package that can be installed once: its name and architecture, ``all`` being the native."""

_DOWNGRADES = 1000
_PRIORITIES = {"required": 1, "important": 2, "standard": 3, "optional": 4, "extra": 5}


class Universe(Protocol):
    """What can be had: the packages of several archives and files."""

    def versions(self, name: str, architecture: str) -> Sequence[Binary]:
        """Those of *name* for *architecture*, ``all`` among them, best first by policy."""

    def providers(self, name: str) -> Sequence[Binary]:
        """Those with *name* in their ``Provides``, of any version and architecture."""

    def names(self) -> Iterable[str]:
        """Every package there is."""

    def essential(self) -> Sequence[Binary]:
        """Those that are ``Essential``."""

    def suggest(self, name: str) -> Sequence[str]:
        """Names that are like *name*, which there is not."""

    def rank(self, name: str) -> tuple[int, int]:
        """Where an archive mentions *name* first; apt numbers packages so."""

    def local(self, path: str) -> Binary | None:
        """The package of the file *path*, if it is one of those at hand."""


class Candidates:
    """The one version of each package that may come in, as apt's policy has it.

    *installed* is at hand with priority 100; it is given up for an older version only where that
    has more than 1000.
    """

    def __init__(
        self,
        universe: Universe,
        installed: Mapping[Key, Binary],
        architectures: Sequence[str],
    ) -> None:
        self.universe = universe
        self.installed = installed
        self.architectures = tuple(architectures)
        self.native = architectures[0]
        self._chosen: dict[Key, Binary | None] = {}
        self._targets: dict[tuple[Relation, str], tuple[Binary, ...]] = {}
        self._providers: dict[str, list[Key]] = {}
        for key, binary in installed.items():
            for name in binary.provided:
                self._providers.setdefault(name, []).append(key)

    def of(self, key: Key) -> Binary | None:
        """The version that would be installed of the package at *key*, if there is one."""
        if key not in self._chosen:
            self._chosen[key] = self._by_policy(key)
        return self._chosen[key]

    def choose(self, binary: Binary) -> None:
        """Take *binary*, and no other version of its package."""
        self._chosen[self.key(binary)] = binary
        self._targets.clear()

    def key(self, binary: Binary) -> Key:
        """Where *binary* would be installed."""
        own = binary.architecture
        return (binary.name, self.native if own == "all" else own)

    def shown(self, key: Key) -> str:
        """The package's name, with its architecture where that is a foreign one."""
        name, architecture = key
        return name if architecture == self.native else f"{name}:{architecture}"

    def keys(self, name: str) -> tuple[Key, ...]:
        """The package *name* of every architecture, the native first."""
        return tuple((name, architecture) for architecture in self.architectures)

    def versions(self, key: Key) -> tuple[Binary, ...]:
        """Every version of the package at *key* that there is, the best first."""
        return tuple(self.universe.versions(*key))

    def targets(self, relation: Relation, architecture: str) -> tuple[Binary, ...]:
        """Candidates that fulfil *relation* of a package for *architecture*, the best first."""
        asked = (relation, architecture)
        if asked not in self._targets:
            self._targets[asked] = self._sorted(relation, architecture)
        return self._targets[asked]

    def fulfils(self, binary: Binary, relation: Relation, architecture: str) -> bool:
        """Whether *binary* is what a package for *architecture* needs by *relation*."""
        return self._is_for(binary, relation.qualifier, architecture) and is_called(
            binary, relation
        )

    def opposes(self, relation: Relation, binary: Binary) -> bool:
        """Whether a conflict or break by *relation* is with *binary*."""
        if relation.qualifier not in ("", "any", self.key(binary)[1]):
            return False
        return is_called(binary, relation)

    def _sorted(self, relation: Relation, architecture: str) -> tuple[Binary, ...]:
        found: dict[Key, Binary] = {}
        for binary in self._named(relation.name):
            key = self.key(binary)
            if key not in found and self.fulfils(binary, relation, architecture):
                found[key] = binary
        return tuple(sorted(found.values(), key=self._preference(relation)))

    def _named(self, name: str) -> Iterator[Binary]:
        for architecture in self.architectures:
            candidate = self.of((name, architecture))
            if candidate is not None:
                yield candidate
        for provider in self.universe.providers(name):
            candidate = self.of(self.key(provider))
            if candidate is not None and candidate.version == provider.version:
                yield candidate
        # What is installed may provide what no archive knows of.
        for key in self._providers.get(name, ()):
            if self.of(key) is self.installed[key]:
                yield self.installed[key]

    def _is_for(self, binary: Binary, qualifier: str, architecture: str) -> bool:
        own = self.key(binary)[1]
        if qualifier == "any":
            return binary.multi_arch == "allowed"
        if qualifier:
            return own == (self.native if qualifier == "native" else qualifier)
        return own == architecture or binary.multi_arch == "foreign"

    def _preference(self, relation: Relation) -> Callable[[Binary], tuple[object, ...]]:
        """How apt sorts those that provide the same."""

        def preference(binary: Binary) -> tuple[object, ...]:
            key = self.key(binary)
            archive, place = self.universe.rank(binary.name)
            return (
                not self._has_sibling(binary),
                key not in self.installed,
                binary.name != relation.name,
                not binary.essential,
                not binary.protected,
                self.architectures.index(key[1]),
                _PRIORITIES.get(binary.priority, 4),
                # apt takes the package that it has read of last.
                -archive,
                -place,
                binary.name,
            )

        return preference

    def _has_sibling(self, binary: Binary) -> bool:
        """Whether it is ``Multi-Arch: same`` and installed for some architecture."""
        return binary.multi_arch == "same" and any(
            (binary.name, architecture) in self.installed for architecture in self.architectures
        )

    def _by_policy(self, key: Key) -> Binary | None:
        versions = [binary for binary in self.universe.versions(*key) if binary.pin > 0]
        installed = self.installed.get(key)
        if installed is None:
            return versions[0] if versions else None
        own = version_key(installed.version)
        best, priority = installed, installed.pin
        for binary in versions:
            other = version_key(binary.version)
            if other == own:
                priority = max(priority, binary.pin)
        for binary in versions:
            other = version_key(binary.version)
            if other < own and binary.pin <= _DOWNGRADES:
                continue
            if (binary.pin, other) > (priority, version_key(best.version)):
                best, priority = binary, binary.pin
        return best


def is_called(binary: Binary, relation: Relation) -> bool:
    """Whether *binary* has the name of *relation*, or provides it, in a version that will do."""
    if binary.name == relation.name and satisfies(
        binary.version, relation.operator, relation.version
    ):
        return True
    return any(
        # policy 7.5: what is provided without a version has none that could be compared.
        not relation.operator
        or (
            provided.operator == "="
            and satisfies(provided.version, relation.operator, relation.version)
        )
        for provided in binary.provides(relation.name)
    )
