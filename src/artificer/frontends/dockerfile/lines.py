"""The lines of a Dockerfile: continuations joined, comments attached, heredocs taken out."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from artificer import limits
from artificer.builder.place import Place
from artificer.frontends.dockerfile.errors import invalid
from artificer.frontends.dockerfile.instructions import Heredoc, Lines
from artificer.frontends.dockerfile.words import (
    SPACES,
    HeredocWord,
    NotOnlyText,
    first_and_rest,
    flag_words,
    heredoc_words,
    json_words,
)

_NOT_TEXT = re.compile("[\ud800-\udfff\0]")
_WITH_HEREDOCS = frozenset({"ADD", "COPY", "RUN"})


class Statement(NamedTuple):
    """An instruction before it is understood.

    *heredocs* are in the order of their names in ``at.code``; *empty_lines* says that its lines
    are continued across an empty one.
    """

    at: Lines
    heredocs: tuple[Heredoc, ...] = ()
    empty_lines: bool = False


def statements(text: str, path: str, escape: str = "\\") -> Iterator[Statement]:
    """Yield the instructions of *text*, whose lines end with LF or CRLF."""
    physical = text.removeprefix("\ufeff").split("\n")
    comments: list[str] = []
    at = 0
    while at < len(physical):
        line = physical[at].strip(SPACES)
        if line.startswith("#"):
            comment = line[1:].strip(SPACES)
            # An empty comment keeps what is above it apart from the instruction, as BuildKit says.
            if comment:
                comments.append(comment)
            else:
                comments.clear()
            at += 1
        elif not line or line == escape:
            comments = []
            at += 1
        else:
            statement = _Reader(physical, at, path, escape).statement(tuple(comments))
            yield statement
            comments = []
            at = statement.at.last


class _Reader:
    """Reads one instruction, from line *start* (from 0) on."""

    __slots__ = ("_at", "_escape", "_path", "_physical", "_start")

    def __init__(self, physical: list[str], start: int, path: str, escape: str) -> None:
        self._physical = physical
        self._start = start
        self._at = start
        self._path = path
        self._escape = escape

    def statement(self, comments: tuple[str, ...]) -> Statement:
        code, empty_lines = self._joined()
        self._check(code, "an instruction", limits.INSTRUCTION_CHARACTERS)
        heredocs = tuple(self._heredoc(word) for word in _expected(code))
        return Statement(self._lines(code, comments), heredocs, empty_lines)

    def _joined(self) -> tuple[str, bool]:
        pieces: list[str] = []
        empty_lines = False
        while self._at < len(self._physical):
            line = self._physical[self._at].rstrip("\r")
            self._at += 1
            if not pieces:
                line = line.lstrip(SPACES)
            elif line.lstrip(SPACES).startswith("#"):
                continue
            elif not line.strip(SPACES):
                # The last line of a file is what stands behind its last newline.
                empty_lines |= self._at < len(self._physical)
                continue
            piece, ends = self._piece(line)
            pieces.append(piece)
            if ends:
                break
        return "".join(pieces).rstrip(SPACES), empty_lines

    def _piece(self, line: str) -> tuple[str, bool]:
        """Return *line* without the escape that continues it, and whether there is none."""
        trimmed = line.rstrip(" \t")
        if not trimmed.endswith(self._escape) or trimmed.endswith(self._escape * 2):
            return line, True
        return trimmed[:-1], False

    def _heredoc(self, word: HeredocWord) -> Heredoc:
        start = self._at
        while self._at < len(self._physical):
            line = self._physical[self._at].rstrip("\r")
            self._at += 1
            if (line.lstrip("\t") if word.chomp else line) == word.name:
                raw = "\n".join([*self._physical[start : self._at - 1], ""])
                self._check(raw, "a heredoc", limits.HEREDOC_CHARACTERS)
                return Heredoc(word.name, raw, word.expand, word.chomp, word.word)
        raise invalid(
            self._first_line(),
            f"the heredoc {word.word} has no end",
            word=word.word,
            hint=self._almost(word, start),
        )

    def _almost(self, word: HeredocWord, start: int) -> str:
        for number, line in enumerate(self._physical[start:], start + 1):
            if line.strip(SPACES) == word.name:
                return f"line {number} has blanks around {word.name}" + (
                    "" if word.chomp else "; `<<-` allows tabs before it"
                )
        return f"end it with a line that is just {word.name}"

    def _check(self, text: str, what: str, most: int) -> None:
        if len(text) > most:
            raise invalid(self._first_line(), f"{what} of more than {most} characters")
        found = None if text.isascii() and "\0" not in text else _NOT_TEXT.search(text)
        if found:
            why = "a NUL byte" if found[0] == "\0" else "bytes that are not UTF-8"
            raise invalid(self._lines("", ()), f"{what} with {why}", word=found[0])

    def _first_line(self) -> Lines:
        return self._lines("", ())._replace(
            text=self._physical[self._start].rstrip("\r"), last=self._start + 1
        )

    def _lines(self, code: str, comments: tuple[str, ...]) -> Lines:
        first = self._physical[self._start]
        column = len(first) - len(first.lstrip(SPACES)) + 1
        text = "\n".join(self._physical[self._start : self._at])
        place = Place(self._path, self._start + 1, column)
        # What stands behind the last newline is no line, though an escape may ask for one.
        last = self._at - (self._at == len(self._physical) and not self._physical[-1])
        return Lines(place, last, text.replace("\r\n", "\n").rstrip("\r\n"), code, comments)


def _expected(code: str) -> list[HeredocWord]:
    """Return the heredocs that follow the instruction *code*."""
    if "<<" not in code:
        return []
    name, rest = first_and_rest(code)
    if name.upper() == "ONBUILD":
        name, rest = first_and_rest(rest.lstrip(SPACES))
    if name.upper() not in _WITH_HEREDOCS:
        return []
    try:
        return heredoc_words(code) if json_words(flag_words(rest)[1]) is None else []
    except NotOnlyText:
        return []
