"""The query language: words to an expression (Bazel's "query language reference")."""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from artificer.errors import ArtificerError

_TOKEN = re.compile(
    r"""\s*(?:"(?P<double>[^"]*)"|'(?P<single>[^']*)'|(?P<sign>[()+,=^])"""
    r"""|(?P<minus>-(?=\s|\())|(?P<word>[^\s"'()+,=^]+))"""
)
_OPERATORS = {
    "+": "union",
    "union": "union",
    "-": "except",
    "except": "except",
    "^": "intersect",
    "intersect": "intersect",
}
_DEPTH = 100

FUNCTIONS = {
    "deps": (1, 2),
    "rdeps": (2, 3),
    "allrdeps": (1, 2),
    "kind": (2, 2),
    "attr": (3, 3),
    "filter": (2, 2),
    "labels": (2, 2),
    "tests": (1, 1),
    "somepath": (2, 2),
    "allpaths": (2, 2),
    "some": (1, 2),
    "buildfiles": (1, 1),
}
"""How many arguments each function takes: from, to."""


class InvalidQuery(ArtificerError):
    """Words that are no query."""

    exit_code = 2


class Pattern(NamedTuple):
    """Targets by label or pattern."""

    text: str


class Apply(NamedTuple):
    """A function of expressions; some of its arguments are words."""

    name: str
    arguments: "tuple[Expression, ...]"


class Combine(NamedTuple):
    """Two sets made one: their union, what is in both, or only in the first."""

    operator: str
    left: "Expression"
    right: "Expression"


class Several(NamedTuple):
    """``set(a b c)``."""

    patterns: tuple[Pattern, ...]


class Let(NamedTuple):
    """``let NAME = VALUE in BODY``, where ``$NAME`` stands for the value."""

    name: str
    value: "Expression"
    body: "Expression"


Expression = Pattern | Apply | Combine | Several | Let


def parse_query(text: str) -> Expression:
    """The expression that *text* is."""
    reader = _Reader(tuple(_tokens(text)), text)
    found = reader.expression(0)
    reader.end()
    return found


def patterns_of(expression: Expression) -> Iterator[str]:
    """All that *expression* names targets by, in its order."""
    match expression:
        case Pattern(text):
            if not text.startswith("$"):
                yield text
        case Apply(name, arguments):
            sets = [one for number, one in enumerate(arguments) if not is_word(name, number)]
            yield from (text for one in sets for text in patterns_of(one))
        case Combine(_, left, right) | Let(_, left, right):
            yield from (*patterns_of(left), *patterns_of(right))
        case Several(patterns):
            yield from (pattern.text for pattern in patterns)


def is_word(function: str, number: int) -> bool:
    """Whether an argument is a word, and not a set of targets."""
    if function in {"kind", "filter", "labels"}:
        return number == 0
    if function == "attr":
        return number < 2
    if function == "rdeps":
        return number == 2
    return function in {"deps", "allrdeps", "some"} and number == 1


class _Token(NamedTuple):
    text: str
    quoted: bool


def _tokens(text: str) -> Iterator[_Token]:
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            if text[at:].strip():
                raise InvalidQuery(f"not a query: {text!r}, from {text[at:].strip()[:20]!r} on")
            return
        at = match.end()
        quoted = match["double"] is not None or match["single"] is not None
        yield _Token(next(one for one in match.groups() if one is not None), quoted)


class _Reader:
    """Reads tokens from the left to the right."""

    def __init__(self, tokens: Sequence[_Token], text: str) -> None:
        self._tokens = tokens
        self._text = text
        self._at = 0

    def expression(self, depth: int) -> Expression:
        """Operators have no order among themselves: they are done from the left."""
        if depth > _DEPTH:
            raise InvalidQuery("the query is nested too deeply")
        found = self._operand(depth)
        while (operator := self._operator()) is not None:
            found = Combine(operator, found, self._operand(depth))
        return found

    def end(self) -> None:
        if self._at < len(self._tokens):
            raise self._wrong(f"{self._tokens[self._at].text!r} is one word too many")

    def _operand(self, depth: int) -> Expression:
        token = self._next()
        if token.quoted:
            return Pattern(token.text)
        if token.text == "(":
            found = self.expression(depth + 1)
            self._expect(")")
            return found
        if token.text == "let":
            return self._let(depth)
        if token.text in {")", ",", "=", "^", "+"}:
            raise self._wrong(f"{token.text!r} where a target or a function is expected")
        if self._peek() == "(":
            self._next()
            return self._several() if token.text == "set" else self._apply(token.text, depth)
        return Pattern(token.text)

    def _let(self, depth: int) -> Let:
        name = self._next().text
        self._expect("=")
        value = self.expression(depth + 1)
        self._expect("in")
        return Let(name, value, self.expression(depth + 1))

    def _several(self) -> Several:
        patterns = []
        while self._peek() != ")":
            patterns.append(Pattern(self._next().text))
        self._expect(")")
        return Several(tuple(patterns))

    def _apply(self, name: str, depth: int) -> Apply:
        if name not in FUNCTIONS:
            raise InvalidQuery(
                f"no such function of queries: {name}", hint=f"there is {', '.join(FUNCTIONS)}"
            )
        arguments = [self.expression(depth + 1)]
        while self._peek() == ",":
            self._next()
            arguments.append(self.expression(depth + 1))
        self._expect(")")
        least, most = FUNCTIONS[name]
        if not least <= len(arguments) <= most:
            raise self._wrong(f"{name} takes {least} to {most} arguments, not {len(arguments)}")
        return Apply(name, tuple(arguments))

    def _operator(self) -> str | None:
        operator = _OPERATORS.get(self._peek() or "")
        if operator is not None:
            self._at += 1
        return operator

    def _peek(self) -> str | None:
        if self._at >= len(self._tokens) or self._tokens[self._at].quoted:
            return None
        return self._tokens[self._at].text

    def _next(self) -> _Token:
        if self._at >= len(self._tokens):
            raise self._wrong("it ends too early")
        self._at += 1
        return self._tokens[self._at - 1]

    def _expect(self, text: str) -> None:
        if self._peek() != text:
            raise self._wrong(f"{text!r} is missing")
        self._at += 1

    def _wrong(self, why: str) -> InvalidQuery:
        return InvalidQuery(
            f"not a query: {self._text!r}: {why}", hint="as in `artificer query 'deps(//a:b)'`"
        )


def word_of(expression: Expression) -> str:
    """The word that an argument is."""
    if not isinstance(expression, Pattern):
        raise InvalidQuery("a function is given a set of targets where it takes a word")
    return expression.text
