import socket
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
from artificer.http.wire import Sockets, Wire
from artificer.stop import Stop
from tests.http.servers import Peer, get, keeping, serving


def silent(peer: Peer) -> None:
    """Say nothing until the client goes away."""
    while peer.sock.recv(4096):
        pass


def test_a_silent_server_is_left(connections: Connections) -> None:
    quick = Connections(Network(Stop(), timeout=0.2))
    with (
        serving(silent) as server,
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
    with serving(drip) as server, pytest.raises(TimedOut, match="bytes in"):
        get(quick, server.url)


def test_the_time_that_a_reader_takes_is_not_the_servers() -> None:
    ours, theirs = socket.socketpair()
    buffer = bytearray(9)
    with ours, theirs:
        wire = Wire(ours, Sockets(), timeout=0.1, stop=Stop())
        wire.allow(9)
        for _ in range(4):
            theirs.sendall(b"x")

            assert wire.receive(buffer) == 1
            time.sleep(0.05)


def test_aborting_ends_whoever_waits() -> None:
    connections = Connections(Network(Stop(), timeout=30))
    with serving(silent) as server:
        timer = threading.Timer(0.1, connections.abort)
        timer.start()
        with pytest.raises(Cancelled):
            get(connections, server.url)
        with pytest.raises(Cancelled):
            get(connections, server.url)
        timer.join()


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
