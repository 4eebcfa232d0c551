"""Where something stands in a BUILD file, and what is said when it is wrong there."""

from artificer.builder.place import Place
from artificer.errors import ArtificerError


class BuildFileError(ArtificerError):
    """A WORKSPACE, BUILD or .bzl file is wrong; the message begins with where."""


def failure(
    place: Place, message: str, *, line: str = "", hint: str | None = None
) -> BuildFileError:
    """The error *message* at *place*, with the source *line* and a caret below it."""
    if not line.strip():
        return BuildFileError(f"{place}: {message}", hint=hint)
    shown = line.expandtabs(1).rstrip()
    caret = " " * (place.column - 1) + "^"
    return BuildFileError(f"{place}: {message}\n  {shown}\n  {caret}", hint=hint)
