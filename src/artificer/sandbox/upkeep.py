"""What roots leave in the state directory, and how it goes again."""

import os
from collections.abc import Callable
from typing import NamedTuple

from artificer.sandbox import caches, trees
from artificer.sandbox.roots import Roots
from artificer.sandbox.site import sweep


class Pruned(NamedTuple):
    """What was removed: unpacked layers (their bytes), whole roots and caches (how many)."""

    freed: int
    roots: int
    caches: int


def prune(state: str, older_than: float, *, with_caches: bool) -> Pruned:
    """Remove what nobody used for *older_than* seconds from *state*, as far as it is ours.

    What is in use stays. Caches of commands go only *with_caches*.
    """
    freed = sum(_each(f"{state}/trees", lambda folder: trees.prune(folder, older_than)))
    whole = _each(f"{state}/roots", lambda folder: _roots(folder).prune(older_than))
    _each(f"{state}/work", sweep)
    gone = 0
    if with_caches:
        gone = sum(_each(f"{state}/caches", lambda folder: caches.prune(folder, older_than)))
    return Pruned(freed, sum(whole), gone)


def _each(above: str, removed: Callable[[str], int]) -> list[int]:
    """Prune each folder in *above*; those of other users are left to them."""
    counts = []
    for name in sorted(os.listdir(above)) if os.path.isdir(above) else []:
        try:
            counts.append(removed(f"{above}/{name}"))
        except PermissionError:
            continue
    return counts


def _roots(folder: str) -> Roots:
    return Roots(folder, marked=False, skipped=(), check=lambda: None)
