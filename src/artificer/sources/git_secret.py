"""Credentials for git as Secrets of Kubernetes hold them: a directory with a file for each key."""

import base64
import os
from collections.abc import Mapping
from typing import NamedTuple

from artificer import limits
from artificer.errors import Misused, Unauthorized, reason

_KEYS = ("ssh-privatekey", "identity")
_CERTIFICATES = ("ca.crt", "caFile")
_TOKENS = ("token", "bearerToken")


class GitSecret(NamedTuple):
    """What such a directory holds: a header's value, and variables for git's own programs."""

    authorization: str = ""
    environ: Mapping[str, str] = {}

    def __repr__(self) -> str:
        return "GitSecret(…)"


def read_git_secret(directory: str, home: str) -> GitSecret:
    """The credentials in *directory*.

    ``username`` and ``password`` (kubernetes.io/basic-auth), ``ssh-privatekey`` and
    ``known_hosts`` (kubernetes.io/ssh-auth), a ``token``, a ``ca.crt``; Flux's names for them
    are known, too. A key is copied below *home*: ssh refuses one that others may read.
    """
    if not os.path.isdir(directory):
        raise Misused(
            f"there is no directory {directory} with credentials for git",
            hint="is the Secret mounted there? its files are named by its keys",
        )
    environ = {}
    key = _first(directory, _KEYS)
    if key:
        environ["SSH_IDENTITY_FILE"] = _own(key, f"{home}/key")
        hosts = os.path.join(directory, "known_hosts")
        if not os.path.isfile(hosts):
            raise Unauthorized(
                f"{directory} has a key for ssh, but no known_hosts",
                hint="add what `ssh-keyscan HOST` prints to the Secret as known_hosts",
            )
        environ["SSH_KNOWN_HOSTS"] = hosts
    for name in _CERTIFICATES:
        if os.path.isfile(path := os.path.join(directory, name)):
            environ["SSL_CERT_FILE"] = path
    authorization = _authorization(directory)
    if not authorization and not environ:
        raise Unauthorized(
            f"{directory} has no credentials for git",
            hint="a Secret has username and password, or ssh-privatekey and known_hosts",
        )
    return GitSecret(authorization, environ)


def _authorization(directory: str) -> str:
    password = _text(directory, ("password", *_TOKENS))
    if not password:
        return ""
    # Whoever takes a token as a password takes it for any user that is named.
    user = _text(directory, ("username",)) or "x-access-token"
    return f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"


def _text(directory: str, names: tuple[str, ...]) -> str:
    return _first(directory, names).decode("utf-8", "replace").strip("\r\n")


def _own(key: bytes, path: str) -> str:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(fd, "wb") as file:
        # ssh takes no key without its last line's end.
        file.write(key if key.endswith(b"\n") else key + b"\n")
    return path


def _first(directory: str, names: tuple[str, ...]) -> bytes:
    """The first of the files *names* that is there and not empty."""
    for name in names:
        try:
            with open(os.path.join(directory, name), "rb") as file:
                data = file.read(limits.AUTH_FILE_BYTES + 1)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise Unauthorized(
                f"{error.filename}: {reason(error)}",
                hint="the Secret's defaultMode and the pod's fsGroup say who may read it",
            ) from error
        if len(data) > limits.AUTH_FILE_BYTES:
            raise Misused(f"{directory}/{name} is no credential: it is too long")
        if data.strip():
            return data
    return b""
