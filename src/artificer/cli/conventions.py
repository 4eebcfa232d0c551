"""What other systems want to be told of an image: Tekton's results, GitLab's dotenv reports."""

import os
from collections.abc import Callable, Sequence

from artificer.cli.session import Made

Write = Callable[[str, str], None]
"""Has a file of that path hold that text."""


def write_conventions(
    made: Sequence[Made], dotenv: str | None, directory: str | None, write: Write
) -> None:
    """Write what was *made* as a dotenv file, and as a file for each result in *directory*."""
    if dotenv is not None:
        lines = (f"{key}={value}\n" for key, value in _facts(made, ",").items())
        write(dotenv, "".join(lines))
    if directory is not None:
        os.makedirs(directory, exist_ok=True)
        for key, value in _facts(made, "\n").items():
            # No line's end: Tekton passes on what the file holds.
            write(os.path.join(directory, key), value)


def _facts(made: Sequence[Made], between: str) -> dict[str, str]:
    """By the names that Tekton Chains looks for; IMAGES are all of them by digest."""
    if not made:
        return {}
    first = made[0]
    return {
        "IMAGE_URL": first.name.partition("@")[0],
        "IMAGE_DIGEST": first.digest,
        "IMAGES": between.join(one.name or one.digest for one in made),
    }
