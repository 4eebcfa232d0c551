"""Redirects: followed with the same method and body, but never with what proves who we are."""

from collections.abc import Callable

from artificer.errors import Unavailable
from artificer.http.inside import may_send
from artificer.http.proxies import is_loopback
from artificer.http.request import Authority, Request, Response, Send, authority, joined, redacted

_HOPS = 10

# What another host may know. Everything else stays behind, since headers of a user's
# configuration (HttpHeaders) hold secrets under names that nobody can foresee.
_HARMLESS = frozenset(
    (
        "accept",
        "content-length",
        "content-range",
        "content-type",
        "if-match",
        "if-none-match",
        "if-range",
        "range",
        "user-agent",
    )
)


class BadRedirect(Unavailable):
    """A redirect that must not be followed."""


def only_loopback(netloc: str) -> bool:
    """Whether *netloc* is this machine, the only place where plain http is harmless."""
    return is_loopback(authority(f"http://{netloc}").host)


def redirecting(send: Send, *, plain: Callable[[str], bool] = only_loopback) -> Send:
    """Follow redirects of *send*; from https to http only where *plain* allows it."""

    def followed(request: Request) -> Response:
        for _ in range(_HOPS + 1):
            response = send(request)
            # 300 and 304 are answers; distribution-spec knows a Location of 201 and 202, too.
            if (
                response.status not in (301, 302, 303, 307, 308)
                or "location" not in response.headers
            ):
                return response
            response.close()
            request = _next(request, response, plain)
        raise BadRedirect(f"{redacted(request.url)}: more than {_HOPS} redirects")

    return followed


def _next(request: Request, response: Response, plain: Callable[[str], bool]) -> Request:
    # The answer's URL, not the request's: a plain registry may have been found under https.
    came_from = response.url or request.url
    url = joined(came_from, response.headers["location"])
    here, there = authority(came_from), authority(url)
    if here.scheme == "https" and there.scheme == "http" and not plain(there.netloc):
        raise BadRedirect(
            f"{here.netloc}: redirects from https to plain http: {redacted(url)}",
            hint=f"if that is right, say `--insecure-registry {there.netloc}`",
        )
    check_hop(here, there)
    request = request._replace(url=url)
    if response.status == 303 and request.method != "HEAD":
        request = request._replace(method="GET", body=None)
    return request if _same(here, there) else _nameless(request)


def check_hop(here: Authority, there: Authority) -> None:
    """Raise `BadRedirect` if *here* sends us to a place that is hidden from it."""
    if not may_send(here, there):
        raise BadRedirect(
            f"{here.netloc}: redirects to {there.netloc}, which only this machine can reach",
            hint="is it the registry that it seems to be?",
        )


def _same(here: Authority, there: Authority) -> bool:
    if here.host != there.host:
        return False
    # Who sends us from port 80 to 443 of the same host means the same server, better protected.
    return here.port == there.port or (here[::2], there[::2]) == (("http", 80), ("https", 443))


def _nameless(request: Request) -> Request:
    harmless = {k: v for k, v in request.headers.items() if k.lower() in _HARMLESS}
    return request._replace(headers=harmless)
