"""What packages say of one another: the fields Depends, Conflicts, Provides and their like."""

import re
from typing import Literal, NamedTuple

from artificer.errors import ArtificerError

Operator = Literal["", "<<", "<=", "=", ">=", ">>"]

_OPERATORS: dict[str, Operator] = {
    "<<": "<<",
    "<=": "<=",
    "=": "=",
    ">=": ">=",
    ">>": ">>",
    # deb-control(5): `<` and `>` are obsolete and mean "or equal".
    "<": "<=",
    ">": ">=",
    "==": "=",
}
_RELATION = re.compile(
    r"([A-Za-z0-9][A-Za-z0-9+.~_-]*)(?::([a-z0-9][a-z0-9-]*))?"
    r" ?(?:\( ?(<<|<=|==|=|>=|>>|<|>) ?([A-Za-z0-9.+~:-]+) ?\))?"
    r" ?(?:\[([^\]]*)\])? ?((?:<[^>]*> ?)*)"
)


class BadRelation(ArtificerError):
    """A relation between packages that cannot be read."""


class Relation(NamedTuple):
    """One alternative: a package, or something provided, in the versions that will do.

    *qualifier* is what follows the colon of a name: ``any``, ``native`` or an architecture.
    """

    name: str
    qualifier: str = ""
    operator: Operator = ""
    version: str = ""

    def __str__(self) -> str:
        """As a control file has it."""
        name = f"{self.name}:{self.qualifier}" if self.qualifier else self.name
        return f"{name} ({self.operator} {self.version})" if self.operator else name


Clause = tuple[Relation, ...]
"""Alternatives, the preferred one first."""


def parse_relations(text: str, architecture: str = "") -> tuple[Clause, ...]:
    """Read a relation field, without what is restricted to other architectures or to profiles."""
    clauses = []
    for part in text.split(","):
        if not part.strip():
            continue
        clause = tuple(
            relation
            for word in part.split("|")
            if (relation := _relation(word, architecture)) is not None
        )
        if clause:
            clauses.append(clause)
    return tuple(clauses)


def shown(clause: Clause) -> str:
    """The alternatives of *clause*, as a control file has them."""
    return " | ".join(map(str, clause))


def _relation(word: str, architecture: str) -> Relation | None:
    # One space at most in each gap: the pattern would try all ways to part a long run of them.
    match = _RELATION.fullmatch(" ".join(word.split()))
    if match is None:
        raise BadRelation(f"not a relation between packages: {word.strip()[:80]!r}")
    name, qualifier, operator, version, architectures, profiles = match.groups()
    if architectures and architecture and not _is_for(architectures.split(), architecture):
        return None
    if profiles and not _without_profiles(profiles):
        return None
    return Relation(name, qualifier or "", _OPERATORS[operator] if operator else "", version or "")


def _is_for(words: list[str], architecture: str) -> bool:
    negated = [word[1:] for word in words if word.startswith("!")]
    if negated:
        return not any(_matches(word, architecture) for word in negated)
    return any(_matches(word, architecture) for word in words)


def _matches(word: str, architecture: str) -> bool:
    """Whether an architecture wildcard (``linux-any``, ``any-amd64``) covers *architecture*."""
    kernel, _, processor = word.rpartition("-")
    own_kernel, _, own_processor = architecture.rpartition("-")
    if word == "any" or word == architecture:
        return True
    if "any" not in (kernel, processor):
        return False
    return kernel in ("any", own_kernel or "linux") and processor in ("any", own_processor)


def _without_profiles(formula: str) -> bool:
    """Whether one of the lists in ``<…>`` holds where no build profile is active."""
    lists = [part.split() for part in re.findall(r"<([^>]*)>", formula)]
    return any(all(term.startswith("!") for term in terms) for terms in lists)
