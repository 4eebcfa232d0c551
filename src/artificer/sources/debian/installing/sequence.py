"""In which order dpkg configures packages, and whose scripts are called when."""

from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence, Set

from artificer.sources.debian.deb import Package
from artificer.sources.debian.installing.actions import DPKG
from artificer.sources.debian.installing.installation import Action
from artificer.sources.debian.installing.turns import Turn
from artificer.sources.debian.resolving.relations import parse_relations

_BINS = 65521  # of dpkg's table of packages, which is the order of all of them
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
        found = (found ^ letter) * _PRIME & 0xFFFFFFFF
    return found % _BINS


def _configured(turns: Sequence[Turn], done: set[str]) -> Iterator[str]:
    """The keys of *turns* as they are configured: who needs one of them waits behind all others.

    Where all wait, the first that waits for itself does not.
    """
    named = {name: turn for turn in turns for name in _names(turn.package)}
    needs = {turn.owner.key: _needs(turn.package, named.keys()) for turn in turns}
    queue = deque(turns)
    waited = 0
    while queue:
        turn = queue.popleft()
        lacking = any(done.isdisjoint(clause) for clause in needs[turn.owner.key])
        everywhere = waited > 2 * len(queue) + 2
        cyclic = lacking and waited > len(queue) and _needs_itself(turn, named, needs, done)
        if lacking and not cyclic and not everywhere:
            queue.append(turn)
            waited += 1
            continue
        waited = 0
        done.update(_names(turn.package))
        yield turn.owner.key


def _needs_itself(
    turn: Turn,
    named: Mapping[str, Turn],
    needs: Mapping[str, Sequence[Iterable[str]]],
    done: Set[str],
) -> bool:
    """Whether *turn* is among what has to be configured before it."""
    seen: set[str] = set()
    waiting = [turn.owner.key]
    while waiting:
        for name in (name for clause in needs[waiting.pop()] for name in clause):
            other = named.get(name)
            if other is None or name in done or other.owner.key in seen:
                continue
            if other.owner.key == turn.owner.key:
                return True
            seen.add(other.owner.key)
            waiting.append(other.owner.key)
    return False


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
