"""The commands of a maintainer script, with what is plain about its variables, loops and ways."""

import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

_DEFINED = "\1"
"""Stands where the name of a function was."""

_KEYWORDS = frozenset(("then", "elif", "else", "do", "!", _DEFINED))
_DEEPER = {
    **dict.fromkeys(("if", "while", "until", "for", "case", "{", "("), 1),
    **dict.fromkeys(("fi", "done", "esac", "}", ")"), -1),
}
"""How much deeper commands are behind these words."""

_COMMENT = re.compile(r"(?m)(?:^|(?<=[ \t;]))#.*$")
_FUNCTION = re.compile(r"(?m)^[ \t]*([A-Za-z_][A-Za-z0-9_]*)[ \t]*\(\)[ \t]*\{?")
_CONSTANT = re.compile(
    r"(?m)^[ \t]*(?:readonly[ \t]+)?([A-Za-z_][A-Za-z0-9_]*)="
    r"(?:\"([A-Za-z0-9_./:@+ -]{1,1000})\"|'([A-Za-z0-9_./:@+ -]{1,1000})'"
    r"|([A-Za-z0-9_./:@+-]{1,255}))[ \t]*$"
)
_SET = re.compile(
    r"(?<![A-Za-z0-9_$-])([A-Za-z_][A-Za-z0-9_]*)=|\bfor[ \t]+([A-Za-z_][A-Za-z0-9_]*)\b"
    r"|\bread[ \t]+([A-Za-z_][A-Za-z0-9_]*)\b"
)
_VARIABLE = re.compile(r"\$(?:\{([A-Za-z_][A-Za-z0-9_]*)\}|([A-Za-z_][A-Za-z0-9_]*))")
_FOLDER = re.compile(r"(?:`|\$\()dirname \"?(/[A-Za-z0-9_./-]+)/[A-Za-z0-9_.-]+\"?[ \t]*(?:`|\))")
_SHIFTED = re.compile(r"(?m)(?:^|[;&|{]|then|do)[ \t]*(?:shift\b|set[ \t]+--)")
_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=")
_SEPARATORS = frozenset({";", ";;", "&&", "||", "|", "&", "\n"})
_JOINING = frozenset(("&&", "||", "|", "&"))
_COMPARES = frozenset(("=", "==", "!="))
_PLAIN = re.compile("[A-Za-z0-9_./:@+-]+")
_MOST_PARTS = 20_000
_MOST_LETTERS = 1 << 22
_FIRST = ("$1", "${1}", "${1:-}", "${1-}")
_SECOND = ("$2", "${2}", "${2:-}", "${2-}")
_COMPARED = ["dpkg", "--compare-versions"]
_TOLD = dict.fromkeys((*_FIRST, *_SECOND), "$@")
"""Instead of these it is something else that is told, where a function is."""

_CALLED = frozenset(("install", "configure", "triggered"))
"""What a script is told first where its package was not there before."""
_NOT_BEFORE = {
    True: frozenset(("lt-nl", "le-nl", "eq", "=", "gt", ">>", "ge", ">=")),
    False: frozenset(("gt-nl", "ge-nl", "eq", "=", "lt", "<<", "le", "<=")),
}
"""How no version compares with others: as the first, and as the second of both."""


class Command(NamedTuple):
    """The words of a simple command, and whether it is called whatever others come to."""

    words: list[str]
    always: bool


class _Part(NamedTuple):
    """What is between two separators, and the one behind it."""

    words: list[str]
    after: str


def functions(text: str) -> set[str]:
    """The names of what *text* defines."""
    return set(_FUNCTION.findall(text))


def with_constants(text: str, *, most: int) -> str:
    """*text* with the variables in it that are only ever set to one text.

    If it may have more than *most* letters then, that is a ValueError.
    """
    for _ in range(2):  # One may be set by another.
        values = _constants(text)
        more = sum(len(values.get("".join(names), "")) for names in _VARIABLE.findall(text))
        if len(text) + more > most:
            raise ValueError("paths that become too long")
        text = _with(text, values)
    return _FOLDER.sub(lambda match: match[1], text)


def _with(text: str, values: Mapping[str, str]) -> str:
    return _VARIABLE.sub(lambda match: values.get(match[1] or match[2], match[0]), text)


def _constants(text: str) -> dict[str, str]:
    found: dict[str, set[str]] = {}
    counts: dict[str, int] = {}
    for name, *values in _CONSTANT.findall(text):
        found.setdefault(name, set()).add("".join(values))
        counts[name] = counts.get(name, 0) + 1
    sets: dict[str, int] = {}
    for names in _SET.findall(text):
        name = "".join(names)
        sets[name] = sets.get(name, 0) + 1
    return {
        name: min(values)
        for name, values in found.items()
        if len(values) == 1 and sets.get(name) == counts[name]
    }


def commands(text: str, *, first: bool) -> Iterator[Command]:
    """Yield the simple commands of *text*, without keywords and the patterns of ``case``.

    A loop over plain words is its commands for each of them. At a *first* installation nothing is
    done that only upgrades need. What cannot be parted is a ValueError.
    """
    depth, before = 0, "\n"
    parts = _parts(text)
    if first and not _SHIFTED.search(text):
        parts = _taken(_unrolled(parts))
    for words, after in parts:
        deeper, plain = _simple(words)
        depth += deeper
        if plain:
            yield Command(plain, not depth and _JOINING.isdisjoint((before, after)))
        depth += _DEEPER.get(after, 0)
        if words or after != "\n":
            before = after


def _parts(text: str) -> Iterator[_Part]:
    text = _COMMENT.sub("", text)
    lexer = shlex.shlex(_FUNCTION.sub(_body, text), posix=True, punctuation_chars=";&|()<>\n")
    lexer.whitespace = " \t\r"
    lexer.whitespace_split = True
    lexer.commenters = ""
    words: list[str] = []
    pattern = False
    for one in (part for group in lexer for part in _parted(group)):
        if pattern and one != "esac":
            pattern = one != ")"
        elif one in _SEPARATORS or one in {"(", ")"}:
            yield _Part(words, one)
            words = []
            pattern = one == ";;"
        elif words[:1] == ["case"] and one == "in":
            yield _Part(words, one)
            words, pattern = [], True
        else:
            pattern = False
            words.append(one)
    yield _Part(words, "\n")


def _body(match: re.Match[str]) -> str:
    """What is left of the beginning of a function: the brace, if it is on that line."""
    return f"{_DEFINED} {{ " if match[0].endswith("{") else f"{_DEFINED} "


def _parted(token: str) -> list[str]:
    """A token of punctuation as the operators it is made of."""
    if token and not token.strip(";&|()<>\n"):
        return re.findall(r";;|&&|\|\||>>|<<|>&|<&|[;&|()<>\n]", token)
    return [token]


def _simple(words: list[str]) -> tuple[int, list[str]]:
    """How much deeper *words* lead, and the command among them."""
    deeper = at = 0
    while at < len(words) and (words[at] in _KEYWORDS or words[at] in _DEEPER):
        deeper += _DEEPER.get(words[at], 0)
        at += 1
        if words[at - 1] in {"case", "for"}:
            return deeper, []
    while at < len(words) and _ASSIGNMENT.match(words[at]):
        at += 1
    return deeper, words[at:]


class _Ways:
    """Which ways a script may go, as far as its words have been looked at."""

    def __init__(self) -> None:
        self._asked: list[list[_Part] | None] = []
        self._never: list[bool] = []
        self._passed: list[bool] = []
        self._defined = False
        self._braces = 0

    @property
    def closed(self) -> bool:
        """Whether nobody comes here."""
        return any(self._never)

    def turn(self, words: Sequence[str]) -> int:
        """Go where the keywords in front of *words* lead; return how many they are."""
        for at, word in enumerate(words):
            if word == "if":
                self._asked.append([])
                self._never.append(False)
                self._passed.append(False)
            elif word in _KEYWORDS and self._asked:
                self._branch(word)
            elif word == "fi" and self._asked:
                self._asked.pop()
                self._never.pop()
                self._passed.pop()
            elif word not in _KEYWORDS and word not in _DEEPER:
                return at
            self._brace(word)
        return len(words)

    def _branch(self, word: str) -> None:
        asked = self._asked[-1] or []
        if word == "then":
            self._never[-1] = self._passed[-1] or _is_never(asked)
            self._passed[-1] = self._passed[-1] or _is_always(asked)
        elif word in {"elif", "else"}:
            self._never[-1] = self._passed[-1]
        if word in {"then", "elif", "else"}:
            self._asked[-1] = [] if word == "elif" else None

    def _brace(self, word: str) -> None:
        if word == _DEFINED:
            self._defined = True
        elif word == "{" and (self._defined or self._braces):
            self._defined, self._braces = False, self._braces + 1
        elif word == "}" and self._braces:
            self._braces -= 1

    def ask(self, part: _Part, *, plain: bool) -> None:
        """Have *part* among what the last ``if`` asks; only what is *plain* is understood.

        What a function is told is not what the script is.
        """
        asked = self._asked[-1] if self._asked else None
        if asked is None or not (part.words or not plain):
            return
        if self._braces:
            part = _Part([_TOLD.get(word, word) for word in part.words], part.after)
        asked.append(part if plain else _Part([], "|"))


def _taken(parts: Iterable[_Part]) -> Iterator[_Part]:
    """*parts* without what stands behind an ``if`` that no first installation passes."""
    ways = _Ways()
    for words, after in parts:
        at = ways.turn(words)
        begun = max((n + 1 for n in range(at) if words[n] in {"if", "elif"}), default=0)
        plain = after not in {"(", ")"} and set(words[begun:at]) <= {"!"}
        ways.ask(_Part(words[begun:] if at > begun else words[at:], after), plain=plain)
        yield _Part(words[:at], "\n") if ways.closed else _Part(words, after)


def _is_never(asked: Sequence[_Part]) -> bool:
    """Whether what is *asked* is false wherever the package was not installed before."""
    false, joined = False, ";"
    for words, after in asked:
        if after in {"|", "&"}:
            return False
        one = _is_false(words)
        false = {"&&": false or one, "||": false and one}.get(joined, one)
        joined = after
    return false or _asks_what_was(asked)


def _asks_what_was(asked: Sequence[_Part]) -> bool:
    """Whether *asked* is first whether there was a version, and then which."""
    if len(asked) < 2 or {part.after for part in asked[:-1]} != {"&&"}:
        return False
    there = [
        words for words, _ in asked if words[1:2] == ["-n"] and words[2:3] and words[2] in _SECOND
    ]
    return bool(there) and any(
        words[:2] == _COMPARED and not {*words[2:3]}.isdisjoint(_SECOND) for words, _ in asked
    )


def _is_false(words: Sequence[str]) -> bool:
    if words[:1] == ["test"] or (words[:1] == ["["] and words[-1] == "]"):
        inner = words[1:] if words[0] == "test" else words[1:-1]
        return all(any(map(_is_other, _split(one, "-a"))) for one in _split(inner, "-o"))
    if words[:2] != _COMPARED or len(words) < 5:
        return False
    one, how, other = words[2:5]
    if one in _SECOND:
        return how in _NOT_BEFORE[True] and other not in _SECOND
    return other in _SECOND and how in _NOT_BEFORE[False]


def _is_other(words: Sequence[str]) -> bool:
    """Whether *words* compare what the script is told with what it is not, or two texts."""
    if len(words) != 3 or words[1] not in _COMPARES or not _PLAIN.fullmatch(words[2]):
        return False
    if words[0] in _FIRST:
        return words[1] != "!=" and words[2] not in _CALLED
    same = words[0] == words[2]
    return _PLAIN.fullmatch(words[0]) is not None and same == (words[1] == "!=")


def _is_always(asked: Sequence[_Part]) -> bool:
    """Whether all that is *asked* is whether a text is itself, or another is not."""
    if len(asked) != 1 or asked[0].after in {"|", "&"}:
        return False
    words = [word for word in asked[0].words if word not in {"[", "]", "test"}]
    if len(words) != 3 or words[1] not in _COMPARES or not _PLAIN.fullmatch(words[0]):
        return False
    same = words[0] == words[2]
    return _PLAIN.fullmatch(words[2]) is not None and same == (words[1] != "!=")


def _split(words: Sequence[str], word: str) -> Iterator[list[str]]:
    part: list[str] = []
    for one in words:
        if one == word:
            yield part
            part = []
        else:
            part.append(one)
    yield part


def _unrolled(parts: Iterable[_Part]) -> Iterator[_Part]:
    """*parts*, those of loops over plain words once for each."""
    waiting = list(parts)[::-1]
    seen = letters = 0
    while waiting:
        part = waiting.pop()
        yield part
        values = _values(part.words)
        body = _body_of(waiting) if values else []
        # Where a loop ends nowhere, all that is left has been looked at.
        seen += (len(body) or len(waiting) * bool(values)) * (len(values) + 1) + 1
        letters += _letters(body, values)
        if seen > _MOST_PARTS or letters > _MOST_LETTERS:
            raise ValueError("loops that become too long")
        if body:
            name = part.words[part.words.index("for") + 1]
            del waiting[-len(body) :]
            turns = values if _is_plain(name, body) else [f"${name}"]
            for value in reversed(turns):
                waiting += [_Part(_put(words, name, value), after) for words, after in body[::-1]]


def _values(words: Sequence[str]) -> list[str]:
    """What the loop that begins with *words* goes through; nothing if that is not plain."""
    start = words.index("for") if "for" in words else len(words)
    head, rest = words[:start], words[start:]
    if len(rest) < 4 or rest[2] != "in" or not all(w in _KEYWORDS or w in _DEEPER for w in head):
        return []
    return list(rest[3:]) if all(map(_PLAIN.fullmatch, rest[3:])) else []


def _body_of(waiting: Sequence[_Part]) -> list[_Part]:
    """What comes next, as far as the end of the loop; nothing if there is none."""
    body: list[_Part] = []
    depth = 1
    for part in reversed(waiting):
        for word in part.words:
            if word not in _KEYWORDS and word not in _DEEPER:
                break
            depth += {"for": 1, "while": 1, "until": 1, "done": -1}.get(word, 0)
        if not depth:
            return body
        body.append(part)
    return []


def _letters(body: Sequence[_Part], values: Sequence[str]) -> int:
    """How many letters *body* has at most once it stands there for each of *values*."""
    words = [word for part in body for word in part.words]
    names = sum(word.count("$") for word in words)
    return sum(len(word) + 1 for word in words) * len(values) + names * sum(map(len, values))


def _is_plain(name: str, body: Sequence[_Part]) -> bool:
    """Whether each turn of a loop is only told what *name* is, and nothing depends on it."""
    return not any(
        word == "case" or word.startswith(f"{name}=") for part in body for word in part.words
    )


def _put(words: Sequence[str], name: str, value: str) -> list[str]:
    return [_with(word, {name: value}) for word in words]
