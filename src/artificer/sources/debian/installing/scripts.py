"""What a maintainer script does, as far as it can be told without running it."""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from artificer.sources.debian.installing.commands import ASKING, MAKERS, OCTAL, UPGRADED, Effect
from artificer.sources.debian.installing.shell import commands, functions, with_constants

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
    "dirname readlink readonly ls expr realpath pidof pgrep hostname aa-enabled aa-status "
    "apparmor_parser restorecon"
)
_WITHOUT_EFFECT = frozenset(_QUIET.split())
"""Services are not started in an image, caches of programs are made where they are used, and what
is removed on the way from an older version is not there."""

_ROOT = re.compile(
    r"\$\{DPKG_ROOT:\+--root=\"\$DPKG_ROOT\"\}|\$(?:\{DPKG_ROOT(?::-)?\}|DPKG_ROOT\b)"
)
_MOST = 1 << 18
_MOST_EFFECTS = 1000
_MOST_TREES = 20
_MOST_WORDS = 1000
_HARMLESS = ("/dev/null", "&", "/dev/stderr", "/dev/stdout")


class Known(NamedTuple):
    """What a script does; *unknown* are its commands that nobody can tell the effect of."""

    effects: tuple[Effect, ...]
    unknown: tuple[str, ...]


def known(data: bytes, *, first: bool = True) -> Known:
    """Read a shell script: all its branches that may be taken, as if each were.

    *first* says that the package was not installed before.
    """
    text = _joined(data[: _MOST + 1])
    shebang = text.partition("\n")[0]
    if (
        len(data) > _MOST
        or "\0" in text
        or not re.match(r"#! ?/(?:usr/)?bin/(?:ba|da)?sh\b", shebang)
    ):
        return Known((), (shebang[:60] or "an empty script",))
    try:
        text = with_constants(_ROOT.sub("", text), most=_MOST)
        found_commands = list(commands(text, first=first))
    except ValueError as error:
        return Known((), (str(error),))
    defined = functions(text)
    effects: list[Effect] = []
    unknown: list[str] = []
    for words, always in found_commands:
        found = None if always and _fails(words) else _effect(words, defined)
        if found is None or _are_many(effects):
            unknown.append(" ".join(words)[:80])
        else:
            effects += found
    return Known(tuple(_first_time(dict.fromkeys(effects))), tuple(dict.fromkeys(unknown)))


def _are_many(effects: Sequence[Effect]) -> bool:
    """Whether these are more than any script has; what is done to all below a path counts more."""
    return len(effects) > _MOST_EFFECTS or sum("below" in one for one in effects) > _MOST_TREES


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


def _fails(words: Sequence[str]) -> bool:
    """Whether a command ends a script with an error; what a variable says is not known."""
    if words[0] == "exit" and len(words) > 1:
        return words[1].isdecimal() and bool(words[1].strip("0"))
    return words[0] == "false"


def _effect(words: Sequence[str], defined: set[str]) -> list[Effect] | None:
    """The effects of one command; None if nobody knows."""
    plain = _without_redirections(words)
    if plain is None or len(plain) > _MOST_WORDS:
        return None
    if not plain:
        return []
    while len(plain) > 1 and _name(plain[0]) in {"exec", "env"}:
        plain = plain[1:]
    name = _name(plain[0])
    if name in _WITHOUT_EFFECT or name in defined or name.startswith("db_"):
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
