import gzip
import os
import threading
import time
from collections.abc import Iterable
from pathlib import Path

import pytest

from artificer.http.connection import Connections
from artificer.http.failure import (
    BadAnswer,
    BodyChanged,
    ConnectionLost,
    Unreachable,
)
from artificer.http.request import (
    AnswerTooLong,
    Body,
    InvalidUrl,
    Request,
    body_of,
    file_body,
)
from tests.http.servers import OK, Peer, always, get, header, keeping, serving


def test_a_request_has_its_line_host_agent_and_headers(connections: Connections) -> None:
    with serving(always(OK)) as server:
        request = Request("GET", f"{server.url}v2/?n=1#x", {"Accept": "a/b", "user-agent": "me"})
        with connections.send(request) as response:
            assert (response.status, response.headers["content-length"]) == (200, "2")
            assert response.url == request.url
            assert response.read(2) == b"ok"
        head = server.heads[0]

        assert head.startswith("GET /v2/?n=1 HTTP/1.1\r\n")
        assert header(head, "host") == server.host
        assert header(head, "accept") == "a/b"
        assert header(head, "user-agent") == "me"
        assert header(head, "accept-encoding") == "identity"


def test_an_answer_read_to_its_end_leaves_the_connection_for_the_next(
    connections: Connections,
) -> None:
    with serving(always(OK)) as server:
        assert [get(connections, server.url) for _ in range(3)] == [b"ok"] * 3
        assert server.connections == 1


def test_a_short_answer_that_nobody_reads_leaves_the_connection_too(
    connections: Connections,
) -> None:
    with serving(always(OK)) as server:
        for _ in range(2):
            connections.send(Request("GET", server.url)).close()

        assert server.connections == 1


def test_a_long_answer_that_nobody_reads_costs_the_connection(connections: Connections) -> None:
    long = b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n" + bytes(100_000)
    with serving(always(long)) as server:
        for _ in range(2):
            connections.send(Request("GET", server.url)).close()

        assert server.connections == 2


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    ],
)
def test_every_framing_with_an_end_keeps_the_connection(
    connections: Connections, answer: bytes
) -> None:
    with serving(always(answer)) as server:
        for _ in range(2):
            assert get(connections, server.url) in (b"", b"ok")

        assert server.connections == 1


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\n\r\nok",
    ],
)
def test_an_answer_that_ends_the_connection_is_read_whole(
    connections: Connections, answer: bytes
) -> None:
    def once(peer: Peer) -> None:
        peer.request()
        peer.answer(answer)

    with serving(once) as server:
        assert [get(connections, server.url) for _ in range(2)] == [b"ok"] * 2
        assert server.connections == 2


def test_a_head_answer_has_a_length_but_no_bytes(connections: Connections) -> None:
    with serving(always(b"HTTP/1.1 200 OK\r\nContent-Length: 4096\r\n\r\n")) as server:
        for _ in range(2):
            with connections.send(Request("HEAD", server.url)) as response:
                assert response.headers.get("Content-Length") == "4096"
                assert response.read(10) == b""

        assert server.connections == 1


def test_a_connection_that_the_server_closed_in_between_is_not_used_again(
    connections: Connections,
) -> None:
    def once(peer: Peer) -> None:
        peer.request()
        peer.answer(OK)

    with serving(once) as server:
        assert get(connections, server.url) == b"ok"
        time.sleep(0.05)
        assert get(connections, server.url) == b"ok"


def test_a_kept_connection_that_dies_on_the_next_request_is_replaced_once(
    connections: Connections,
) -> None:
    bodies: list[bytes] = []

    def handle(peer: Peer) -> None:
        peer.request()
        peer.answer(OK)
        if peer.number > 1:
            return
        peer.head()  # the second request came, the answer does not
        peer.reset()

    def put(url: str) -> bytes:

        def opened(offset: int) -> Iterable[bytes]:
            bodies.append(b"opened")
            return (b"hello"[offset:],)

        body = Body(5, opened)
        with connections.send(Request("PUT", url, body=body)) as response:
            return response.read(9)

    with serving(handle) as server:
        assert [put(server.url), put(server.url)] == [b"ok", b"ok"]
        assert (server.connections, len(bodies)) == (2, 3)


def test_a_new_connection_that_dies_is_an_error(connections: Connections) -> None:
    def handle(peer: Peer) -> None:
        peer.head()
        peer.reset()

    with serving(handle) as server:
        with pytest.raises(ConnectionLost, match=server.host):
            get(connections, server.url)
        assert server.connections == 1


def test_a_body_is_sent_with_its_length(connections: Connections, tmp_path: Path) -> None:
    data = os.urandom(3 << 20)
    path = tmp_path / "blob"
    path.write_bytes(b"before" + data + b"behind")
    every: list[Body | None] = [
        body_of(data),
        file_body(str(path), len(data), offset=6),
        file_body(str(path), len(data), offset=6)._replace(file=None),
        None,
    ]
    bodies: list[bytes] = []
    with serving(keeping(bodies)) as server:
        for body in every:
            connections.send(Request("PUT", server.url, body=body)).close()

        assert bodies == [data, data, data, b""]
        assert [header(head, "content-length") for head in server.heads][-1] == "0"
        assert server.connections == 1


def test_a_file_body_opens_at_any_offset(tmp_path: Path) -> None:
    path = tmp_path / "blob"
    path.write_bytes(b"0123456789")
    body = file_body(str(path), 6, offset=2)

    assert [b"".join(body.open(offset)) for offset in (0, 4, 6)] == [b"234567", b"67", b""]


@pytest.mark.parametrize("chunks", [(b"too", b"short"), (b"too long ", b"by one")])
def test_a_body_of_another_size_is_an_error(
    connections: Connections, chunks: Iterable[bytes]
) -> None:
    with serving(always(OK)) as server, pytest.raises(BodyChanged, match="not 14 bytes"):
        connections.send(Request("PUT", server.url, body=Body(14, lambda _: chunks)))


def test_a_file_that_shrank_or_went_is_an_error(connections: Connections, tmp_path: Path) -> None:
    path = tmp_path / "blob"
    path.write_bytes(bytes(100))
    body = file_body(str(path), 101)
    with serving(always(OK)) as server:
        with pytest.raises(BodyChanged, match="not 101 bytes, but 100"):
            connections.send(Request("PUT", server.url, body=body))
        path.unlink()
        for gone in (body, body._replace(file=None)):
            with pytest.raises(BodyChanged, match="blob: no such file"):
                connections.send(Request("PUT", server.url, body=gone))


@pytest.mark.parametrize("status", [401, 413])
def test_the_answer_in_the_middle_of_a_body_is_read(connections: Connections, status: int) -> None:
    def impatient(peer: Peer) -> None:
        peer.head()
        peer.answer(f"HTTP/1.1 {status} No\r\nContent-Length: 2\r\n\r\nno".encode())
        # Go's server reads on a little before it hangs up, or the answer would be lost.
        time.sleep(0.05)

    body = Body(64 << 20, lambda _: (bytes(1 << 20) for _ in range(64)))
    with serving(impatient) as server:
        for _ in range(2):
            with connections.send(Request("PATCH", server.url, body=body)) as response:
                assert response.status == status
                assert response.read(9) == b"no"
        assert server.connections == 2


def test_a_large_body_that_breaks_far_in_is_not_sent_again(connections: Connections) -> None:
    opened: list[int] = []

    def chunks(offset: int) -> Iterable[bytes]:
        opened.append(offset)
        return (bytes(1 << 20) for _ in range(64))

    def handle(peer: Peer) -> None:
        peer.request()
        peer.answer(OK)
        peer.head()
        peer.body(32 << 20)
        peer.reset()

    with serving(handle) as server:
        get(connections, server.url)
        with pytest.raises(ConnectionLost):
            connections.send(Request("PATCH", server.url, body=Body(64 << 20, chunks)))

        assert opened == [0]


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10\r\nhello",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n"
        + gzip.compress(b"hello", mtime=0)[:-9],
    ],
)
def test_a_truncated_answer_is_a_lost_connection(connections: Connections, answer: bytes) -> None:
    def once(peer: Peer) -> None:
        peer.request()
        peer.answer(answer)

    with serving(once) as server, pytest.raises(ConnectionLost):
        get(connections, server.url)


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"\x15\x03\x01\x00\x02\x02\x16",
        b"HTTP/1.1 two hundred\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: 1\r\n" * 200 + b"\r\n",
        b"HTTP/2 200\r\n\r\n",
    ],
)
def test_what_is_not_http_is_said_so(connections: Connections, answer: bytes) -> None:
    def once(peer: Peer) -> None:
        peer.request()
        peer.answer(answer)

    with serving(once) as server, pytest.raises(BadAnswer, match="does not answer in HTTP"):
        get(connections, server.url)


def test_interim_answers_without_end_are_an_error(connections: Connections) -> None:
    def handle(peer: Peer) -> None:
        peer.request()
        while True:
            peer.answer(b"HTTP/1.1 100 Continue\r\n\r\n" * 1000)

    with serving(handle) as server, pytest.raises(ConnectionLost, match="do not end"):
        get(connections, server.url)


def test_one_interim_answer_is_passed_over(connections: Connections) -> None:
    with serving(always(b"HTTP/1.1 100 Continue\r\n\r\n" + OK)) as server:
        assert get(connections, server.url) == b"ok"


@pytest.mark.parametrize(("size", "fits"), [(100, True), (101, False)])
def test_an_answer_may_have_just_as_many_bytes_as_allowed(
    connections: Connections, size: int, fits: bool
) -> None:
    answer = f"HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n".encode() + bytes(size)
    with (
        serving(always(answer)) as server,
        connections.send(Request("GET", server.url)) as response,
    ):
        if fits:
            assert len(response.read(100)) == size
        else:
            with pytest.raises(AnswerTooLong, match="longer than 100 bytes"):
                response.read(100)


def test_nobody_there_is_said_with_the_host(connections: Connections) -> None:
    with serving(always(OK)) as server:
        pass
    with pytest.raises(Unreachable, match=f"{server.host}: cannot connect: connection refused"):
        get(connections, server.url)


@pytest.mark.parametrize(
    "url", ["ftp://x/", "http:///x", "http://x:port/", "http://h\u00f6/\n", "x"]
)
def test_what_is_no_url_is_not_sent(connections: Connections, url: str) -> None:
    with pytest.raises(InvalidUrl):
        get(connections, url)


@pytest.mark.parametrize("path", ["a b", "\u00e4", "a\rb"])
def test_a_url_that_is_not_escaped_is_not_sent(connections: Connections, path: str) -> None:
    with serving(always(OK)) as server, pytest.raises(InvalidUrl):
        get(connections, server.url + path)


def test_a_header_cannot_smuggle_another(connections: Connections) -> None:
    with serving(always(OK)) as server, pytest.raises(InvalidUrl):
        connections.send(Request("GET", server.url, {"X": "a\r\nY: b"}))


def test_many_threads_share_the_pool(connections: Connections) -> None:
    got: list[bytes] = []

    def work(url: str) -> None:
        for _ in range(20):
            got.append(get(connections, url))

    with serving(always(OK)) as server:
        threads = [threading.Thread(target=work, args=(server.url,)) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert got == [b"ok"] * 120
        assert server.connections <= 6
