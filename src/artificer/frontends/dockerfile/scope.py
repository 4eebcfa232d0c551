"""What holds at a line of a stage: variables, arguments and the config so far."""

import posixpath
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, Self

from artificer.errors import ArtificerError
from artificer.frontends.dockerfile.errors import invalid
from artificer.frontends.dockerfile.expand import Expansion, InvalidWord, expand, expand_document
from artificer.frontends.dockerfile.instructions import Lines
from artificer.frontends.dockerfile.options import SCAN_ARGUMENTS
from artificer.oci.platform import Platform
from artificer.oci.settings import DEFAULT_PATH

_ORDER = (
    *("User", "ExposedPorts", "Env", "Entrypoint", "Cmd", "Volumes", "WorkingDir", "Labels"),
    *("StopSignal", "ArgsEscaped", "Healthcheck", "OnBuild", "Shell"),
)
"""The fields of ``config`` as docker writes them; others follow in the order of the base."""

_SUGGESTED = 100
_SETS = ("ExposedPorts", "Volumes", "Labels")


class Undefined(NamedTuple):
    """A variable that is read where nothing sets it; *known* are those that are set."""

    at: Lines
    name: str
    known: tuple[str, ...]


class Expander:
    """Expands words of one Dockerfile, and remembers which variables they lacked."""

    __slots__ = ("escape", "undefined")

    def __init__(self, escape: str) -> None:
        self.escape = escape
        self.undefined: list[Undefined] = []

    def expansion(self, at: Lines, text: str, variables: Mapping[str, str]) -> Expansion:
        """*text* of the instruction *at*, expanded; undefined variables are not remembered."""
        try:
            return expand(text, variables, self.escape)
        except ArtificerError as error:
            raise invalid(at, error.message, word=text, hint=error.hint) from error

    def word(self, at: Lines, text: str, scope: "Scope") -> str:
        """*text* as one word."""
        expansion = self.expansion(at, text, scope.variables)
        self._remember(at, expansion, scope)
        return expansion.text

    def words(self, at: Lines, text: str, scope: "Scope") -> tuple[str, ...]:
        """*text* as the words that it is after its variables are replaced."""
        expansion = self.expansion(at, text, scope.variables)
        self._remember(at, expansion, scope)
        return expansion.words

    def document(self, at: Lines, text: str, scope: "Scope") -> str:
        """*text* of a heredoc."""
        try:
            expansion = expand_document(text, scope.variables)
        except ArtificerError as error:
            line = error.line if isinstance(error, InvalidWord) else ""
            raise invalid(at, error.message, word=line, hint=error.hint) from error
        self._remember(at, expansion, scope)
        return expansion.text

    def _remember(self, at: Lines, expansion: Expansion, scope: "Scope") -> None:
        missing = expansion.missing - scope.arguments.keys() - SCAN_ARGUMENTS
        if missing:
            # Among more names than this none is suggested: each would cost time and memory.
            known = tuple(scope.variables) if len(scope.variables) <= _SUGGESTED else ()
            self.undefined += (Undefined(at, name, known) for name in sorted(missing))


class Scope:
    """The state of a stage while its instructions are read, one after the other.

    *variables* are what words and commands see: ENV and ARG, whichever came last. *arguments*
    are the ARGs that are declared, with their value if they have one.
    """

    __slots__ = ("arguments", "author", "config", "env", "has_cmd", "platform", "variables")

    def __init__(self, config: Mapping[str, Any], platform: Platform) -> None:
        self.config = {key: _own(value) for key, value in config.items() if value is not None}
        self.env = _env(self.config.pop("Env", ()))
        self.variables: dict[str, str] = {}
        self.arguments: dict[str, str | None] = {}
        self.platform = platform
        self.author: str | None = None
        self._begin()

    @classmethod
    def upon(cls, base: Self) -> Self:
        """The state in which a stage begins that continues *base*."""
        scope = cls(base.settings(), base.platform)
        # The image's environment wins over arguments of the base, as at any later ENV.
        scope.variables = {**base.variables, **scope.env}
        scope.arguments = dict(base.arguments)
        scope.author = base.author
        return scope

    def _begin(self) -> None:
        self.env.setdefault("PATH", DEFAULT_PATH)
        self.variables.update(self.env)
        self.has_cmd = False
        workdir = self.config.get("WorkingDir")
        if isinstance(workdir, str) and workdir:
            self.config["WorkingDir"] = absolute("/", workdir)

    @property
    def workdir(self) -> str:
        """Where relative paths begin."""
        return str(self.config.get("WorkingDir") or "/")

    @property
    def user(self) -> str:
        """Who commands run as; "" where nothing says so."""
        return str(self.config.get("User") or "")

    @property
    def shell(self) -> tuple[str, ...]:
        """What runs the shell form."""
        shell = self.config.get("Shell")
        return tuple(shell) if isinstance(shell, list) and shell else ("/bin/sh", "-c")

    def members(self, key: str) -> dict[str, Any]:
        """The object *key* of the config, to be added to."""
        found = self.config.get(key)
        if isinstance(found, dict):
            return found
        members: dict[str, Any] = {}
        self.config[key] = members
        return members

    def trigger(self, expression: str) -> None:
        """Take an ONBUILD for those who continue this image."""
        found = self.config.get("OnBuild")
        if isinstance(found, list):
            found.append(expression)
        else:
            self.config["OnBuild"] = [expression]

    def settings(self) -> dict[str, Any]:
        """The whole ``config`` object: in docker's order, without what is empty."""
        config = {key: _own(value) for key, value in self.config.items()}
        config["Env"] = [f"{name}={value}" for name, value in self.env.items()]
        for key in _SETS:
            if isinstance(config.get(key), dict):
                config[key] = dict(sorted(config[key].items()))
        keys = (*_ORDER, *(key for key in config if key not in _ORDER))
        return {
            key: config[key]
            for key in keys
            if config.get(key) or (key not in _ORDER and key in config)
        }


def absolute(workdir: str, path: str) -> str:
    """*path* as seen from *workdir*, without ``.``, ``..`` and doubled slashes."""
    return "/" + posixpath.normpath(posixpath.join("/", workdir, path)).lstrip("/")


def empty_config() -> dict[str, Any]:
    """What `scratch` begins with."""
    return {"WorkingDir": "/"}


def _own(value: Any) -> Any:
    """*value*, to be changed without changing whose it was."""
    return value.copy() if isinstance(value, (dict, list)) else value


def _env(found: Any) -> dict[str, str]:
    lines: Iterable[Any] = found if isinstance(found, (list, tuple)) else ()
    return dict(line.partition("=")[::2] for line in lines if isinstance(line, str))
