"""A proxy in front of a registry that breaks exchanges at chosen bytes, and counts all others."""

import contextlib
import re
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BufferedReader
from typing import NamedTuple

_PATH = re.compile(r"/v2/.+/(manifests|blobs/uploads|blobs|tags|referrers)/")
_CHUNK = 1 << 18


class Break(NamedTuple):
    """Where an exchange breaks: at the first request of the kind *at* with so many bytes.

    *place* is ``line``, ``head`` or ``body`` of the request (the body at *byte*, a negative one
    from its end), ``unanswered`` (the registry has answered, nobody hears it), ``answer`` or
    ``answer body`` (half of either arrives). Then both connections are reset; with *answer*, those
    bytes are sent instead, as a server does that does not want to read on. *then* is called first.
    """

    at: str
    place: str
    byte: int = 0
    least: int = 0
    answer: bytes = b""
    then: Callable[[], object] = lambda: None
    times: int = 1

    def __str__(self) -> str:
        byte = f" {self.byte}" if self.place == "body" else ""
        return f"{self.at}: {self.place}{byte}"


class Breaker:
    """What the proxy has seen, and what it is to break."""

    def __init__(self, upstream: str) -> None:
        self.upstream = upstream
        self.host = ""
        self.breaks: list[Break] = []
        self.requests: list[str] = []
        self.received = 0
        self.broken = 0
        self.lock = threading.Lock()
        self.sent = 0
        self.slow = 0.0
        """Seconds that each piece of a body waits."""

    def taken(self, kind: str, size: int) -> Break | None:
        """The break that this request meets."""
        with self.lock:
            self.requests.append(kind)
            for number, one in enumerate(self.breaks):
                if one.at == kind and size >= one.least:
                    self.broken += 1
                    if one.times > 1:
                        self.breaks[number] = one._replace(times=one.times - 1)
                    else:
                        del self.breaks[number]
                    return one
        return None


class _Broken(Exception):
    pass


class _Exchange:
    """One connection of a client, and the one to the registry that goes with it."""

    def __init__(self, breaker: Breaker, client: socket.socket) -> None:
        host, _, port = breaker.upstream.rpartition(":")
        self.breaker = breaker
        self.client = client
        self.server = socket.create_connection((host, int(port)))
        self.from_client = client.makefile("rb")
        self.from_server = self.server.makefile("rb")

    def run(self) -> None:
        try:
            # A plain registry hangs up on a TLS greeting.
            while self.client.recv(1, socket.MSG_PEEK) not in (b"", b"\x16"):
                self.exchange(_head(self.from_client))
        except (_Broken, OSError):
            pass
        finally:
            # A socket whose file is open stays open.
            for file in (self.from_client, self.from_server):
                file.close()
            for sock in (self.client, self.server):
                _reset(sock)

    def exchange(self, head: bytes) -> None:
        method, path = head.split(b" ", 2)[:2]
        match = _PATH.match(path.decode())
        what = match[1].replace("blobs/uploads", "upload").removesuffix("s") if match else "other"
        kind, size = f"{method.decode()} {what}", _length(head)
        broken = self.breaker.taken(kind, size)
        self.request(head, size, broken)
        self.answer(method, broken)

    def request(self, head: bytes, size: int, broken: Break | None) -> None:
        place = broken.place if broken else ""
        if broken and place in ("line", "head"):
            end = head.index(b"\r\n") // 2 if place == "line" else len(head) // 2
            self.server.sendall(head[:end])
            self.end(broken)
        self.server.sendall(head)
        left = size
        if broken and place == "body":
            left = broken.byte if broken.byte >= 0 else size + broken.byte
            left = min(left, size)
        self.body(left)
        if broken and place == "body":
            self.end(broken)

    def body(self, left: int) -> None:
        while left:
            piece = self.from_client.read1(min(left, _CHUNK))
            if not piece:
                raise _Broken
            self.breaker.received += len(piece)
            left -= len(piece)
            time.sleep(self.breaker.slow)
            self.server.sendall(piece)

    def answer(self, method: bytes, broken: Break | None) -> None:
        head = _head(self.from_server)
        while head.startswith(b"HTTP/1.1 100"):
            head = _head(self.from_server)
        status = head.split(b" ", 2)[1]
        size = 0 if method == b"HEAD" or status == b"204" else _length(head)
        place = broken.place if broken else ""
        if broken and place == "unanswered":
            self.from_server.read(size)
            self.end(broken)
        if broken and place == "answer":
            self.client.sendall(head[: len(head) // 2])
            self.end(broken)
        self.client.sendall(head)
        left = size // 2 if place == "answer body" else size
        while left:
            piece = self.from_server.read1(min(left, _CHUNK))
            if not piece:
                raise _Broken
            left -= len(piece)
            time.sleep(self.breaker.slow)
            self.breaker.sent += len(piece)
            self.client.sendall(piece)
        if broken:
            self.end(broken)

    def end(self, broken: Break) -> None:
        broken.then()
        if broken.answer:
            self.client.sendall(broken.answer)
            # Read on for a moment: a reset would take the answer away from the client.
            self.client.shutdown(socket.SHUT_WR)
            self.client.settimeout(1.0)
            with contextlib.suppress(OSError):
                while self.client.recv(_CHUNK):
                    pass
        raise _Broken


def answer(status: str, body: bytes = b"", **headers: str) -> bytes:
    """The bytes of an answer that ends its connection."""
    told = {"Content-Length": str(len(body)), "Connection": "close", **headers}
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in told.items()]
    return "\r\n".join([f"HTTP/1.1 {status}", *lines, "", ""]).encode() + body


@contextmanager
def breaking(upstream: str) -> Iterator[Breaker]:
    """Serve on loopback, at `host`, what *upstream* (``host:port``) says, until the block ends."""
    breaker = Breaker(upstream)
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listening:
        breaker.host = f"127.0.0.1:{listening.getsockname()[1]}"
        threading.Thread(target=_accepting, args=(breaker, listening), daemon=True).start()
        yield breaker


def _accepting(breaker: Breaker, listening: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while True:
            client = listening.accept()[0]
            exchange = _Exchange(breaker, client)
            threading.Thread(target=exchange.run, daemon=True).start()


def _head(file: BufferedReader) -> bytes:
    lines: list[bytes] = []
    while line := file.readline():
        lines.append(line)
        if line == b"\r\n":
            break
    return b"".join(lines)


def _length(head: bytes) -> int:
    match = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
    return int(match[1]) if match else 0


def _reset(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()
