"""What is told when this machine's disk does not take what it is given."""

from collections.abc import Iterator
from contextlib import contextmanager

from artificer.errors import ArtificerError, reason


class Unwritable(ArtificerError):
    """A file or directory cannot be written."""


@contextmanager
def writing(name: str) -> Iterator[None]:
    """Translate what the system says while *name* is written."""
    try:
        yield
    except OSError as error:
        missing = isinstance(error, FileNotFoundError)
        raise Unwritable(
            f"{name}: cannot be written: {reason(error)}",
            hint="make its directory first"
            if missing
            else "is the disk full, or the directory not ours?",
        ) from error
