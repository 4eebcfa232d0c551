import base64
import socket
import ssl
import threading
from collections.abc import Mapping
from pathlib import Path

import pytest

from artificer.errors import Unauthorized
from artificer.events import Event, Warned, unheard
from artificer.http.connection import Connections
from artificer.http.dial import Network
from artificer.http.failure import (
    BadAnswer,
    ConnectionLost,
    ProxyRefused,
    ProxyUnauthorized,
    Unreachable,
)
from artificer.http.proxies import InvalidProxy, Proxies, Proxy, proxies_of
from artificer.http.request import authority as authority_of
from artificer.http.tls import Trust
from artificer.stop import Stop
from tests.http.servers import OK, Peer, always, get, header, serving
from tests.parts.certificates import authority

PROXY = "http://proxy.example:3128"


def chosen(environ: Mapping[str, str], url: str) -> str | None:
    proxy = proxies_of(environ, unheard).of(authority_of(url))
    return None if proxy is None else str(proxy)


@pytest.mark.parametrize(
    ("environ", "url", "proxy"),
    [
        ({}, "https://r.example/", None),
        ({"HTTPS_PROXY": PROXY}, "https://r.example/", PROXY),
        ({"HTTPS_PROXY": PROXY}, "http://r.example/", None),
        ({"HTTP_PROXY": PROXY}, "http://r.example/", PROXY),
        ({"https_proxy": PROXY}, "https://r.example/", PROXY),
        ({"HTTPS_PROXY": PROXY, "https_proxy": "http://other"}, "https://r.example/", PROXY),
        ({"HTTPS_PROXY": "", "https_proxy": PROXY}, "https://r.example/", PROXY),
        ({"ALL_PROXY": PROXY}, "http://r.example/", PROXY),
        ({"all_proxy": "http://other", "HTTPS_PROXY": PROXY}, "https://r.example/", PROXY),
        ({"HTTPS_PROXY": "proxy.example:3128"}, "https://r.example/", PROXY),
        ({"HTTPS_PROXY": "http://proxy.example"}, "https://r.example/", "http://proxy.example:80"),
        ({"HTTPS_PROXY": "http://[::2]:8"}, "https://r.example/", "http://[::2]:8"),
    ],
)
def test_a_proxy_is_chosen_by_scheme_and_case(
    environ: Mapping[str, str], url: str, proxy: str | None
) -> None:
    assert chosen(environ, url) == proxy


@pytest.mark.parametrize(
    "url",
    ["https://localhost/", "https://127.0.0.1:5000/", "https://127.9.9.9/", "https://[::1]:5000/"],
)
def test_loopback_is_never_reached_through_a_proxy(url: str) -> None:
    assert chosen({"ALL_PROXY": PROXY}, url) is None


@pytest.mark.parametrize(
    ("no_proxy", "host", "direct"),
    [
        ("*", "r.example", True),
        ("r.example", "r.example", True),
        ("r.example", "a.r.example", True),
        ("r.example", "other.example", False),
        ("r.example", "bar.example", False),
        ("R.Example", "r.example", True),
        (".r.example", "a.r.example", True),
        (".r.example", "r.example", False),
        ("*.r.example", "a.b.r.example", True),
        ("*.r.example", "r.example", False),
        ("a, r.example ,b", "r.example", True),
        ("a r.example b", "r.example", True),
        ("r.example:443", "r.example", True),
        ("r.example:5000", "r.example", False),
        ("r.example:5000", "r.example:5000", True),
        (".example:5000", "r.example:5000", True),
        ("10.0.0.0/8", "10.1.2.3", True),
        ("10.0.0.0/8", "11.1.2.3", False),
        ("10.1.2.3/8", "10.9.9.9", True),
        ("10.0.0.0/8", "r.example", False),
        ("10.1.2.3", "10.1.2.3:5000", True),
        ("10.1.2.3:5000", "10.1.2.3:5000", True),
        ("10.1.2.3:5000", "10.1.2.3", False),
        ("fd00::/8", "[fd00::1]:5000", True),
        ("fd00::1", "[fd00::1]", True),
        ("[fd00::1]:5000", "[fd00::1]:5000", True),
        ("[fd00::1]:5000", "[fd00::1]", False),
        ("", "r.example", False),
        (",,.,*.,:80", "r.example", False),
        ("10.0.0.0/99", "10.0.0.1", False),
    ],
)
def test_no_proxy_means_what_it_means_to_go(no_proxy: str, host: str, direct: bool) -> None:
    environ = {"HTTPS_PROXY": PROXY, "NO_PROXY": no_proxy}

    assert (chosen(environ, f"https://{host}/") is None) == direct


def test_two_cases_that_differ_are_told_without_their_values() -> None:
    events: list[Event] = []
    environ = {"HTTPS_PROXY": "http://u:secret@a", "https_proxy": "http://b", "NO_PROXY": "x"}

    proxies_of(environ | {"no_proxy": "x"}, events.append)

    assert [event.text for event in events if isinstance(event, Warned)] == [
        "HTTPS_PROXY and https_proxy differ: HTTPS_PROXY is taken"
    ]


@pytest.mark.parametrize("text", ["http://", "http://h:port", "http://[::1", "://x"])
def test_what_is_no_proxy_is_an_error(text: str) -> None:
    with pytest.raises(InvalidProxy, match="HTTPS_PROXY is not a proxy"):
        proxies_of({"HTTPS_PROXY": text}, unheard)


def test_a_proxy_never_shows_its_password() -> None:
    proxy = proxies_of({"HTTPS_PROXY": "http://me:s%40cret@h:1"}, unheard).https

    assert proxy is not None
    assert proxy.authorization == "Basic " + base64.b64encode(b"me:s@cret").decode()
    assert "cret" not in f"{proxy!r} {proxy}"
    assert base64.b64encode(b"me:s@cret").decode() not in repr(Proxies(proxy, proxy))


def through(proxy: Proxy) -> Connections:
    network = Network(
        Stop(), Proxies(proxy, proxy), trust=lambda _: Trust(verify=False), timeout=5
    )
    return Connections(network)


def proxy_at(port: int, authorization: str | None = None) -> Proxy:
    return Proxy("http", "127.0.0.1", port, authorization)


def test_plain_http_asks_the_proxy_with_the_whole_url() -> None:
    with serving(always(OK)) as server:
        connections = through(proxy_at(server.port, "Basic abc"))
        assert [get(connections, "http://r.example/v2/?n=1") for _ in range(2)] == [b"ok", b"ok"]
        connections.close()

        assert server.heads[0].startswith("GET http://r.example/v2/?n=1 HTTP/1.1\r\n")
        assert header(server.heads[0], "host") == "r.example"
        assert header(server.heads[0], "proxy-authorization") == "Basic abc"
        assert server.connections == 1


def test_tls_goes_through_a_tunnel_and_the_proxy_learns_nothing(
    tmp_path: Path,
) -> None:
    files = tmp_path / "cert", tmp_path / "key"
    authority("r.example").write(*files)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*files)
    with serving(always(OK), context) as server:

        def connect(peer: Peer) -> None:
            peer.head()
            with socket.create_connection(("127.0.0.1", server.port)) as onward:
                peer.answer(b"HTTP/1.1 200 Connection established\r\nX: y\r\n\r\n")
                back = threading.Thread(target=_pump, args=(onward, peer.sock))
                back.start()
                _pump(peer.sock, onward)
                back.join()

        with serving(connect) as proxy:
            connections = through(proxy_at(proxy.port, "Basic abc"))
            assert [get(connections, "https://r.example/v2/") for _ in range(2)] == [b"ok", b"ok"]
            connections.close()

            assert proxy.heads[0].startswith("CONNECT r.example:443 HTTP/1.1\r\n")
            assert header(proxy.heads[0], "proxy-authorization") == "Basic abc"
            assert len(proxy.heads) == 1
            assert server.heads[0].startswith("GET /v2/ HTTP/1.1\r\n")
            assert header(server.heads[0], "proxy-authorization") == ""


def _pump(source: socket.socket, sink: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        return


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_wants_a_login_says_so(scheme: str) -> None:
    refuse = b"HTTP/1.1 407 Who are you\r\nContent-Length: 0\r\n\r\n"
    with serving(always(refuse)) as server:
        with pytest.raises(ProxyUnauthorized, match="wants a login") as caught:
            get(through(proxy_at(server.port)), f"{scheme}://r.example/")

        assert isinstance(caught.value, Unauthorized)
        assert f"r.example: proxy http://127.0.0.1:{server.port}" in caught.value.message


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"HTTP/1.1 403 No\r\n\r\n", ProxyRefused),
        (b"HTTP/1.1 503 Later\r\n\r\n", ConnectionLost),
        (b"hello", BadAnswer),
        (b"", ConnectionLost),
    ],
)
def test_a_tunnel_that_is_refused_names_the_proxy(answer: bytes, error: type[Exception]) -> None:
    def once(peer: Peer) -> None:
        peer.request()
        peer.answer(answer)

    with serving(once) as server, pytest.raises(error, match=r"proxy http://127.0.0.1:\d+"):
        get(through(proxy_at(server.port)), "https://r.example/")


def test_a_proxy_that_is_not_there_is_named() -> None:
    with serving(always(OK)) as server:
        pass
    with pytest.raises(Unreachable, match=f"proxy http://127.0.0.1:{server.port}: cannot connect"):
        get(through(proxy_at(server.port)), "https://r.example/")


@pytest.mark.parametrize("scheme", ["https", "socks5"])
def test_a_proxy_of_another_kind_is_refused_when_it_would_be_used(scheme: str) -> None:
    proxies = proxies_of({"ALL_PROXY": f"{scheme}://p:1"}, unheard)
    connections = Connections(Network(Stop(), proxies, timeout=5))
    with pytest.raises(ProxyRefused, match="not supported"):
        get(connections, "https://r.example/")
