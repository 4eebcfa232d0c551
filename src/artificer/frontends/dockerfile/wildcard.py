"""Patterns of ``${v#p}`` and ``${v/p/r}``: ``*`` and ``?``, matched in linear time."""

import re
from typing import NamedTuple

from artificer.errors import ArtificerError

_ESCAPED = frozenset("*?\\`}/")


class InvalidPattern(ArtificerError):
    """A pattern escapes what needs no escape, or nothing."""


class Wildcard(NamedTuple):
    """A pattern, cut at its stars: each piece matches a run of known length.

    *backwards* are the same pieces, each for a text that is read from its end.
    """

    pieces: tuple[re.Pattern[str], ...]
    backwards: tuple[re.Pattern[str], ...]

    def without_prefix(self, value: str, *, longest: bool) -> str:
        """*value* without the shortest or longest beginning that matches."""
        found = _match(self.pieces, self.backwards, value, longest=longest)
        return value if found is None else value[found:]

    def without_suffix(self, value: str, *, longest: bool) -> str:
        """*value* without the shortest or longest end that matches."""
        pieces, backwards = self.backwards[::-1], self.pieces[::-1]
        found = _match(pieces, backwards, value[::-1], longest=longest)
        return value if found is None else value[: len(value) - found]

    def replaced(self, value: str, replacement: str, *, everywhere: bool) -> str:
        """*value* with the first match, or every one, replaced; each is the longest there."""
        parts: list[str] = []
        at = done = 0
        while (span := self._found(value, at)) is not None:
            begin, end = span
            # As in Go: an empty match right behind another one is none.
            if begin < end or not parts or begin > done:
                parts += (value[done:begin], replacement)
                done = end
            at = end if begin < end else end + 1
            if not everywhere or at > len(value):
                break
        return "".join((*parts, value[done:]))

    def _found(self, value: str, at: int) -> tuple[int, int] | None:
        # The earliest place of the first piece leaves the most to the others.
        first = self.pieces[0].search(value, at)
        if first is None:
            return None
        if len(self.pieces) == 1:
            return first.span()
        end = _rest(self.pieces, self.backwards, value, first.end(), longest=True)
        return None if end is None else (first.start(), end)


def wildcard(text: str, escape: str = "\\") -> Wildcard:
    r"""Read a pattern; ``\*``, ``\?``, ``\\``, ``\}`` and ``\/`` stand for the character."""
    pieces: list[list[str]] = [[]]
    at = 0
    while at < len(text):
        char = text[at]
        if char in {"\\", escape}:
            at += 1
            if at == len(text) or text[at] not in _ESCAPED:
                raise InvalidPattern(
                    f"invalid pattern {text!r}: {text[at - 1 : at + 1]!r} is no escape",
                    hint=r"only \*, \?, \\, \} and \/ are",
                )
            pieces[-1].append(re.escape(text[at]))
        elif char == "*":
            pieces.append([])
        else:
            pieces[-1].append("." if char == "?" else re.escape(char))
        at += 1
    return Wildcard(
        tuple(re.compile("".join(piece), re.DOTALL) for piece in pieces),
        tuple(re.compile("".join(piece[::-1]), re.DOTALL) for piece in pieces),
    )


def _match(
    pieces: tuple[re.Pattern[str], ...],
    backwards: tuple[re.Pattern[str], ...],
    value: str,
    *,
    longest: bool,
) -> int | None:
    """Where a match at the very beginning of *value* ends."""
    first = pieces[0].match(value)
    if first is None or len(pieces) == 1:
        return first.end() if first else None
    return _rest(pieces, backwards, value, first.end(), longest=longest)


def _rest(
    pieces: tuple[re.Pattern[str], ...],
    backwards: tuple[re.Pattern[str], ...],
    value: str,
    at: int,
    *,
    longest: bool,
) -> int | None:
    """Where the pieces behind the first end, if they are all found from *at* on."""
    for piece in pieces[1:-1]:
        found = piece.search(value, at)
        if found is None:
            return None
        at = found.end()
    if not longest:
        found = pieces[-1].search(value, at)
        return found.end() if found else None
    found = backwards[-1].search(value[: at - 1 : -1] if at else value[::-1])
    return len(value) - found.start() if found else None
