"""Make variables in commands: ``$(location …)``, ``$@``, ``$(SRCS)`` and their like."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from artificer.errors import ArtificerError

_VARIABLE = re.compile(r"\$(?:\$|([@<^])|\(([^()]*)\)|\{([^{}]*)\}|(\w)?)")
_FUNCTIONS = {"location", "execpath", "rootpath", "rlocationpath"}
_QUOTES = re.compile(r"\\.|[\"']", re.DOTALL)
_SPECIAL = re.compile(r'[\\"$`]')
_SAFE = re.compile(r"[A-Za-z0-9_@%+=:,./-]+")


Quote = Callable[[str], str]


class WrongWord(ArtificerError):
    """A variable in a command that stands for nothing, or for several things."""


class Words(NamedTuple):
    """What the variables of one command stand for: paths are relative to where it runs.

    *located* are the files of each label that the command may name; *variables* the rest.
    """

    sources: Sequence[str]
    outs: Sequence[str]
    package: str
    located: Mapping[str, Sequence[str]]
    variables: Mapping[str, str]


def expanded(command: str, words: Words) -> str:
    """*command* with its variables replaced; ``$$`` is a dollar for the shell."""

    def value(match: re.Match[str]) -> str:
        if match[0] == "$$":
            return "$"
        quote = _quote_at(command, match.start())
        if match[1]:
            return _short(match[1], words, quote)
        name = match[2] if match[2] is not None else match[3]
        if name is None:
            raise WrongWord(
                f"a lone `$` in the command: …{match[0]}…", hint="write `$$` for the shell's own"
            )
        return _long(name.strip(), words, quote)

    return _VARIABLE.sub(value, command)


def _quote_at(command: str, at: int) -> Quote:
    """How a path is written at *at*: as words of its own, or within the quotes around it."""
    open_quote = ""
    for match in _QUOTES.finditer(command, 0, at):
        if match[0][0] != "\\" and open_quote in {"", match[0]}:
            open_quote = "" if open_quote else match[0]
    quotes: dict[str, Quote] = {'"': _within, "'": str}
    return quotes.get(open_quote, quoted)


def _within(text: str) -> str:
    return _SPECIAL.sub(r"\\\g<0>", text)


def _short(name: str, words: Words, quote: Quote) -> str:
    if name == "@":
        return quote(_only(words.outs, "$@", "output"))
    if name == "<":
        return quote(_only(words.sources, "$<", "source"))
    return " ".join(map(quote, words.sources))


def _long(name: str, words: Words, quote: Quote) -> str:
    function, _, label = name.partition(" ")
    label = label.strip()
    if function in _FUNCTIONS and label:
        return quote(_only(_files(label, words), f"$({name})", "file"))
    if function.removesuffix("s") in _FUNCTIONS and label:
        return " ".join(map(quote, _files(label, words)))
    folder = words.package or "."
    known = {
        "SRCS": " ".join(map(quote, words.sources)),
        "OUTS": " ".join(map(quote, words.outs)),
        "RULEDIR": quote(folder),
        "BINDIR": ".",
        "GENDIR": ".",
        "@D": quote(_folder(words)),
        **words.variables,
    }
    if name in {"@", "<"}:
        return _short(name, words, quote)
    if name not in known:
        raise WrongWord(
            f"$({name}) is not known in a command",
            hint=f"write $$({name}) for the shell's own, or say `--define {name}=…`",
        )
    return known[name]


def _folder(words: Words) -> str:
    """The directory of the only output, or of the package if there are several."""
    if len(words.outs) == 1:
        return words.outs[0].rpartition("/")[0] or "."
    return words.package or "."


def _files(label: str, words: Words) -> Sequence[str]:
    found = words.located.get(label)
    if found is not None:
        return found
    name = label.rpartition(":")[2]
    outs = [out for out in words.outs if out in {name, f"{words.package}/{name}"}]
    if not outs:
        there = ", ".join(sorted(words.located)) or "nothing"
        raise WrongWord(
            f"$(location {label}): the target does not name it",
            hint=f"put it into srcs or tools; they have {there}",
        )
    return outs


def _only(files: Sequence[str], word: str, what: str) -> str:
    if len(files) != 1:
        raise WrongWord(
            f"{word} stands for one {what}, and there are {len(files)}",
            hint="write $(locations …), $(SRCS) or $(OUTS) for several",
        )
    return files[0]


def quoted(text: str) -> str:
    """*text* as one word of a shell."""
    return text if _SAFE.fullmatch(text) else "'" + text.replace("'", "'\"'\"'") + "'"
