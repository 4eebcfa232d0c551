import pytest

from artificer.http.connection import Connections
from artificer.http.redirect import BadRedirect, redirecting
from artificer.http.request import Headers, InvalidUrl, Request, Response, body_of
from tests.http.servers import OK, Peer, always, header, serving

SECRETS = {"Authorization": "Bearer s", "Cookie": "s", "X-Own": "s", "Accept": "a", "Range": "r"}


class Scripted:
    """Answers each request with the next of its answers, and remembers the requests."""

    def __init__(self, *answers: tuple[int, str]) -> None:
        self.answers = list(answers)
        self.requests: list[Request] = []

    def __call__(self, request: Request) -> Response:
        self.requests.append(request)
        if not self.answers:
            return Response.of(200, {}, b"ok", url=request.url)
        status, location = self.answers.pop(0)
        return Response.of(status, {"Location": location}, url=request.url)

    @property
    def urls(self) -> list[str]:
        return [request.url for request in self.requests[1:]]


@pytest.mark.parametrize(
    ("location", "url"),
    [
        ("/v2/b", "https://r.example/v2/b"),
        ("b?x=1", "https://r.example/v2/a/b?x=1"),
        ("//other.example/b", "https://other.example/b"),
        ("https://r.example:5000/", "https://r.example:5000/"),
        ("?x=1", "https://r.example/v2/a/?x=1"),
        ("https://s3.example/b?sig=a%2Fb+c==&x=[1]", "https://s3.example/b?sig=a%2Fb+c==&x=[1]"),
        ("/a b/\u00c3\u00a4", "https://r.example/a%20b/%C3%A4"),
    ],
)
def test_a_location_is_joined_to_the_url_of_the_answer(location: str, url: str) -> None:
    send = Scripted((307, location))
    redirecting(send)(Request("GET", "https://r.example/v2/a/"))

    assert send.urls == [url]


@pytest.mark.parametrize(
    ("status", "method", "after"),
    [
        (301, "PATCH", "PATCH"),
        (302, "GET", "GET"),
        (303, "POST", "GET"),
        (303, "HEAD", "HEAD"),
        (307, "PUT", "PUT"),
        (308, "POST", "POST"),
    ],
)
def test_only_303_changes_the_method(status: int, method: str, after: str) -> None:
    send = Scripted((status, "/b"))
    body = body_of(b"x")
    redirecting(send)(Request(method, "https://r.example/", body=body))

    assert send.requests[1].method == after
    assert send.requests[1].body == (None if (status, method) == (303, "POST") else body)


@pytest.mark.parametrize(
    "location",
    ["https://other.example/", "https://r.example:5000/", "https://sub.r.example/"],
)
def test_who_we_are_is_never_told_to_another_host(location: str) -> None:
    send = Scripted((307, location), (307, "https://r.example/back"))
    redirecting(send)(Request("GET", "https://r.example/", SECRETS))

    assert [request.headers for request in send.requests[1:]] == [
        {"Accept": "a", "Range": "r"}
    ] * 2


@pytest.mark.parametrize(
    ("url", "location"),
    [
        ("https://r.example/", "/b"),
        ("https://r.example/", "https://R.example:443/b"),
        ("http://r.example/", "https://r.example/b"),
        ("http://127.0.0.1:5000/", "https://127.0.0.1:5000/b"),
    ],
)
def test_the_same_host_is_told_who_we_are(url: str, location: str) -> None:
    send = Scripted((308, location))
    redirecting(send)(Request("GET", url, SECRETS))

    assert send.requests[1].headers == SECRETS


def test_an_answer_of_another_scheme_is_what_a_location_is_relative_to() -> None:
    urls: list[str] = []

    def send(request: Request) -> Response:
        urls.append(request.url)
        status = 307 if len(urls) == 1 else 200
        url = request.url.replace("http:", "https:")
        return Response.of(status, {"Location": "/b"}, url=url)

    redirecting(send)(Request("GET", "http://localhost:5000/a"))

    assert urls == ["http://localhost:5000/a", "https://localhost:5000/b"]


def test_plain_http_is_refused_after_https_except_where_it_is_allowed() -> None:
    request = Request("GET", "https://r.example/")
    with pytest.raises(BadRedirect, match=r"to plain http: http://o\.example/\?sig=…") as caught:
        redirecting(Scripted((307, "http://o.example/?sig=secret")))(request)
    assert caught.value.hint is not None
    assert "--insecure-registry o.example" in caught.value.hint

    allowed = Scripted((307, "http://o.example:80/"))
    redirecting(allowed, plain=lambda netloc: netloc == "o.example")(request)
    assert len(allowed.requests) == 2
    here = Request("GET", "https://localhost/")
    redirecting(Scripted((307, "http://127.0.0.1:5000/")))(here)


def test_nobody_sends_us_to_what_only_this_machine_can_reach() -> None:
    for url in ("http://127.0.0.1:6443/", "https://169.254.169.254/latest/"):
        server = Scripted((307, url))
        with pytest.raises(BadRedirect, match="only this machine can reach"):
            redirecting(server, plain=lambda _: True)(Request("GET", "https://r.example/"))
        assert len(server.requests) == 1


@pytest.mark.parametrize(("hops", "fine"), [(10, True), (11, False)])
def test_ten_redirects_are_followed(hops: int, fine: bool) -> None:
    send = Scripted(*[(302, "/b")] * hops)
    if fine:
        assert redirecting(send)(Request("GET", "https://r.example/")).status == 200
    else:
        with pytest.raises(BadRedirect, match="more than 10"):
            redirecting(send)(Request("GET", "https://r.example/"))


@pytest.mark.parametrize("status", [200, 201, 202, 300, 304, 401])
def test_what_is_no_redirect_is_an_answer(status: int) -> None:
    send = Scripted((status, "/b"))

    assert redirecting(send)(Request("GET", "https://r.example/")).status == status


def test_a_redirect_without_a_location_is_an_answer() -> None:
    def send(request: Request) -> Response:
        return Response.of(307, Headers())

    assert redirecting(send)(Request("GET", "https://r.example/")).status == 307


@pytest.mark.parametrize("location", ["file:///etc/passwd", "ftp://x/", "http://", "http://[::1"])
def test_a_location_that_is_no_url_of_http_is_an_error(location: str) -> None:
    with pytest.raises(InvalidUrl):
        redirecting(Scripted((307, location)))(Request("GET", "https://r.example/"))


def test_a_body_goes_to_the_new_place_and_the_secret_stays(connections: Connections) -> None:
    bodies: list[bytes] = []

    def store(peer: Peer) -> None:
        bodies.append(peer.request()[1])
        peer.answer(OK)

    with serving(store) as there:
        location = f"HTTP/1.1 307 There\r\nContent-Length: 0\r\nLocation: {there.url}b\r\n\r\n"
        with serving(always(location.encode())) as here:
            request = Request("PUT", here.url, SECRETS, body_of(b"hello"))
            with redirecting(connections.send)(request) as response:
                assert response.url == f"{there.url}b"

        assert bodies == [b"hello"]
        assert header(here.heads[0], "authorization") == "Bearer s"
        assert header(there.heads[0], "authorization") == ""
        assert header(there.heads[0], "x-own") == ""
