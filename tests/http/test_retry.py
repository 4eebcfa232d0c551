from collections.abc import Callable
from email.utils import formatdate

import pytest

from artificer.errors import Cancelled, Transient, Unavailable
from artificer.events import Event, Retrying, unheard
from artificer.http.failure import ConnectionLost, TimedOut, Unreachable
from artificer.http.request import Body, Request, Response, body_of
from artificer.http.retry import Patience, RateLimited, retrying

GET = Request("GET", "https://r.example/v2/a?_state=secret")
NOW = 1_700_000_000.0


class Trouble:
    """Answers with each trouble in turn, then with 200; what waiting there was is in *slept*."""

    def __init__(self, *troubles: int | tuple[int, dict[str, str]] | Exception) -> None:
        self.troubles = list(troubles)
        self.requests: list[Request] = []
        self.slept: list[float] = []
        self.stop = False

    def send(self, request: Request) -> Response:
        self.requests.append(request)
        if not self.troubles:
            return Response.of(200, url=request.url)
        trouble = self.troubles.pop(0)
        if isinstance(trouble, Exception):
            raise trouble
        status, headers = trouble if isinstance(trouble, tuple) else (trouble, {})
        return Response.of(status, headers, b"no", url=request.url)

    def sleep(self, seconds: float) -> bool:
        self.slept.append(seconds)
        return self.stop

    def retrying(
        self, *pauses: float, report: Callable[[Event], None] = unheard
    ) -> Callable[[Request], Response]:
        patience = Patience(
            self.sleep, pauses or (1.0, 2.0), most=60.0, jitter=lambda: 0.5, clock=lambda: NOW
        )
        return retrying(self.send, patience, report=report)


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504, 522])
def test_what_may_pass_is_tried_again_after_longer_and_longer_pauses(status: int) -> None:
    trouble = Trouble(status, status)

    assert trouble.retrying()(GET).status == 200
    assert trouble.slept == [1.5, 3.0]


@pytest.mark.parametrize("status", [200, 206, 301, 400, 401, 403, 404, 405, 416, 418, 501])
def test_what_will_not_pass_is_an_answer(status: int) -> None:
    trouble = Trouble(status)

    assert trouble.retrying()(GET).status == status
    assert trouble.slept == []


@pytest.mark.parametrize("error", [ConnectionLost("lost"), TimedOut("slow")])
def test_a_broken_connection_is_tried_again_and_told_in_the_end(error: Transient) -> None:
    assert Trouble(error, error).retrying()(GET).status == 200
    with pytest.raises(type(error)):
        Trouble(error, error, error).retrying()(GET)


def test_a_host_that_is_not_there_is_not_asked_again() -> None:
    trouble = Trouble(Unreachable("refused"))
    with pytest.raises(Unavailable):
        trouble.retrying()(GET)
    assert trouble.slept == []


def test_the_last_server_error_is_an_answer_that_can_be_read() -> None:
    response = Trouble(500, 502, 503).retrying()(GET)

    assert (response.status, response.read(9)) == (503, b"no")


@pytest.mark.parametrize(
    ("after", "seconds"),
    [
        ("7", 7.0),
        ("0", 0.0),
        ("60", 60.0),
        (formatdate(NOW + 20, usegmt=True), 20.0),
        (formatdate(NOW - 20, usegmt=True), 0.0),
        ("soon", 1.5),
        ("-1", 1.5),
        ("", 1.5),
        ("1.5", 1.5),
    ],
)
def test_retry_after_is_a_number_of_seconds_or_a_date(after: str, seconds: float) -> None:
    trouble = Trouble((503, {"Retry-After": after}))
    trouble.retrying()(GET)

    assert trouble.slept == [seconds]


@pytest.mark.parametrize("status", [429, 503])
def test_who_wants_to_be_left_alone_for_too_long_is_left_alone(status: int) -> None:
    trouble = Trouble((status, {"Retry-After": "61"}))
    with pytest.raises(RateLimited, match=f"r.example: .*{status}") as caught:
        trouble.retrying()(GET)

    assert caught.value.exit_code == 75
    assert caught.value.hint is not None
    assert "try again after 61" in caught.value.hint
    assert trouble.slept == []


def test_too_many_requests_show_the_limits() -> None:
    limits = {
        "RateLimit-Limit": "100;w=21600",
        "RateLimit-Remaining": "0;w=21600",
        "Docker-RateLimit-Source": "203.0.113.7",
    }
    with pytest.raises(RateLimited) as caught:
        Trouble(*[(429, limits)] * 3).retrying()(GET)

    assert caught.value.message == (
        "r.example: too many requests (429): ratelimit-limit 100;w=21600, "
        "ratelimit-remaining 0;w=21600, docker-ratelimit-source 203.0.113.7"
    )


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "POST", "DELETE"])
@pytest.mark.parametrize(("size", "again"), [(4 << 20, True), ((4 << 20) + 1, False)])
def test_only_small_bodies_are_sent_again(method: str, size: int, again: bool) -> None:
    trouble = Trouble(503)
    response = trouble.retrying()(GET._replace(method=method, body=body_of(bytes(size))))

    assert (response.status == 200) is again


def test_a_patch_is_never_sent_again() -> None:
    trouble = Trouble(429)
    request = Request("PATCH", "https://r/", body=Body(1, lambda _: (b"x",)))

    assert trouble.retrying()(request).status == 429
    assert len(trouble.requests) == 1


def test_each_try_is_told_without_secrets() -> None:
    events: list[Event] = []
    Trouble(503, ConnectionLost("r.example: lost")).retrying(report=events.append)(GET)

    assert events == [
        Retrying("GET https://r.example/v2/a?_state=…", "status 503", 1.5),
        Retrying("GET https://r.example/v2/a?_state=…", "r.example: lost", 3.0),
    ]


def test_a_wish_to_stop_ends_the_waiting() -> None:
    trouble = Trouble(503)
    trouble.stop = True
    with pytest.raises(Cancelled):
        trouble.retrying()(GET)
    assert len(trouble.requests) == 1
