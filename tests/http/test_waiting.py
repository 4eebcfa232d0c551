import threading
import time
from collections.abc import Iterator

import pytest

from artificer.errors import Cancelled
from artificer.http.connection import Connections
from artificer.http.dial import Network
from artificer.http.failure import (
    TimedOut,
)
from artificer.http.request import (
    Body,
    Request,
)
from artificer.stop import Stop
from tests.http.servers import Peer, always, get, keeping, serving


def test_a_silent_server_is_left(connections: Connections) -> None:
    quick = Connections(Network(Stop(), timeout=0.2))
    with (
        serving(lambda peer: time.sleep(1)) as server,
        pytest.raises(TimedOut, match="no answer in time"),
    ):
        get(quick, server.url)


@pytest.mark.parametrize(
    "start", [b"HTTP/1.1 200 OK\r\nX-", b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n"]
)
def test_a_server_that_drips_is_left(start: bytes) -> None:
    def drip(peer: Peer) -> None:
        peer.request()
        peer.answer(start)
        while True:
            time.sleep(0.05)
            peer.answer(b"x")

    quick = Connections(Network(Stop(), timeout=0.3))
    began = time.monotonic()
    with serving(drip) as server, pytest.raises(TimedOut, match="bytes in"):
        get(quick, server.url)
    assert time.monotonic() - began < 5


def test_the_time_that_a_reader_takes_is_not_the_servers(connections: Connections) -> None:
    quick = Connections(Network(Stop(), timeout=0.2))
    size = 4 << 20
    answer = f"HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n".encode() + bytes(size)
    with serving(always(answer)) as server:
        with quick.send(Request("GET", server.url)) as response:
            got = 0
            for chunk in response.chunks(1 << 20):
                got += len(chunk)
                time.sleep(0.02)
        quick.close()

        assert got == size


def test_aborting_ends_whoever_waits() -> None:
    connections = Connections(Network(Stop(), timeout=30))
    with serving(lambda peer: time.sleep(2)) as server:
        timer = threading.Timer(0.1, connections.abort)
        timer.start()
        began = time.monotonic()
        with pytest.raises(Cancelled):
            get(connections, server.url)
        with pytest.raises(Cancelled):
            get(connections, server.url)
        timer.join()

        assert time.monotonic() - began < 1


def test_a_wish_to_stop_is_heard_between_chunks() -> None:
    stop = Stop()
    connections = Connections(Network(stop, timeout=5))
    bodies: list[bytes] = []

    def chunks(offset: int) -> Iterator[bytes]:
        yield b"x"
        stop.set()
        yield b"y"

    with serving(keeping(bodies)) as server, pytest.raises(Cancelled):
        connections.send(Request("PUT", server.url, body=Body(2, chunks)))
