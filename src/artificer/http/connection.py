"""A pool of connections that sends requests; what breaks on the way becomes one of our errors."""

import contextlib
import http.client
import threading
from collections.abc import Iterator
from urllib.parse import urlsplit

from artificer.errors import ArtificerError, reason
from artificer.http.dial import Dialler, Network, Route, refused_by
from artificer.http.encoding import decoded
from artificer.http.failure import BodyChanged, ConnectionLost, broken
from artificer.http.request import (
    Body,
    Headers,
    Request,
    Response,
    authority,
    header_pairs,
    redacted,
)
from artificer.http.wire import Wire
from artificer.limits import HEAD_BYTES

_DRAINED = 1 << 16
"""An unread rest up to this size is read away, so that the connection serves again."""

_STALE = 1 << 22
"""A body up to this size that broke on a used connection may be sent again on a new one."""

_PROXY_WANTS_LOGIN = 407

_LAST_WORDS = 1.0
"""Seconds to wait for the answer of a server that stopped to take a body."""


class Connections:
    """Sends requests over connections that are kept for the next one. Safe among threads."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._dialler = Dialler(network)
        self._idle: dict[Route, list[_Line]] = {}
        self._lock = threading.Lock()

    def send(self, request: Request) -> Response:
        """Send *request* and give the answer as soon as its headers are here, whatever it says.

        After a send that failed the answer is still read: it may say why (401, 413).
        """
        self.check()
        route = self._dialler.route(authority(request.url))
        line = self._taken(route)
        if line is not None:
            try:
                return self._exchange(line, request)
            except _Stale:
                self.check()
        return self._exchange(_Line(route, self._dialler.dial(route)), request)

    def close(self) -> None:
        """Close the connections that nobody uses."""
        with self._lock:
            lines = [line for lines in self._idle.values() for line in lines]
            self._idle.clear()
        for line in lines:
            line.wire.dispose()

    def abort(self) -> None:
        """End every connection, also those in use. Takes no lock, so a signal handler may call."""
        self._dialler.sockets.abort()

    def check(self) -> None:
        """Raise `Cancelled` when somebody wants us to stop."""
        self._dialler.check()

    def _taken(self, route: Route) -> "_Line | None":
        while True:
            with self._lock:
                lines = self._idle.get(route)
                line = lines.pop() if lines else None
            if line is None or not line.wire.stale():
                return line
            line.wire.dispose()

    def keep(self, line: "_Line") -> None:
        """Take back a connection whose last answer was read to its end."""
        line.used = True
        with self._lock:
            self._idle.setdefault(line.route, []).append(line)

    def _exchange(self, line: "_Line", request: Request) -> Response:
        try:
            return self._answer(line, request)
        except BaseException:
            line.wire.dispose()
            raise

    def _answer(self, line: "_Line", request: Request) -> Response:
        host = line.route.target.netloc
        sending = _Sending(line, request, self._network.user_agent)
        failed: Exception | None = None
        try:
            sending.run()
        except (OSError, http.client.HTTPException, ValueError) as error:
            failed = error
            self.check()
            line.wire.hurry(_LAST_WORDS)
        try:
            if failed is not None and not isinstance(failed, OSError):
                raise failed
            answer = line.heard(hurried=failed is not None)
        except (OSError, http.client.HTTPException, ValueError) as error:
            self.check()
            first = failed or error
            if line.used and sending.harmless() and isinstance(error, ConnectionError):
                raise _Stale from first
            raise broken(first, host) from first
        return self._response(line, request, answer, reusable=failed is None)

    def _response(
        self, line: "_Line", request: Request, answer: http.client.HTTPResponse, *, reusable: bool
    ) -> Response:
        route = line.route
        if route.proxy is not None and answer.status == _PROXY_WANTS_LOGIN:
            raise refused_by(route.proxy, answer.status, route.target.netloc)
        incoming = _Incoming(self, line, answer, reusable=reusable and not answer.will_close)
        headers, pull = decoded(
            Headers(answer.getheaders()), incoming.pull, host=route.target.netloc
        )
        if incoming.left == 0:
            incoming.end()
        return Response(answer.status, headers, url=request.url, pull=pull, close=incoming.close)


class _Stale(Exception):
    """A kept connection was closed by the other side before it answered anything."""


class _Line:
    """One connection: the wire, and what `http.client` knows of the state of its conversation."""

    __slots__ = ("route", "talk", "used", "wire")

    def __init__(self, route: Route, wire: Wire) -> None:
        self.route = route
        self.wire = wire
        self.used = False
        self.talk = http.client.HTTPConnection(route.target.host, route.target.port)
        self.talk.auto_open = 0
        self.talk.sock = wire

    def heard(self, *, hurried: bool) -> http.client.HTTPResponse:
        self.wire.listen(HEAD_BYTES)
        if hurried:
            self.wire.hurry(_LAST_WORDS)
        return self.talk.getresponse()


class _Sending:
    """One request on its way out; *sent* counts the bytes of its body that the kernel took."""

    __slots__ = ("_line", "_request", "_user_agent", "sent")

    def __init__(self, line: _Line, request: Request, user_agent: str) -> None:
        self._line = line
        self._request = request
        self._user_agent = user_agent
        self.sent = 0

    def run(self) -> None:
        request, talk = self._request, self._line.talk
        talk.putrequest(request.method, self._target(), skip_host=True, skip_accept_encoding=True)
        for name, value in header_pairs(self._defaults(), request.headers):
            talk.putheader(name, value)
        talk.endheaders()
        if request.body is not None:
            self._send(request.body)

    def harmless(self) -> bool:
        """Whether the request may be sent again unasked: an upload may not.

        The other side may have taken some of it, and only the other side knows how much.
        """
        body = self._request.body
        return not self._request.resumed and (body is None or body.size <= _STALE)

    def _target(self) -> str:
        if self._line.route.absolute:
            return self._request.url.partition("#")[0]
        parts = urlsplit(self._request.url)
        return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")

    def _defaults(self) -> dict[str, str]:
        route, request = self._line.route, self._request
        headers = {
            "Host": route.target.netloc,
            "User-Agent": self._user_agent,
            "Accept-Encoding": "identity",
        }
        if request.body is not None:
            headers["Content-Length"] = str(request.body.size)
        elif request.method in ("POST", "PUT", "PATCH"):
            headers["Content-Length"] = "0"
        if route.proxy is not None and route.absolute and route.proxy.authorization is not None:
            headers["Proxy-Authorization"] = route.proxy.authorization
        return headers

    def _send(self, body: Body) -> None:
        if body.file is not None and self._line.wire.plain:
            self._send_file(body, *body.file)
        else:
            self._send_chunks(body)
        if self.sent != body.size:
            raise self._changed(self.sent, body.size)

    def _send_file(self, body: Body, path: str, offset: int) -> None:
        try:
            file = open(path, "rb")  # noqa: SIM115 – only the opening may fail for the file's sake
        except OSError as error:
            raise _unreadable(error) from error
        with file:
            for count in self._line.wire.send_file(file, offset, body.size):
                self.sent += count

    def _send_chunks(self, body: Body) -> None:
        for chunk in _read(body):
            if self.sent + len(chunk) > body.size:
                raise self._changed(self.sent + len(chunk), body.size)
            for piece in self._line.wire.send(chunk):
                self.sent += piece

    def _changed(self, size: int, announced: int) -> BodyChanged:
        return BodyChanged(
            f"{redacted(self._request.url)}: what is sent has not {announced} bytes, but {size}",
            hint="it changed while it was read; run it again",
        )


def _read(body: Body) -> Iterator[bytes]:
    """The chunks of *body*; its own trouble is not to be taken for the connection's."""
    try:
        yield from body.open(0)
    except OSError as error:
        raise _unreadable(error) from error


def _unreadable(error: OSError) -> BodyChanged:
    name = f"{error.filename}: " if error.filename else ""
    return BodyChanged(f"cannot read what is to be sent: {name}{reason(error)}")


class _Incoming:
    """One answer on its way in; at its end the connection goes back to the pool."""

    __slots__ = ("_answer", "_done", "_line", "_pool", "_reusable", "left")

    def __init__(
        self,
        pool: Connections,
        line: _Line,
        answer: http.client.HTTPResponse,
        *,
        reusable: bool,
    ) -> None:
        self._pool = pool
        self._line = line
        self._answer = answer
        self._reusable = reusable
        self._done = False
        # Of what `http.client` knows: 0 also when a HEAD's answer names a length, None if unknown.
        self.left: int | None = answer.length

    def pull(self, size: int) -> bytes:
        """At most *size* bytes, as soon as there are any; none at the end."""
        if self._done:
            return b""
        try:
            data = self._received(size)
        except BaseException:
            self.drop()
            raise
        if self.left == 0 or not data:
            self.end()
        return data

    def _received(self, size: int) -> bytes:
        want = size if self.left is None else min(size, self.left)
        self._line.wire.allow(want + HEAD_BYTES)
        try:
            # Not `read`, which would wait for all of it, however slowly it comes.
            data = self._answer.read1(want)
        except (OSError, http.client.HTTPException) as error:
            self._pool.check()
            raise broken(error, self._line.route.target.netloc) from error
        if self.left is not None:
            self.left -= len(data)
            if not data:
                raise ConnectionLost(
                    f"{self._line.route.target.netloc}: connection lost: "
                    f"{self.left} bytes of the answer are missing"
                )
        return data

    def end(self) -> None:
        """Nothing more will come: keep the connection if both sides want to."""
        if self._done:
            return
        self._done = True
        self._answer.close()
        if self._reusable:
            self._pool.keep(self._line)
        else:
            self._line.wire.dispose()

    def close(self) -> None:
        """Leave the rest unread, unless it is short."""
        if self._done:
            return
        if self._reusable and self.left is not None and self.left <= _DRAINED:
            self._line.wire.hurry(_LAST_WORDS)
            with contextlib.suppress(ArtificerError):
                while self.pull(_DRAINED):
                    pass
        self.drop()

    def drop(self) -> None:
        """Close the connection."""
        if not self._done:
            self._done = True
            self._answer.close()
            self._line.wire.dispose()
