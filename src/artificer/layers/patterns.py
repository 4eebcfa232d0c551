"""Patterns over paths: the syntax of .dockerignore, compiled once."""

import posixpath
import re
from collections.abc import Callable, Iterable
from typing import NamedTuple

from artificer.errors import Misused

_STAR = "[^/]*"
_DIRECTORIES = "(?:.*/)?"
_SOON = "[^/]*?"
_SOON_BELOW = "(?:.*?/)??"


class InvalidPattern(Misused):
    """A pattern that means nothing."""


def translated(pattern: str) -> str:
    """Return the regular expression of *pattern*, without anchors.

    `*` and `?` stay within one component, `**` spans any number of them, `[a-z]` and `[^a-z]`
    are classes, and a backslash takes the next character as it is.
    """
    out: list[str] = []
    star = deep = -1
    at = 0
    while at < len(pattern):
        text, end = _token(pattern, at)
        if text == _STAR:
            star = _settled(out, star, _SOON)
            out.append(text)
            at = end
            continue
        if text[-1] == "/" or text in (_DIRECTORIES, ".*"):
            star = -1
        if text == _DIRECTORIES:
            whole = pattern.startswith("**/", at) and (not at or pattern[at - 1] == "/")
            deep = _settled(out, deep, _SOON_BELOW) if whole else -1
        out.append(text)
        at = end
    return "".join(out)


def is_pattern(word: str) -> bool:
    """Whether *word* holds any character that a pattern gives a meaning to."""
    return any(letter in word for letter in "*?[")


def compiled(pattern: str) -> re.Pattern[str]:
    """Return what matches exactly the paths that *pattern* names; a leading "/" is no part."""
    return re.compile(translated(pattern.removeprefix("/")) + r"\Z", re.DOTALL)


class Ignored(NamedTuple):
    """Which paths, relative to a directory, are left out. The last pattern that matches decides.

    *rules* are runs of patterns of one sign, the last run first; True leaves out, False (`!`)
    takes in again what an earlier pattern left out.
    """

    rules: tuple[tuple[bool, re.Pattern[str]], ...] = ()

    def __call__(self, path: str) -> bool:
        """Whether *path* is left out, by a pattern for it or for any directory above it."""
        for sign, pattern in self.rules:
            if pattern.match(path):
                return sign
        return False

    @property
    def prunes(self) -> bool:
        """Whether nothing below a directory that is left out can be taken in again."""
        return all(sign for sign, _ in self.rules)


def ignored(patterns: Iterable[str]) -> Ignored:
    """Compile *patterns*, each one as a line of a .dockerignore means it."""
    runs: list[tuple[bool, list[str]]] = []
    for pattern in patterns:
        sign, cleaned = _rule(pattern)
        if not cleaned:
            continue
        if not runs or runs[-1][0] is not sign:
            runs.append((sign, []))
        runs[-1][1].append(translated(cleaned))
    return Ignored(tuple((sign, _below(texts)) for sign, texts in reversed(runs)))


def ignore_lines(text: str) -> list[str]:
    """Return the patterns in the text of a .dockerignore: no comments, no empty lines."""
    lines = text.removeprefix("\ufeff").split("\n")
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def expanded(pattern: str, names: Callable[[str], list[str]]) -> list[str]:
    """Return the paths that *pattern* names, sorted as bytes.

    *names* lists a directory ("" is the current one) and is empty where there is none. As in a
    shell, a leading dot has to be named: `*` does not match `.git`.
    """
    absolute = pattern.startswith("/")
    found = ["/" if absolute else ""]
    for part in [part for part in pattern.split("/") if part]:
        if part == "**":
            found = [path for start in found for path in _descended(start, names)]
        elif is_pattern(part):
            match = re.compile(translated(part) + r"\Z", re.DOTALL).match
            found = [
                _joined(path, name)
                for path in found
                for name in names(path)
                if match(name) and (part.startswith(".") or not name.startswith("."))
            ]
        else:
            literal = re.sub(r"\\(.)", r"\1", part)
            found = [_joined(path, literal) for path in found if literal in _all(path, names)]
    return sorted(set(found), key=lambda path: path.encode("utf-8", "surrogateescape"))


def _settled(out: list[str], start: int, sooner: str) -> int:
    """Fix what follows the wildcard at *start*, if there is one, where it fits first.

    Between two wildcards a later place can never do what the first cannot: without trying those,
    a pattern of many takes no longer than its length times the path's.
    """
    if start >= 0:
        out[start:] = [f"(?>{sooner}{''.join(out[start + 1 :])})"]
    return len(out)


def _token(pattern: str, at: int) -> tuple[str, int]:
    letter = pattern[at]
    if pattern.startswith("**", at):
        return _anything(pattern, at + 2)
    if letter == "*":
        return _STAR, at + 1
    if letter == "?":
        return "[^/]", at + 1
    if letter == "[":
        return _class(pattern, at)
    if letter == "\\":
        if at + 1 == len(pattern):
            raise InvalidPattern(f"a pattern ends with a backslash: {pattern!r}")
        return re.escape(pattern[at + 1]), at + 2
    return re.escape(letter), at + 1


def _anything(pattern: str, at: int) -> tuple[str, int]:
    # As moby's patternmatcher: "**/" may stand for no directory at all, a last "**" for all below.
    if pattern.startswith("/", at):
        at += 1
    return (".*", at) if at == len(pattern) else (_DIRECTORIES, at)


def _class(pattern: str, at: int) -> tuple[str, int]:
    start = at + 1
    negated = pattern.startswith(("^", "!"), start)
    start += negated
    end = _class_end(pattern, start)
    body = re.sub(r"\\(.)", r"\1", pattern[start:end])
    items = re.sub(r"([\\\[\]^&~|])", r"\\\1", body)
    try:
        re.compile(f"[{items}]")
    except re.error as error:
        raise InvalidPattern(f"not a character class: {pattern!r}") from error
    return (f"[^/{items}]" if negated else f"(?!/)[{items}]"), end + 1


def _class_end(pattern: str, start: int) -> int:
    at = start
    while at < len(pattern):
        if pattern[at] == "\\":
            at += 1
        elif pattern[at] == "]" and at > start:
            return at
        at += 1
    raise InvalidPattern(
        f"a pattern with an open bracket: {pattern!r}", hint="write `\\[` for the character itself"
    )


def _rule(pattern: str) -> tuple[bool, str]:
    text = pattern.strip()
    sign = not text.startswith("!")
    text = text.removeprefix("!").strip()
    if not sign and not text:
        raise InvalidPattern("a pattern of a single `!`", hint="name after `!` what to take in")
    if not text:
        return sign, ""
    cleaned = posixpath.normpath(text).lstrip("/")
    if cleaned == ".":
        return sign, ""
    if cleaned == ".." or cleaned.startswith("../"):
        raise InvalidPattern(f"a pattern that leaves its directory: {pattern!r}")
    return sign, cleaned


def _below(texts: list[str]) -> re.Pattern[str]:
    return re.compile(f"(?:{'|'.join(texts)})(?:/.*)?\\Z", re.DOTALL)


def _all(path: str, names: Callable[[str], list[str]]) -> list[str]:
    return [*names(path), ".", ".."]


def _descended(start: str, names: Callable[[str], list[str]]) -> list[str]:
    found = [start]
    for name in names(start):
        if not name.startswith("."):
            found += _descended(_joined(start, name), names)
    return found


def _joined(path: str, name: str) -> str:
    return f"{path.rstrip('/')}/{name}" if path else name
