"""What is left of a build when its pod is gone: what a registry got, what a cache keeps."""

from artificer.errors import ArtificerError
from artificer.kubernetes.job import Cache


class Nowhere(ArtificerError):
    """A build of which nothing would be left when its pod is gone."""


def nowhere(what: str, how: str) -> Nowhere:
    """The error for *what* no registry gets; *how* one would."""
    return Nowhere(
        f"nothing would be left of {what} when its pod is gone",
        hint=f"send it to a registry: {how}",
    )


def shared_words(own: str | None, cache: Cache) -> tuple[str, ...]:
    """The words that share what is made through *cache*, unless the command line has its *own*."""
    if own is not None or not cache.repository:
        return ()
    readonly = ("--cache-readonly",) if cache.read_only else ()
    return (f"--cache-repo={cache.repository}", *readonly)
