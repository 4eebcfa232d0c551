"""From what is wanted to the packages to install, upgrade and remove, as apt-get would."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from artificer import limits
from artificer.errors import ArtificerError
from artificer.sources.debian.resolving.binary import Binary
from artificer.sources.debian.resolving.candidates import Candidates, Key, Universe
from artificer.sources.debian.resolving.explain import needed, unsatisfiable
from artificer.sources.debian.resolving.order import ordered
from artificer.sources.debian.resolving.search import Exhausted, Rules, Search, Unsolvable
from artificer.sources.debian.resolving.state import Action
from artificer.sources.debian.resolving.words import Asked, asked_of
from artificer.sources.debian.values import Installed, Wanted

_INSTALLED = 100


class Entangled(ArtificerError):
    """The search for a set of packages was given up."""


class Solution(NamedTuple):
    """What `resolve` comes to.

    *install* are the packages to unpack, new ones and other versions of installed ones, in an
    order that dpkg can take: what a package pre-depends on is before it, and what it depends on as
    far as there is no circle. *remove* are those that go. *auto* are names that nobody asked for.
    *why* says of each name in *install* and *remove* what brought it about. A name has its
    architecture (``libc6:arm64``) where that is not the native one.
    """

    install: tuple[Binary, ...]
    remove: tuple[Installed, ...]
    auto: frozenset[str]
    why: Mapping[str, str]


def resolve(
    wanted: Wanted,
    universe: Universe,
    installed: Sequence[Installed] = (),
    architecture: str = "amd64",
    foreign: Sequence[str] = (),
) -> Solution:
    """Find the packages for *wanted* on top of *installed*, the same as ``apt-get install`` would.

    *universe* knows the pins. Raise `Unsatisfiable` with the reason if there is no such set, and
    what `words` raises for names that do not exist.
    """
    there = [package for package in installed if package.status in _THERE]
    known = {_key(package, architecture): package for package in there}
    binaries = {key: _binary(package) for key, package in known.items()}
    candidates = Candidates(universe, binaries, (architecture, *foreign))
    asked = asked_of(wanted, candidates)
    rules = Rules(
        recommends=wanted.recommends,
        barred=frozenset(asked.barred),
        held=frozenset(key for key, package in known.items() if package.wanted == "hold"),
        steps=limits.RESOLUTION_STEPS,
        tasks=limits.RESOLUTION_TASKS,
    )
    search = _searched(candidates, rules, _roots(asked, binaries))
    return _solution(search, asked, known)


def _searched(candidates: Candidates, rules: Rules, roots: Sequence[Action]) -> Search:
    """A search that came to an end: in apt's way, or where that is too long, in a plainer one."""
    for one in (rules, rules._replace(spares=False)):
        search = Search(candidates, one)
        try:
            search.run(roots)
        except Exhausted:
            continue
        except Unsolvable as error:
            raise unsatisfiable(error.failure) from None
        return search
    raise Entangled(
        f"no set of packages was found in {limits.RESOLUTION_STEPS} steps",
        hint="ask for versions of some packages (`NAME=VERSION`), so that less is to be tried",
    )


# What dpkg calls the states of a package whose files are there.
_THERE = frozenset(
    ("installed", "unpacked", "half-configured", "triggers-awaited", "triggers-pending")
)


def _key(package: Installed, native: str) -> Key:
    return (package.name, native if package.architecture in ("all", "") else package.architecture)


def _binary(package: Installed) -> Binary:
    fields = dict(package.fields) | {
        "Package": package.name,
        "Version": package.version,
        "Architecture": package.architecture or "all",
    }
    return Binary(fields, pin=_INSTALLED, archive=-1)


def _roots(asked: Asked, installed: Mapping[Key, Binary]) -> list[Action]:
    """What was asked for, in apt's order: removals first, then as the words are."""
    removals = [Action(key, None) for key in sorted(asked.removed) if key in installed]
    return removals + [Action(key, binary) for key, binary in asked.binaries.items()]


def _solution(search: Search, asked: Asked, known: Mapping[Key, Installed]) -> Solution:
    shown = search.candidates.shown
    state = search.state
    changed = {
        key: state.have.get(key)
        for key in state.picked
        if key not in known or state.have.get(key) is not search.installed[key]
    }
    new = {key: binary for key, binary in changed.items() if binary is not None}
    gone = sorted(key for key, binary in changed.items() if binary is None and key in known)
    return Solution(
        install=ordered(new, search.candidates),
        remove=tuple(known[key] for key in gone),
        auto=frozenset(shown(key) for key in new if key not in asked.manual),
        why={
            shown(key): needed(state.picked[key], search.candidates)
            for key in sorted((*new, *gone))
        },
    )
