"""In which order packages are first mentioned by an index, as apt numbers them.

Of several packages that provide the same, apt takes the one with the highest number.
"""

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import mmap

# The order in which apt reads the fields of a stanza, whatever order they stand in.
_FIELDS = {
    b"Package": 0,
    b"Pre-Depends": 1,
    b"Depends": 2,
    b"Conflicts": 3,
    b"Breaks": 4,
    b"Recommends": 5,
    b"Suggests": 6,
    b"Replaces": 7,
    b"Enhances": 8,
    b"Provides": 9,
}
_LINE = re.compile(
    rb"^(?:(Package|Pre-Depends|Depends|Conflicts|Breaks|Recommends|Suggests|Replaces|Enhances"
    rb"|Provides):[ \t]*(.*(?:\n[ \t].*)*)|())$",
    re.MULTILINE,
)
# `python3:any` is another package to apt.
_NAME = re.compile(rb"(?:^|[,|])\s*([^\s,|(:\[<]+)(?=[\s,|(\[<]|$)")


def ranks(text: "mmap.mmap | bytes", names: Iterable[str]) -> dict[str, int]:
    """The place of each of *names* among all that *text* mentions, counted from 0."""
    places: dict[bytes, int] = {}
    for fields in _stanzas(text):
        for _, value in sorted(fields):
            for name in _NAME.findall(value):
                places.setdefault(name, len(places))
    found = ((name, places.get(name.encode("utf-8", "surrogateescape"))) for name in names)
    return {name: place for name, place in found if place is not None}


def _stanzas(text: "mmap.mmap | bytes") -> Iterator[list[tuple[int, bytes]]]:
    """Yield the fields of each stanza that mention packages, by their place in apt's order."""
    fields: list[tuple[int, bytes]] = []
    for match in _LINE.finditer(text):
        if match[1] is None:
            yield fields
            fields = []
        else:
            fields.append((_FIELDS[match[1]], match[2]))
    yield fields
