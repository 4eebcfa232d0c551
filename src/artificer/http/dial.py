"""How a connection comes about: addresses, proxies, TLS; and how all of them end at once."""

import http.client
import socket
import ssl
from collections.abc import Callable
from typing import NamedTuple

from artificer.errors import ArtificerError, Cancelled
from artificer.http.failure import (
    ConnectionLost,
    ProxyRefused,
    ProxyUnauthorized,
    broken,
    unconnected,
    ungreeted,
)
from artificer.http.proxies import NO_PROXIES, Proxies, Proxy
from artificer.http.request import Authority, InvalidUrl
from artificer.http.tls import Contexts, TlsFailed, Trust
from artificer.http.wire import Sockets, Wire
from artificer.limits import HEAD_BYTES
from artificer.stop import Stop

_CONNECT_SECONDS = 15.0
"""What one address may take to accept a connection, and then to greet; there may be others."""


def trusted(netloc: str) -> Trust:
    """The system's authorities, for every host."""
    return Trust()


class Network(NamedTuple):
    """How to reach others. *trust* is asked with ``host[:port]``, *timeout* limits each wait."""

    stop: Stop
    proxies: Proxies = NO_PROXIES
    trust: Callable[[str], Trust] = trusted
    timeout: float = 60.0
    user_agent: str = "artificer"


class Route(NamedTuple):
    """To whom, through which proxy, believing what: connections of one route are alike."""

    target: Authority
    proxy: Proxy | None
    trust: Trust | None

    @property
    def absolute(self) -> bool:
        """Whether a request names the whole URL, as a proxy for plain http wants it."""
        return self.proxy is not None and self.target.scheme == "http"


class Dialler:
    """Makes connections."""

    __slots__ = ("_contexts", "_network", "sockets")

    def __init__(self, network: Network) -> None:
        self._network = network
        self._contexts = Contexts()
        self.sockets = Sockets()

    def route(self, target: Authority) -> Route:
        """The way to *target*."""
        trust = self._network.trust(target.netloc) if target.scheme == "https" else None
        return Route(target, self._network.proxies.of(target), trust)

    def check(self) -> None:
        """Raise `Cancelled` when somebody wants us to stop."""
        self._network.stop.check()
        if self.sockets.aborted:
            raise Cancelled

    def dial(self, route: Route) -> Wire:
        """A new connection along *route*, through the proxy and TLS."""
        self.check()
        # A broken certificate file of ours is told before anybody is called.
        context = None if route.trust is None else self._contexts.of(route.trust)
        plain = self._reached(route)
        if context is None:
            return self._wire(plain)
        try:
            if route.proxy is not None:
                self._tunnel(plain, route.proxy, route.target)
            return self._wire(self._secured(plain, context, route.target))
        except BaseException:
            self.sockets.drop(plain)
            raise

    def _wire(self, sock: socket.socket) -> Wire:
        network = self._network
        return Wire(sock, self.sockets, timeout=network.timeout, stop=network.stop)

    def _reached(self, route: Route) -> socket.socket:
        host, port, name = route.target.host, route.target.port, route.target.netloc
        if route.proxy is not None:
            host, port, name = route.proxy.host, route.proxy.port, f"proxy {route.proxy}"
            if route.proxy.scheme != "http":
                raise ProxyRefused(
                    f"{name}: a proxy of this kind is not supported",
                    hint="name an http:// proxy, or the host in NO_PROXY",
                )
        try:
            return self._first_connected(host, port)
        except OSError as error:
            self.check()
            raise unconnected(error, name) from error
        except UnicodeError as error:
            raise InvalidUrl(f"not the name of a host: {host!r}") from error

    def _first_connected(self, host: str, port: int) -> socket.socket:
        failed: OSError | None = None
        for family, kind, protocol, _, address in socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM
        ):
            sock = socket.socket(family, kind, protocol)
            self.sockets.add(sock)
            try:
                sock.settimeout(min(_CONNECT_SECONDS, self._network.timeout))
                sock.connect(address)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            except OSError as error:
                self.sockets.drop(sock)
                self.check()
                failed = failed or error
            else:
                return sock
        raise failed or OSError("the name has no address")

    def _tunnel(self, sock: socket.socket, proxy: Proxy, target: Authority) -> None:
        place = target._replace(scheme="").netloc
        lines = [f"CONNECT {place} HTTP/1.1", f"Host: {place}"]
        lines.append(f"User-Agent: {self._network.user_agent}")
        if proxy.authorization is not None:
            lines.append(f"Proxy-Authorization: {proxy.authorization}")
        wire = self._wire(sock)
        try:
            wire.sendall("".join(f"{line}\r\n" for line in (*lines, "")).encode("latin-1"))
            wire.listen(HEAD_BYTES)
            answer = http.client.HTTPResponse(wire, method="CONNECT")  # type: ignore[arg-type]
            answer.begin()
            status = answer.status
            answer.close()
        except (OSError, http.client.HTTPException) as error:
            self.check()
            raise broken(error, f"proxy {proxy}") from error
        if not 200 <= status <= 299:
            raise refused_by(proxy, status, target.netloc)

    def _secured(
        self, sock: socket.socket, context: ssl.SSLContext, target: Authority
    ) -> ssl.SSLSocket:
        sock.settimeout(min(_CONNECT_SECONDS, self._network.timeout))
        try:
            secured = context.wrap_socket(
                sock, server_hostname=target.host, do_handshake_on_connect=False
            )
            self.sockets.replace(sock, secured)
        except (OSError, ValueError) as error:
            self.check()
            raise TlsFailed(f"{target.netloc}: cannot start TLS: {error}") from error
        try:
            secured.do_handshake()
        except OSError as error:
            self.sockets.drop(secured)
            self.check()
            raise ungreeted(error, target.netloc) from error
        return secured


def refused_by(proxy: Proxy, status: int, host: str) -> ArtificerError:
    """What *proxy* meant by answering *status* to the wish to speak to *host*."""
    if status == 407:
        return ProxyUnauthorized(
            f"{host}: proxy {proxy} wants a login (407)",
            hint="HTTPS_PROXY=http://USER:PASSWORD@HOST:PORT, or name the host in NO_PROXY",
        )
    if status in (502, 503, 504):
        return ConnectionLost(f"{host}: proxy {proxy} cannot connect to it now ({status})")
    return ProxyRefused(
        f"{host}: proxy {proxy} refuses to connect to it ({status})",
        hint="if it can be reached directly, name it in NO_PROXY",
    )
