"""A large tree in several layers: a stable partition by path (docs/concepts/layer-format.md)."""

import hashlib
import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from artificer.layers.entry import DIRECTORY, FILE, HARDLINK, Entry
from artificer.layers.tar import BLOCK_SIZE

MIB = 1024 * 1024
WHOLE = 128 * MIB
"""A tree up to this size is one layer."""

BUCKET = 64 * MIB
MOST = 24
LARGE = 8 * MIB
"""A file from this size on has a bucket of its own path, not of its directory's."""


class Sizes(NamedTuple):
    """From which size on a tree is cut, how much goes into a bucket, which files are large."""

    whole: int = WHOLE
    bucket: int = BUCKET
    large: int = LARGE


USUAL = Sizes()

_DEPENDENCIES = frozenset(
    {
        "node_modules",
        "site-packages",
        "dist-packages",
        "vendor",
        "bower_components",
        "jspm_packages",
        "gems",
    }
)
_LIBRARIES = (
    *("lib/", "lib32/", "lib64/"),
    *("usr/lib/", "usr/lib32/", "usr/lib64/", "usr/local/lib/"),
)
_LIBRARY_FILE = re.compile(r"\.so(\.[0-9.]+)?$|\.jar$")
_WHITEOUT = ".wh."

# (whether it is the application, hash): a class's buckets are chosen by the hash.
_Place = tuple[bool, int]
_FIRST: _Place = (False, 0)


def partition(
    entries: Sequence[Entry], *, most: int = MOST, sizes: Sizes = USUAL
) -> list[list[Entry]]:
    """Cut *entries* into at most *most* layers, to be applied in this order.

    Change one file, and one list changes; add or remove one, and at most two do; when the size
    crosses a step, three. Nothing else matters: neither the order of other entries, nor what was
    built before.
    """
    weights = [_weight(entry) for entry in entries]
    if most < 2 or sum(weights) <= sizes.whole:
        return [list(entries)] if entries else []
    places = _places(entries, sizes.large)
    whole = [0, 0]
    for place, weight in zip(places, weights, strict=True):
        if place is not _FIRST:
            whole[place[0]] += weight
    wishes = -(-whole[False] // sizes.bucket), -(-whole[True] // sizes.bucket)
    counts = _counts(*wishes, min(most, MOST))
    known = {place: _bucket(place, counts) for place in set(places)}
    buckets = [known[place] for place in places]
    return [entries for entries in _filled(entries, buckets, sum(counts)) if entries]


def _weight(entry: Entry) -> int:
    # Directories weigh nothing: a file's parents may be of the other class than the file.
    if entry.kind == DIRECTORY:
        return 0
    return BLOCK_SIZE + (entry.size if entry.kind == FILE else 0)


def _places(entries: Sequence[Entry], large: int) -> list[_Place]:
    known: dict[str, _Place] = {}  # of directories
    own: dict[str, _Place] = {}  # of large files and of hard links

    def of_directory(path: str) -> _Place:
        if path not in known:
            known[path] = (_is_application(path), _hash(path))
        return known[path]

    def of_entry(entry: Entry) -> _Place:
        path = entry.path
        above, _, name = path.rpartition("/")
        if entry.kind == DIRECTORY:
            return of_directory(path)
        if entry.kind == HARDLINK:
            own[path] = own.get(entry.link) or of_directory(entry.link.rpartition("/")[0])
            return own[path]
        if name.startswith(_WHITEOUT):
            return _FIRST
        library = (".so" in name or ".jar" in name) and _LIBRARY_FILE.search(name)
        if entry.kind == FILE and (library or entry.size >= large):
            own[path] = (of_directory(above)[0] and not library, _hash(path))
            return own[path]
        return of_directory(above)

    return [of_entry(entry) for entry in entries]


def _is_application(directory: str) -> bool:
    return _DEPENDENCIES.isdisjoint(directory.split("/")) and not f"{directory}/".startswith(
        _LIBRARIES
    )


def _hash(path: str) -> int:
    digest = hashlib.sha256(path.encode("utf-8", "surrogateescape")).digest()
    return int.from_bytes(digest[:8], "little")


def _counts(wish: int, other: int, most: int) -> tuple[int, int]:
    """Say how many buckets dependencies and the application have of those that they want."""
    first = min(wish, max(most - other, most - most // 2))
    return first, min(other, most - first)


def _bucket(place: _Place, counts: tuple[int, int]) -> int:
    """Linear hashing: one bucket more takes from one other only."""
    late, number = place
    count = counts[late]
    if not count:  # whiteouts, and no dependencies to go with
        return 0
    mask = (1 << (count - 1).bit_length()) - 1
    bucket = number & mask
    if bucket >= count:
        bucket &= mask >> 1
    return bucket + late * counts[0]


def _filled(entries: Sequence[Entry], buckets: list[int], count: int) -> list[list[Entry]]:
    """Put the entries into their buckets, and the directories above them, in their order."""
    parents = [entry.path.rpartition("/")[0] for entry in entries]
    inner = _with_parents(parents)
    direct: list[set[str]] = [set() for _ in range(count)]
    for entry, parent, bucket in zip(entries, parents, buckets, strict=True):
        if entry.kind != DIRECTORY or entry.path not in inner:
            direct[bucket].add(parent)
    above = [_with_parents(paths) for paths in direct]
    filled: list[list[Entry]] = [[] for _ in range(count)]
    for entry, bucket in zip(entries, buckets, strict=True):
        if entry.kind == DIRECTORY and entry.path in inner:
            for paths, layer in zip(above, filled, strict=True):
                if entry.path in paths:
                    layer.append(entry)
        else:
            filled[bucket].append(entry)
    return filled


def _with_parents(paths: Iterable[str]) -> set[str]:
    """Return the directories *paths* and all above them."""
    found: set[str] = set()
    for path in set(paths):
        while path and path not in found:
            found.add(path)
            path = path.rpartition("/")[0]
    return found
