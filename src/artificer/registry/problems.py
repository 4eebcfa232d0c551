"""A registry's refusals as errors that a person can act on."""

import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from artificer import limits
from artificer.errors import ArtificerError, Transient, Unauthorized, Unavailable
from artificer.http.request import Response
from artificer.oci.reference import Repository
from artificer.registry.credential import ANONYMOUS, Found

_ECR = re.compile(r"[0-9]{12}\.dkr[.-]ecr(-fips)?\.[a-z0-9.-]+")
_UNSEEN = re.compile(r"(?is)<(script|style|head)\b.*?</\1>|<!--.*?-->")
# Python's table of all entities would cost every build a millisecond.
_ENTITY = re.compile(r"&(#?\w{1,8});")
_ENTITIES = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'", "#39": "'"}
_TITLE = re.compile(r"(?is)<title[^>]*>(.*?)</title>")
_MARKUP = re.compile(r"(?s)<[^>]*>")
_HIDDEN = "is the name right? some registries also hide what needs a login"
_LINE = 300
_ERRORS = 10
_TELLING = frozenset(
    ("retry-after", "ratelimit-limit", "ratelimit-remaining", "docker-ratelimit-source", "range")
)


class NotFound(ArtificerError):
    """The registry has no such repository, manifest or blob."""


class Refused(ArtificerError):
    """The registry understood and said no; asking again will not help."""


class BlobMissing(Refused):
    """A manifest names a blob that the registry does not know (yet)."""


class Denied(Unauthorized):
    """The registry does not accept who we are, or what we may do there."""


class Limited(Transient):
    """The registry wants fewer requests."""


class ServerFailed(Unavailable):
    """The registry, or something in front of it, failed."""


class Mismatch(ArtificerError):
    """What came is not what the digest names."""


class Answer(NamedTuple):
    """An answer that is no success: what is left of it once its connection has been let go."""

    status: int
    codes: frozenset[str]
    text: str
    headers: Mapping[str, str]


def answer_of(response: Response) -> Answer:
    """Read what *response* has to say, a bounded part of it, and close it."""
    with response:
        data = _start(response)
    headers = {name: value for name, value in response.headers if name in _TELLING}
    errors = _errors(data)
    if errors is None:
        return Answer(response.status, frozenset(), _first_line(data), headers)
    codes = frozenset(str(error.get("code", "")).upper() for error in errors)
    text = "; ".join(filter(None, map(_sentence, errors)))
    return Answer(response.status, codes, text, headers)


def problem(
    doing: str, repository: Repository, answer: Answer, found: Found, *, pushing: bool = False
) -> ArtificerError:
    """The error for *answer*, got while *doing* something with *repository* as *found* says."""
    said = f": {answer.text}" if answer.text else ""
    message = f"{repository}: {doing} failed with {answer.status}{said}"
    status = answer.status
    if "TOOMANYREQUESTS" in answer.codes or status == 429:
        return Limited(message + _rates(answer), hint=_slower(repository, found))
    if status in {401, 403} or answer.codes & {"UNAUTHORIZED", "DENIED"}:
        return denied(f"{repository}: {doing} is not allowed ({status}{said})", repository, found)
    # With 5xx the request was tried again already, and what it lacks is not merely late.
    late = answer.codes & {"MANIFEST_BLOB_UNKNOWN", "BLOB_UNKNOWN"} and status < 500
    if late and pushing:
        return BlobMissing(message)
    if status == 404:
        return NotFound(message, hint=_uncreated(repository, answer) if pushing else _HIDDEN)
    if status >= 500 or status == 408:
        return ServerFailed(message)
    return Refused(message, hint=_advice(answer))


def denied(message: str, repository: Repository, found: Found) -> Denied:
    """The error for who is not let in; it says which credential was used, or where we looked."""
    login = f"log in with `artificer login {repository.registry}`"
    if found.credential != ANONYMOUS:
        return Denied(
            f"{message}; the credentials are those of {found.source}",
            hint=f"they may be old, or lack this permission; {login}",
        )
    if found.problem:
        message += f"; no credentials: {found.problem}"
    looked = f"credentials were looked for in {', '.join(found.searched)}; "
    return Denied(message, hint=(looked if found.searched else "") + login)


def not_verified(repository: Repository, what: str) -> Mismatch:
    """The error for *what* (a sentence) when bytes and digest do not agree."""
    return Mismatch(
        f"{repository}: {what}",
        hint="the registry's copy is damaged, or something on the way changes what is sent",
    )


def _start(response: Response) -> bytes:
    data = b""
    try:
        for chunk in response.chunks():
            data += chunk
            if len(data) >= limits.ERROR_BYTES:
                break
    except (Transient, Unavailable):
        return data  # the status says enough
    return data[: limits.ERROR_BYTES]


def _errors(data: bytes) -> list[dict[str, Any]] | None:
    """The ``errors`` of a distribution-spec error body; None when it is something else."""
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return None
    errors = document.get("errors") if isinstance(document, dict) else None
    if not isinstance(errors, list):
        return None
    return [error for error in errors[:_ERRORS] if isinstance(error, dict)]


def _sentence(error: dict[str, Any]) -> str:
    code, message = error.get("code"), error.get("message")
    said = [str(part) for part in (code, message) if part]
    detail = error.get("detail")
    if isinstance(detail, str) and detail and detail != message:
        said.append(detail)
    return _plain(": ".join(said))


def _first_line(data: bytes) -> str:
    """The first line of a text that may be a proxy's page of HTML."""
    text = data.decode("utf-8", "replace")
    if "<" in text:
        title = _TITLE.search(text)
        text = title[1] if title else _MARKUP.sub(" ", _UNSEEN.sub(" ", text))
        text = _ENTITY.sub(lambda match: _ENTITIES.get(match[1], " "), text)
    lines = (line.strip() for line in text.splitlines())
    return _plain(next(filter(None, lines), ""))


def _plain(text: str) -> str:
    """*text* without control characters (it comes from outside and goes to a terminal)."""
    shown = "".join(character if character.isprintable() else " " for character in text)
    return shown[:_LINE].strip()


def _rates(answer: Answer) -> str:
    names = ("ratelimit-limit", "ratelimit-remaining", "docker-ratelimit-source", "retry-after")
    shown = [f"{name}: {_plain(answer.headers[name])}" for name in names if name in answer.headers]
    return f" ({', '.join(shown)})" if shown else ""


def _slower(repository: Repository, found: Found) -> str:
    if found.credential != ANONYMOUS:
        return "wait, or use a mirror"
    return f"wait, use a mirror, or log in with `artificer login {repository.registry}`"


def _uncreated(repository: Repository, answer: Answer) -> str | None:
    if _ECR.fullmatch(repository.registry):
        return (
            "ECR makes no repository on push: create it first with "
            f"`aws ecr create-repository --repository-name {repository.path}`"
        )
    if "NAME_UNKNOWN" in answer.codes:
        return f"the repository may have to be created first at {repository.registry}"
    return None


def _advice(answer: Answer) -> str | None:
    immutable = answer.codes & {"TAG_INVALID", "IMAGETAGALREADYEXISTSEXCEPTION", "TAG_IMMUTABLE"}
    if immutable or "immutable" in answer.text.lower():
        return "tags of this repository cannot be moved: push under a new tag"
    if answer.status == 405 or "UNSUPPORTED" in answer.codes:
        return "the registry does not offer this, or it is switched off in its configuration"
    if answer.status == 413:
        return "the registry, or a proxy in front of it, limits the size of a request"
    return None
