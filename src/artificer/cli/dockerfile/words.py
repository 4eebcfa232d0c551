"""Words that options of a Dockerfile build take: secrets, agents, hosts, arguments, labels."""

import os
import re
import stat
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from artificer import limits
from artificer.builder.recipe import Annotation
from artificer.cli.words import annotation, text_file
from artificer.errors import Misused

_SCOPED = re.compile(r"(?:manifest|index)(?:-descriptor)?\[")
_SECRET_KEYS = ("id", "src", "source", "env", "type")


class Secret(NamedTuple):
    """What a command may be shown under *id*; its bytes are in no error and no log."""

    id: str
    data: bytes

    def __repr__(self) -> str:
        """Its name alone."""
        return f"Secret({self.id!r})"


def fields(text: str, option: str, known: Iterable[str] = ()) -> dict[str, str]:
    """``a=1,b=2`` as a dictionary, quotes as in CSV; keys in lower case."""
    words = _quoted(text, option) if '"' in text else text.split(",")
    found: dict[str, str] = {}
    for word in words:
        key, _, value = word.strip().partition("=")
        key = key.lower()
        if known and key not in known:
            raise Misused(f"{option} {text}: {key!r} is unknown", hint=f"it takes {told(known)}")
        if key in found:
            raise Misused(f"{option} {text}: {key} is given twice")
        found[key] = value
    return found


def _quoted(text: str, option: str) -> list[str]:
    import csv

    try:
        return next(csv.reader([text], strict=True), [])
    except csv.Error as error:
        raise Misused(f"{option} {text}: {error}") from error


def told(words: Iterable[str]) -> str:
    """*words* as a list in a sentence."""
    return ", ".join(words)


def build_args(
    words: Iterable[str], files: Iterable[str], environ: Mapping[str, str]
) -> dict[str, str]:
    """What ``--build-arg`` and files of them say; a name alone takes the environment's value."""
    lines = [
        (line.strip(), "--build-arg-file")
        for path in files
        for line in text_file(path, "--build-arg-file").splitlines()
        if line.strip() and not line.lstrip().startswith("#")
    ]
    found: dict[str, str] = {}
    for text, option in [*lines, *((word, "--build-arg") for word in words)]:
        name, equals, value = text.partition("=")
        if not name or name != name.strip():
            raise Misused(f"{option}: not NAME=VALUE: {text!r}")
        if equals:
            found[name] = value
        elif name in environ:
            found[name] = environ[name]
    return found


def labels(words: Iterable[str]) -> dict[str, str]:
    """What ``--label`` says; a key alone has an empty value, as with docker."""
    found = {}
    for text in words:
        key, _, value = text.partition("=")
        if not key:
            raise Misused(f"--label: not KEY=VALUE: {text!r}")
        found[key] = value
    return found


def annotations(words: Iterable[str]) -> tuple[Annotation, ...]:
    """What ``--annotation`` says."""
    found: list[Annotation] = []
    for text in words:
        if _SCOPED.match(text):
            raise Misused(
                f"--annotation {text}: an annotation is of every platform",
                hint="leave the brackets out",
            )
        found.extend(annotation(text))
    return tuple(found)


def secrets(words: Iterable[str], environ: Mapping[str, str]) -> dict[str, Secret]:
    """What ``--secret`` names, read now: a secret that is not there fails before any step."""
    found: dict[str, Secret] = {}
    for text in words:
        secret = _secret(text, environ)
        if secret.id in found:
            raise Misused(f"--secret id={secret.id} is given twice")
        found[secret.id] = secret
    return found


def _secret(text: str, environ: Mapping[str, str]) -> Secret:
    given = fields(text, "--secret", _SECRET_KEYS)
    name, kind = given.get("id", ""), given.get("type", "")
    path, variable = given.get("src") or given.get("source"), given.get("env")
    if kind not in {"", "file", "env"}:
        raise Misused(f"--secret {text}: no such type: {kind}", hint="it is file or env")
    if not name:
        raise Misused(f"--secret {text}: it has no id", hint="write id=NAME,src=FILE")
    if kind == "env" and variable is None:
        # docker takes `src` for the variable's name there.
        variable, path = path or name, None
    if path and variable:
        raise Misused(f"--secret {text}: src and env exclude each other")
    if variable is None and path is None and kind == "" and name in environ:
        variable = name
    if variable is not None:
        if variable not in environ:
            raise Misused(f"--secret id={name}: {variable} is not set in the environment")
        return Secret(name, os.fsencode(environ[variable]))
    return Secret(name, _secret_file(path or name, name))


def _secret_file(path: str, name: str) -> bytes:
    try:
        with open(path, "rb") as file:
            data = file.read(limits.SECRET_BYTES + 1)
    except OSError as error:
        raise Misused(
            f"--secret id={name}: cannot read {path}: {(error.strerror or '').lower()}",
            hint="write id=NAME,src=FILE or id=NAME,env=VARIABLE",
        ) from error
    if len(data) > limits.SECRET_BYTES:
        raise Misused(f"--secret id={name}: {path} is larger than {limits.SECRET_BYTES} bytes")
    return data


def agents(words: Iterable[str], environ: Mapping[str, str]) -> dict[str, str]:
    """The sockets of agents that ``--ssh`` names, by their ids."""
    found: dict[str, str] = {}
    for text in words:
        name, equals, path = text.partition("=")
        if not name or name in found:
            raise Misused(f"--ssh {text}: {'given twice' if name else 'it has no id'}")
        if not equals:
            path = environ.get("SSH_AUTH_SOCK", "")
            if not path:
                raise Misused(
                    f"--ssh {text}: no agent, for SSH_AUTH_SOCK is not set",
                    hint='start one: eval "$(ssh-agent)"; ssh-add',
                )
        found[name] = _socket(path, text)
    return found


def _socket(path: str, text: str) -> str:
    if not os.path.exists(path):
        raise Misused(f"--ssh {text}: there is no {path}")
    if not stat.S_ISSOCK(os.stat(path).st_mode):
        raise Misused(
            f"--ssh {text}: {path} is no socket of an agent",
            hint="keys are not read: let an agent hold it (`ssh-add FILE`)",
        )
    return os.path.abspath(path)


def hosts(words: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """What ``--add-host`` says: names and addresses, in its order."""
    return tuple(map(_host, words))


def _host(text: str) -> tuple[str, str]:
    import ipaddress

    head = text.partition("=")[0]
    name, found, address = text.partition("=" if "=" in text and ":" not in head else ":")
    address = address.removeprefix("[").removesuffix("]")
    if address == "host-gateway":
        raise Misused(
            f"--add-host {text}: commands have no gateway to the host", hint="name its address"
        )
    try:
        ipaddress.ip_address(address)
    except ValueError as error:
        raise Misused(f"--add-host {text}: not HOST:IP") from error
    if not found or not name or any(letter.isspace() for letter in name):
        raise Misused(f"--add-host {text}: not HOST:IP")
    return name, address
