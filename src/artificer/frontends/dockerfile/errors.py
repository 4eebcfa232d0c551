"""What is wrong with a Dockerfile: where, with the line and a caret below it."""

import difflib
import re
from collections.abc import Iterable

from artificer.builder.place import Place
from artificer.errors import ArtificerError
from artificer.frontends.dockerfile.instructions import Lines

_LONGEST = 200
_MARGIN = 40


class InvalidDockerfile(ArtificerError):
    """A Dockerfile that cannot be built as it is written."""


def invalid(
    at: Lines, message: str, *, word: str = "", hint: str | None = None
) -> InvalidDockerfile:
    """Return the error of the instruction *at*, with a caret below *word* where it is found."""
    line, column = _found(at, word)
    text = at.text.split("\n")[line]
    place = Place(at.place.path, at.place.line + line, column + 1)
    shown = excerpt(text, place.line, column, len(word) if text.startswith(word, column) else 0)
    return InvalidDockerfile(f"{place.path}:{place.line}: {message}\n{shown}", hint=hint)


def suggestion(word: str, words: Iterable[str]) -> str | None:
    """``did you mean …?``, if one of *words* is like *word*."""
    found = difflib.get_close_matches(word, sorted(words), 1, 0.6)
    return f"did you mean {found[0]}?" if found else None


def excerpt(text: str, number: int, column: int, width: int) -> str:
    """Return line *number* and a caret line below it; long lines are cut around *column*."""
    start = max(0, column - _MARGIN) if len(text) > _LONGEST else 0
    shown = "".join(
        letter if letter.isprintable() else " " for letter in text[start : start + _LONGEST]
    )
    carets = "^" * max(1, min(width, _LONGEST - (column - start)))
    margin = f"  {number:>2} | "
    return f"{margin}{shown}\n{' ' * (len(margin) - 2)}| {' ' * (column - start)}{carets}"


def _found(at: Lines, word: str) -> tuple[int, int]:
    """Return the line of the instruction, from 0, and the column where *word* first stands."""
    if word:
        whole = re.search(rf"(?<!\S){re.escape(word)}(?!\S)", at.text)
        offset = whole.start() if whole else at.text.find(word)
        if offset >= 0:
            before = at.text[:offset]
            return before.count("\n"), offset - (before.rfind("\n") + 1)
    first = at.text.split("\n", 1)[0]
    return 0, len(first) - len(first.lstrip())
