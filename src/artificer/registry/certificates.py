"""The certificates that are kept for a registry: ``certs.d/HOST[:PORT]/``, or named by hand."""

import os
from collections.abc import Sequence

from artificer.errors import Misused, reason
from artificer.http.tls import Trust


class InvalidCertificates(Misused):
    """A directory of certificates does not hold what it should."""


class Certificates:
    """What is trusted, and shown, for each host.

    *directories* are ``certs.d`` directories, the first that has the host decides: ``*.crt`` are
    authorities, ``NAME.cert`` with ``NAME.key`` is what we show. *ca_files*, *client* (certificate
    and key) and *roots* hold for every host.
    """

    __slots__ = ("_ca_files", "_client", "_directories", "_known", "_roots")

    def __init__(
        self,
        directories: Sequence[str] = (),
        *,
        ca_files: Sequence[str] = (),
        client: tuple[str, str] | None = None,
        roots: str | None = None,
    ) -> None:
        self._directories = tuple(directories)
        self._ca_files = tuple(ca_files)
        self._client = client
        self._roots = roots
        self._known: dict[str, Trust] = {}

    def kept(self, netloc: str) -> bool:
        """Whether there is a directory for ``host[:port]``."""
        return self._directory(netloc) is not None

    def trust(self, netloc: str) -> Trust:
        """What ``host[:port]`` must prove, and what we prove to it."""
        known = self._known.get(netloc)
        if known is None:
            known = self._known[netloc] = self._read(netloc)
        return known

    def _directory(self, netloc: str) -> str | None:
        # A URL does not name its scheme's port, but a directory may.
        names = (netloc,) if ":" in netloc.rpartition("]")[2] else (netloc, f"{netloc}:443")
        places = (os.path.join(place, name) for place in self._directories for name in names)
        return next((place for place in places if os.path.isdir(place)), None)

    def _read(self, netloc: str) -> Trust:
        directory = self._directory(netloc)
        authorities: tuple[str, ...] = ()
        client = self._client
        if directory is not None:
            names = _names(directory)
            authorities = tuple(os.path.join(directory, n) for n in names if n.endswith(".crt"))
            client = client or _client(directory, names)
        cert, key = client or (None, None)
        return Trust((*self._ca_files, *authorities), cert, key, roots=self._roots)


NO_CERTIFICATES = Certificates()


def _names(directory: str) -> list[str]:
    try:
        return sorted(os.listdir(directory))
    except OSError as error:
        raise InvalidCertificates(f"cannot read {directory}: {reason(error)}") from error


def _client(directory: str, names: Sequence[str]) -> tuple[str, str] | None:
    certs = {name[:-5] for name in names if name.endswith(".cert")}
    keys = {name[:-4] for name in names if name.endswith(".key")}
    for name in sorted(certs ^ keys):
        there, missing = (".cert", ".key") if name in certs else (".key", ".cert")
        raise InvalidCertificates(
            f"{directory} has {name}{there}, but no {name}{missing}",
            hint="a certificate authority's file ends in .crt, a client's in .cert and .key",
        )
    if len(certs) > 1:
        raise InvalidCertificates(f"{directory} has {len(certs)} client certificates, not one")
    stems = [os.path.join(directory, name) for name in certs]
    return (f"{stems[0]}.cert", f"{stems[0]}.key") if stems else None
