"""Instructions that change only an image's config, each with its line of history as BuildKit's."""

import re
from typing import Any, assert_never

from artificer.errors import Misused
from artificer.frontends.dockerfile.errors import invalid
from artificer.frontends.dockerfile.history import bracketed, duration, quoted
from artificer.frontends.dockerfile.instructions import (
    Cmd,
    CommandLine,
    Entrypoint,
    Env,
    Expose,
    Healthcheck,
    Label,
    Lines,
    Maintainer,
    Pair,
    Shell,
    Stopsignal,
    User,
    Volume,
)
from artificer.frontends.dockerfile.scope import Expander, Scope
from artificer.oci.settings import stop_signal

Started = Cmd | Entrypoint | Shell | Healthcheck | Maintainer
Described = Env | Label | Expose | Volume | User | Stopsignal

_PORTS = re.compile(r"(\d{1,5})(?:-(\d{1,5}))?")
_PROTOCOLS = ("tcp", "udp", "sctp")
_ADDRESS = re.compile(r"(?:[0-9.]+|\[?[0-9A-Fa-f:.]*\]?)?")


def started(scope: Scope, instruction: Started) -> str:
    """Apply what says how a container is started; nothing in it is expanded."""
    match instruction:
        case Cmd(command=command):
            scope.has_cmd = True
            scope.config["Cmd"] = words = argv(scope, command)
            # docker engines before OCI asked for it; BuildKit sets it for every CMD, as we do.
            scope.config["ArgsEscaped"] = True
            return f"CMD {quoted(words)}"
        case Entrypoint(command=command):
            scope.config["Entrypoint"] = words = argv(scope, command)
            if not scope.has_cmd:
                scope.config.pop("Cmd", None)
            return f"ENTRYPOINT {quoted(words)}"
        case Shell(words=shell):
            scope.config["Shell"] = list(shell)
            return f"SHELL {bracketed(shell)}"
        case Healthcheck():
            return _healthcheck(scope, instruction)
        case Maintainer(author=author):
            scope.author = author
            return f"MAINTAINER {author}"
        case _:
            assert_never(instruction)


def described(scope: Scope, instruction: Described, expander: Expander) -> str:
    """Apply what describes the image, with its variables expanded."""
    match instruction:
        case Env():
            return _env(scope, instruction, expander)
        case Label(at=at, pairs=pairs):
            found = _pairs(scope, at, pairs, expander)
            scope.members("Labels").update(found)
            return " ".join(("LABEL", *(f"{name}={value}" for name, value in found)))
        case Expose(at=at, ports=specs):
            words = [word for spec in specs for word in expander.words(at, spec, scope)]
            ports = [port for word in words for port in _ports(at, word)]
            scope.members("ExposedPorts").update((port, {}) for port in ports)
            return f"EXPOSE {bracketed(ports)}"
        case Volume():
            return _volume(scope, instruction, expander)
        case User():
            return _user(scope, instruction, expander)
        case Stopsignal():
            return _stopsignal(scope, instruction, expander)
        case _:
            assert_never(instruction)


def argv(scope: Scope, command: CommandLine) -> list[str]:
    """The words of *command*: those of the exec form, or the shell and its text."""
    return [*scope.shell, *command.words] if command.shell else list(command.words)


def _healthcheck(scope: Scope, instruction: Healthcheck) -> str:
    times = {
        "Interval": instruction.interval or 0,
        "Timeout": instruction.timeout or 0,
        "StartPeriod": instruction.start_period or 0,
        "StartInterval": instruction.start_interval or 0,
    }
    retries = instruction.retries or 0
    fields: dict[str, Any] = {"Test": list(instruction.test), **times, "Retries": retries}
    scope.config["Healthcheck"] = {key: value for key, value in fields.items() if value}
    said = " ".join(f"{key}:{duration(value)}" for key, value in times.items())
    return f"HEALTHCHECK {{Test:{bracketed(instruction.test)} {said} Retries:{retries}}}"


def _env(scope: Scope, instruction: Env, expander: Expander) -> str:
    # All are expanded before any is set (reference, ENV: "values … throughout an instruction").
    found = _pairs(scope, instruction.at, instruction.pairs, expander)
    for name, value in found:
        scope.env[name] = scope.variables[name] = value
    return " ".join(("ENV", *(f"{name}={value}" for name, value in found)))


def _pairs(
    scope: Scope, at: Lines, pairs: tuple[Pair, ...], expander: Expander
) -> list[tuple[str, str]]:
    found = [
        (expander.word(at, pair.name, scope), expander.word(at, pair.value, scope))
        for pair in pairs
    ]
    for pair, (name, _) in zip(pairs, found, strict=True):
        if not name:
            raise invalid(at, f"a name is empty: {pair.name!r}", word=pair.name)
    return found


def _volume(scope: Scope, instruction: Volume, expander: Expander) -> str:
    paths = [expander.word(instruction.at, path, scope) for path in instruction.paths]
    for written, path in zip(instruction.paths, paths, strict=True):
        if not path:
            raise invalid(instruction.at, "the path of a volume is empty", word=written)
    scope.members("Volumes").update((path, {}) for path in paths)
    return f"VOLUME {bracketed(paths)}"


def _user(scope: Scope, instruction: User, expander: Expander) -> str:
    user = expander.word(instruction.at, instruction.user, scope)
    if not user:
        # BuildKit takes it, and whatever follows runs as root.
        raise invalid(
            instruction.at,
            f"the user is empty: {instruction.user}",
            word=instruction.user,
            hint="write `USER root`, or give the variable a default: ${NAME:-root}",
        )
    scope.config["User"] = user
    return f"USER {user}"


def _stopsignal(scope: Scope, instruction: Stopsignal, expander: Expander) -> str:
    signal = expander.word(instruction.at, instruction.signal, scope)
    try:
        number = stop_signal(signal.upper())
    except Misused as error:
        raise invalid(
            instruction.at, error.message, word=instruction.signal, hint=error.hint
        ) from error
    if number.strip("0") == "":
        raise invalid(instruction.at, "not a signal: 0", word=instruction.signal)
    scope.config["StopSignal"] = signal
    return f"STOPSIGNAL {signal}"


def _ports(at: Lines, text: str) -> list[str]:
    """Read ``[[IP:]HOST:]PORT[-PORT][/PROTOCOL]``; only the container's side counts."""
    outer, _, inner = text.rpartition(":")
    address, _, host = outer.rpartition(":")
    numbers, slash, protocol = inner.partition("/")
    protocol = protocol.lower() if slash and protocol else "tcp"
    match = _PORTS.fullmatch(numbers)
    first, last = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
    if (
        not 0 < first <= last <= 65535
        or protocol not in _PROTOCOLS
        or not _ADDRESS.fullmatch(address)
        or not (host == "" or _PORTS.fullmatch(host))
    ):
        raise invalid(
            at, f"not a port: {text!r}", word=text, hint="write 80, 53/udp or 8000-8010/tcp"
        )
    return [f"{number}/{protocol}" for number in range(first, last + 1)]
