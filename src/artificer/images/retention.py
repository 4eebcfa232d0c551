"""What nobody has used for long, removed from a cache repository."""

from collections.abc import Callable
from typing import NamedTuple

from artificer.images.parallel import Work, run_all
from artificer.images.place import NotFound
from artificer.images.reach import Reach
from artificer.images.used import config_of, forget_artifact, last_used, mark_used
from artificer.oci.reference import Named, Repository

PREFIXES = ("layer-", "target-", "context-", "cache-")
"""Of tags that we have written; no other one is touched."""
_THREADS = 4


class Retired(NamedTuple):
    """What became of a repository's artifacts: so many were *removed*, *kept*, and *unknown*.

    Of an unknown one nobody had told when it was used; it is told to have been, today.
    """

    removed: int
    kept: int
    unknown: int


def retire(
    repository: Repository, before: str, today: str, reach: Reach, *, dry: bool = False
) -> Retired:
    """Remove what was last used on a day *before* that one; *dry* removes nothing."""
    tags = sorted(reach.registry.tags(repository))
    names = [Named(repository, tag, None) for tag in tags if tag.startswith(PREFIXES)]
    outcome = {"removed": 0, "kept": 0, "unknown": 0}
    work = [_work(name, before, "" if dry else today, outcome, reach) for name in names]
    run_all(work, threads=_THREADS, stop=reach.stop)
    return Retired(**outcome)


def _work(name: Named, before: str, today: str, outcome: dict[str, int], reach: Reach) -> Work:
    def work(check: Callable[[], None]) -> None:
        check()
        day = last_used(name, reach)
        if day is None:
            outcome["unknown"] += 1
            if today:
                _mark(name, today, reach)
        elif day < before:
            outcome["removed"] += 1
            if today:
                forget_artifact(name, reach)
        else:
            outcome["kept"] += 1

    return work


def _mark(name: Named, today: str, reach: Reach) -> None:
    try:
        mark_used(name, config_of(name, reach), today, reach)
    except NotFound:
        return  # gone meanwhile
