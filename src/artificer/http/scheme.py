"""Whether a host speaks http or https, where both are allowed: found out by its first answer."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from artificer.http.failure import BadAnswer, ConnectionLost, Unreachable
from artificer.http.request import Request, Response, Send, authority
from artificer.http.tls import TlsFailed

if TYPE_CHECKING:
    from artificer.errors import ArtificerError

_BAD_REQUEST = 400


def choosing(send: Send, schemes: Callable[[str], tuple[str, ...]]) -> Send:
    """Speak the scheme of those that *schemes* allows for ``host[:port]`` which the host does.

    They are tried in order until one is answered; that one is taken from then on, and stands in
    the answer's URL. A server of TLS answers plain http with 400 or by hanging up; a server of
    plain http ends the TLS greeting. With fewer than two schemes a request goes as it is.
    """
    known: dict[str, str] = {}

    def chosen(request: Request) -> Response:
        target = authority(request.url)
        netloc = target.netloc
        allowed = schemes(netloc)
        if len(allowed) < 2:
            return send(request)
        if netloc in known:
            return send(_spoken(request, known[netloc]))
        response, scheme = _first(send, request, allowed)
        known[netloc] = scheme
        return response

    return chosen


def _first(send: Send, request: Request, allowed: tuple[str, ...]) -> tuple[Response, str]:
    held: list[tuple[Response, str]] = []
    failed: ArtificerError | None = None
    try:
        for scheme in allowed:
            try:
                response = send(_spoken(request, scheme))
            except (BadAnswer, ConnectionLost, TlsFailed, Unreachable) as error:
                failed = failed or error
                continue
            if response.status != _BAD_REQUEST or scheme == "https":
                return response, scheme
            # It may be meant: kept until the other scheme has failed.
            held.append((response, scheme))
        if held:
            return held.pop()
    finally:
        for response, _ in held:
            response.close()
    raise failed or Unreachable(f"{authority(request.url).netloc}: no scheme is allowed")


def _spoken(request: Request, scheme: str) -> Request:
    return request._replace(url=f"{scheme}:{request.url.partition(':')[2]}")
