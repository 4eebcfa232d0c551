"""Debian's docker-registry on loopback: open, with TLS and a password, with tokens."""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import bcrypt

from tests.parts.certificates import authority, signed_by
from tests.parts.commands import found
from tests.parts.servers import serving
from tests.parts.token_service import ISSUER, SERVICE, USERS, TokenService, token_service

_REQUEST = re.compile(r'"(\S+) (\S+) \S+" (\d+)')
_LISTENING = re.compile(r"listening on (127\.0\.0\.1:[0-9]+)")


class Registry(NamedTuple):
    """A running registry: where it listens and where it keeps and logs things."""

    host: str
    data: Path
    """The registry's storage root, for tests that break something in it."""
    access: Path
    """Its access log, one request a line."""

    def requests(self) -> list[str]:
        """Every request so far as "METHOD path status", the oldest first."""
        return [" ".join(words) for words in _REQUEST.findall(self.access.read_text())]


class LockedRegistry(NamedTuple):
    """A registry that asks for a password over TLS, signed by an authority of its own."""

    registry: Registry
    user: str
    password: str
    ca_file: Path
    cert_dir: Path
    """A certs.d folder for this registry: what skopeo and podman take as --cert-dir."""

    @property
    def host(self) -> str:
        return self.registry.host

    def requests(self) -> list[str]:
        return self.registry.requests()


class TokenRegistry(NamedTuple):
    """A registry that takes the tokens of a service on localhost."""

    registry: Registry
    service: TokenService
    user: str
    password: str
    reader: str
    reader_password: str

    @property
    def host(self) -> str:
        return self.registry.host

    def requests(self) -> list[str]:
        return self.registry.requests()


@contextmanager
def registry(folder: Path, **sections: Mapping[str, Any]) -> Iterator[Registry]:
    """Serve an empty registry that may delete; *sections* extend its configuration."""
    folder.mkdir(parents=True, exist_ok=True)
    config, log, data = folder / "config.yml", folder / "registry.log", folder / "data"
    http = {"addr": "127.0.0.1:0", "secret": "known", **sections.pop("http", {})}
    storage = {"filesystem": {"rootdirectory": str(data)}, "delete": {"enabled": True}}
    document = {"version": 0.1, "storage": storage, "http": http, **sections}
    config.write_text(json.dumps(document))
    with serving([found("docker-registry"), "serve", str(config)], log, {}) as server:
        server.wait_until(lambda: bool(_LISTENING.search(log.read_text(errors="replace"))))
        match = _LISTENING.search(log.read_text(errors="replace"))
        assert match
        yield Registry(match[1], data, log.with_suffix(".access"))


@contextmanager
def htpasswd_registry(folder: Path) -> Iterator[LockedRegistry]:
    """Serve with TLS and one user."""
    folder.mkdir(parents=True, exist_ok=True)
    user, password = "alice", "alice's password: ü"  # the colon and the ü are part of the test
    issuer, cert_dir = authority("artificer tests"), folder / "certs.d"
    cert_dir.mkdir()
    issuer.write(cert_dir / "ca.crt", folder / "ca.key")
    signed_by(issuer, "localhost").write(folder / "tls.crt", folder / "tls.key")
    hashed = bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode()
    (folder / "htpasswd").write_text(f"{user}:{hashed}\n")
    tls = {"certificate": str(folder / "tls.crt"), "key": str(folder / "tls.key")}
    auth = {"htpasswd": {"realm": "tests", "path": str(folder / "htpasswd")}}
    with registry(folder, http={"tls": tls}, auth=auth) as inner:
        yield LockedRegistry(inner, user, password, cert_dir / "ca.crt", cert_dir)


@contextmanager
def token_registry(folder: Path) -> Iterator[TokenRegistry]:
    """Serve with a token service beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    signer, bundle = authority(ISSUER), folder / "signer.crt"
    signer.write(bundle, folder / "signer.key")
    with token_service(signer) as service:
        auth = {
            "token": {
                "realm": service.url,
                "service": SERVICE,
                "issuer": ISSUER,
                "rootcertbundle": str(bundle),
            }
        }
        with registry(folder, auth=auth) as inner:
            users = ("alice", USERS["alice"], "bob", USERS["bob"])
            yield TokenRegistry(inner, service, *users)
