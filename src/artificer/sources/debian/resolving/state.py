"""Which packages there are at one point of a search, why, and the way back to an earlier point."""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from artificer.sources.debian.resolving.binary import Binary, RelationField
from artificer.sources.debian.resolving.candidates import Candidates, Key
from artificer.sources.debian.resolving.relations import Clause, Relation

NEEDS: tuple[RelationField, ...] = ("Pre-Depends", "Depends")
USES: tuple[RelationField, ...] = (*NEEDS, "Recommends", "Suggests")
OPPOSITIONS: tuple[RelationField, ...] = ("Conflicts", "Breaks")


class Cause(NamedTuple):
    """Why a package is in or out: *clause* in *field* of *parent*; nothing if it was asked for.

    *levels* are the choices that it came by, a bit each.
    """

    parent: Key | None = None
    field: str = ""
    clause: Clause = ()
    levels: int = 0


class Action(NamedTuple):
    """To have *binary* of the package at *key*; none is to have it not."""

    key: Key
    binary: Binary | None


class State:
    """Which packages there are at this point of the search; every change can be taken back."""

    def __init__(self, candidates: Candidates, installed: Mapping[Key, Binary]) -> None:
        self._candidates = candidates
        self.have: dict[Key, Binary] = {}
        self.picked: dict[Key, Cause] = {}
        self._holders: dict[str, dict[Key, None]] = {}
        self._opposed: dict[str, list[tuple[Key, Relation]]] = {}
        self._dependents: dict[str, dict[Key, None]] = {}
        self._trail: list[tuple[Key, Binary | None, Cause | None]] = []
        for key, binary in installed.items():
            self._enter(key, binary)

    @property
    def mark(self) -> int:
        """The point to which `undo` may come back."""
        return len(self._trail)

    def pick(self, action: Action, cause: Cause) -> None:
        """Do *action*, for *cause*."""
        old = self.have.get(action.key)
        self._trail.append((action.key, old, self.picked.get(action.key)))
        self.picked[action.key] = cause
        if old is action.binary:
            return
        if old is not None:
            self._leave(action.key, old)
        if action.binary is not None:
            self._enter(action.key, action.binary)

    def undo(self, mark: int) -> None:
        """Take back what was picked since *mark*."""
        while len(self._trail) > mark:
            key, old, cause = self._trail.pop()
            if cause is None:
                del self.picked[key]
            else:
                self.picked[key] = cause
            now = self.have.get(key)
            if now is old:
                continue
            if now is not None:
                self._leave(key, now)
            if old is not None:
                self._enter(key, old)

    def holds(self, clause: Clause, architecture: str) -> bool:
        """Whether one of the alternatives is there for a package of *architecture*."""
        return any(
            self._candidates.fulfils(self.have[key], relation, architecture)
            for relation in clause
            for key in self._holders.get(relation.name, ())
        )

    def opponents(self, key: Key, binary: Binary) -> list[Key]:
        """The packages that are there and cannot be beside *binary*, in either direction."""
        found: dict[Key, None] = {}
        for relation in _relations(binary, OPPOSITIONS):
            for other in self._holders.get(relation.name, ()):
                if self._is_conflict(relation, self.have[other], binary):
                    found[other] = None
        for name in (binary.name, *binary.provided):
            for other, relation in self._opposed.get(name, ()):
                if self._is_conflict(relation, binary, self.have[other]):
                    found[other] = None
        found.update(dict.fromkeys(self._unlike(key, binary)))
        return list(found)

    def _unlike(self, key: Key, binary: Binary) -> Iterator[Key]:
        """The same package of other architectures; libraries may be beside it in one version."""
        for other in self._candidates.keys(binary.name):
            sibling = self.have.get(other)
            if sibling is None or other == key:
                continue
            shared = binary.multi_arch == sibling.multi_arch == "same"
            if not shared or sibling.version != binary.version:
                yield other

    def lineage(self, cause: Cause) -> set[Key]:
        """The packages for which one of *cause* comes in."""
        found: set[Key] = set()
        while cause.parent is not None and cause.parent not in found:
            found.add(cause.parent)
            cause = self.picked.get(cause.parent, Cause())
        return found

    def used(self, roots: Iterable[Key]) -> set[Key]:
        """What is there that *roots* need, have recommended or have suggested, and theirs."""
        todo = list(roots)
        found = set(todo)
        while todo:
            key = todo.pop()
            for relation in _relations(self.have[key], USES):
                for other in self._holders.get(relation.name, ()):
                    if other not in found and self._candidates.fulfils(
                        self.have[other], relation, key[1]
                    ):
                        found.add(other)
                        todo.append(other)
        return found

    def dependents(self, lost: Binary) -> list[Key]:
        """The packages with a need in which *lost* is named, by its name or what it provides."""
        found: dict[Key, None] = {}
        for name in (lost.name, *lost.provided):
            found.update(self._dependents.get(name, {}))
        return list(found)

    def _is_conflict(self, relation: Relation, subject: Binary, owner: Binary) -> bool:
        # policy 7.4: what a package provides itself is not meant by its conflicts.
        return subject.name != owner.name and self._candidates.opposes(relation, subject)

    def _enter(self, key: Key, binary: Binary) -> None:
        self.have[key] = binary
        for name in (binary.name, *binary.provided):
            self._holders.setdefault(name, {})[key] = None
        for relation in _relations(binary, OPPOSITIONS):
            self._opposed.setdefault(relation.name, []).append((key, relation))
        for relation in _relations(binary, NEEDS):
            self._dependents.setdefault(relation.name, {})[key] = None

    def _leave(self, key: Key, binary: Binary) -> None:
        del self.have[key]
        for name in (binary.name, *binary.provided):
            self._holders.get(name, {}).pop(key, None)
        for relation in _relations(binary, OPPOSITIONS):
            self._opposed[relation.name].remove((key, relation))
        for relation in _relations(binary, NEEDS):
            self._dependents[relation.name].pop(key, None)


def _relations(binary: Binary, fields: tuple[RelationField, ...]) -> Iterator[Relation]:
    for field in fields:
        for clause in binary.relations(field):
            yield from clause
