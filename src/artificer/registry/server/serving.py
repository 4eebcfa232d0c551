"""The embedded registry as an HTTP server: connections in, answers out."""

import socket
import sys
import threading
from contextlib import ExitStack, suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from artificer.errors import ArtificerError, Unavailable, reason
from artificer.events import Note, Report, Warned, unheard
from artificer.registry.server.answers import Answer, Problem
from artificer.registry.server.asked import Body, BrokenOff
from artificer.registry.server.dispatch import VERSION, Credentials, Dispatch
from artificer.store.blobs import Store
from artificer.store.files import DiskFull

LOOPBACK = "127.0.0.1"
_IDLE = 120.0
_DRAINED = 256 * 1024
_LINGERED = 64 * 1024 * 1024
_TLS_GREETING = b"\x16"


_Asking = socket.socket | tuple[bytes, socket.socket]  # as socketserver has it


class AddressInUse(Unavailable):
    """The registry cannot listen where it was told to."""


class Server:
    """A running registry. While it is open, a prune of its store heeds it as it does a build."""

    def __init__(self, http: "_Http", held: ExitStack) -> None:
        self._http = http
        self._held = held

    @property
    def address(self) -> str:
        """``host:port``, as it stands in references."""
        host, port = self._http.server_address[:2]
        return f"[{host!s}]:{port}" if ":" in str(host) else f"{host!s}:{port}"

    def serve_forever(self) -> None:
        """Answer until `close`, which another thread calls."""
        self._http.serve_forever(poll_interval=0.05)

    def start(self) -> None:
        """Answer in a thread of its own until `close`."""
        self._http.serving = True
        threading.Thread(target=self.serve_forever, name="registry").start()

    def close(self) -> None:
        """Stop answering, cut every connection, and let go of the store."""
        self._http.shutdown_all()
        self._held.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def serve(
    store: Store,
    host: str = LOOPBACK,
    port: int = 0,
    *,
    read_only: bool = False,
    credentials: Credentials | None = None,
    report: Report = unheard,
) -> Server:
    """A registry on *store* that listens at once and answers once it is told to serve.

    Port 0 is any free one. Each request is reported as a `Note`.
    """
    dispatch = Dispatch(store, read_only=read_only, credentials=credentials)
    held = ExitStack()
    held.enter_context(store.in_use())
    try:
        http = _Http(host, port, dispatch, report)
    except OSError as error:
        held.close()
        raise AddressInUse(
            f"cannot listen on {host}:{port}: {reason(error)}",
            hint="choose another port, or 0 for any free one",
        ) from error
    return Server(http, held)


class _Http(ThreadingHTTPServer):
    """One thread a connection; all of them end with `shutdown_all`."""

    daemon_threads = False
    block_on_close = True
    request_queue_size = 128

    def __init__(self, host: str, port: int, dispatch: Dispatch, report: Report) -> None:
        self.dispatch = dispatch
        self.report = report
        self._open: set[_Asking] = set()
        self._lock = threading.Lock()
        self.serving = False
        if ":" in host:
            self.address_family = socket.AF_INET6
        super().__init__((host, port), _Connection)

    def server_bind(self) -> None:
        # Not HTTPServer's, which asks the resolver for our own name.
        socket.socket.setsockopt(self.socket, socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()

    def serve_forever(self, poll_interval: float = 0.5) -> None:
        self.serving = True
        super().serve_forever(poll_interval)

    def process_request(self, request: _Asking, client_address: Any) -> None:
        with self._lock:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: _Asking) -> None:
        with self._lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: _Asking, client_address: Any) -> None:
        self.report(Warned(f"the registry failed to answer: {sys.exc_info()[1]!r}"))

    def shutdown_all(self) -> None:
        if self.serving:
            self.shutdown()
        with self._lock:
            for connection in self._open:
                if isinstance(connection, socket.socket):
                    with suppress(OSError):
                        connection.shutdown(socket.SHUT_RDWR)
        self.server_close()


class _Connection(BaseHTTPRequestHandler):
    """One connection: its requests one after the other."""

    protocol_version = "HTTP/1.1"
    server_version = "artificer"
    sys_version = ""
    timeout = _IDLE
    disable_nagle_algorithm = True
    server: _Http

    def setup(self) -> None:
        super().setup()
        self.expected = False

    def handle(self) -> None:
        # A client that went away, or was idle for long, is nobody's error.
        with suppress(ConnectionError, TimeoutError, FileNotFoundError, BrokenOff):
            # Who greets by TLS waits for an answer, and so would we for the end of a line.
            if self.connection.recv(1, socket.MSG_PEEK) != _TLS_GREETING:
                super().handle()

    def handle_expect_100(self) -> bool:
        """Say "go on" only when somebody wants the body."""
        self.expected = True
        return True

    def go_on(self) -> None:
        if self.expected:
            self.expected = False
            self.send_response_only(100)
            self.end_headers()

    def respond(self) -> None:
        headers = {key.lower(): value for key, value in self.headers.items()}
        body: Body | None = None
        try:
            body = Body(self.rfile, headers, self.go_on)
            answer = self.server.dispatch(self.command, self.path, headers, body)
        except Problem as problem:
            answer = problem.answer
        except DiskFull as error:
            answer = Problem(507, "DENIED", error.message).answer
        except ArtificerError as error:
            answer = Problem(500, "UNKNOWN", error.message).answer
        rest = self.rest_of(body)
        self.close_connection = self.close_connection or rest
        self.tell(answer)
        path = repr(self.path.partition("?")[0])[1:-1]  # it may have anything in it
        self.server.report(Note(f"{self.command} {path} {answer.status}"))
        if rest:
            self.linger()

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = respond  # noqa: N815

    def rest_of(self, body: Body | None) -> bool:
        """Whether so much of the body is left that the connection must end."""
        if body is None or self.expected or body.left is None:
            return body is None or body.left != 0
        if body.left > _DRAINED:
            return True
        for _ in body.pieces():
            pass
        return False

    def tell(self, answer: Answer) -> None:
        if isinstance(answer.body, bytes):
            self.tell_head(answer)
            if self.command != "HEAD":
                self.wfile.write(answer.body)
            return
        span = answer.body
        # Opened before the first header: whoever prunes may have been faster.
        with open(span.path, "rb", buffering=0) as file:
            self.tell_head(answer)
            if self.command != "HEAD" and span.size:
                self.connection.sendfile(file, span.offset, span.size)

    def tell_head(self, answer: Answer) -> None:
        self.send_response_only(answer.status)
        for name, value in (VERSION, *answer.headers):
            self.send_header(name, value)
        if answer.status != HTTPStatus.NO_CONTENT:
            self.send_header("Content-Length", str(answer.size))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()

    def linger(self) -> None:
        """Read what is still sent, so that the answer is not lost in a reset."""
        self.connection.shutdown(socket.SHUT_WR)
        self.connection.settimeout(2.0)
        left = _LINGERED
        while left > 0 and (piece := self.rfile.read1(1 << 16)):
            left -= len(piece)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: what is asked is reported."""
