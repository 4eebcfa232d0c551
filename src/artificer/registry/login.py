"""Keeping and forgetting a login in docker's or podman's credentials file."""

import base64
import contextlib
import json
import os
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from artificer.errors import ArtificerError, reason
from artificer.registry.authfile import (
    Config,
    InvalidAuthFile,
    normal_host,
    normal_key,
    read_limited,
    server_of,
)
from artificer.registry.credential import Basic, Credential, IdentityToken


class NotKept(ArtificerError):
    """A login could not be written down."""


class Safe(NamedTuple):
    """How credential helpers are told to keep a login and to forget one."""

    put: Callable[[str, str, Credential], None]
    """Of helper, server and credential."""
    erase: Callable[[str, str], None]
    """Of helper and server."""


class Kept(NamedTuple):
    """Where a login is now."""

    place: str
    plain: bool
    """Anybody who reads the file can read the password (base64 hides nothing)."""


def login_file(environ: Mapping[str, str], *, home: str) -> str:
    """The file that a login is kept in when none is named: the first that is searched."""
    if path := environ.get("REGISTRY_AUTH_FILE"):
        return path
    directory = environ.get("DOCKER_CONFIG") or os.path.join(home, ".docker")
    return os.path.join(directory, "config.json")


def store(registry: str, credential: Basic | IdentityToken, path: str, *, safe: Safe) -> Kept:
    """Keep *credential* for *registry*: in the helper that the file *path* names, or in it.

    What else stands in the file stays. A reader sees the old file or the new one.
    """
    document, config = _read(path)
    key = _key(registry)
    if name := _helper(config, registry):
        safe.put(name, key, credential)
        # docker's own sign that the helper is to be asked for it (`docker logout` lists these).
        _set(document, registry, {})
        _write(path, document)
        return Kept(f"docker-credential-{name}", plain=False)
    _set(document, registry, _entry(credential))
    _write(path, document)
    return Kept(path, plain=True)


def erase(registry: str, path: str, *, safe: Safe) -> bool:
    """Forget the login for *registry*, in every spelling; say whether there was one."""
    document, config = _read(path)
    name = _helper(config, registry)
    if name:
        safe.erase(name, _key(registry))
    known = _spellings(document, registry)
    for spelling in known:
        del document["auths"][spelling]
    if known:
        _write(path, document)
    return bool(known or name)


def _read(path: str) -> tuple[dict[str, Any], Config]:
    try:
        text = read_limited(path, path).decode("utf-8-sig")
    except (FileNotFoundError, NotADirectoryError):
        text = ""
    except OSError as error:
        raise NotKept(f"{path}: cannot be read: {reason(error)}") from error
    except UnicodeDecodeError:
        raise InvalidAuthFile(f"{path}:1: not UTF-8 text") from None
    # The config says where a malformed file is wrong: nothing is written over such a file.
    config = Config(text, path)
    return (json.loads(text) if text.strip() else {}), config


def _helper(config: Config, registry: str) -> str:
    return config.helpers.get(normal_host(registry), config.store)


def _key(registry: str) -> str:
    return server_of(normal_host(registry))


def _entry(credential: Basic | IdentityToken) -> dict[str, str]:
    match credential:
        case Basic(username, password):
            text = f"{username}:{password}"
            return {"auth": base64.b64encode(text.encode()).decode()}
        case IdentityToken(token, username):
            return {
                "auth": base64.b64encode(f"{username}:".encode()).decode(),
                "identitytoken": token,
            }


def _set(document: dict[str, Any], registry: str, entry: dict[str, str]) -> None:
    for spelling in _spellings(document, registry):
        del document["auths"][spelling]
    document["auths"] = {**(document.get("auths") or {}), _key(registry): entry}


def _spellings(document: dict[str, Any], registry: str) -> list[str]:
    auths = document.get("auths") or {}
    return [key for key in auths if normal_key(key) == normal_host(registry)]


def _write(path: str, document: dict[str, Any]) -> None:
    """Put *document* into the place of *path*, or of the file that the link *path* leads to."""
    place = os.path.realpath(path)
    part = f"{place}.{os.getpid()}.part"
    data = (json.dumps(document, indent="\t", ensure_ascii=False) + "\n").encode()
    try:
        os.makedirs(os.path.dirname(place), mode=0o700, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(part)
        with open(part, "xb", opener=_private) as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, place)
    except OSError as error:
        with contextlib.suppress(OSError):
            os.unlink(part)
        raise NotKept(
            f"{path}: cannot be written: {reason(error)}",
            hint="name another file with `--authfile`",
        ) from error


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
