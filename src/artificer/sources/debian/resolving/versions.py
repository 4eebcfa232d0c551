"""The order of Debian versions (deb-version(7))."""

import re
from functools import lru_cache

from artificer.errors import ArtificerError
from artificer.sources.debian.resolving.relations import Operator

_MOST = 1024
"""Characters of a version: more are no version, and Python would refuse to read its numbers."""

# Like dpkg and apt, which compare also what no package may be called by (`1_2`).
_VERSION = re.compile(r"(?:([0-9]+):)?([!-~]*?)(?:-([!-,.-~]*))?")
_RUNS = re.compile(r"([^0-9]*)([0-9]*)")

# Runs of other characters are compared by "~", their end, letters, all others: as characters in
# that order, strings compare so by themselves.
_END = "\x01"
_ORDER = {code: chr(code + 256) for code in range(33, 127) if not chr(code).isalnum()}
_ORDER[ord("~")] = "\x00"

VersionKey = tuple[int, tuple[str | int, ...], tuple[str | int, ...]]
"""What two versions are compared by."""


class BadVersion(ArtificerError):
    """A text is no version of a Debian package."""


@lru_cache(maxsize=65536)
def version_key(version: str) -> VersionKey:
    """Sort by this: versions that dpkg takes for equal have the same key."""
    match = _VERSION.fullmatch(version.strip()) if len(version) <= _MOST else None
    if match is None or not match[2] or (match[1] is None and ":" in match[2]):
        raise BadVersion(f"not a version of a Debian package: {version[:80]!r}")
    return (int(match[1] or 0), _part(match[2]), _part(match[3] or ""))


def satisfies(version: str, operator: Operator, bound: str) -> bool:
    """Whether *version* is what ``(operator bound)`` asks for; everything is what nothing asks."""
    if not operator:
        return True
    key, other = version_key(version), version_key(bound)
    match operator:
        case "<<":
            return key < other
        case "<=":
            return key <= other
        case "=":
            return key == other
        case ">=":
            return key >= other
        case ">>":
            return key > other


def _part(text: str) -> tuple[str | int, ...]:
    # The last run is empty, so that a version that ends is after one that goes on with "~". No
    # text is one empty run; it must be as long as "0", to which it is equal.
    runs = _RUNS.findall(text) if text else [("", ""), ("", "")]
    return tuple(
        value
        for others, digits in runs
        for value in (others.translate(_ORDER) + _END, int(digits or 0))
    )
