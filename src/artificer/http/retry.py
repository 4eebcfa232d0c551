"""What is tried again, after what pause, and when it is given up."""

import random
import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import NamedTuple

from artificer.errors import Cancelled, Transient
from artificer.events import Report, Retrying
from artificer.http.request import Headers, Request, Response, Send, authority, redacted

_AGAIN = frozenset((408, 429, 500, 502, 503, 504, 522))
_TOO_MANY = 429
_SMALL = 4 * 1024 * 1024
_METHODS = frozenset(("DELETE", "GET", "HEAD", "POST", "PUT"))
_LIMITS = ("ratelimit-limit", "ratelimit-remaining", "docker-ratelimit-source")


class RateLimited(Transient):
    """The registry wants to be left alone for longer than we wait."""


class Patience(NamedTuple):
    """How long to wait, and with whose clock. *sleep* says whether somebody wants to stop.

    Each pause is stretched by *jitter* (0 … 1) of itself, so that a thousand builds that failed
    at once do not come back at once. A ``Retry-After`` above *most* is not waited for.
    """

    sleep: Callable[[float], bool]
    pauses: tuple[float, ...] = (0.5, 1.0, 2.0, 4.0)
    most: float = 60.0
    jitter: Callable[[], float] = random.random
    clock: Callable[[], float] = time.time


def retrying(send: Send, patience: Patience, *, report: Report) -> Send:
    """Send again what may be sent twice, when it broke or the server could not answer just now.

    That is a request without a body or with a small one; who sends a part of an upload asks the
    registry first how far it came. The last answer is given as it is, except that a 429,
    and whatever else comes with a Retry-After, raises `RateLimited`.
    """

    def again(request: Request) -> Response:
        if not _repeatable(request):
            return send(request)
        for pause in patience.pauses:
            outcome = _tried(send, request)
            if isinstance(outcome, Response) and outcome.status not in _AGAIN:
                return outcome
            wait, reason = _wait(outcome, pause * (1 + patience.jitter()), patience)
            if isinstance(outcome, Response):
                if wait > patience.most:
                    return _last(outcome)
                outcome.close()
            report(Retrying(f"{request.method} {redacted(request.url)}", reason, wait))
            if patience.sleep(wait):
                raise Cancelled
        return _last(send(request))

    return again


def _repeatable(request: Request) -> bool:
    if request.resumed:
        return False
    size = 0 if request.body is None else request.body.size
    return request.method in _METHODS and size <= _SMALL


def _tried(send: Send, request: Request) -> Response | Transient:
    try:
        return send(request)
    except Transient as error:
        return error


def _wait(outcome: Response | Transient, pause: float, patience: Patience) -> tuple[float, str]:
    if isinstance(outcome, Transient):
        return pause, outcome.message
    asked = retry_after(outcome.headers.get("retry-after"), patience)
    return pause if asked is None else asked, f"status {outcome.status}"


def retry_after(text: str, patience: Patience) -> float | None:
    """The seconds of a Retry-After, which is a number of them or a date; None if it is neither."""
    if text.isascii() and text.isdecimal():
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - patience.clock())
    except (ValueError, TypeError, OverflowError):
        return None


def _last(response: Response) -> Response:
    after = response.headers.get("retry-after")[:40]
    if response.status != _TOO_MANY and not (response.status in _AGAIN and after):
        return response
    response.close()
    host = authority(response.url).netloc if response.url else "the registry"
    if response.status != _TOO_MANY:
        raise RateLimited(
            f"{host}: cannot answer now ({response.status})", hint=f"try again after {after}"
        )
    raise RateLimited(
        f"{host}: too many requests (429){_limits(response.headers)}",
        hint=f"try again {f'after {after}' if after else 'later'}, or log in: "
        "registries allow more to users they know",
    )


def _limits(headers: Headers) -> str:
    told = [f"{name} {headers[name][:80]}" for name in _LIMITS if name in headers]
    return f": {', '.join(told)}" if told else ""
