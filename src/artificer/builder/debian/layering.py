"""What packages come to, cut into layers: pure."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from artificer.layers.entry import DIRECTORY, FILE, HARDLINK, Entry
from artificer.layers.merge import by_components
from artificer.layers.parents import parents_of
from artificer.layers.tar import BLOCK_SIZE
from artificer.layers.whiteout import is_whiteout
from artificer.sources.debian.values import Layering, Locked

_NAMES = 200
_REST = ""
_SMALL = "~"  # behind all names of packages


class Part(NamedTuple):
    """One layer: the line of history, and its entries."""

    line: str
    entries: list[Entry]


class Cut(NamedTuple):
    """How to cut: into one layer, one for each source package, or at most *most* of them.

    *line* is what the history says of the whole.
    """

    layering: Layering
    most: int
    line: str
    epoch: int = 0


def line_of(words: Sequence[str], packages: Sequence[Locked]) -> str:
    """What the history says of *packages*: the words they were asked for by, or their names."""
    asked = words or sorted({one.name for one in packages if not one.auto})
    line = f"DEBS {' '.join(asked or sorted({one.name for one in packages}))}"
    return line if len(line) <= _NAMES else line[: _NAMES - 1] + "…"


def parts(
    entries: Sequence[Entry], owners: Mapping[str, str], packages: Sequence[Locked], cut: Cut
) -> list[Part]:
    """Cut *entries*; *owners* says which package a path is of, if it is as the package has it.

    A layer of a source package is then the same in every image that has it: its files as they
    are in the package, below directories of one time. Where there are more source packages than
    layers, the smallest share one. The last layer has what is of no package or was changed by a
    script, and whiteouts.
    """
    if cut.layering == "one" or cut.most < 2:
        return [Part(cut.line, list(entries))] if entries else []
    places = _places(entries, owners, packages)
    names = _layers(entries, places, cut.most - 1)
    filled: dict[str, list[Entry]] = {name: [] for name in (*sorted({*names.values()}), _REST)}
    directories = {
        one.path: one._replace(mtime=cut.epoch) for one in entries if one.kind == DIRECTORY
    }
    inner = parents_of(entry.path for entry in entries)
    for entry in entries:
        if entry.path not in inner:
            listed = filled[names.get(places[entry.path], _REST)]
            listed.append(directories.get(entry.path, entry))
    return [
        Part(_line(name, names, cut.line), _whole(listed, directories))
        for name, listed in filled.items()
        if listed
    ]


def _places(
    entries: Sequence[Entry], owners: Mapping[str, str], packages: Sequence[Locked]
) -> dict[str, str]:
    """Say of which source package each entry is, `_REST` if of none; links go with their file."""
    sources = {one.name: one.source.partition(" ")[0] or one.name for one in packages}
    places: dict[str, str] = {}
    for entry in entries:
        owner = owners.get(entry.path, "").partition(":")[0]
        places[entry.path] = (
            places[entry.link] if entry.kind == HARDLINK else sources.get(owner, _REST)
        )
    return places


def _layers(entries: Sequence[Entry], places: Mapping[str, str], most: int) -> dict[str, str]:
    """Say for each source package which layer it is in: its own, or that of small ones."""
    weights: dict[str, int] = {}
    for entry in entries:
        if place := places[entry.path]:
            size = entry.size if entry.kind == FILE else 0
            weights[place] = weights.get(place, 0) + BLOCK_SIZE + size
    largest = sorted(weights, key=lambda name: (-weights[name], name))
    if len(largest) <= most:
        return {name: name for name in largest}
    return {name: name if number < most - 1 else _SMALL for number, name in enumerate(largest)}


def _line(layer: str, names: Mapping[str, str], whole: str) -> str:
    if layer == _REST:
        return f"{whole} (configuration)"
    if layer == _SMALL:
        return f"DEBS {sum(name == _SMALL for name in names.values())} source packages"
    return f"DEBS of {layer}"


def _whole(listed: list[Entry], directories: Mapping[str, Entry]) -> list[Entry]:
    """Return *listed* with the directories above, in the order of a layer."""
    named = {entry.path for entry in listed}
    above = parents_of(named) - named
    gone = [entry for entry in listed if is_whiteout(entry.path)]
    there = [entry for entry in listed if not is_whiteout(entry.path)]
    there += [directories[path] for path in above if path in directories]
    return [*gone, *by_components(there)]
