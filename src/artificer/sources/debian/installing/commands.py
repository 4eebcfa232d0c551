"""What the commands of maintainer scripts come to, as far as their words tell."""

import re
from collections.abc import Callable, Mapping, Sequence

from artificer.sources.debian.equivalents.accounts import DOWNWARDS

Effect = tuple[str, ...]
"""Its kind (``user``, ``group``, ``alternative``, ``directory`` …), and what it is about."""

Maker = Callable[[list[str]], list[Effect] | None]
"""What a command with these words does; None if nobody knows."""

UPGRADED = "unit-upgraded"
"""The kind of what only says that something is asked of a unit which was installed before."""

OCTAL = re.compile("[0-7]{3,5}")
"""The mode of a file."""


def _options(words: Sequence[str], valued: frozenset[str]) -> tuple[dict[str, str], list[str]]:
    """Part *words* into options, of which *valued* take the next word, and the others."""
    options: dict[str, str] = {}
    rest: list[str] = []
    waiting = iter(words)
    for word in waiting:
        if not word.startswith("-") or word == "-":
            rest.append(word)
            continue
        name, equals, value = word.partition("=")
        options[name] = value if equals else (next(waiting, "") if name in valued else "")
    return options, rest


_USER_WORDS = (
    "--home --shell --uid --gid --gecos --comment --ingroup --firstuid --lastuid --groups "
    "--home-dir --base-dir --key -d -s -u -g -c -G -b -K"
)
_USER_VALUES = frozenset(_USER_WORDS.split())


_OTHER_GROUP = frozenset(("-g", "--gid", "-N", "--no-user-group"))


def _adduser(words: list[str]) -> list[Effect] | None:
    options, rest = _options(words, _USER_VALUES)
    if len(rest) == 2:
        return [("member", rest[0], rest[1])]
    if len(rest) != 1 or not ({"--system", "-r"} & options.keys()):
        return None
    name, own = rest[0], "--group" in options
    group = _first(options, "--ingroup", "--gid") or (name if own else "nogroup")
    home = options.get("--home") or "/nonexistent"
    shell = options.get("--shell") or "/usr/sbin/nologin"
    about = _first(options, "--gecos", "--comment")
    if about:
        about += "," * (3 - about.count(","))  # as chfn(1) writes it
    made: list[Effect] = [("group", name, "")] if own else []
    made.append(("user", name, options.get("--uid", ""), group, home, shell, about))
    if "--no-create-home" not in options and home != "/nonexistent":
        made.append(("directory", home, "0755", name, group))
    return made


def _useradd(words: list[str]) -> list[Effect] | None:
    options, rest = _options(words, _USER_VALUES)
    if len(rest) != 1 or not ({"--system", "-r"} & options.keys()):
        return None
    name, own = rest[0], not _OTHER_GROUP.intersection(options)
    group = _first(options, "--gid", "-g") or (name if own else "nogroup")
    home = _first(options, "--home-dir", "--home", "-d") or f"/home/{name}"
    shell = _first(options, "--shell", "-s") or "/bin/sh"
    made: list[Effect] = [("group", name, DOWNWARDS)] if own else []
    number = _first(options, "--uid", "-u") or DOWNWARDS
    made.append(("user", name, number, group, home, shell, _first(options, "--comment", "-c")))
    if {"-m", "--create-home"} & options.keys():
        made.append(("directory", home, "0755", name, group))
    return made


def _first(options: Mapping[str, str], *names: str) -> str:
    return next(filter(None, map(options.get, names)), None) or ""


def _addgroup(words: list[str]) -> list[Effect] | None:
    options, rest = _options(words, frozenset({"--gid", "-g"}))
    if len(rest) == 2:
        return [("member", rest[0], rest[1])]
    return [("group", rest[0], options.get("--gid", ""))] if len(rest) == 1 else None


def _groupadd(words: list[str]) -> list[Effect] | None:
    options, rest = _options(words, frozenset({"--gid", "-g"}))
    number = _first(options, "--gid", "-g")
    if len(rest) != 1 or not (number or {"-r", "--system"} & options.keys()):
        return None
    return [("group", rest[0], number or DOWNWARDS)]


_NO_INSTALL = frozenset(("--remove", "--remove-all", "--display", "--query", "--list"))


def _alternatives(words: list[str]) -> list[Effect] | None:
    if "--install" not in words:
        return [] if _NO_INSTALL.intersection(words) else None
    parts: list[list[str]] = []
    for word in words:
        if word in {"--install", "--slave"}:
            parts.append([word])
        elif parts:
            parts[-1].append(word)
    main = parts[0][1:]
    slaves = [part[1:4] for part in parts[1:]]
    if len(main) < 4 or any(len(slave) != 3 for slave in slaves):
        return None
    return [("alternative", *main[:4], *(word for slave in slaves for word in slave))]


_JOINED_VALUE = re.compile(r"-(?!-)(?=.{2}).*[mog]")
"""Several letters at once, one of which has a value: ``-m0700``, ``-pm``."""


def _directory(words: list[str]) -> list[Effect] | None:
    options, rest = _options(words, frozenset({"-m", "-o", "-g", "--mode", "--owner", "--group"}))
    if any(_JOINED_VALUE.match(option) for option in options):
        return None
    mode = next((options[one] for one in ("-m", "--mode") if one in options), "0755")
    owner = options.get("-o", "root"), options.get("-g", "root")
    return [("directory", path, mode, *owner) for path in rest]


def _install(words: list[str]) -> list[Effect] | None:
    if "-d" in words or "--directory" in words:
        return _directory(words)
    match words:
        case ["--mode" | "-m", mode, "/dev/null", path] if OCTAL.fullmatch(mode):
            return [("file", path), ("mode", path, mode)]
        case _:
            return None


_EVERYTHING = frozenset(("-R", "--recursive"))


def _owner(words: list[str]) -> list[Effect] | None:
    options, rest = _options(words, frozenset())
    if len(rest) < 2 or {"-h", "--no-dereference", "--from", "--reference"} & options.keys():
        return None
    user, _, group = rest[0].partition(":")
    below = ("below",) if _EVERYTHING & options.keys() else ()
    return [("owner", path, user, group, *below) for path in rest[1:]]


def _group(words: list[str]) -> list[Effect] | None:
    at = next((n for n, word in enumerate(words) if not word.startswith("-")), len(words))
    return _owner([*words[:at], f":{words[at]}", *words[at + 1 :]]) if words[at:] else None


def _touched(words: list[str]) -> list[Effect] | None:
    options, rest = _options(words, frozenset())
    return None if options else [("file", path) for path in rest]


def _copy(words: list[str]) -> list[Effect] | None:
    options, rest = _options(words, frozenset())
    if {"-r", "-R", "-a", "--recursive"} & options.keys() or len(rest) != 2:
        return None
    timed = any(option in {"-p", "-pZ", "--preserve"} for option in options)
    return [("copy", rest[1], rest[0], *(("timed",) if timed else ()))]


def _link(words: list[str]) -> list[Effect] | None:
    options, rest = _options(words, frozenset())
    if not options or any("s" not in option for option in options) or len(rest) != 2:
        return None
    return [("link", rest[1], rest[0])]


def _override(words: list[str]) -> list[Effect] | None:
    _, rest = _options(words, frozenset())
    if "--add" not in words or len(rest) != 4 or not OCTAL.fullmatch(rest[2]):
        return _listing(words)
    user, group, mode, path = rest
    return [("override", path, user, group, mode)]


def _settings(words: list[str]) -> list[Effect] | None:
    _, rest = _options(words, frozenset({"--sum-file", "--src-dir", "--state-dir"}))
    asks = "--purge" in words or "-p" in words
    return [] if asks else [("ucf", *rest)] if len(rest) == 2 else None


def _settings_owner(words: list[str]) -> list[Effect] | None:
    _, rest = _options(words, frozenset())
    asks = "--purge" in words or "-p" in words
    return [] if asks else [("ucfr", *rest)] if len(rest) == 2 else None


def _listing(words: list[str]) -> list[Effect] | None:
    return [] if "--list" in words or "--listpackage" in words else None


_OF_UNITS = {"enable": "unit", "update-state": "unit-noted", "debian-installed": UPGRADED}


def _unit(words: list[str]) -> list[Effect] | None:
    options, rest = _options(words, frozenset())
    instance = "user" if "--user" in options else "system"
    kind = _OF_UNITS.get(rest[0], "") if rest else ""
    return [(kind, instance, unit) for unit in rest[1:]] if kind else []


def _runlevels(words: list[str]) -> list[Effect] | None:
    _, rest = _options(words, frozenset())
    match rest:
        case [script, "defaults" | "start" | "stop", *_]:
            return [("runlevels", script)]
        case [script, "defaults-disabled"]:
            return [("runlevels", script, "disabled")]
        case [_, "remove", *_]:
            return []
        case _:
            return None


def _pam(words: list[str]) -> list[Effect] | None:
    if "--remove" in words:
        return []
    return None if {"--enable", "--disable"}.intersection(words) else [("pam",)]


_DECLARING = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@+-]*\.conf")


def _sysusers(words: list[str]) -> list[Effect] | None:
    """Files of sysusers.d(5), by their names; the root that is named may be a variable."""
    names = [word for word in words if not word.startswith("${DPKG_ROOT:+--root=")]
    named = names and all(_DECLARING.fullmatch(name) for name in names)
    return [("sysusers", *names)] if named else None


def _shells(words: list[str]) -> list[Effect] | None:
    return [("add-shell", *words)] if words else None


_IN_PLACE = re.compile("--i|-[A-Za-z]*i")


def _filter(words: list[str]) -> list[Effect] | None:
    return None if any(_IN_PLACE.match(word) for word in words) else []


_DOING = re.compile("-(?:delete|exec|execdir|ok|okdir|fls|fprint.?|fprintf)")


def _search(words: list[str]) -> list[Effect] | None:
    return None if any(_DOING.fullmatch(word) for word in words) else []


def _mode(words: list[str]) -> list[Effect] | None:
    options, rest = _options(words, frozenset())
    if rest[:1] == ["+x"]:
        return []  # for what is executable already
    if options or len(rest) < 2 or not OCTAL.fullmatch(rest[0]):
        return None
    return [("mode", path, rest[0]) for path in rest[1:]]


def _nothing_more(kind: str) -> Maker:
    return lambda _: [(kind,)]


MAKERS: dict[str, Maker] = {
    "adduser": _adduser,
    "useradd": _useradd,
    "addgroup": _addgroup,
    "groupadd": _groupadd,
    "update-alternatives": _alternatives,
    "mkdir": _directory,
    "install": _install,
    "chown": _owner,
    "chgrp": _group,
    "chmod": _mode,
    "touch": _touched,
    "cp": _copy,
    "ln": _link,
    "add-shell": _shells,
    "deb-systemd-helper": _unit,
    "dpkg-statoverride": _override,
    "ucf": _settings,
    "ucfr": _settings_owner,
    "update-rc.d": _runlevels,
    "update-shells": _nothing_more("shells"),
    "update-ca-certificates": _nothing_more("ca-certificates"),
}
ASKING: dict[str, Maker] = {
    "dpkg-statoverride": _listing,
    "dpkg-divert": _listing,
    "find": _search,
    "ldconfig": _nothing_more("ldconfig"),
    "pam-auth-update": _pam,
    "sed": _filter,
    "systemd-sysusers": _sysusers,
}
"""Commands that only ask or are called in one way: with variables, too."""
