"""What a maintainer script does, as far as it can be told without running it."""

import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from artificer.sources.debian.installing.commands import ASKING, MAKERS, OCTAL, UPGRADED, Effect

_QUIET = (
    "[ test true false : exit return set shift local export unset read echo printf cat which "
    "command type getent dpkg dpkg-query dpkg-architecture grep egrep fgrep cut head tail id "
    "uname sort awk md5sum sha256sum cmp tr wc sleep umask getcap mountpoint findmnt stat "
    "deb-systemd-invoke systemctl systemd-tmpfiles invoke-rc.d "
    "service start-stop-daemon py3compile py3clean pycompile pyclean pypy3compile pypy3clean "
    "dpkg-maintscript-helper "
    "dpkg-trigger . debconf-set-selections update-desktop-database update-mime-database "
    "gtk-update-icon-cache update-menus update-icon-caches install-info update-info-dir "
    "update-fonts-dir mandb update-mime ischroot rm rmdir kill trap continue break basename "
    "dirname readlink"
)
_WITHOUT_EFFECT = frozenset(_QUIET.split())
"""Services are not started in an image, caches of programs are made where they are used, and what
is removed on the way from an older version is not there."""

_KEYWORDS = frozenset(("then", "elif", "else", "do", "!"))
_DEEPER = {
    **dict.fromkeys(("if", "while", "until", "for", "case", "{", "("), 1),
    **dict.fromkeys(("fi", "done", "esac", "}", ")"), -1),
}
"""How much deeper commands are behind these words."""

_COMMENT = re.compile(r"(?m)(?:^|(?<=[ \t;]))#.*$")
_FUNCTION = re.compile(r"(?m)^[ \t]*([A-Za-z_][A-Za-z0-9_]*)[ \t]*\(\)[ \t]*\{?")
_ROOT = re.compile(
    r"\$\{DPKG_ROOT:\+--root=\"\$DPKG_ROOT\"\}|\$(?:\{DPKG_ROOT(?::-)?\}|DPKG_ROOT\b)"
)
_CONSTANT = re.compile(
    r"(?m)^[ \t]*([A-Za-z_][A-Za-z0-9_]*)=\"?(/[A-Za-z0-9_./-]{1,255})\"?[ \t]*$"
)
_VARIABLE = re.compile(r"\$(?:\{([A-Za-z_][A-Za-z0-9_]*)\}|([A-Za-z_][A-Za-z0-9_]*))")
_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=")
_SEPARATORS = frozenset({";", ";;", "&&", "||", "|", "&", "\n"})
_JOINING = frozenset(("&&", "||", "|", "&"))
_MOST = 1 << 18
_MOST_EFFECTS = 1000
_MOST_WORDS = 1000
_HARMLESS = ("/dev/null", "&", "/dev/stderr", "/dev/stdout")


class Known(NamedTuple):
    """What a script does; *unknown* are its commands that nobody can tell the effect of."""

    effects: tuple[Effect, ...]
    unknown: tuple[str, ...]


class _Command(NamedTuple):
    """The words of a simple command, and whether it is called whatever others come to."""

    words: list[str]
    always: bool


def known(data: bytes) -> Known:
    """Read a shell script: all its branches, as if each were taken at a first installation."""
    text = _joined(data[: _MOST + 1])
    shebang = text.partition("\n")[0]
    if (
        len(data) > _MOST
        or "\0" in text
        or not re.match(r"#! ?/(?:usr/)?bin/(?:ba|da)?sh\b", shebang)
    ):
        return Known((), (shebang[:60] or "an empty script",))
    text = _with_constants(_ROOT.sub("", text))
    if len(text) > _MOST:
        return Known((), ("paths that become too long",))
    functions = set(_FUNCTION.findall(text))
    effects: list[Effect] = []
    unknown: list[str] = []
    try:
        commands = list(_commands(text))
    except ValueError as error:
        return Known((), (str(error),))
    for words, always in commands:
        found = None if always and _fails(words) else _effect(words, functions)
        if found is None or len(effects) > _MOST_EFFECTS:
            unknown.append(" ".join(words)[:80])
        else:
            effects += found
    return Known(tuple(_first_time(dict.fromkeys(effects))), tuple(dict.fromkeys(unknown)))


def _first_time(effects: Iterable[Effect]) -> Iterator[Effect]:
    """*effects* without those of branches that only an upgrade takes, as debhelper writes them.

    A unit that is asked for after it was installed before is enabled then, else noted; one that is
    enabled is noted where somebody has disabled it.
    """
    found = list(effects)
    later = {effect[1:] for effect in found if effect[0] == UPGRADED}
    enabled = {effect[1:] for effect in found if effect[0] == "unit"} - later
    for effect in found:
        about = effect[1:]
        again = effect[0] == "unit" and about in later
        disabled = effect[0] == "unit-noted" and about in enabled
        if effect[0] != UPGRADED and not again and not disabled:
            yield effect


def _joined(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape").replace("\\\n", " ")


def _with_constants(text: str) -> str:
    """*text* with the variables in it that are only ever set to one text."""
    for _ in range(2):  # One may be set by another.
        values: dict[str, set[str]] = {}
        for name, value in _CONSTANT.findall(text):
            values.setdefault(name, set()).add(value)
        text = _set(text, {name: min(all_) for name, all_ in values.items() if len(all_) == 1})
    return text


def _set(text: str, values: Mapping[str, str]) -> str:
    return _VARIABLE.sub(lambda match: values.get(match[1] or match[2], match[0]), text)


def _commands(text: str) -> Iterator[_Command]:
    """Yield the simple commands of *text*, without keywords and the patterns of ``case``."""
    depth, before = 0, "\n"
    for words, after in _parts(text):
        deeper, plain = _simple(words)
        depth += deeper
        if plain:
            yield _Command(plain, not depth and _JOINING.isdisjoint((before, after)))
        depth += _DEEPER.get(after, 0)
        if words or after != "\n":
            before = after


def _parts(text: str) -> Iterator[tuple[list[str], str]]:
    """Yield what is between separators, and which one comes after it."""
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
            yield words, one
            words = []
            pattern = one == ";;"
        elif words[:1] == ["case"] and one == "in":
            yield words, one
            words, pattern = [], True
        else:
            pattern = False
            words.append(one)
    yield words, "\n"


def _body(match: re.Match[str]) -> str:
    """What is left of the beginning of a function: the brace, if it is on that line."""
    return "{ " if match[0].endswith("{") else ""


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


def _fails(words: Sequence[str]) -> bool:
    """Whether a command ends a script with an error; what a variable says is not known."""
    if words[0] == "exit" and len(words) > 1:
        return words[1].isdecimal() and bool(words[1].strip("0"))
    return words[0] == "false"


def _effect(words: Sequence[str], functions: set[str]) -> list[Effect] | None:
    """The effects of one command; None if nobody knows."""
    plain = _without_redirections(words)
    if plain is None or len(plain) > _MOST_WORDS:
        return None
    if not plain:
        return []
    while len(plain) > 1 and _name(plain[0]) in {"exec", "env"}:
        plain = plain[1:]
    name = _name(plain[0])
    if name in _WITHOUT_EFFECT or name in functions or name.startswith("db_"):
        return []
    variable = any(letter in word for word in plain for letter in "$`*?")
    maker = (None if variable else MAKERS.get(name)) or ASKING.get(name)
    effects = maker(list(plain[1:])) if maker else None
    return effects if effects is not None and all(map(_is_plain, effects)) else None


def _name(word: str) -> str:
    return word.removeprefix("/usr").removeprefix("/sbin/").removeprefix("/bin/")


_NOT_IN_WORDS = {
    **dict.fromkeys(("user", "group", "member"), ":"),
    **dict.fromkeys(("unit", "unit-noted", UPGRADED, "runlevels", "sysusers"), "/"),
    "override": " ",
}
"""What would part a word in a file, or be a path, where none is meant."""


def _is_plain(effect: Effect) -> bool:
    """Whether *effect* is of names and paths that mean what they say, below the root."""
    kind, *words = effect
    if any(".." in word.split("/") or not word.isprintable() for word in words):
        return False
    if kind in _NOT_IN_WORDS:
        return not any(_NOT_IN_WORDS[kind] in word for word in words)
    if kind == "alternative":
        return not any("/" in name for name in (words[1], *words[5::3]))
    return kind != "directory" or OCTAL.fullmatch(words[1]) is not None


def _without_redirections(words: Sequence[str]) -> list[str] | None:
    plain: list[str] = []
    waiting = iter(words)
    for word in waiting:
        if word in {">", ">>", "<", ">&", "<&", "<<"}:
            target = next(waiting, "")
            if plain and plain[-1].isdigit():
                plain.pop()
            if word in {">", ">>"} and target not in _HARMLESS:
                return None
            if word == "<<":
                return None
        else:
            plain.append(word)
    return plain
