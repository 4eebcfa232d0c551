"""Asking a cloud's token services: over the network, or from the machine that we run on."""

import json
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import urlencode

from artificer.errors import ArtificerError, reason
from artificer.http.request import Request, Send, body_of
from artificer.limits import TOKEN_BYTES
from artificer.registry.authfile import InvalidAuthFile, read_limited
from artificer.registry.credential import ANONYMOUS, CredentialProblem, Found

_SAID_LETTERS = 300
_RETRY_SECONDS = 75.0
_TRUSTED_PART = 0.8


class Reach(NamedTuple):
    """How clouds are reached."""

    send: Send
    """To services of the cloud; proxies may be on the way."""
    metadata: Send
    """To the machine's own metadata server: without a proxy, and with little patience."""
    vendor: Callable[[], str]
    """What the machine says it is (`machine_vendor`), to ask no metadata server in vain."""
    clock: Callable[[], float] = time.time


class NotHere(Exception):
    """A place has no credential; its text says what was not there."""


class Granted(NamedTuple):
    """What a cloud gave, and how long it is good for."""

    found: Found
    seconds: float


def form(fields: Mapping[str, str]) -> bytes:
    """*fields* as a form is posted."""
    return urlencode(fields).encode()


def post_form(url: str, fields: Mapping[str, str]) -> Request:
    """A request that posts *fields*."""
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
    return Request("POST", url, headers, body_of(form(fields)))


def answer(send: Send, request: Request, who: str, *, secrets: Sequence[str] = ()) -> bytes:
    """The body of a good answer; any other is a problem of *who*, told without *secrets*."""
    try:
        with send(request) as response:
            status = response.status
            data = response.read(TOKEN_BYTES)
    except CredentialProblem:
        raise
    except ArtificerError as error:
        raise CredentialProblem(f"{who}: {error.message}") from error
    if status != 200:
        raise CredentialProblem(f"{who}: {_refusal(status, data, secrets)}")
    return data


def document(data: bytes, who: str) -> dict[str, Any]:
    """*data* as a JSON object."""
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        # Not chained: the cause carries the whole answer.
        raise CredentialProblem(f"{who}: did not answer in JSON") from None
    if not isinstance(found, dict):
        raise CredentialProblem(f"{who}: did not answer with a JSON object")
    return found


def text_of(document: Mapping[str, Any], key: str, who: str) -> str:
    """A text that has to stand in *document*."""
    value = document.get(key)
    if not isinstance(value, str) or not value:
        raise CredentialProblem(f"{who}: answered without {key}")
    return value


def seconds_of(document: Mapping[str, Any], key: str, otherwise: float) -> float:
    """A number of seconds, which some services write as a text."""
    value = document.get(key)
    if isinstance(value, int | float):
        return float(value)
    return float(value) if isinstance(value, str) and value.isdecimal() else otherwise


def file_text(path: str, who: str) -> str:
    """A small file that was named: *who* needs it."""
    try:
        return read_limited(path, path).decode()
    except OSError as error:
        raise CredentialProblem(f"{who}: {path}: {reason(error)}") from error
    except InvalidAuthFile as error:
        raise CredentialProblem(f"{who}: {error.message}") from error
    except UnicodeDecodeError:
        raise CredentialProblem(f"{who}: {path}: not UTF-8 text") from None


def lasting(
    cloud: str, ask: Callable[[str], Granted], clock: Callable[[], float]
) -> Callable[[str], Found]:
    """*ask*, whose answer is kept for a host until shortly before it expires.

    That there is none, or that *cloud* failed, is an answer too, and kept for a minute.
    """
    lock = threading.Lock()
    kept: dict[str, tuple[float, Found]] = {}

    def granted(host: str) -> Granted:
        try:
            return ask(host)
        except NotHere as reason:
            return Granted(Found(ANONYMOUS, "", "", (f"{cloud}: {reason}",)), _RETRY_SECONDS)
        except CredentialProblem as problem:
            place = f"{cloud}: {problem.message}"
            return Granted(Found(ANONYMOUS, "", problem.message, (place,)), _RETRY_SECONDS)

    def find(host: str) -> Found:
        with lock:
            until, found = kept.get(host, (0.0, None))
            if found is None or clock() >= until:
                found, seconds = granted(host)
                kept[host] = (clock() + seconds * _TRUSTED_PART, found)
            return found

    return find


def machine_vendor(directory: str = "/sys") -> str:
    """What firmware says the machine is: ``Amazon EC2``, ``Google``, ``Microsoft Corporation``."""
    said = []
    for name in (
        "class/dmi/id/sys_vendor",
        "class/dmi/id/product_name",
        "class/dmi/id/bios_version",
        "hypervisor/uuid",
    ):
        try:
            with open(os.path.join(directory, name), "rb") as file:
                said.append(file.read(200).decode(errors="replace").strip())
        except OSError:
            continue
    return " ".join(said)


def _refusal(status: int, data: bytes, secrets: Sequence[str]) -> str:
    said = _said(data)
    for secret in secrets:
        said = said.replace(secret, "…") if secret else said
    said = "".join(letter if letter.isprintable() else " " for letter in said)
    said = " ".join(said.split())[:_SAID_LETTERS]
    return f"HTTP {status}" + (f": {said}" if said else "")


def _said(data: bytes) -> str:
    """The words of an error: of OAuth, of AWS's JSON, of AWS's XML. Nothing else is repeated."""
    text = data.decode(errors="replace")
    if "<Code>" in text:
        return text.partition("<Code>")[2].partition("</Code>")[0]
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return ""
    if not isinstance(found, dict):
        return ""
    words = (found.get(key) for key in ("__type", "error", "error_description", "message"))
    return ": ".join(word.splitlines()[0] for word in words if isinstance(word, str) and word)
