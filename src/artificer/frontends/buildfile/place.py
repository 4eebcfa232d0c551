"""Where something stands in a BUILD file, and what is said when it is wrong there."""

import re

from artificer.builder.place import Place
from artificer.errors import ArtificerError

# To the last @ of an authority: a password may have one, too.
_LOGIN = re.compile(r"(?<=://)[^/\s\"']+(?=@)")


class BuildFileError(ArtificerError):
    """A WORKSPACE, BUILD or .bzl file is wrong; the message begins with where."""


def failure(
    place: Place, message: str, *, line: str = "", hint: str | None = None
) -> BuildFileError:
    """The error *message* at *place*, with the source *line* and a caret below it.

    A login in a URL is not shown: who reads logs need not be who reads sources.
    """
    if not line.strip():
        return BuildFileError(f"{place}: {message}", hint=hint)
    shown = _LOGIN.sub(lambda login: "*" * len(login[0]), line.expandtabs(1).rstrip())
    caret = " " * (place.column - 1) + "^"
    return BuildFileError(f"{place}: {message}\n  {shown}\n  {caret}", hint=hint)
