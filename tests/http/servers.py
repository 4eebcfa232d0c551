"""Servers of a few lines: a function is called for each connection and says every byte itself."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator

from artificer.http.connection import Connections
from artificer.http.request import Request

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Peer:
    """One connection as the server sees it; *number* counts them from 1."""

    def __init__(self, sock: socket.socket, number: int, heads: list[str]) -> None:
        self.sock = sock
        self.number = number
        self._heads = heads
        self._rest = b""

    def head(self) -> str:
        """The next request's line and headers; empty when the client hung up."""
        while b"\r\n\r\n" not in self._rest:
            data = self.sock.recv(65536)
            # Real servers of plain http hang up on a TLS greeting.
            if not data or data.startswith(b"\x16\x03"):
                return ""
            self._rest += data
        head, _, self._rest = self._rest.partition(b"\r\n\r\n")
        self._heads.append(head.decode("latin-1"))
        return self._heads[-1]

    def body(self, size: int) -> bytes:
        parts = [self._rest]
        left = size - len(self._rest)
        while left > 0 and (data := self.sock.recv(1 << 20)):
            parts.append(data)
            left -= len(data)
        whole = b"".join(parts)
        self._rest = whole[size:]
        return whole[:size]

    def request(self) -> tuple[str, bytes]:
        head = self.head()
        return head, self.body(int(header(head, "content-length") or 0))

    def answer(self, data: bytes) -> None:
        self.sock.sendall(data)

    def reset(self) -> None:
        """End the connection with a RST."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.sock.close()


class Server:
    """What a test knows of a running server: its *port*, and the *heads* that it was sent."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.heads: list[str] = []
        self.connections = 0

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"http://{self.host}/"


def get(connections: Connections, url: str) -> bytes:
    """The whole answer to a GET."""
    with connections.send(Request("GET", url)) as response:
        return response.read(1 << 24)


def header(head: str, name: str) -> str:
    lines = [line.partition(":") for line in head.split("\r\n")[1:]]
    return next((value.strip() for key, _, value in lines if key.lower() == name), "")


@contextlib.contextmanager
def serving(handle: Callable[[Peer], None], tls: ssl.SSLContext | None = None) -> Iterator[Server]:
    """A server on loopback that gives each connection to *handle* in a thread of its own."""
    listener = socket.create_server(("", 0))
    server = Server(listener.getsockname()[1])
    threads: list[threading.Thread] = []
    open_sockets: list[socket.socket] = []

    def talk(sock: socket.socket, number: int) -> None:
        with contextlib.suppress(OSError), sock:
            sock.settimeout(20)
            if tls is None:
                handle(Peer(sock, number, server.heads))
                return
            with tls.wrap_socket(sock, server_side=True) as secured:
                open_sockets.append(secured)
                handle(Peer(secured, number, server.heads))

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                sock, _ = listener.accept()
                server.connections += 1
                open_sockets.append(sock)
                threads.append(threading.Thread(target=talk, args=(sock, server.connections)))
                threads[-1].start()

    acceptor = threading.Thread(target=accept)
    acceptor.start()
    try:
        yield server
    finally:
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        acceptor.join()
        for sock in open_sockets:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join()


def always(*answers: bytes) -> Callable[[Peer], None]:
    """Answer the requests of each connection with *answers* in turn, the last one for ever."""

    def handle(peer: Peer) -> None:
        number = 0
        while peer.request()[0]:
            peer.answer(answers[min(number, len(answers) - 1)])
            number += 1

    return handle


def keeping(bodies: list[bytes]) -> Callable[[Peer], None]:
    """Answer every request, and put its body into *bodies*."""

    def handle(peer: Peer) -> None:
        while True:
            head, body = peer.request()
            if not head:
                return
            bodies.append(body)
            peer.answer(OK)

    return handle
