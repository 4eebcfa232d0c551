"""A credentials file of docker or podman: which of its entries speaks for a repository."""

import binascii
import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from artificer.errors import ArtificerError, reason
from artificer.limits import AUTH_FILE_BYTES
from artificer.oci.reference import DOCKER_HUB, Repository
from artificer.registry.credential import (
    ANONYMOUS,
    Basic,
    Bearer,
    Credential,
    IdentityToken,
)

HUB = DOCKER_HUB
HUB_KEY = "https://index.docker.io/v1/"
"""Docker Hub's name in every file and helper of docker's."""

_HUB_HOSTS = frozenset((HUB, "index.docker.io", "registry-1.docker.io", "registry.hub.docker.com"))
_OURS = frozenset(
    (
        "authorization",
        "connection",
        "content-length",
        "content-range",
        "content-type",
        "host",
        "range",
        "transfer-encoding",
        "user-agent",
    )
)


class InvalidAuthFile(ArtificerError):
    """A credentials file that cannot be understood, named with its line."""


class AuthFile(NamedTuple):
    """A file to look in."""

    path: str
    shown: str
    """Its name for people: ``~/.docker/config.json``."""
    required: bool = False
    """Somebody named it, so that its absence is an error."""
    legacy: bool = False
    """``.dockercfg``: the registries stand at the top, not below ``auths``."""


class AuthText(NamedTuple):
    """What such a file would hold, given directly."""

    text: str
    shown: str

    def __repr__(self) -> str:
        return f"AuthText(…, {self.shown!r})"


class Absent(NamedTuple):
    """A file that gives nothing, and why; *unreadable* if it is there."""

    reason: str
    unreadable: bool = False


class Config:
    """One credentials file, read: registries in normal form, and the helpers it names."""

    __slots__ = ("_auths", "_text", "headers", "helpers", "shown", "store")

    def __init__(self, text: str, shown: str, *, legacy: bool = False) -> None:
        self.shown = shown
        self._text = text
        document = self._parsed()
        auths = document if legacy else self._table(document, "auths")
        self._auths = _by_host(auths)
        self.helpers = {
            normal_key(key): self._string(name, "credHelpers", key)
            for key, name in self._table(document, "credHelpers").items()
        }
        self.store = self._string(document.get("credsStore") or "", "credsStore")
        self.headers = tuple(self._headers(self._table(document, "HttpHeaders")))

    def credential(self, key: str) -> tuple[Credential, str]:
        """What ``auths`` says of *key* (in normal form), and the key as the file spells it."""
        if key not in self._auths:
            return ANONYMOUS, ""
        spelt, entry = self._auths[key]
        entry = {} if entry is None else entry
        if not isinstance(entry, dict):
            raise self.invalid(f'auths["{spelt}"] is not an object', spelt)
        fields = {
            name: self._string(entry.get(name) or "", f'auths["{spelt}"]', name)
            for name in ("auth", "username", "password", "identitytoken", "registrytoken")
        }
        return self._credential(fields, spelt), spelt

    def invalid(self, what: str, near: str) -> InvalidAuthFile:
        """An error that names the first line where the word *near* stands."""
        at = self._text.find(json.dumps(near))
        line = self._text.count("\n", 0, at) + 1 if at >= 0 else 1
        return InvalidAuthFile(
            f"{self.shown}:{line}: {what}",
            hint="mend the file, or log in again with `artificer login`",
        )

    def _parsed(self) -> dict[str, Any]:
        if not self._text.strip():
            return {}
        try:
            document = json.loads(self._text)
        except json.JSONDecodeError as error:
            # Not chained: the cause carries the whole document, passwords and all.
            raise InvalidAuthFile(
                f"{self.shown}:{error.lineno}: not valid JSON: {error.msg.rstrip(': ')}",
                hint="mend the file, or write it anew with `artificer login`",
            ) from None
        except RecursionError:
            raise InvalidAuthFile(f"{self.shown}:1: nested too deep") from None
        if not isinstance(document, dict):
            raise self.invalid("not a JSON object", "")
        return document

    def _table(self, document: dict[str, Any], key: str) -> dict[str, Any]:
        table = document.get(key)
        if table is None:
            return {}
        if not isinstance(table, dict):
            raise self.invalid(f'"{key}" is not an object', key)
        return table

    def _string(self, value: object, *path: str) -> str:
        # JSON can hold half a surrogate pair, which no header can.
        if not isinstance(value, str) or (not value.isascii() and _is_broken(value)):
            raise self.invalid(f"{' '.join(path)} is not a string", path[-1])
        return value

    def _headers(self, table: dict[str, Any]) -> Iterator[tuple[str, str]]:
        for name, value in table.items():
            text = self._string(value, "HttpHeaders", name)
            if not _is_token(name) or not text.isprintable():
                raise self.invalid(f"HttpHeaders {name!r} is not a header", name)
            # Older dockers wrote a User-Agent here at each login, and none ever sent it.
            if name.lower() not in _OURS:
                yield name, text

    def _credential(self, fields: dict[str, str], spelt: str) -> Credential:
        username, password = fields["username"], fields["password"]
        if fields["auth"]:
            username, password = self._decoded(fields["auth"], spelt)
        if fields["registrytoken"]:
            return Bearer(fields["registrytoken"])
        if fields["identitytoken"]:
            return IdentityToken(fields["identitytoken"], username)
        return Basic(username, password) if username or password else ANONYMOUS

    def _decoded(self, auth: str, spelt: str) -> tuple[str, str]:
        what = f'auths["{spelt}"]: "auth" is not base64 of USER:PASSWORD'
        try:
            data = binascii.a2b_base64("".join(auth.split()).encode(), strict_mode=True)
            username, colon, password = data.decode().partition(":")
        except (binascii.Error, UnicodeError):
            raise self.invalid(what, spelt) from None
        if not colon:
            raise self.invalid(what, spelt)
        return username, password.strip("\0")


def load(file: AuthFile | AuthText) -> Config | Absent:
    """Read *file*, or say why it gives nothing. What is no credentials file is an error."""
    if isinstance(file, AuthText):
        return Config(file.text, file.shown)
    try:
        data = read_limited(file.path, file.shown)
    except (FileNotFoundError, NotADirectoryError) as error:
        if file.required:
            raise InvalidAuthFile(f"{file.shown}: no such file") from error
        return Absent("no such file")
    except OSError as error:
        problem = f"cannot be read: {reason(error)}"
        if file.required:
            raise InvalidAuthFile(f"{file.shown}: {problem}") from error
        return Absent(problem, unreadable=True)
    try:
        return Config(data.decode("utf-8-sig"), file.shown, legacy=file.legacy)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InvalidAuthFile(f"{file.shown}:{line}: not UTF-8 text") from None


def read_limited(path: str, shown: str) -> bytes:
    """The bytes of a small file. `OSError` as `open` raises it."""
    with open(path, "rb") as file:
        data = file.read(AUTH_FILE_BYTES + 1)
    if len(data) > AUTH_FILE_BYTES:
        raise InvalidAuthFile(f"{shown}: larger than {AUTH_FILE_BYTES} bytes")
    return data


def keys_of(repository: Repository) -> tuple[str, ...]:
    """The keys that may speak for *repository*, most specific first, its host last."""
    host = normal_host(repository.registry)
    parts = repository.path.split("/") if repository.path else []
    return tuple("/".join((host, *parts[:count])) for count in range(len(parts), -1, -1))


def normal_host(host: str) -> str:
    """*host* in the one spelling that is compared: lower case, Docker Hub as ``docker.io``."""
    host = host.lower()
    return HUB if host in _HUB_HOSTS else host


def normal_key(key: str) -> str:
    """A key of ``auths`` or ``credHelpers``, without scheme, API version and last slash."""
    _, scheme, rest = key.rpartition("://")
    host, _, path = rest.partition("/")
    parts = [part for part in path.split("/") if part]
    # `https://index.docker.io/v1/`, `https://gcr.io/v2/`, `quay.io/v2`
    if parts and parts[0] in {"v1", "v2"} and (scheme or len(parts) == 1):
        del parts[0]
    return "/".join((normal_host(host), *parts))


def server_of(key: str) -> str:
    """What docker calls the registry *key* (in normal form) in files and to helpers."""
    return HUB_KEY if key == HUB else key


def _by_host(auths: dict[str, Any]) -> dict[str, tuple[str, Any]]:
    entries: dict[str, tuple[str, Any]] = {}
    for key, entry in auths.items():
        normal = normal_key(key)
        # Of two spellings, the one that says something: `docker login` leaves empty entries.
        if normal not in entries or not entries[normal][1]:
            entries[normal] = (key, entry)
    return entries


def _is_broken(text: str) -> bool:
    return any("\ud800" <= letter <= "\udfff" for letter in text)


def _is_token(name: str) -> bool:
    return name.isascii() and name.replace("-", "").replace("_", "").isalnum()
