"""An order in which dpkg can take packages."""

from collections.abc import Iterable, Iterator, Mapping

from artificer.errors import ArtificerError
from artificer.sources.debian.resolving.binary import Binary, RelationField
from artificer.sources.debian.resolving.candidates import Candidates, Key

Graph = Mapping[Key, tuple[Key, ...]]


class CircularPreDepends(ArtificerError):
    """Packages that each must be configured before the other is unpacked."""


def ordered(binaries: Mapping[Key, Binary], candidates: Candidates) -> tuple[Binary, ...]:
    """*binaries* so that what a package pre-depends on is before it.

    What it depends on is before it too, but for circles: those are broken at Depends, in the order
    of names.
    """
    before = _graph(binaries, candidates, ("Pre-Depends",))
    for circle in _components(sorted(binaries), before):
        if len(circle) > 1:
            names = " → ".join(candidates.shown(key) for key in sorted(circle))
            raise CircularPreDepends(
                f"packages pre-depend on one another in a circle: {names}",
                hint="dpkg cannot install them; one of them must come from elsewhere",
            )
    needs = _graph(binaries, candidates, ("Pre-Depends", "Depends"))
    found: list[Key] = []
    for circle in _components(sorted(binaries), needs):
        inside = set(circle)
        within = {key: tuple(other for other in before[key] if other in inside) for key in circle}
        for (key,) in _components(sorted(circle), within):
            found.append(key)
    return tuple(binaries[key] for key in found)


def _graph(
    binaries: Mapping[Key, Binary], candidates: Candidates, fields: tuple[RelationField, ...]
) -> dict[Key, tuple[Key, ...]]:
    """Which of *binaries* each needs by *fields*, among those that are new themselves."""
    holders: dict[str, list[Key]] = {}
    for key, binary in sorted(binaries.items()):
        for name in (binary.name, *binary.provided):
            holders.setdefault(name, []).append(key)
    return {
        key: tuple(
            sorted(
                {
                    other
                    for field in fields
                    for clause in binary.relations(field)
                    for relation in clause
                    for other in holders.get(relation.name, ())
                    if other != key and candidates.fulfils(binaries[other], relation, key[1])
                }
            )
        )
        for key, binary in binaries.items()
    }


def _components(keys: Iterable[Key], graph: Graph) -> list[list[Key]]:
    """The circles of *graph*, each after those that it needs."""
    walk = _Walk(graph)
    for key in keys:
        walk.visit(key)
    return walk.found


class _Walk:
    """Tarjan's walk, without recursion: chains of packages are longer than Python's stack."""

    def __init__(self, graph: Graph) -> None:
        self.found: list[list[Key]] = []
        self._graph = graph
        self._number: dict[Key, int] = {}
        self._lowest: dict[Key, int] = {}
        self._open: dict[Key, None] = {}
        self._work: list[tuple[Key, Iterator[Key]]] = []

    def visit(self, root: Key) -> None:
        if root in self._number:
            return
        self._enter(root)
        while self._work:
            key, others = self._work[-1]
            for other in others:
                if other not in self._number:
                    self._enter(other)
                    break
                if other in self._open:
                    self._lowest[key] = min(self._lowest[key], self._number[other])
            else:
                self._leave(key)

    def _enter(self, key: Key) -> None:
        self._number[key] = self._lowest[key] = len(self._number)
        self._open[key] = None
        self._work.append((key, iter(self._graph[key])))

    def _leave(self, key: Key) -> None:
        self._work.pop()
        if self._work:
            parent = self._work[-1][0]
            self._lowest[parent] = min(self._lowest[parent], self._lowest[key])
        if self._lowest[key] < self._number[key]:
            return
        circle: list[Key] = []
        while not circle or circle[-1] != key:
            circle.append(self._open.popitem()[0])
        self.found.append(circle)
