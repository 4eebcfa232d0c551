"""What a pod says that it built: its termination message, parsed at the border."""

import json
from datetime import datetime
from typing import Any, NamedTuple

from artificer.errors import ArtificerError
from artificer.kubernetes.objects import Pod
from artificer.oci.digest import Digest
from artificer.oci.reference import parse_name

_MESSAGE = 4096
"""Bytes that the kubelet keeps of a termination message."""


class Result(NamedTuple):
    """One target that is built; *references* name it by digest, wherever it was pushed."""

    references: tuple[str, ...]
    digest: str
    cached: bool
    seconds: float
    more: int = 0
    """Images that the pod's last words had no room for; its log names them."""


def result_of(pod: Pod, target: str) -> Result:
    """What *pod*, which succeeded, says; a message that says nothing has no digest."""
    ended = next((one.ended for one in reversed(pod.containers) if one.ended is not None), None)
    if ended is None:
        return Result((), "", cached=False, seconds=0.0)
    document = _document(ended.message)
    digest = _digest(document.get("digest"))
    return Result(
        _references(document, digest, target),
        digest,
        document.get("cache") == "hit",
        _seconds(ended.started, ended.finished),
        more if isinstance(more := document.get("more"), int) and more > 0 else 0,
    )


def _document(message: str) -> dict[str, Any]:
    if len(message) > _MESSAGE:
        return {}
    try:
        found = json.loads(message)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _digest(found: object) -> str:
    try:
        return Digest(found) if isinstance(found, str) else ""
    except ArtificerError:
        return ""


def _references(document: dict[str, Any], digest: str, target: str) -> tuple[str, ...]:
    """By digest; never anything but references, for others read what is printed."""
    if not digest:
        return ()
    images = document.get("images")
    named = [_named(one, "") for one in images] if isinstance(images, list) else []
    found = tuple(dict.fromkeys(filter(None, named)))
    return found or (_named(document.get("image"), digest) or f"{target}@{digest}",)


def _named(text: object, digest: str) -> str:
    """The repository that *text* names, by its own digest or else by *digest*; or nothing."""
    try:
        name = parse_name(text) if isinstance(text, str) and text else None
    except ArtificerError:
        return ""
    known = digest if name is None else name.digest or digest
    return f"{name.repository}@{known}" if name is not None and known else ""


def _seconds(started: str, finished: str) -> float:
    """Both by the clock of one node, so that its being wrong does not matter."""
    try:
        return (datetime.fromisoformat(finished) - datetime.fromisoformat(started)).total_seconds()
    except (ValueError, TypeError):
        return 0.0
