"""In which order dpkg configures packages, and whose scripts are called when."""

from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence, Set

from artificer.sources.debian.deb import Package
from artificer.sources.debian.installing.actions import DPKG
from artificer.sources.debian.installing.installation import Action
from artificer.sources.debian.installing.turns import Turn
from artificer.sources.debian.resolving.relations import parse_relations

_BINS = 65521  # of dpkg's table of packages, which is the order of "all"
_PRIME, _START = 16777619, 2166136261


def sequence(
    actions: Iterable[Action], turns: Sequence[Turn], installed: Collection[str]
) -> Iterator[tuple[Turn, str]]:
    """Yield whose script is called, and which, when *actions* are done: of *turns* alone.

    *installed* are the names of packages that are there already.
    """
    waiting = {turn.owner.key: turn for turn in turns}
    done = set(installed) - {turn.package.name for turn in turns}
    for action in actions:
        if action.script == "preinst" and action.package in waiting:
            yield waiting[action.package], "preinst"
        elif action.argv[:1] == (DPKG,) and action.script == "configure":
            keys = [word for word in action.argv if word in waiting]
            wanted = keys or sorted(waiting, key=_place)
            for key in _configured([waiting[key] for key in wanted], done):
                yield waiting.pop(key), "postinst"


def _place(key: str) -> int:
    """Where dpkg keeps the package *key*."""
    found = _START
    for letter in key.partition(":")[0].encode():
        found = (found * _PRIME & 0xFFFFFFFF) ^ letter
    return found % _BINS


def _configured(turns: Sequence[Turn], done: set[str]) -> Iterator[str]:
    """The keys of *turns* as they are configured: who needs one of them waits behind all others.

    Where all wait for one another, the first does not.
    """
    names = {name for turn in turns for name in _names(turn.package)}
    needs = {turn.owner.key: _needs(turn.package, names) for turn in turns}
    queue = deque(turns)
    waited = 0
    while queue:
        turn = queue.popleft()
        lacking = any(done.isdisjoint(clause) for clause in needs[turn.owner.key])
        if lacking and waited <= len(queue):
            queue.append(turn)
            waited += 1
            continue
        waited = 0
        done.update(_names(turn.package))
        yield turn.owner.key


def _names(package: Package) -> list[str]:
    provided = parse_relations(package.field("Provides"), package.architecture)
    return [package.name, *(one.name for clause in provided for one in clause)]


def _needs(package: Package, names: Set[str]) -> list[Mapping[str, None]]:
    """What *package* needs of *names*, any of each."""
    clauses = [
        dict.fromkeys(one.name for one in clause)
        for field in ("Pre-Depends", "Depends")
        for clause in parse_relations(package.field(field), package.architecture)
    ]
    own = set(_names(package))
    return [one for one in clauses if not names.isdisjoint(one) and own.isdisjoint(one)]
