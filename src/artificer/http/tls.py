"""Whom to trust: certificate authorities, client certificates, and one SSL context for each."""

import os.path
import ssl
import threading
from collections.abc import Iterable
from typing import NamedTuple

from artificer.errors import ArtificerError, Misused, Unavailable

# Where distributions keep their bundle, for a Python whose OpenSSL was built for elsewhere
# (the list of Go's crypto/x509).
_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/tls/cacert.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",
)


class CertificateRejected(Unavailable):
    """The other side's certificate, or ours, was not accepted."""


class TlsFailed(Unavailable):
    """The other side does not speak TLS, or none that we do."""


class InvalidCertificate(Misused):
    """A certificate or key file that we were given cannot be used."""


class Trust(NamedTuple):
    """What a host must prove, and what we prove to it.

    *ca_files* are trusted besides the system's authorities; *roots*, a file or a directory, takes
    their place (``SSL_CERT_FILE``). Without *verify* any certificate will do.
    """

    ca_files: tuple[str, ...] = ()
    client_cert: str | None = None
    client_key: str | None = None
    verify: bool = True
    roots: str | None = None


class Contexts:
    """One SSL context for each `Trust`: to make one costs 20 ms."""

    __slots__ = ("_lock", "_made")

    def __init__(self) -> None:
        self._made: dict[Trust, ssl.SSLContext] = {}
        self._lock = threading.Lock()

    def of(self, trust: Trust) -> ssl.SSLContext:
        """The context for *trust*; an unreadable file of it is an `InvalidCertificate`."""
        with self._lock:
            context = self._made.get(trust)
            if context is None:
                context = self._made[trust] = _context(trust)
            return context


def _context(trust: Trust) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    if trust.verify:
        _load_roots(context, trust.roots)
        for path in trust.ca_files:
            _load_authority(context, path)
    else:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if trust.client_cert is not None:
        _load_client(context, trust.client_cert, trust.client_key)
    return context


def _load_roots(context: ssl.SSLContext, roots: str | None) -> None:
    if roots is not None:
        _load_authority(context, roots)
        return
    found = ssl.get_default_verify_paths()
    if found.cafile or found.capath:
        context.set_default_verify_paths()
        return
    bundle = next((path for path in _BUNDLES if os.path.exists(path)), None)
    if bundle is not None:
        _load_authority(context, bundle)


def _load_authority(context: ssl.SSLContext, path: str) -> None:
    try:
        if os.path.isdir(path):
            context.load_verify_locations(capath=path)
        else:
            context.load_verify_locations(cafile=path)
    except OSError as error:
        raise _unusable("CA certificates", (path,), error) from error


def _load_client(context: ssl.SSLContext, cert: str, key: str | None) -> None:
    try:
        # Nobody is there to type the password of an encrypted key.
        context.load_cert_chain(cert, key, password="")
    except OSError as error:
        paths = (cert,) if key is None else (cert, key)
        raise _unusable("client certificate", paths, error) from error


def _unusable(what: str, paths: Iterable[str], error: OSError) -> ArtificerError:
    reason = "not PEM, or not a pair" if isinstance(error, ssl.SSLError) else error.strerror
    return InvalidCertificate(
        f"cannot use {what} of {', '.join(paths)}: {reason}",
        hint="certificates and keys are PEM files (-----BEGIN …-----), the key without a password",
    )


def refusal(error: ssl.SSLError, host: str) -> ArtificerError:
    """What a person can do about *error*, met while *host* was greeted or first listened to."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return CertificateRejected(
            f"{host}: the certificate is not trusted: {error.verify_message.rstrip('.')}",
            hint=_mend(error.verify_message, host),
        )
    reason = (error.reason or str(error)).replace("_", " ").lower()
    if "certificate required" in reason or "bad certificate" in reason:
        return CertificateRejected(
            f"{host}: asks for a client certificate ({reason})",
            hint=f"put client.cert and client.key into ~/.config/containers/certs.d/{host}/",
        )
    return TlsFailed(
        f"{host}: cannot agree on TLS: {reason}",
        hint=f"if it speaks plain http, say `--insecure-registry {host}`",
    )


def _mend(reason: str, host: str) -> str:
    if "ostname mismatch" in reason or "IP address mismatch" in reason:
        return "use a name that the certificate is made for"
    if "expired" in reason or "not yet valid" in reason:
        return "renew the certificate, or set this machine's clock"
    return (
        "trust its authority with `--cacert FILE`, "
        f"or put it into ~/.config/containers/certs.d/{host}/ca.crt"
    )
