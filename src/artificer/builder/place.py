"""Where things stand in a file that somebody wrote, for errors."""

from typing import NamedTuple


class Place(NamedTuple):
    """Where in a BUILD file or a Dockerfile something stands: *line* and *column* count from 1."""

    path: str
    line: int
    column: int = 1

    def __str__(self) -> str:
        """``nginx/BUILD:3:1``."""
        return f"{self.path}:{self.line}:{self.column}"
