import ssl
from collections.abc import Iterator

import pytest

from artificer.http.connection import Connections
from artificer.http.dial import Network
from artificer.http.failure import ConnectionLost, TimedOut, Unreachable
from artificer.http.request import Request, Response, Send, body_of
from artificer.http.scheme import choosing
from artificer.http.tls import TlsFailed, Trust
from artificer.stop import Stop
from tests.http.servers import OK, Peer, always, keeping, serving
from tests.parts.certificates import authority


@pytest.fixture
def send() -> Iterator[Send]:
    connections = Connections(Network(Stop(), trust=lambda _: Trust(verify=False), timeout=5))
    yield connections.send
    connections.close()


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    folder = tmp_path_factory.mktemp("keys")
    files = folder / "cert", folder / "key"
    authority("localhost").write(*files)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*files)
    return context


def test_one_scheme_is_spoken_as_it_is() -> None:
    urls: list[str] = []

    def answer(request: Request) -> Response:
        urls.append(request.url)
        return Response.of(400)

    choosing(answer, lambda _: ("https",))(Request("GET", "https://r.example/"))

    assert urls == ["https://r.example/"]


def test_a_plain_server_is_found_at_once_and_remembered(send: Send) -> None:
    with serving(always(OK)) as server:
        chosen = choosing(send, lambda _: ("http", "https"))
        for _ in range(3):
            with chosen(Request("GET", server.url)) as response:
                assert response.url == server.url
                response.read(9)

        assert server.connections == 1


def test_a_plain_server_is_found_after_tls(send: Send) -> None:
    bodies: list[bytes] = []
    with serving(keeping(bodies)) as server:
        chosen = choosing(send, lambda _: ("https", "http"))
        for _ in range(2):
            request = Request("PUT", f"https://{server.host}/", body=body_of(b"x"))
            with chosen(request) as response:
                assert response.url == server.url

        assert bodies == [b"x", b"x"]


def test_a_tls_server_is_found_when_it_hangs_up_on_plain_http(
    send: Send, tls: ssl.SSLContext
) -> None:
    with serving(always(OK), tls) as server:
        chosen = choosing(send, lambda _: ("http", "https"))
        for _ in range(2):
            with chosen(Request("GET", server.url)) as response:
                assert response.url == f"https://{server.host}/"
                response.read(9)

        assert server.connections == 2


def test_a_tls_server_is_found_when_it_answers_400(send: Send, tls: ssl.SSLContext) -> None:
    def gos(peer: Peer) -> None:
        if peer.number == 1:
            peer.request()
            peer.answer(b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to HTTPS.\n")
            return
        peer.sock = tls.wrap_socket(peer.sock, server_side=True)
        with peer.sock:
            peer.request()
            peer.answer(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")

    with serving(gos) as server:
        chosen = choosing(send, lambda _: ("http", "https"))
        with chosen(Request("HEAD", server.url)) as response:
            assert (response.status, response.url) == (200, f"https://{server.host}/")


def test_a_400_that_is_meant_stays(send: Send) -> None:
    bad = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 3\r\n\r\nbad"
    chosen = choosing(send, lambda _: ("http", "https"))
    with serving(always(bad)) as server, chosen(Request("GET", server.url)) as response:
        assert (response.status, response.read(9)) == (400, b"bad")


def test_a_plain_server_that_waits_for_more_of_a_greeting_is_found(send: Send) -> None:
    def patient(peer: Peer) -> None:
        if peer.number == 1:
            while peer.sock.recv(4096):
                pass
            return
        always(OK)(peer)

    quick = Connections(Network(Stop(), trust=lambda _: Trust(verify=False), timeout=0.2))

    def either(request: Request) -> Response:
        return (quick.send if request.url.startswith("https:") else send)(request)

    chosen = choosing(either, lambda _: ("https", "http"))
    with serving(patient) as server:
        with chosen(Request("GET", f"https://{server.host}/")) as response:
            assert response.url == server.url
        quick.close()


def test_a_host_that_is_not_there_is_told_by_its_first_failure(send: Send) -> None:
    def failing(request: Request) -> Response:
        raise (ConnectionLost if request.url.startswith("http:") else TlsFailed)(request.url)

    for schemes in (("http", "https"), ("https", "http")):
        with pytest.raises((ConnectionLost, TlsFailed), match=f"{schemes[0]}://"):
            choosing(failing, lambda _, s=schemes: s)(Request("GET", "http://r/"))  # type: ignore[misc]


def test_what_takes_too_long_is_not_tried_twice() -> None:
    urls: list[str] = []

    def slow(request: Request) -> Response:
        urls.append(request.url)
        raise TimedOut("slow")

    with pytest.raises(TimedOut):
        choosing(slow, lambda _: ("https", "http"))(Request("GET", "https://r/"))
    assert len(urls) == 1


def test_nothing_is_remembered_of_a_host_that_failed() -> None:
    fail = [True]

    def send(request: Request) -> Response:
        if fail[0]:
            raise Unreachable("down")
        return Response.of(200, url=request.url)

    chosen = choosing(send, lambda _: ("http", "https"))
    with pytest.raises(Unreachable):
        chosen(Request("GET", "http://r/"))
    fail[0] = False

    assert chosen(Request("GET", "http://r/")).url == "http://r/"
