"""What goes wrong between two machines, said so that a person can act on it."""

import http.client
import socket
import ssl

from artificer.errors import ArtificerError, Transient, Unauthorized, Unavailable, reason
from artificer.http.request import InvalidUrl
from artificer.http.tls import refusal


class ConnectionLost(Transient):
    """The connection broke before the answer was complete."""


class TimedOut(Transient):
    """The other side took too long, or did next to nothing for too long."""


class NameNotResolved(Transient):
    """The name service did not answer."""


class Unreachable(Unavailable):
    """Nobody is there: the name is unknown, or the connection was refused."""


class BadAnswer(Unavailable):
    """What came back is not HTTP, or no HTTP that we asked for."""


class ProxyRefused(Unavailable):
    """The proxy does not let us through."""


class ProxyUnauthorized(Unauthorized):
    """The proxy wants to know who we are."""


class BodyChanged(ArtificerError):
    """What was to be sent has another size than it had before."""


def unconnected(error: OSError, host: str) -> ArtificerError:
    """*error* of an attempt to reach *host*."""
    if isinstance(error, socket.gaierror):
        if error.errno == socket.EAI_AGAIN:
            return NameNotResolved(
                f"{host}: the name cannot be looked up now ({reason(error)})",
                hint="check the network and the name service (/etc/resolv.conf)",
            )
        return Unreachable(
            f"{host}: there is no such host ({reason(error)})",
            hint="check the name and the network",
        )
    if isinstance(error, TimeoutError):
        return TimedOut(
            f"{host}: no connection in time",
            hint="is there a firewall, or a proxy to name in HTTPS_PROXY?",
        )
    hint = "is a server running there?"
    return Unreachable(f"{host}: cannot connect: {reason(error)}", hint=hint)


def ungreeted(error: OSError, host: str) -> ArtificerError:
    """*error* of a TLS handshake with *host*."""
    if isinstance(error, TimeoutError):
        # Not `TimedOut`: a plain server may wait for a line's end that the greeting does not have.
        return ConnectionLost(f"{host}: no answer to the TLS greeting in time")
    if isinstance(error, ssl.SSLError) and not isinstance(error, ssl.SSLEOFError):
        return refusal(error, host)
    # Plain servers hang up on a greeting that they do not understand, but so does a broken line.
    return ConnectionLost(f"{host}: connection lost in the TLS greeting")


def broken(error: Exception, host: str) -> ArtificerError:
    """*error* of an exchange with *host*."""
    if isinstance(error, TimeoutError):
        return TimedOut(
            f"{host}: no answer in time ({error})", hint="a longer time is set by `--timeout`"
        )
    if isinstance(error, ssl.SSLError) and "CERTIFICATE" in (error.reason or ""):
        # TLS 1.3: a server says only now that it wants a certificate of ours.
        return refusal(error, host)
    if isinstance(error, (OSError, http.client.IncompleteRead)):
        return ConnectionLost(f"{host}: connection lost: {_reason(error)}")
    if isinstance(error, http.client.HTTPException):
        return BadAnswer(
            f"{host}: does not answer in HTTP: {_reason(error)}",
            hint="is it a registry, and is this its port?",
        )
    return InvalidUrl(f"{host}: the request cannot be sent: {type(error).__name__}")


def _reason(error: Exception) -> str:
    if isinstance(error, http.client.RemoteDisconnected):
        return "closed without an answer"
    if isinstance(error, http.client.IncompleteRead):
        return "the answer is cut short"
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    # What the other side sent may be part of it: one short line of it will do.
    return (text or type(error).__name__).encode("unicode_escape")[:80].decode().lower()
