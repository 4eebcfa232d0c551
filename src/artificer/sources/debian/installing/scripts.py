"""What a maintainer script does, as far as it can be told without running it."""

import re
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

Effect = tuple[str, ...]
"""Its kind (``user``, ``group``, ``alternative``, ``directory`` …), and what it is about."""

_Maker = Callable[[list[str]], list[Effect] | None]

_QUIET = (
    "[ test true false : exit return set shift local export unset read echo printf cat which "
    "command type getent dpkg dpkg-query dpkg-architecture grep egrep fgrep cut head tail id "
    "uname sort awk md5sum sha256sum cmp tr wc sleep umask getcap mountpoint findmnt stat "
    "deb-systemd-invoke deb-systemd-helper systemctl systemd-tmpfiles invoke-rc.d update-rc.d "
    "service start-stop-daemon py3compile py3clean pycompile pyclean dpkg-maintscript-helper "
    "dpkg-trigger . debconf-set-selections update-desktop-database update-mime-database "
    "gtk-update-icon-cache update-menus update-icon-caches install-info update-info-dir "
    "update-fonts-dir mandb update-mime ischroot rm rmdir kill trap continue break basename "
    "dirname readlink"
)
_WITHOUT_EFFECT = frozenset(_QUIET.split())
"""Services are not started in an image, caches are made where they are used, and what is removed
on the way from an older version is not there."""

_KEYWORDS = frozenset(("if", "then", "elif", "else", "fi", "do", "done", "while", "until"))
_MARKS = frozenset(("{", "}", "!", "esac"))
_COMMENT = re.compile(r"(?m)(?:^|(?<=[ \t;]))#.*$")
_FUNCTION = re.compile(r"(?m)^[ \t]*([A-Za-z_][A-Za-z0-9_]*)[ \t]*\(\)[ \t]*\{?")
_ROOT = re.compile(r"\$(?:\{DPKG_ROOT(?::-)?\}|DPKG_ROOT\b)")
_CONSTANT = re.compile(r"(?m)^[ \t]*([A-Za-z_][A-Za-z0-9_]*)=\"?(/[A-Za-z0-9_./-]+)\"?[ \t]*$")
_VARIABLE = re.compile(r"\$(?:\{([A-Za-z_][A-Za-z0-9_]*)\}|([A-Za-z_][A-Za-z0-9_]*))")
_OCTAL = re.compile("[0-7]{3,5}")
_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=")
_SEPARATORS = frozenset({";", ";;", "&&", "||", "|", "&", "\n"})
_MOST = 1 << 20
_HARMLESS = ("/dev/null", "&", "/dev/stderr", "/dev/stdout")


class Known(NamedTuple):
    """What a script does; *unknown* are its commands that nobody can tell the effect of."""

    effects: tuple[Effect, ...]
    unknown: tuple[str, ...]


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
    functions = set(_FUNCTION.findall(text))
    effects: list[Effect] = []
    unknown: list[str] = []
    try:
        commands = list(_commands(text))
    except ValueError as error:
        return Known((), (str(error),))
    for words in commands:
        found = _effect(words, functions)
        if found is None:
            unknown.append(" ".join(words)[:80])
        else:
            effects += found
    return Known(tuple(dict.fromkeys(effects)), tuple(dict.fromkeys(unknown)))


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


def _commands(text: str) -> Iterator[list[str]]:
    """Yield the simple commands of *text*, without keywords and the patterns of ``case``."""
    text = _COMMENT.sub("", text)
    lexer = shlex.shlex(_FUNCTION.sub("", text), posix=True, punctuation_chars=";&|()<>\n")
    lexer.whitespace = " \t\r"
    lexer.whitespace_split = True
    lexer.commenters = ""
    words: list[str] = []
    pattern = False
    for one in (part for group in lexer for part in _parted(group)):
        if pattern and one != "esac":
            pattern = one != ")"
        elif one in _SEPARATORS or one in {"(", ")"}:
            yield from _simple(words)
            words = []
            pattern = one == ";;"
        elif words[:1] == ["case"] and one == "in":
            words, pattern = [], True
        else:
            pattern = False
            words.append(one)
    yield from _simple(words)


def _parted(token: str) -> list[str]:
    """A token of punctuation as the operators it is made of."""
    if token and not token.strip(";&|()<>\n"):
        return re.findall(r";;|&&|\|\||>>|<<|>&|<&|[;&|()<>\n]", token)
    return [token]


def _simple(words: list[str]) -> Iterator[list[str]]:
    while words and words[0] in (_KEYWORDS | _MARKS):
        words = words[1:]
    while words and _ASSIGNMENT.match(words[0]):
        words = words[1:]
    if words and words[0] not in {"case", "for"}:
        yield words


def _effect(words: Sequence[str], functions: set[str]) -> list[Effect] | None:
    """The effects of one command; None if nobody knows."""
    plain = _without_redirections(words)
    if plain is None:
        return None
    if not plain:
        return []
    while len(plain) > 1 and _name(plain[0]) in {"exec", "env"}:
        plain = plain[1:]
    name = _name(plain[0])
    if name in _WITHOUT_EFFECT or name in functions or name.startswith("db_"):
        return []
    variable = any(letter in word for word in plain for letter in "$`*?")
    maker = _ASKING.get(name) or (None if variable else _MAKERS.get(name))
    effects = maker(list(plain[1:])) if maker else None
    return effects if effects is not None and all(map(_is_plain, effects)) else None


def _name(word: str) -> str:
    return word.removeprefix("/usr").removeprefix("/sbin/").removeprefix("/bin/")


def _is_plain(effect: Effect) -> bool:
    """Whether *effect* is of names and paths that mean what they say, below the root."""
    kind, *words = effect
    if any(".." in word.split("/") or not word.isprintable() for word in words):
        return False
    match kind:
        case "user" | "group" | "member":
            return not any(":" in word for word in words)
        case "alternative":
            return not any("/" in name for name in (words[1], *words[5::3]))
        case "directory":
            return _OCTAL.fullmatch(words[1]) is not None
        case _:
            return True


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
    return _user(options, rest[0], own_group="--group" in options)


def _useradd(words: list[str]) -> list[Effect] | None:
    options, rest = _options(words, _USER_VALUES)
    if len(rest) != 1 or not ({"--system", "-r"} & options.keys()):
        return None
    return _user(options, rest[0], own_group=not _OTHER_GROUP.intersection(options))


def _user(options: Mapping[str, str], name: str, *, own_group: bool) -> list[Effect]:
    def first(*names: str) -> str:
        return next(filter(None, map(options.get, names)), None) or ""

    group = first("--ingroup", "--gid", "-g") or (name if own_group else "nogroup")
    home = first("--home", "-d", "--home-dir") or "/nonexistent"
    shell = first("--shell", "-s") or "/usr/sbin/nologin"
    made: list[Effect] = [("group", name, "")] if own_group else []
    made.append(
        (
            "user",
            name,
            first("--uid", "-u"),
            group,
            home,
            shell,
            first("--gecos", "--comment", "-c"),
        )
    )
    if not ({"--no-create-home", "-M", "--no-home"} & options.keys()) and home != "/nonexistent":
        made.append(("directory", home, "0755", name, group))
    return made


def _addgroup(words: list[str]) -> list[Effect] | None:
    options, rest = _options(words, frozenset({"--gid", "-g"}))
    if len(rest) == 2:
        return [("member", rest[0], rest[1])]
    return (
        [("group", rest[0], options.get("--gid") or options.get("-g", ""))]
        if len(rest) == 1
        else None
    )


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


def _directory(words: list[str]) -> list[Effect] | None:
    options, rest = _options(words, frozenset({"-m", "-o", "-g", "--mode", "--owner", "--group"}))
    mode = next((options[one] for one in ("-m", "--mode") if one in options), "0755")
    owner = options.get("-o", "root"), options.get("-g", "root")
    return [("directory", path, mode, *owner) for path in rest]


def _install(words: list[str]) -> list[Effect] | None:
    return _directory(words) if "-d" in words or "--directory" in words else None


def _owner(words: list[str]) -> list[Effect] | None:
    options, rest = _options(words, frozenset())
    if {"-R", "--recursive"} & options.keys() or len(rest) < 2:
        return None
    user, _, group = rest[0].partition(":")
    return [("owner", path, user, group) for path in rest[1:]]


def _touched(words: list[str]) -> list[Effect] | None:
    options, rest = _options(words, frozenset())
    return None if options else [("file", path) for path in rest]


def _copy(words: list[str]) -> list[Effect] | None:
    options, rest = _options(words, frozenset())
    if {"-r", "-R", "-a", "--recursive"} & options.keys() or len(rest) != 2:
        return None
    return [("copy", rest[1], rest[0])]


def _link(words: list[str]) -> list[Effect] | None:
    options, rest = _options(words, frozenset())
    if not options or any("s" not in option for option in options) or len(rest) != 2:
        return None
    return [("link", rest[1], rest[0])]


def _listing(words: list[str]) -> list[Effect] | None:
    return [] if "--list" in words or "--listpackage" in words else None


def _filter(words: list[str]) -> list[Effect] | None:
    return None if any(word.startswith(("-i", "--in-place")) for word in words) else []


def _mode(words: list[str]) -> list[Effect] | None:
    options, rest = _options(words, frozenset())
    if rest[:1] == ["+x"]:
        return []  # for what is executable already
    if options or len(rest) < 2 or not _OCTAL.fullmatch(rest[0]):
        return None
    return [("mode", path, rest[0]) for path in rest[1:]]


def _nothing_more(kind: str) -> "_Maker":
    return lambda _: [(kind,)]


_MAKERS: "dict[str, _Maker]" = {
    "adduser": _adduser,
    "useradd": _useradd,
    "addgroup": _addgroup,
    "groupadd": _addgroup,
    "update-alternatives": _alternatives,
    "mkdir": _directory,
    "install": _install,
    "chown": _owner,
    "chmod": _mode,
    "touch": _touched,
    "cp": _copy,
    "ln": _link,
    "ldconfig": _nothing_more("ldconfig"),
    "update-ca-certificates": _nothing_more("ca-certificates"),
}
_ASKING: "dict[str, _Maker]" = {
    "dpkg-statoverride": _listing,
    "dpkg-divert": _listing,
    "sed": _filter,
}
"""Commands that only ask, called in one way: with variables, too."""
