import gzip

import pytest

from artificer.http.connection import Connections
from artificer.http.failure import (
    BadAnswer,
)
from artificer.http.request import (
    Request,
)
from tests.http.servers import always, get, serving


def test_gzip_that_a_proxy_applied_is_undone(connections: Connections) -> None:
    packed = gzip.compress(b"hello ") + gzip.compress(bytes(1 << 20))
    answer = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(
        packed
    )
    with serving(always(answer + packed)) as server:
        for _ in range(2):
            with connections.send(Request("GET", server.url)) as response:
                assert "content-encoding" not in response.headers
                assert "content-length" not in response.headers
                assert response.read(1 << 21) == b"hello " + bytes(1 << 20)
        assert server.connections == 1


def test_gzip_that_expands_beyond_measure_is_an_error(connections: Connections) -> None:
    packed = gzip.compress(bytes(64 << 20), 9)
    assert (64 << 20) / len(packed) > 1000
    answer = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(
        packed
    )
    with (
        serving(always(answer + packed)) as server,
        connections.send(Request("GET", server.url)) as response,
        pytest.raises(BadAnswer, match="1000:1"),
    ):
        response.read(1 << 30)


@pytest.mark.parametrize(
    "extra", [b"Content-Encoding: br", b"Content-Encoding: gzip\r\nContent-Range: bytes 1-2/9"]
)
def test_an_encoding_that_cannot_be_undone_is_an_error(
    connections: Connections, extra: bytes
) -> None:
    answer = b"HTTP/1.1 206 OK\r\n" + extra + b"\r\nContent-Length: 2\r\n\r\nok"
    with serving(always(answer)) as server, pytest.raises(BadAnswer, match="not asked for"):
        get(connections, server.url)


def test_what_is_called_gzip_and_is_not_is_an_error(connections: Connections) -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello"
    with serving(always(answer)) as server, pytest.raises(BadAnswer, match="not gzip"):
        get(connections, server.url)
