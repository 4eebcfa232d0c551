"""Why packages come in, and why some cannot, in words."""

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import NamedTuple

from artificer.errors import ArtificerError
from artificer.sources.debian.resolving.binary import Binary
from artificer.sources.debian.resolving.candidates import Candidates, Key
from artificer.sources.debian.resolving.relations import Clause, Relation, shown
from artificer.sources.debian.resolving.state import OPPOSITIONS, Cause, State

_VERBS = {
    "Pre-Depends": "pre-depends on",
    "Depends": "depends on",
    "Recommends": "recommends",
    "Conflicts": "conflicts with",
    "Breaks": "breaks",
    "Source": "is built from the same source as",
}
_LINES = 24
_LENGTH = 1000
"""Characters of a line: a package may have a hundred thousand alternatives."""
_CHAIN = 6


class Failure(NamedTuple):
    """What did not work, by which choices, and what each of its alternatives failed by."""

    levels: int
    text: str
    parts: tuple["Failure", ...] = ()


class Unsatisfiable(ArtificerError):
    """No set of packages is what was asked for."""


def needed(cause: Cause, candidates: Candidates, what: Key | None = None) -> str:
    """The sentence of *cause*, which decides on *what*: ``nginx depends on libc6 (>= 2.34)``."""
    if cause.parent is None:
        return "it was asked for"
    subject = candidates.shown(cause.parent)
    verb = _VERBS.get(cause.field, cause.field)
    if cause.clause:
        return f"{subject} {verb} {shown(cause.clause)}"
    return f"{subject} {verb} {candidates.shown(what) if what else 'it'}"


def chain(key: Key, picked: Mapping[Key, Cause], candidates: Candidates) -> str:
    """Who needs the package at *key*, up to what was asked for."""
    names: list[str] = []
    cause = picked.get(key)
    # What is changed to mend itself is its own parent.
    while cause is not None and cause.parent not in (None, key) and len(names) < _CHAIN:
        key = cause.parent
        names.append(candidates.shown(key))
        cause = picked.get(key)
    if not names:
        return "asked for" if cause is not None else "installed"
    end = "" if cause is None or cause.parent is None else ", …"
    return "needed by " + ", which is needed by ".join(names) + end


def conflict(binary: Binary, key: Key, state: State, candidates: Candidates) -> str:
    """How *binary* and the package at *key*, which is there, exclude one another."""
    other = state.have[key]
    subject, found = (
        named(binary, candidates),
        f"{named(other, candidates)} ({chain(key, state.picked, candidates)})",
    )
    for owner, owned, one, two in (
        (binary, other, subject, found),
        (other, binary, found, subject),
    ):
        for field in OPPOSITIONS:
            for clause in owner.relations(field):
                if any(candidates.opposes(relation, owned) for relation in clause):
                    as_what = "" if clause[0].name == owned.name else f" as {shown(clause)}"
                    return f"{one} {_VERBS[field]} {two}{as_what}"
    if binary.multi_arch == other.multi_arch == "same":
        return f"{subject} must have the version of {found}"
    return f"{subject} cannot be there for two architectures, beside {found}"


def unmet(clause: Clause, candidates: Candidates, architecture: str) -> str:
    """Why no package fulfils *clause*: which versions there are of what it names."""
    return "; ".join(_lack(relation, candidates, architecture) for relation in clause)


def named(binary: Binary, candidates: Candidates) -> str:
    """Its name and version."""
    return f"{candidates.shown(candidates.key(binary))} {binary.version}"


def unsatisfiable(failure: Failure) -> Unsatisfiable:
    """*failure* as an error that shows what was tried."""
    lines = list(islice(_outline(failure, 1), _LINES + 1))
    if len(lines) > _LINES:
        lines[_LINES] = "  …"
    return Unsatisfiable(
        "\n".join(["there is no set of packages in which all this holds:", *lines]),
        hint="ask for other versions (`NAME=VERSION`), leave packages out, or add archives",
    )


def _outline(failure: Failure, depth: int) -> Iterator[str]:
    text = failure.text if len(failure.text) <= _LENGTH else f"{failure.text[:_LENGTH]}…"
    yield f"{'  ' * depth}{text}"
    if depth > _LINES:
        return
    seen = set()
    for part in failure.parts:
        if part.text not in seen:
            seen.add(part.text)
            yield from _outline(part, depth + 1)


def _lack(relation: Relation, candidates: Candidates, architecture: str) -> str:
    name = relation.name
    asked = relation.qualifier
    arch = asked if asked in candidates.architectures else architecture
    versions = list(dict.fromkeys(binary.version for binary in candidates.versions((name, arch))))
    candidate = candidates.of((name, arch))
    if versions and candidate is None:
        return f"{name} {', '.join(versions[:4])} is pinned away"
    if versions:
        only = f"there is {name} {', '.join(versions[:4])}"
        if candidate is not None and len(versions) > 1:
            only += f" and {candidate.version} would be taken"
        return f"{only}, not {relation}"
    providers = sorted({binary.name for binary in candidates.universe.providers(name)})
    if providers:
        return f"nothing provides {relation} (of {', '.join(providers[:4])})"
    return f"there is no package {name}"
