"""Which of a package's files are left out, by dpkg's rules of ``path-exclude``."""

import re
from collections.abc import Sequence
from typing import Literal, NamedTuple

from artificer.layers.entry import DIRECTORY, SYMLINK

Rule = tuple[Literal["exclude", "include"], str]


class _Compiled(NamedTuple):
    includes: bool
    matches: re.Pattern[str]
    literal: str


class Filters:
    """Patterns in their order; the last that matches a path decides. A path begins with "/".

    A directory or a symbolic link that is excluded stays if something below it may be included
    again, which dpkg finds out from what an included pattern has before its first wildcard.
    """

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._rules = tuple(
            _Compiled(kind == "include", re.compile(_translated(pattern), re.DOTALL), pattern)
            for kind, pattern in rules
        )
        self._stems = tuple(_stem(rule.literal) for rule in self._rules if rule.includes)

    def __bool__(self) -> bool:
        """Whether anything can be left out."""
        return any(not rule.includes for rule in self._rules)

    def excludes(self, path: str, kind: str) -> bool:
        """Whether dpkg would not unpack *path*, which is of this kind of entry."""
        skip = False
        for rule in self._rules:
            if rule.includes == skip and rule.matches.fullmatch(path):
                skip = not rule.includes
        if not skip or kind not in {DIRECTORY, SYMLINK}:
            return skip
        below = f"{path}/"
        return not any(path.startswith(stem) or stem.startswith(below) for stem in self._stems)


def _translated(pattern: str) -> str:
    """*pattern* of glob(7) as dpkg matches it, where ``*`` goes over slashes, too."""
    out: list[str] = []
    at = 0
    while at < len(pattern):
        letter = pattern[at]
        at += 1
        if letter == "*":
            if not out or out[-1] != ".*":
                out.append(".*")
        elif letter == "?":
            out.append(".")
        elif letter == "[" and (end := pattern.find("]", at + 1)) > 0:
            out.append(_one_of(pattern[at:end]))
            at = end + 1
        elif letter == "\\" and at < len(pattern):
            out.append(re.escape(pattern[at]))
            at += 1
        else:
            out.append(re.escape(letter))
    return "".join(out)


def _one_of(letters: str) -> str:
    """The letters of a bracket; a range that runs backwards holds none."""
    negated = len(letters) > 1 and letters[0] in "!^"
    rest = letters[1:] if negated else letters
    parts: list[str] = []
    while rest:
        if rest[1:2] == "-" and len(rest) > 2:
            low, high, rest = rest[0], rest[2], rest[3:]
            parts += [f"{re.escape(low)}-{re.escape(high)}"] if low <= high else []
        else:
            parts.append(re.escape(rest[0]))
            rest = rest[1:]
    inner = "".join(parts)
    if not inner:
        return "." if negated else "(?!)"
    return f"[^{inner}]" if negated else f"[{inner}]"


def _stem(pattern: str) -> str:
    """What *pattern* begins with before its first wildcard, no slash at its end."""
    return re.split(r"[*?\[\\]", pattern, maxsplit=1)[0].rstrip("/")
