"""Words of a Dockerfile: variables, quotes and escapes (reference, "Environment replacement").

Where the reference is silent this does as BuildKit does: names are looked up as the word is read,
patterns know ``*`` and ``?`` only, and a backslash in a replacement stays.
"""

import re
from collections.abc import Mapping
from typing import NamedTuple

from artificer import limits
from artificer.errors import ArtificerError
from artificer.frontends.dockerfile.wildcard import wildcard

_NAME = re.compile(r"\d+|[@*#?\-$!]|[^\W\d]\w*")
_ALTERNATIVES = frozenset("-+?")
_TRIMS = frozenset("#%")
_SHOWN = 100


class InvalidWord(ArtificerError):
    """A word that cannot be expanded, or one that says itself that a variable must be set.

    *line* is the line of the word in which that is, as far as it is known.
    """

    def __init__(self, message: str, *, hint: str | None = None, line: str = "") -> None:
        super().__init__(message, hint=hint)
        self.line = line


class Expansion(NamedTuple):
    """What a word came to: the whole *text*, and its *words*, split at blanks without quotes.

    *used* are the variables that had a value; *missing* those that had none, and for which the
    word does not say what is to be done then.
    """

    text: str
    words: tuple[str, ...]
    used: frozenset[str]
    missing: frozenset[str]


def expand(text: str, variables: Mapping[str, str], escape: str = "\\") -> Expansion:
    """*text* with variables replaced, and quotes and escapes taken away."""
    return _Reader(text, variables, escape, quotes="'\"").whole()


def expand_document(text: str, variables: Mapping[str, str]) -> Expansion:
    """*text* of a heredoc with variables replaced: quotes mean nothing, the escape is a ``\\``."""
    return _Reader(text, variables, "\\", quotes="").whole()


class _Output:
    """Text, and the same split into words."""

    __slots__ = ("_current", "_parts", "_size", "_words")

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._words: list[str] = []
        self._current: list[str] = []
        self._size = 0

    def add(self, text: str) -> None:
        """*text*, where blanks end a word."""
        self._append(text)
        if text[:1].isspace():
            self._end_word()
        pieces = text.split()
        for number, piece in enumerate(pieces):
            if number:
                self._end_word()
            self._current.append(piece)
        if pieces and text[-1].isspace():
            self._end_word()

    def add_literally(self, text: str) -> None:
        """*text*, where blanks are part of the word."""
        self._append(text)
        self._current.append(text)

    def text(self) -> str:
        return "".join(self._parts)

    def words(self) -> tuple[str, ...]:
        self._end_word()
        return tuple(self._words)

    def _append(self, text: str) -> None:
        self._parts.append(text)
        self._size += len(text)
        if self._size > limits.WORD_CHARACTERS:
            raise InvalidWord(
                f"a word grows beyond {limits.WORD_CHARACTERS} characters",
                hint="does a variable repeat itself from line to line?",
            )

    def _end_word(self) -> None:
        word = "".join(self._current)
        if word:
            self._words.append(word)
        self._current.clear()


class _Reader:
    __slots__ = (
        "_at",
        "_depth",
        "_escape",
        "_missing",
        "_quotes",
        "_special",
        "_text",
        "_used",
        "_variables",
    )

    def __init__(self, text: str, variables: Mapping[str, str], escape: str, quotes: str) -> None:
        self._text = text
        self._at = 0
        self._depth = 0
        self._variables = variables
        self._escape = escape
        self._quotes = quotes
        self._special = re.compile(f"[$}}/{quotes}{re.escape(escape)}]")
        self._used: set[str] = set()
        self._missing: set[str] = set()

    def whole(self) -> Expansion:
        output = self._until("", raw=False)
        return Expansion(
            output.text(), output.words(), frozenset(self._used), frozenset(self._missing)
        )

    def _until(self, stop: str, *, raw: bool) -> _Output:
        """All up to *stop*; where *raw*, escapes stay for the pattern to be read."""
        output = _Output()
        while (char := self._peek()) and char != stop:
            if char == "$":
                output.add(self._dollar())
            elif char == "'" and self._quotes:
                output.add_literally(self._single_quoted())
            elif char == '"' and self._quotes:
                output.add_literally(self._double_quoted(raw=raw))
            elif char == self._escape:
                output.add_literally(self._escaped(raw=raw))
            else:
                output.add(self._plain())
        if stop and not char:
            missing = "/" if stop == "/" else "}"
            raise self._invalid(f"`{missing}` is missing")
        self._at += len(stop)
        return output

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _take(self) -> str:
        char = self._peek()
        self._at += len(char)
        return char

    def _plain(self) -> str:
        begin = self._at
        found = self._special.search(self._text, begin + 1)
        self._at = found.start() if found else len(self._text)
        return self._text[begin : self._at]

    def _escaped(self, *, raw: bool) -> str:
        begin = self._at
        self._at = min(begin + 2, len(self._text))
        return self._text[begin if raw else begin + 1 : self._at]

    def _single_quoted(self) -> str:
        begin = self._at + 1
        end = self._text.find("'", begin)
        if end < 0:
            raise self._invalid("a single quote is not closed")
        self._at = end + 1
        return self._text[begin:end]

    def _double_quoted(self, *, raw: bool) -> str:
        self._at += 1
        output = _Output()
        while (char := self._peek()) != '"':
            if not char:
                raise self._invalid("a double quote is not closed")
            if char == "$":
                output.add_literally(self._dollar())
            elif char == self._escape:
                output.add_literally(self._escaped_in_quotes(raw=raw))
            else:
                output.add_literally(self._plain())
        self._at += 1
        return output.text()

    def _escaped_in_quotes(self, *, raw: bool) -> str:
        escape = self._take()
        # Before any other character it stands for itself, which a pattern writes as two.
        char = self._take() if self._peek() in {'"', "$", escape} else escape
        return escape + char if raw else char

    def _dollar(self) -> str:
        self._at += 1
        if self._peek() == "{":
            return self._braced()
        match = _NAME.match(self._text, self._at)
        if match is None:
            return "$"
        self._at = match.end()
        return self._value(match[0]) or ""

    def _braced(self) -> str:
        begin = self._at - 1
        self._at += 1
        self._enter()
        match = _NAME.match(self._text, self._at)
        if match is None:
            raise self._invalid("bad substitution: no name after `${`")
        self._at = match.end()
        name, modifier = match[0], self._take()
        if modifier == "}":
            value = self._value(name) or ""
        elif modifier == "/":
            value = self._replaced(name)
        else:
            value = self._modified(name, modifier, begin)
        self._depth -= 1
        return value

    def _enter(self) -> None:
        self._depth += 1
        if self._depth > limits.SUBSTITUTION_DEPTH:
            raise InvalidWord(
                f"more than {limits.SUBSTITUTION_DEPTH} `${{` within one another",
                hint="name a part of it by an ARG",
            )

    def _modified(self, name: str, modifier: str, begin: int) -> str:
        colon = modifier == ":"
        operator = self._take() if colon else modifier
        if operator in _ALTERNATIVES:
            word = self._until("}", raw=False).text()
            return self._alternative(name, operator, word, colon=colon)
        if operator in _TRIMS and not colon:
            return self._trimmed(name, operator, self._until("}", raw=True).text())
        if not modifier:
            raise self._invalid("`}` is missing")
        raise self._invalid(
            f"unsupported modifier {self._text[begin : self._at]!r}",
            "there are :- - :+ + :? ? # ## % %% / and //",
        )

    def _alternative(self, name: str, operator: str, word: str, *, colon: bool) -> str:
        value = self._variables.get(name)
        if value is not None:
            self._used.add(name)
        is_set = value is not None and not (colon and not value)
        if operator == "+":
            return word if is_set else ""
        if not is_set and operator == "?":
            says = word or f"is not allowed to be {'unset' if value is None else 'empty'}"
            raise InvalidWord(
                f"{name}: {says}", hint=f"pass `--build-arg {name}=…`", line=self._line()
            )
        return (value or "") if is_set else word

    def _trimmed(self, name: str, operator: str, pattern: str) -> str:
        longest = pattern.startswith(operator)
        matcher = wildcard(pattern[longest:], self._escape)
        value = self._value(name) or ""
        if operator == "#":
            return matcher.without_prefix(value, longest=longest)
        return matcher.without_suffix(value, longest=longest)

    def _replaced(self, name: str) -> str:
        everywhere = self._peek() == "/"
        self._at += everywhere
        matcher = wildcard(self._until("/", raw=True).text(), self._escape)
        replacement = self._until("}", raw=True).text()
        value = self._value(name) or ""
        return matcher.replaced(value, replacement, everywhere=everywhere)

    def _invalid(self, message: str, hint: str | None = None) -> InvalidWord:
        line = self._line()
        return InvalidWord(f"{message} in {line!r}", hint=hint, line=line)

    def _line(self) -> str:
        at = min(self._at, len(self._text) - 1)
        begin = self._text.rfind("\n", 0, at) + 1
        return self._text[begin : begin + _SHOWN].partition("\n")[0]

    def _value(self, name: str) -> str | None:
        value = self._variables.get(name)
        (self._missing if value is None else self._used).add(name)
        return value
