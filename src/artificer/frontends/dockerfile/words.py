"""How the text behind an instruction's name falls into flags, words, pairs, JSON and heredocs."""

import json
import re
from typing import Any, NamedTuple

SPACES = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(
    chr(point) for point in range(0x2000, 0x200B)
)
"""What Go's `unicode.IsSpace` knows: more is not trimmed, or a file would mean two things."""

_BLANKS = re.compile(r"[\t\v\f\r ]+")
_FLAG_PIECE = re.compile(r"""[^\s'"\\]++|\\(?P<escaped>.)|\\|(?P<quote>['"])""", re.DOTALL)
_IN_QUOTES = {
    "'": re.compile(r"((?:[^'\\]++|\\.)*+)(?:'|\\?\Z)", re.DOTALL),
    '"': re.compile(r'((?:[^"\\]++|\\.)*+)(?:"|\\?\Z)', re.DOTALL),
}
_WORD_PIECES = {
    escape: re.compile(
        rf"""(?P<space>[{SPACES}]++)|[^{SPACES}'"{re.escape(escape)}]++|{re.escape(escape)}(?:.|\Z)"""
        rf"""|'[^']*+(?:'|\Z)|"(?:[^"{re.escape(escape)}]++|{re.escape(escape)}.)*+"""
        rf"""(?:"|{re.escape(escape)}?\Z)""",
        re.DOTALL,
    )
    for escape in "\\`"
}
_HEREDOC = re.compile(r"(\d*)<<(-?+)([^<]+)", re.DOTALL)
_QUOTING = re.compile(
    r"""'(?P<single>[^']*+)'|"(?P<double>(?:[^"\\]++|\\.)*+)"|\\(?P<escaped>.)|(?P<open>['"\\])""",
    re.DOTALL,
)


class NotOnlyText(ValueError):
    """A JSON array that holds something else than strings."""


class HeredocWord(NamedTuple):
    """A word that names a heredoc: *expand* is false where a part of *name* is quoted."""

    word: str
    name: str
    expand: bool
    chomp: bool


def blank_words(text: str) -> list[str]:
    """Split *text* at blanks; quotes mean nothing."""
    return [word for word in _BLANKS.split(text) if word]


def first_and_rest(text: str) -> tuple[str, str]:
    """Split *text* at its first blank; the rest is "" where there is none."""
    first, *rest = _BLANKS.split(text, maxsplit=1)
    return first, rest[0] if rest else ""


def quoted_words(text: str, escape: str) -> list[str]:
    """Split *text* at blanks outside of quotes; quotes and escapes are kept."""
    words: list[str] = []
    pieces: list[str] = []
    for match in _WORD_PIECES[escape].finditer(text):
        if match["space"] is None:
            pieces.append("" if match[0] == escape else match[0])
        elif pieces:
            words.append("".join(pieces))
            pieces = []
    if pieces:
        words.append("".join(pieces))
    return [word for word in words if word]


def flag_words(text: str) -> tuple[list[str], str]:
    """Split *text* into its leading words that begin with ``--``, unquoted, and the rest.

    A word ``--`` is the last one that may be a flag.
    """
    flags: list[str] = []
    text = text.strip(SPACES)
    at = 0
    while text.startswith("--", at):
        flag, at = _flag(text, at)
        while at < len(text) and text[at] in SPACES:
            at += 1
        if flag == "--":
            break
        flags.append(flag)
    return flags, text[at:]


def json_words(text: str) -> tuple[str, ...] | None:
    """The strings of a JSON array, None if *text* is anything else than one array.

    Raises `NotOnlyText` for an array of other things.
    """
    text = text.strip(SPACES)
    if not text.startswith("["):
        return None
    try:
        # Numbers are of no use here: kept as text, a long one costs nothing to read.
        values: Any = json.loads(
            text, parse_int=_number, parse_float=_number, parse_constant=_fail
        )
    except (ValueError, RecursionError):
        return None
    if not all(type(value) is str for value in values):
        raise NotOnlyText
    return tuple(
        value.encode("utf-16", "surrogatepass").decode("utf-16", "replace") for value in values
    )


def heredoc_word(word: str) -> HeredocWord | None:
    """Return what *word* says if it names a heredoc: ``<<EOF``, ``<<-EOF``, ``3<<"EOF"``."""
    match = _HEREDOC.fullmatch(word)
    if not match:
        return None
    name = _unquoted(match[3])
    if not name:
        return None
    return HeredocWord(word, name, expand=name == match[3], chomp=bool(match[2]))


def heredoc_words(code: str) -> list[HeredocWord]:
    """Return the heredocs that the words of *code* name; none if a quote is left open."""
    if "<<" not in code or _unquoted(code) is None:
        return []
    found = (heredoc_word(word) for word in quoted_words(code, "\\"))
    return [word for word in found if word]


class _Number(str):
    """A number of a JSON array, which is no string."""

    __slots__ = ()


def _number(text: str) -> _Number:
    return _Number(text)


def _fail(text: str) -> Any:
    raise ValueError(text)


def _flag(text: str, at: int) -> tuple[str, int]:
    pieces: list[str] = []
    while match := _FLAG_PIECE.match(text, at):
        at = match.end()
        if match["quote"]:
            inside = _IN_QUOTES[match["quote"]].match(text, at)
            if inside:
                pieces.append(re.sub(r"\\(.)", r"\1", inside[1], flags=re.DOTALL))
                at = inside.end()
        else:
            pieces.append(match["escaped"] or match[0].rstrip("\\"))
    return "".join(pieces), at


def _unquoted(text: str) -> str | None:
    """*text* without quotes and escapes, None if a quote is left open."""
    if any(match["open"] in ("'", '"') for match in _QUOTING.finditer(text)):
        return None
    return _QUOTING.sub(_inside, text)


def _inside(match: re.Match[str]) -> str:
    if match["single"] is not None:
        return match["single"]
    if match["double"] is not None:
        return re.sub(r'\\(["$\\])', r"\1", match["double"])
    return match["escaped"] or ""
