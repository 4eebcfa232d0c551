import errno
import http.client
import socket
import ssl

import pytest

from artificer.errors import ArtificerError
from artificer.http.failure import (
    BadAnswer,
    ConnectionLost,
    NameNotResolved,
    TimedOut,
    Unreachable,
    broken,
    unconnected,
    ungreeted,
)
from artificer.http.tls import CertificateRejected, TlsFailed


def alert(reason: str) -> ssl.SSLError:
    error = ssl.SSLError(1, f"[SSL: {reason}]")
    error.reason = reason
    return error


def untrusted(reason: str) -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_message = reason
    return error


@pytest.mark.parametrize(
    ("error", "kind", "code", "message"),
    [
        (
            socket.gaierror(socket.EAI_NONAME, "Name or service not known"),
            Unreachable,
            69,
            "r.example: there is no such host (name or service not known)",
        ),
        (
            socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution"),
            NameNotResolved,
            75,
            "r.example: the name cannot be looked up now (temporary failure in name resolution)",
        ),
        (TimeoutError("timed out"), TimedOut, 75, "r.example: no connection in time"),
        (
            OSError(errno.ENETUNREACH, "Network is unreachable"),
            Unreachable,
            69,
            "r.example: cannot connect: network is unreachable",
        ),
    ],
)
def test_who_cannot_be_reached_is_named(
    error: OSError, kind: type[ArtificerError], code: int, message: str
) -> None:
    told = unconnected(error, "r.example")

    assert (type(told), told.exit_code, told.message) == (kind, code, message)
    assert told.hint


@pytest.mark.parametrize(
    ("error", "kind", "part"),
    [
        (TimeoutError("timed out"), ConnectionLost, "no answer to the TLS greeting"),
        (ConnectionResetError(104, "reset"), ConnectionLost, "in the TLS greeting"),
        (ssl.SSLEOFError(8, "EOF"), ConnectionLost, "in the TLS greeting"),
        (alert("WRONG_VERSION_NUMBER"), TlsFailed, "cannot agree on TLS: wrong version number"),
        (alert("TLSV13_ALERT_CERTIFICATE_REQUIRED"), CertificateRejected, "client certificate"),
        (untrusted("certificate has expired"), CertificateRejected, "certificate has expired"),
    ],
)
def test_a_greeting_that_fails_is_told_apart(
    error: OSError, kind: type[ArtificerError], part: str
) -> None:
    told = ungreeted(error, "r.example")

    assert type(told) is kind
    assert part in told.message


@pytest.mark.parametrize(
    ("reason", "hint"),
    [
        ("Hostname mismatch, certificate is not valid for 'r'.", "use a name"),
        ("certificate has expired", "renew the certificate"),
        ("certificate is not yet valid", "clock"),
        ("self-signed certificate", "--cacert FILE"),
        ("unable to get local issuer certificate", "certs.d/r.example/ca.crt"),
    ],
)
def test_a_rejected_certificate_comes_with_the_way_out(reason: str, hint: str) -> None:
    assert hint in (ungreeted(untrusted(reason), "r.example").hint or "")


@pytest.mark.parametrize(
    ("error", "kind", "part"),
    [
        (http.client.RemoteDisconnected(""), ConnectionLost, "closed without an answer"),
        (http.client.IncompleteRead(b""), ConnectionLost, "the answer is cut short"),
        (BrokenPipeError(32, "Broken pipe"), ConnectionLost, "broken pipe"),
        (OSError(), ConnectionLost, "connection lost: oserror"),
        (http.client.BadStatusLine("\x1b[2J" + "x" * 500), BadAnswer, "in HTTP: \\x1b[2jxxx"),
        (alert("TLSV13_ALERT_CERTIFICATE_REQUIRED"), CertificateRejected, "client certificate"),
        (alert("DECRYPTION_FAILED_OR_BAD_RECORD_MAC"), ConnectionLost, "connection lost"),
    ],
)
def test_an_exchange_that_breaks_is_told_in_a_short_safe_line(
    error: Exception, kind: type[ArtificerError], part: str
) -> None:
    told = broken(error, "r.example")

    assert type(told) is kind
    assert part in told.message
    assert len(told.message) < 150
