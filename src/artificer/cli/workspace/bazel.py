"""The command line of Bazel, for whoever calls the command by the name ``bazel``."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from artificer.cli.grammar import Parser
from artificer.cli.workspace.bazelrc import InvalidRc, Line, Wanted, lines_for, rc_lines
from artificer.errors import Misused

COMMANDS = ("build", "run", "test", "query", "cquery", "clean", "info", "version", "help")

# Start-up options that say how the server lives, and of which there is none here to live.
_OF_THE_SERVER = {
    "batch",
    "host-jvm-args",
    "host-javabase",
    "server-javabase",
    "max-idle-secs",
    "idle-server-tasks",
    "shutdown-on-low-sys-mem",
    "io-nice-level",
    "batch-cpu-scheduling",
    "block-for-lock",
    "client-debug",
    "preemptible",
}
_YES = frozenset({"", "1", "true", "yes"})
_HERE = frozenset({"standalone", "local", "sandboxed", "processwrapper-sandbox", "linux-sandbox"})
_ANY = frozenset[str]()
_RC = {"home-rc": "home", "workspace-rc": "workspace", "system-rc": "system"}
# Of old: the system's file.
_RC["master-bazelrc"] = "system"
# What is the case here with these values (`_ANY`: it is about how Bazel's own output looks).
_ALWAYS: Mapping[str, frozenset[str]] = {
    "verbose-failures": _YES,
    "spawn-strategy": _HERE,
    "genrule-strategy": _HERE,
    "incompatible-strict-action-env": _YES,
    "experimental-strict-action-env": _YES,
    "show-progress": _ANY,
    "noshow-progress": _ANY,
    "show-progress-rate-limit": _ANY,
    "show-timestamps": _ANY,
    "curses": _ANY,
    "color": _ANY,
    "show-result": _ANY,
    "ui-event-filters": _ANY,
    "announce-rc": _ANY,
    "test-output": _ANY,
    "test-summary": _ANY,
    # Both kinds of files are read, wherever they are.
    "enable-bzlmod": _ANY,
    "noenable-bzlmod": _ANY,
    "enable-workspace": _ANY,
    "noenable-workspace": _ANY,
}
_TAKES_VALUE = {"spawn-strategy", "genrule-strategy", "show-result", "color", "curses", "cpu"}
_TAKES_VALUE |= {"test-output", "test-summary", "ui-event-filters"}
_MODULES = {
    "build": "artificer.cli.workspace.build",
    "run": "artificer.cli.workspace.run",
    "test": "artificer.cli.workspace.test",
    "query": "artificer.cli.workspace.query",
    "clean": "artificer.cli.workspace.clean",
    "info": "artificer.cli.workspace.info",
}
_CPU = {"k8": "linux/amd64", "aarch64": "linux/arm64", "arm64": "linux/arm64"}
_CPU |= {"arm": "linux/arm", "armv7a": "linux/arm/v7", "ppc": "linux/ppc64le"}
_VERSION = re.compile(r"--?(?:version|v)")


class _Startup(NamedTuple):
    """What stands before the command: options of ours, which rc files, and all from there on."""

    options: list[str]
    wanted: Wanted
    rest: list[str]


def translated(words: Sequence[str], directory: str = "", home: str = "") -> list[str]:
    """*words* of a Bazel command line as ours; what we lack is refused by its name.

    They are given in *directory*; rc files are read there, and in *home*, where these are told.
    """
    if list(words[:1]) in (["--help"], ["-h"]):
        return ["--help"]
    startup = _startup(words)
    rest = startup.rest
    if not rest:
        return ["--help"]
    if _VERSION.fullmatch(rest[0]):
        return ["version"]
    command, *others = rest
    if command not in COMMANDS:
        raise Misused(
            f"bazel {command}: artificer has no such command",
            hint=f"it has {', '.join(COMMANDS)}",
        )
    if command in {"version", "help"}:
        return [command] if command == "version" else ["--help"]
    ours = "query" if command == "cquery" else command
    end = others.index("--") if "--" in others else len(others)
    lines = rc_lines(startup.wanted, directory, home) if directory else ()
    rc = _Rc(command, ours, lines)
    done = [*rc.given(), *rc.expanded(others[:end])]
    if not any(word.startswith("--symlink-prefix") for word in done):
        done.append("--symlink-prefix=bazel-")
    return [ours, *rc.startup(), *startup.options, *done, *others[end:]]


class _Rc:
    """What the *lines* of rc files mean to *command*, which is *ours* here."""

    def __init__(self, command: str, ours: str, lines: Sequence[Line]) -> None:
        self._command = command
        self._lines = lines
        self._known = _options_of(ours)
        self._configs: list[str] = []

    def startup(self) -> list[str]:
        """Start-up options of the files."""
        found: list[str] = []
        for line in self._lines:
            if line.command == "startup":
                with _at(line):
                    found += _startup(line.words).options
        return found

    def given(self) -> Iterator[str]:
        """The options that the command always has."""
        for line in lines_for(self._command, self._lines):
            yield from self._of_line(line)

    def expanded(self, words: Sequence[str]) -> Iterator[str]:
        """*words* of the command line, with configurations written out where they are named."""
        for config, others in _parts(words):
            yield from _known(others, self._known)
            if config:
                yield from self._of_config(config)

    def _of_config(self, config: str) -> Iterator[str]:
        if config in self._configs:
            path = " → ".join((*self._configs, config))
            raise InvalidRc(f"--config={config}: it is a part of itself: {path}")
        self._configs.append(config)
        for line in lines_for(self._command, self._lines, config):
            yield from self._of_line(line)
        self._configs.pop()

    def _of_line(self, line: Line) -> Iterator[str]:
        for config, words in _parts(line.words):
            with _at(line):
                found = list(self._own(words, line.command))
            yield from found
            if config:
                with _at(line):
                    found = list(self._of_config(config))
                yield from found

    def _own(self, words: Sequence[str], command: str) -> Iterator[str]:
        """What of *words*, for *command* and others, is for this command as well."""
        others = _MODULES if command in {"always", "common"} else (command,)
        every = {name: value for one in others for name, value in _options_of(one).items()}
        every |= self._known
        waiting = list(_known(words, every))
        while waiting:
            word = waiting.pop(0)
            name, equals, _ = word.partition("=")
            if not word.startswith("-"):
                raise Misused(f"{word} is no option")
            value = [waiting.pop(0)] if every.get(name) and not equals and waiting else []
            if name in self._known or name[:2] in self._known:
                yield from (word, *value)


def _parts(words: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    """*words* up to each ``--config``, with its value; the last part has none."""
    part: list[str] = []
    waiting = list(words)
    while waiting:
        word = waiting.pop(0)
        if word == "--config" and waiting:
            word = f"{word}={waiting.pop(0)}"
        if word.startswith("--config="):
            yield word.partition("=")[2], part
            part = []
        else:
            part.append(word)
    yield "", part


@contextmanager
def _at(line: Line) -> Iterator[None]:
    """Say at which line something is wrong."""
    try:
        yield
    except Misused as error:
        if error.message.startswith(f"{line.place}: "):
            raise
        hint = error.hint or "leave it out, or call `bazel --ignore_all_rc_files …`"
        raise InvalidRc(f"{line.place}: {error.message}", hint=hint) from error


def _startup(words: Sequence[str]) -> _Startup:
    """The start-up options that mean something here, and all from the command on."""
    done: list[str] = []
    wanted = Wanted()
    waiting = list(words)
    while waiting and waiting[0].startswith("-") and not _VERSION.fullmatch(waiting[0]):
        word = waiting.pop(0)
        name, equals, value = word.lstrip("-").replace("_", "-").partition("=")
        if equals:
            value = word.partition("=")[2]
        if name in {"output-base", "output-user-root"}:
            value = value if equals else waiting.pop(0) if waiting else ""
            done.append(f"--output-base={value}")
        elif name in {"bazelrc", "blazerc"}:
            value = value if equals else waiting.pop(0) if waiting else ""
            wanted = wanted._replace(files=(*wanted.files, value))
        elif name == "ignore-all-rc-files":
            none = name.startswith("no") or value.lower() not in _YES
            wanted = wanted if none else Wanted(system=False, workspace=False, home=False)
        elif name.removeprefix("no") in _RC:
            given = not name.startswith("no") and value.lower() in _YES
            wanted = wanted.without(_RC[name.removeprefix("no")], given=given)
        elif name.removeprefix("no") not in _OF_THE_SERVER:
            raise Misused(f"bazel {word}: artificer does not know this start-up option")
    return _Startup(done, wanted, waiting)


def _options_of(command: str) -> Mapping[str, bool]:
    """The options of one of our commands, and whether each takes a value."""
    parser = _parser_of(command)
    return {
        name: action.nargs != 0 for action in parser._actions for name in action.option_strings
    }


def _parser_of(command: str) -> Parser:
    import importlib

    parser: Callable[[], Parser] = importlib.import_module(_MODULES[command]).parser
    return parser()


def _known(words: Sequence[str], known: Mapping[str, bool]) -> Iterator[str]:
    waiting = list(words)
    while waiting:
        word = waiting.pop(0)
        head, equals, value = word.partition("=")
        name = head.replace("_", "-") if head.startswith("--") else head
        if not word.startswith("-") or (name[:2] in known and not name.startswith("--")):
            yield word
            if word in known and known[word] and waiting:
                yield waiting.pop(0)
        elif name in known:
            yield name + equals + value
            if known[name] and not equals and waiting:
                yield waiting.pop(0)
        else:
            if not equals and name.removeprefix("--") in _TAKES_VALUE and waiting:
                value = waiting.pop(0)
            yield from _other(word, name.removeprefix("--"), value)


def _other(word: str, name: str, value: str) -> Iterator[str]:
    """What stands for an option that we have not: nothing, or another one."""
    if name in _ALWAYS and (not _ALWAYS[name] or value.lower() in _ALWAYS[name]):
        return
    if name != "cpu":
        raise Misused(
            f"bazel {word}: artificer has no such option",
            hint="leave it out; docs/reference/commands.md lists what there is",
        )
    if value not in _CPU:
        raise Misused(f"bazel --cpu={value}: not known", hint=f"{', '.join(_CPU)} are")
    yield f"--platform={_CPU[value]}"
