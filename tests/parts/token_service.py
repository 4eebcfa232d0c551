"""A Docker token service that a real docker-registry trusts, on loopback: GET and OAuth2 POST."""

import base64
import http.server
import json
import threading
import time
import urllib.parse
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

import jwt
from cryptography.hazmat.primitives import serialization

from tests.parts.certificates import Pair

ISSUER = "artificer-tests"
SERVICE = "test-registry"
# docker-registry takes a token for this long after it has expired.
LEEWAY = 60

PULL = frozenset({"pull"})
EVERYTHING = frozenset({"pull", "push", "delete"})
USERS = {"alice": "alice's secret", "bob": "bob's secret", "admin": "admin's secret"}
ACCESS: Mapping[str, Mapping[str, frozenset[str]]] = {
    "": {"public/*": PULL},
    "alice": {"team/*": EVERYTHING, "public/*": EVERYTHING},
    "bob": {"team/*": PULL, "public/*": PULL},
    "admin": {"*": frozenset({*EVERYTHING, "*"})},
}


class TokenRequest(NamedTuple):
    """What one client asked for, as the service understood it, and what it got."""

    method: str
    scopes: tuple[str, ...]
    granted: tuple[str, ...] = ()
    account: str = ""
    status: int = 200
    grant: str = ""
    client: str = ""


class TokenService:
    """The service's state, which tests read and set between requests."""

    def __init__(self, signer: Pair) -> None:
        self.signer = signer
        self.requests: list[TokenRequest] = []
        self.refresh: dict[str, str] = {}
        self.seconds = 300
        """How long the registry takes a new token for; 0 means never."""
        self.told_seconds: int | None = None
        """What the answer says instead, when a service lies about it."""
        self.url = ""

    def clear(self) -> None:
        """Forget the requests and every setting of the last test."""
        self.requests.clear()
        self.seconds, self.told_seconds = 300, None

    def answer(self, account: str, service: str, scopes: list[str]) -> tuple[Any, list[str]]:
        """The body of a good answer, and the scopes in it."""
        access = list(_granted(account, scopes))
        now = int(time.time())
        claims = {
            "iss": ISSUER,
            "sub": account,
            "aud": service,
            "exp": now + self.seconds - LEEWAY,
            "nbf": now - 2 * LEEWAY,
            "iat": now,
            "jti": str(uuid.uuid4()),
            "access": access,
        }
        der = self.signer.certificate.public_bytes(serialization.Encoding.DER)
        chain = {"x5c": [base64.b64encode(der).decode()]}
        token = jwt.encode(claims, self.signer.key, "ES256", headers=chain)
        told = self.seconds if self.told_seconds is None else self.told_seconds
        issued = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now))
        names = [f"{a['type']}:{a['name']}:{','.join(a['actions'])}" for a in access]
        return {"access_token": token, "expires_in": told, "issued_at": issued}, names

    def refresh_token(self, account: str) -> str:
        """A new identity token for *account*."""
        token = str(uuid.uuid4())
        self.refresh[token] = account
        return token


def _granted(account: str, scopes: list[str]) -> Iterator[dict[str, Any]]:
    for scope in " ".join(scopes).split():
        kind, rest = scope.split(":", 1)
        name, _, actions = rest.rpartition(":")
        rules = ACCESS[account] if kind == "repository" else {}
        allowed = next((a for p, a in rules.items() if fnmatchcase(name, p)), frozenset())
        if account == "admin" and kind == "registry":
            allowed = frozenset({"*"})
        if both := allowed & set(actions.split(",")):
            yield {"type": kind, "name": name, "actions": sorted(both)}


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    service: TokenService

    def do_GET(self) -> None:
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
        scopes = query.get("scope", [])
        account = self._basic()
        if account is None:
            self._note("GET", scopes, status=401)
            return self._send(401, {"details": "incorrect username or password"})
        body, granted = self.service.answer(account, query.get("service", [""])[0], scopes)
        body["token"] = body["access_token"]
        if account and query.get("offline_token") == ["true"]:
            body["refresh_token"] = self.service.refresh_token(account)
        self._note("GET", scopes, account=account, granted=tuple(granted))
        return self._send(200, body)

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        form = {
            name: values[0]
            for name, values in urllib.parse.parse_qs(self.rfile.read(length).decode()).items()
        }
        grant, scopes = form.get("grant_type", ""), form.get("scope", "").split()
        client = form.get("client_id", "")
        account = self._grantee(grant, form)
        if account is None:
            self._note("POST", scopes, grant=grant, status=401, client=client)
            return self._send(401, {"error": "invalid_grant"})
        body, granted = self.service.answer(account, form.get("service", ""), scopes)
        if form.get("access_type") == "offline":
            body["refresh_token"] = self.service.refresh_token(account)
        told = {"account": account, "grant": grant, "client": client}
        self._note("POST", scopes, granted=tuple(granted), **told)
        return self._send(200, body)

    def _basic(self) -> str | None:
        """The account of the request: "" when it names none, None when the password is wrong."""
        header = self.headers.get("Authorization", "")
        if not header.startswith("Basic "):
            return ""
        name, _, password = base64.b64decode(header[6:]).decode().partition(":")
        return name if USERS.get(name) == password else None

    def _grantee(self, grant: str, form: Mapping[str, str]) -> str | None:
        if grant == "refresh_token":
            return self.service.refresh.get(form.get("refresh_token", ""))
        name = form.get("username", "")
        known = grant == "password" and name in USERS and USERS[name] == form.get("password")
        return name if known else None

    def _note(self, method: str, scopes: list[str], **told: Any) -> None:
        request = TokenRequest(method, tuple(" ".join(scopes).split()), **told)
        self.service.requests.append(request)

    def _send(self, status: int, document: Any) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: the tests read `requests`."""


@contextmanager
def token_service(signer: Pair) -> Iterator[TokenService]:
    """Serve until the block ends; `url` is the realm, on localhost."""
    service = TokenService(signer)
    handler = type("Handler", (_Handler,), {"service": service})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        service.url = f"http://localhost:{server.server_port}/token"
        threading.Thread(target=server.serve_forever, name="token service", daemon=True).start()
        try:
            yield service
        finally:
            server.shutdown()
