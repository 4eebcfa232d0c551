"""What a container is started with, and how somebody's wishes change it (config.md)."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from artificer.errors import Misused
from artificer.oci.document import dump
from artificer.oci.platform import Platform

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""What runtimes take for PATH when an image sets none: `$PATH` expands to it on scratch."""

_NAME = re.compile(r"[^=\0]+")
_PORT = re.compile(r"(\d{1,5})(?:-(\d{1,5}))?(?:/(tcp|udp|sctp))?")
_SIGNAL = re.compile(r"\d{1,3}|(?:SIG)?(?:(?P<name>[A-Z]+\d?)|RTMIN\+\d\d?|RTMAX-\d\d?)")
_SIGNALS = frozenset(
    (
        *("ABRT", "ALRM", "BUS", "CHLD", "CLD", "CONT", "FPE", "HUP", "ILL", "INT", "IO", "IOT"),
        *("KILL", "PIPE", "POLL", "PROF", "PWR", "QUIT", "RTMAX", "RTMIN", "SEGV", "STKFLT"),
        *("STOP", "SYS", "TERM", "TRAP", "TSTP", "TTIN", "TTOU", "URG", "USR1", "USR2"),
        *("VTALRM", "WINCH", "XCPU", "XFSZ"),
    )
)
"""Linux's (signal(7)): engines refuse to start a container that is to be ended by another."""

_VARIABLE = re.compile(
    r"\\\$|\$\$|\$(?:(\w+)|\{(\w+)(?::([-+])([^{}]*))?\}|(?P<bad>\{|$|.))", re.ASCII
)


class Settings(NamedTuple):
    """What is asked to be different from the base; None and () mean "as the base has it"."""

    env: tuple[tuple[str, str], ...] = ()
    clear_env: bool = False
    entrypoint: tuple[str, ...] | None = None
    cmd: tuple[str, ...] | None = None
    keep_cmd: bool = False
    workdir: str | None = None
    user: str | None = None
    labels: tuple[tuple[str, str], ...] = ()
    ports: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    stop_signal: str | None = None
    healthcheck: Mapping[str, Any] | None = None
    author: str | None = None
    platform: Platform | None = None


def applied(settings: Settings, config: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The ``config`` object with *settings* applied, and a line of history for each change."""
    changed = dict(config)
    lines: list[str] = []
    _apply_env(settings, changed, lines)
    _apply_commands(settings, changed, lines)
    for key, word, value in (
        ("WorkingDir", "WORKDIR", settings.workdir),
        ("User", "USER", settings.user),
        ("StopSignal", "STOPSIGNAL", settings.stop_signal),
    ):
        if value is not None:
            changed[key] = value
            lines.append(f"{word} {value}")
    if settings.labels:
        changed["Labels"] = {**_object(changed, "Labels"), **dict(settings.labels)}
        lines.append("LABEL " + " ".join(f"{key}={value}" for key, value in settings.labels))
    for key, word, values in (
        ("ExposedPorts", "EXPOSE", settings.ports),
        ("Volumes", "VOLUME", settings.volumes),
    ):
        if values:
            changed[key] = {**_object(changed, key), **{value: {} for value in values}}
            lines.append(f"{word} {' '.join(values)}")
    if settings.healthcheck is not None:
        changed["Healthcheck"] = dict(settings.healthcheck)
        lines.append("HEALTHCHECK " + _words(settings.healthcheck["Test"]))
    return changed, lines


def _apply_env(settings: Settings, changed: dict[str, Any], lines: list[str]) -> None:
    inherited = [] if settings.clear_env else _env_list(changed)
    variables = dict(line.partition("=")[::2] for line in inherited)
    for name, text in settings.env:
        variables[name] = expanded(text, variables, name)
        lines.append(f"ENV {name}={variables[name]}")
    if settings.clear_env and not settings.env:
        lines.append("ENV (cleared)")
    if settings.env or settings.clear_env:
        changed["Env"] = [f"{name}={value}" for name, value in variables.items()]


def _apply_commands(settings: Settings, changed: dict[str, Any], lines: list[str]) -> None:
    if settings.entrypoint is not None:
        changed["Entrypoint"] = list(settings.entrypoint) or None
        lines.append("ENTRYPOINT " + _words(settings.entrypoint))
        # Dockerfile reference, ENTRYPOINT: a new one resets the CMD of the base.
        if not settings.keep_cmd:
            changed["Cmd"] = None
    if settings.cmd is not None:
        changed["Cmd"] = list(settings.cmd) or None
        lines.append("CMD " + _words(settings.cmd))
    if settings.entrypoint is not None or settings.cmd is not None:
        # Windows: the words are no longer the one escaped command line of the base.
        changed.pop("ArgsEscaped", None)


def expanded(text: str, variables: Mapping[str, str], name: str) -> str:
    r"""*text* with ``$VAR``, ``${VAR}``, ``${VAR:-else}`` and ``${VAR:+then}`` replaced.

    ``$$`` and ``\$`` stand for a dollar. An unknown variable raises `Misused`: *name* is the
    variable that is being set, for the message.
    """

    def value(match: re.Match[str]) -> str:
        if match[0] in {"$$", r"\$"}:
            return "$"
        if match["bad"] is not None:
            raise Misused(
                f"environment variable {name}: a `$` names no variable in {text!r}",
                hint="write `$$` for a dollar",
            )
        variable, operator, other = match[1] or match[2], match[3], match[4]
        found = variables.get(variable, DEFAULT_PATH if variable == "PATH" else None)
        if operator == "-":
            return found or other
        if operator == "+":
            return other if found else ""
        if found is None:
            raise Misused(
                f"environment variable {name}: ${variable} is set neither in the base nor before",
                hint="write `$$` for a dollar; the shell expands $VAR only in double quotes",
            )
        return found

    return _VARIABLE.sub(value, text)


def env_pair(text: str) -> tuple[str, str]:
    """Read ``NAME=VALUE``."""
    name, equals, value = text.partition("=")
    if not equals or not _NAME.fullmatch(name) or "\0" in value:
        raise Misused(
            f"not an environment variable: {text!r}",
            hint="write it as NAME=VALUE; a value of this shell is passed by NAME=$NAME",
        )
    return name, value


def port(text: str) -> list[str]:
    """Read ``80``, ``53/udp`` or ``8000-8010``: each port with its protocol."""
    match = _PORT.fullmatch(text.lower())
    first, last = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
    if not match or not 0 < first <= last <= 65535:
        raise Misused(f"not a port: {text!r}", hint="write 80, 53/udp or 8000-8010/tcp")
    return [f"{number}/{match[3] or 'tcp'}" for number in range(first, last + 1)]


def stop_signal(text: str) -> str:
    """Read ``SIGTERM``, ``SIGRTMIN+3`` or a number."""
    match = _SIGNAL.fullmatch(text)
    if match is None or (match["name"] is not None and match["name"] not in _SIGNALS):
        raise Misused(f"not a signal: {text!r}", hint="write SIGTERM or its number")
    return text


def absolute(text: str, what: str) -> str:
    """A path of the image, which must be absolute; *what* names it in the error."""
    if not text.startswith("/") or "\0" in text:
        raise Misused(f"{what} {text!r} is not an absolute path", hint=f"did you mean /{text}?")
    return text


def _env_list(config: Mapping[str, Any]) -> list[str]:
    found = config.get("Env")
    return [line for line in found if isinstance(line, str)] if isinstance(found, list) else []


def _object(config: Mapping[str, Any], key: str) -> dict[str, Any]:
    found = config.get(key)
    return found if isinstance(found, dict) else {}


def _words(words: Sequence[str]) -> str:
    return dump(list(words)).decode()
