"""What a command line of kaniko's executor comes to, as a value."""

from typing import NamedTuple


class Asked(NamedTuple):
    """What a command line of kaniko asks for: *words* of a Dockerfile build, and files besides.

    *archive* gets all of *names*; the other two get a line for each of *pushed*.
    """

    words: tuple[str, ...]
    names: tuple[str, ...] = ()
    pushed: tuple[str, ...] = ()
    archive: str | None = None
    name_file: str | None = None
    name_tag_file: str | None = None
    git_authorization: str = ""

    def __repr__(self) -> str:
        """Without the password."""
        return f"Asked({' '.join(self.words)})"
