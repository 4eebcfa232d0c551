"""The text of a BUILD file, before it is parsed: its encoding, its size, its tabs, its depth."""

import re

from artificer import limits
from artificer.builder.place import Place
from artificer.frontends.buildfile.place import failure

# A string (long ones first), a comment, a bracket, a tab, a newline, or a run of all else.
_TOKEN = re.compile(
    r"""[rb]{0,2}(?:\"{3}(?:[^"\\]|\\.|"(?!""))*\"{3}|'{3}(?:[^'\\]|\\.|'(?!''))*'{3})"""
    r"""|[rb]{0,2}"(?:[^"\\\n]|\\.)*"|[rb]{0,2}'(?:[^'\\\n]|\\.)*'"""
    r"""|\#[^\n]*|[(\[{]|[)\]}]|\t|\n|,|[-+*/%|]|\b(?:not|if|elif|else|and|or|lambda|in)\b""",
    re.DOTALL,
)
_OPENING = frozenset("([{")
_CLOSING = frozenset(")]}")
_PARTING = _OPENING | {","}
# The parser was seen to bear twice as many of each.
_BRACKETS = 1000
_OPERATORS = ("+", "-", "*", "/", "%", "|", "not", "if", "lambda", "and", "or")
_CHAINED = frozenset(
    ("-", "+", "*", "/", "%", "|", "not", "if", "elif", "else", "and", "or", "lambda")
)


def read_text(path: str, short: str) -> str:
    """The text of the file at *path*, which errors call *short*."""
    with open(path, "rb") as file:
        data = file.read(limits.BUILD_FILE_BYTES + 1)
    if len(data) > limits.BUILD_FILE_BYTES:
        most = limits.BUILD_FILE_BYTES // limits.MIB
        raise failure(Place(short, 1), f"the file is longer than {most} MiB")
    try:
        return data.decode().replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        before = data[: error.start]
        line = before.count(b"\n") + 1
        column = error.start - (before.rfind(b"\n") + 1) + 1
        message = f"the file is not UTF-8: byte 0x{data[error.start]:02x}"
        hint = f"convert it, as with `iconv -f latin1 -t utf-8 {short}`"
        raise failure(Place(short, line, column), message, hint=hint) from error


def checked_text(text: str, short: str) -> str:
    """*text* with a space for every tab that Bazel accepts, so that columns stay as they are.

    Refuses what nests so deep that the parser, which recurses, would end the process.
    """
    if "\t" not in text and _is_harmless(text):
        return text
    out: list[str] = []
    done = depth = chained = 0
    for token in _TOKEN.finditer(text):
        kind = token[0]
        depth += (kind in _OPENING) - (kind in _CLOSING)
        chained = 0 if kind in _PARTING else chained + (kind in _CHAINED)
        if kind == "\t":
            done = _without_tab(text, token.start(), done, out, inside=depth > 0)
        if depth > limits.BUILD_FILE_DEPTH or chained > limits.BUILD_FILE_CHAIN:
            raise failure(_place(text, token.start(), short), "this is nested too deeply")
    out.append(text[done:])
    return "".join(out)


def _is_harmless(text: str) -> bool:
    """Whether there are so few brackets and operators that any order of them is harmless."""
    return (
        sum(map(text.count, _OPENING)) <= _BRACKETS
        and sum(map(text.count, _OPERATORS)) <= limits.BUILD_FILE_CHAIN
    )


def _without_tab(text: str, at: int, done: int, out: list[str], *, inside: bool) -> int:
    # Between words, and inside brackets at the beginning of a line too, a tab is a space. At the
    # beginning of a statement it stays and is the parser's to refuse, as in Bazel.
    line = text.rfind("\n", 0, at) + 1
    if (
        not inside
        and not text[line:at].strip()
        and text[at:].lstrip("\t ")[:1] not in {"\n", "#", ""}
    ):
        return done
    out += [text[done:at], " "]
    return at + 1


def _place(text: str, at: int, short: str) -> Place:
    line = text.rfind("\n", 0, at) + 1
    return Place(short, text.count("\n", 0, at) + 1, at - line + 1)
