"""The command line of Bazel, for whoever calls the command by the name ``bazel``."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence

from artificer.cli.grammar import Parser
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
# Files with options, none of which is read here.
_RC = {"home-rc", "workspace-rc", "system-rc", "master-bazelrc"}
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
}
_TAKES_VALUE = {"spawn-strategy", "genrule-strategy", "show-result", "color", "curses", "cpu"}
_MODULES = {
    "build": "artificer.cli.build_targets",
    "run": "artificer.cli.run_target",
    "test": "artificer.cli.test_targets",
    "query": "artificer.cli.query",
    "clean": "artificer.cli.clean",
    "info": "artificer.cli.info",
}
_CPU = {"k8": "linux/amd64", "aarch64": "linux/arm64", "arm64": "linux/arm64"}
_CPU |= {"arm": "linux/arm", "armv7a": "linux/arm/v7", "ppc": "linux/ppc64le"}
_VERSION = re.compile(r"--?(?:version|v)")


def translated(words: Sequence[str]) -> list[str]:
    """*words* of a Bazel command line as ours; what we lack is refused by its name."""
    startup, rest = _startup(words)
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
    command = "query" if command == "cquery" else command
    end = others.index("--") if "--" in others else len(others)
    known = _options_of(command)
    done = list(_known(others[:end], known))
    if not any(word.startswith("--symlink-prefix") for word in done):
        done.append("--symlink-prefix=bazel-")
    return [command, *startup, *done, *others[end:]]


def _startup(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """The start-up options that mean something here, and all from the command on."""
    done: list[str] = []
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
            if value != "/dev/null":
                raise Misused(
                    f"--{name}={value}: rc files are not read",
                    hint="write their options on the command line",
                )
        elif name.removeprefix("no") not in _OF_THE_SERVER | _RC:
            raise Misused(f"bazel {word}: artificer does not know this start-up option")
    return done, waiting


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
