"""A sender that a function answers, and a machine that is no cloud's."""

import json
from collections.abc import Callable
from urllib.parse import parse_qsl

from artificer.http.request import Request, Response
from artificer.registry.clouds.exchange import Reach


class Service:
    """Answers requests with a function of them, and remembers them."""

    def __init__(self, answer: Callable[[Request], Response]) -> None:
        self.answer = answer
        self.seen: list[Request] = []

    def __call__(self, request: Request) -> Response:
        self.seen.append(request)
        return self.answer(request)

    @property
    def urls(self) -> list[str]:
        return [request.url for request in self.seen]


def body(request: Request) -> bytes:
    return b"".join(request.body.open(0)) if request.body else b""


def fields(request: Request) -> dict[str, str]:
    return dict(parse_qsl(body(request).decode()))


def reply(document: object, status: int = 200) -> Response:
    return Response.of(status, {}, json.dumps(document).encode())


def unreachable(request: Request) -> Response:
    raise AssertionError(f"nobody should be asked, but {request.url} was")


def reach(
    send: Callable[[Request], Response] = unreachable,
    metadata: Callable[[Request], Response] = unreachable,
    *,
    vendor: str = "",
    clock: Callable[[], float] = lambda: 1000.0,
) -> Reach:
    return Reach(send, metadata, lambda: vendor, clock)
