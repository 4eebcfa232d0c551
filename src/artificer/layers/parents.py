"""The directories above paths."""

from collections.abc import Iterable, Iterator


def parents(path: str) -> Iterator[str]:
    """Yield the directories that *path* is in, the nearest first; the root is not among them."""
    while path := path.rpartition("/")[0]:
        yield path


def outer(path: str) -> list[str]:
    """Return the directories that *path* is in, the outermost first, without the root."""
    return list(parents(path))[::-1]


def parents_of(paths: Iterable[str]) -> set[str]:
    """Return the directories that any of *paths* is in; the root is not among them."""
    above: set[str] = set()
    for path in paths:
        for parent in parents(path):
            if parent in above:
                break
            above.add(parent)
    return above
