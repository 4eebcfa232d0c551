"""A registry in memory that does what the distribution-spec says, except where a test scripts it.

It listens on loopback. `faults` are taken by the first request of their kind, in order; the
attributes change how it behaves for good.
"""

import base64
import hashlib
import itertools
import json
import re
import socket
import struct
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple
from urllib.parse import parse_qs, urlsplit

_PATH = re.compile(
    r"/v2/(?P<repo>.+?)/(?P<kind>manifests|blobs/uploads|blobs|tags|referrers)/(?P<rest>[^/]*)$"
)


class Fault(NamedTuple):
    """One thing that goes wrong, once: at the next request whose kind is *at*.

    With *status* it answers so without doing anything; *reset* bytes of the request's body are
    taken before the connection is reset; *lost* does what was asked and resets; *cut* sends only
    so many bytes of the answer's body; *headers* take the place of the answer's own.
    """

    at: str
    status: int = 0
    reset: int | None = None
    lost: bool = False
    cut: int | None = None
    headers: Mapping[str, str] = {}
    body: bytes = b""
    expire: bool = False
    """Answer 401, and take the tokens given so far no longer."""


class Upload:
    """A session: what came so far, or, when *counting*, only its hash and size."""

    def __init__(self, repo: str, *, counting: bool) -> None:
        self.repo = repo
        self.counting = counting
        self.data = bytearray()
        self.size = 0
        self.hasher = hashlib.sha256()
        self.dead = False

    def write(self, chunk: bytes) -> None:
        self.size += len(chunk)
        self.hasher.update(chunk)
        if not self.counting:
            self.data += chunk


class Faulty:
    """The registry's contents and behaviour."""

    def __init__(self) -> None:
        self.faults: list[Fault] = []
        self.requests: list[str] = []
        self.blobs: dict[str, dict[str, bytes]] = {}
        self.sizes: dict[str, int] = {}
        self.manifests: dict[str, dict[str, tuple[str, bytes]]] = {}
        self.tags: dict[str, dict[str, str]] = {}
        self.uploads: dict[str, Upload] = {}
        self.authorizations: list[tuple[str, str]] = []
        self.token_requests: list[dict[str, list[str]]] = []
        self.tokens: set[str] = set()
        self.received = 0
        self.host = ""
        self.password = ""
        self.auth = ""  # "", "basic" or "token"
        self.realm = ""
        self.expires_in: int | None = 300
        self.mount = "yes"  # or "ignore", or a status to refuse with
        self.relative = False
        self.patch = True
        self.keeps = True  # what a broken PATCH brought; distribution ends the session instead
        self.most = 0  # bytes of a request's body
        self.least = 0  # OCI-Chunk-Min-Length
        self.counting = False
        self.page = 1000
        self.referrers = True
        self.digests = True  # whether Docker-Content-Digest is told
        self.ranges = True
        self.storage = ""  # another host that blobs are read from

    def give(self, repo: str, data: bytes) -> str:
        """Put a blob into a repository."""
        digest = "sha256:" + hashlib.sha256(data).hexdigest()
        self.blobs.setdefault(repo, {})[digest] = data
        self.sizes[digest] = len(data)
        return digest

    def give_manifest(self, repo: str, tag: str, media_type: str, data: bytes) -> str:
        """Put a manifest into a repository."""
        digest = "sha256:" + hashlib.sha256(data).hexdigest()
        self.manifests.setdefault(repo, {})[digest] = (media_type, data)
        self.tags.setdefault(repo, {})[tag] = digest
        return digest

    def seen(self, method: str) -> list[str]:
        """The requests so far whose kind begins with *method*."""
        return [request for request in self.requests if request.startswith(method)]


class _Reset(Exception):
    pass


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    faulty: Faulty
    ids = itertools.count(1)

    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        except (_Reset, ConnectionError):
            linger = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.close_connection = True

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        self.query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        match = _PATH.fullmatch(parts.path)
        self.repo = match["repo"] if match else ""
        self.rest = match["rest"] if match else ""
        kind = (match["kind"] if match else parts.path).replace("blobs/uploads", "upload")
        self.kind = f"{self.command} {kind.removesuffix('s') if match else kind}"
        self.left = int(self.headers.get("Content-Length") or 0)
        if parts.path == "/token":
            return self.token(parse_qs(parts.query))
        self.faulty.requests.append(self.kind)
        self.faulty.authorizations.append((self.kind, self.headers.get("Authorization", "")))
        self.fault = self._fault()
        if self.faulty.most and self.left > self.faulty.most:
            return self.refuse(413, "SIZE_INVALID")
        if self.fault.expire:
            self.faulty.tokens.clear()
        elif self.fault.status:
            return self.answer(self.fault.status, {}, self.fault.body)
        if self.fault.expire or not self._let_in():
            return self.challenge()
        name = self.kind.lower().replace(" ", "_").replace("/", "_")
        getattr(self, name, self.unknown)()
        return None

    do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815 - http.server's names

    def unknown(self) -> None:
        self.refuse(404, "UNSUPPORTED")

    def _fault(self) -> Fault:
        for fault in self.faulty.faults:
            if fault.at == self.kind:
                self.faulty.faults.remove(fault)
                return fault
        return Fault(self.kind)

    def _let_in(self) -> bool:
        given = self.headers.get("Authorization", "")
        if self.faulty.auth == "basic":
            return given == "Basic " + base64.b64encode(self.faulty.password.encode()).decode()
        return self.faulty.auth != "token" or given.removeprefix("Bearer ") in self.faulty.tokens

    def challenge(self) -> None:
        if self.faulty.auth == "basic":
            header = 'Basic realm="tests"'
        else:
            realm = self.faulty.realm or f"http://{self.faulty.host}/token"
            actions = "pull" if self.command in ("GET", "HEAD") else "pull,push"
            scope = f"repository:{self.repo}:{actions}" if self.repo else ""
            header = f'Bearer realm="{realm}",service="tests",scope="{scope}"'
        body = b'{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}'
        self.answer(401, {"WWW-Authenticate": header}, body)

    def token(self, asked: dict[str, list[str]]) -> None:
        if self.command == "POST":
            asked = parse_qs(self.rfile.read(self.left).decode())
            self.left = 0
        self.fault = Fault("")
        self.faulty.token_requests.append(asked)
        given = self.headers.get("Authorization", "")
        wanted = "Basic " + base64.b64encode(self.faulty.password.encode()).decode()
        if given and given != wanted:
            return self.answer(401, {}, b'{"details":"incorrect username or password"}')
        token = f"token-{next(self.ids)}"
        self.faulty.tokens.add(token)
        told = {"token": token}
        if self.faulty.expires_in is not None:
            told["expires_in"] = str(self.faulty.expires_in)
        return self.answer(200, {}, json.dumps(told).encode())

    def get__v2_(self) -> None:
        self.answer(200, {}, b"{}")

    def head_blob(self) -> None:
        data = self.faulty.blobs.get(self.repo, {}).get(self.rest)
        if data is None:
            return self.refuse(404, "BLOB_UNKNOWN")
        size = self.faulty.sizes[self.rest]
        return self.answer(200, {"Content-Length": str(size)}, b"")

    def get_blob(self) -> None:
        data = self.faulty.blobs.get(self.repo, {}).get(self.rest)
        if data is None:
            return self.refuse(404, "BLOB_UNKNOWN")
        if self.faulty.storage:
            url = f"{self.faulty.storage}/v2/{self.repo}/blobs/{self.rest}"
            return self.answer(307, {"Location": url}, b"")
        match = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if match and self.faulty.ranges:
            at = int(match[1])
            told = {"Content-Range": f"bytes {at}-{len(data) - 1}/{len(data)}"}
            return self.answer(206, told, data[at:])
        return self.answer(200, {}, data)

    def post_upload(self) -> None:
        source = self.query.get("from")
        digest = self.query.get("mount", "")
        if source and self.faulty.mount.isdecimal():
            return self.refuse(int(self.faulty.mount), "DENIED")
        if source and self.faulty.mount == "yes" and digest in self.faulty.blobs.get(source, {}):
            self.faulty.blobs.setdefault(self.repo, {})[digest] = self.faulty.blobs[source][digest]
            return self.answer(201, {"Location": "/", "Docker-Content-Digest": digest}, b"")
        name = f"session-{next(self.ids)}"
        self.faulty.uploads[name] = Upload(self.repo, counting=self.faulty.counting)
        return self.answer(202, self.session(name), b"")

    def session(self, name: str) -> dict[str, str]:
        at = f"/v2/{self.repo}/blobs/uploads/{name}?_state=a%2Fb"
        told = {"Location": at if self.faulty.relative else f"http://{self.faulty.host}{at}"}
        told["Range"] = f"0-{max(0, self.faulty.uploads[name].size - 1)}"
        if self.faulty.least:
            told["OCI-Chunk-Min-Length"] = str(self.faulty.least)
        return told

    def get_upload(self) -> None:
        if self._upload() is None:
            return self.refuse(404, "BLOB_UPLOAD_UNKNOWN")
        return self.answer(204, self.session(self.rest), b"")

    def delete_upload(self) -> None:
        self.faulty.uploads.pop(self.rest, None)
        self.answer(204, {}, b"")

    def _upload(self) -> Upload | None:
        upload = self.faulty.uploads.get(self.rest)
        if upload is None or upload.dead or self.query.get("_state") != "a/b":
            return None
        return upload

    def patch_upload(self) -> None:
        upload = self._upload()
        if not self.faulty.patch:
            return self.refuse(405, "UNSUPPORTED")
        if upload is None:
            return self.refuse(404, "BLOB_UPLOAD_UNKNOWN")
        first, _, last = self.headers["Content-Range"].partition("-")
        if int(first) != upload.size or int(last) - int(first) + 1 != self.left:
            return self.refuse(416, "RANGE_INVALID")
        self.take(upload)
        return self.answer(202, self.session(self.rest), b"")

    def put_upload(self) -> None:
        upload = self._upload()
        if upload is None:
            return self.refuse(404, "BLOB_UPLOAD_UNKNOWN")
        self.take(upload)
        digest = self.query["digest"]
        del self.faulty.uploads[self.rest]
        if "sha256:" + upload.hasher.hexdigest() != digest:
            return self.refuse(400, "DIGEST_INVALID")
        self.faulty.blobs.setdefault(self.repo, {})[digest] = bytes(upload.data)
        self.faulty.sizes[digest] = upload.size
        return self.answer(201, {"Docker-Content-Digest": digest}, b"")

    def take(self, upload: Upload) -> None:
        most = min(self.left, self.fault.reset if self.fault.reset is not None else self.left)
        while most and (chunk := self.rfile.read(min(most, 1 << 18))):
            most -= len(chunk)
            self.left -= len(chunk)
            self.faulty.received += len(chunk)
            upload.write(chunk)
        if most or self.fault.reset is not None:
            upload.dead = not self.faulty.keeps
            raise _Reset

    def head_manifest(self) -> None:
        self.get_manifest()

    def get_manifest(self) -> None:
        digest = self.faulty.tags.get(self.repo, {}).get(self.rest, self.rest)
        found = self.faulty.manifests.get(self.repo, {}).get(digest)
        if found is None:
            return self.refuse(404, "MANIFEST_UNKNOWN")
        told = {"Content-Type": found[0], "Content-Length": str(len(found[1]))}
        if self.faulty.digests:
            told["Docker-Content-Digest"] = digest
        return self.answer(200, told, found[1])

    def put_manifest(self) -> None:
        data = self.rfile.read(self.left)
        self.left = 0
        document = json.loads(data)
        needed = [one["digest"] for one in document.get("layers", [])]
        if any(digest not in self.faulty.blobs.get(self.repo, {}) for digest in needed):
            return self.refuse(404, "MANIFEST_BLOB_UNKNOWN")
        digest = "sha256:" + hashlib.sha256(data).hexdigest()
        content_type = self.headers["Content-Type"]
        self.faulty.manifests.setdefault(self.repo, {})[digest] = (content_type, data)
        if ":" not in self.rest:
            self.faulty.tags.setdefault(self.repo, {})[self.rest] = digest
        told = {"Docker-Content-Digest": digest}
        if self.faulty.referrers and "subject" in document:
            told["OCI-Subject"] = document["subject"]["digest"]
        return self.answer(201, told, b"")

    def delete_manifest(self) -> None:
        if self.faulty.tags.get(self.repo, {}).pop(self.rest, None) is None:
            return self.refuse(404, "MANIFEST_UNKNOWN")
        return self.answer(202, {}, b"")

    def get_tag(self) -> None:
        names = sorted(self.faulty.tags.get(self.repo, {}))
        names = [name for name in names if name > self.query.get("last", "")]
        page, more = names[: self.faulty.page], names[self.faulty.page :]
        told = {}
        if more:
            told["Link"] = f'</v2/{self.repo}/tags/list?last={page[-1]}>; rel="next"'
        self.answer(200, told, json.dumps({"name": self.repo, "tags": page}).encode())

    def get_referrer(self) -> None:
        if not self.faulty.referrers:
            return self.refuse(404, "NOT_FOUND")
        listed = []
        for digest, (media_type, data) in self.faulty.manifests.get(self.repo, {}).items():
            document = json.loads(data)
            if document.get("subject", {}).get("digest") == self.rest:
                kind = document.get("artifactType")
                entry = {"mediaType": media_type, "digest": digest, "size": len(data)}
                listed.append({**entry, "artifactType": kind})
        return self.answer(200, {}, json.dumps({"manifests": listed}).encode())

    def refuse(self, status: int, code: str) -> None:
        body = json.dumps({"errors": [{"code": code, "message": code.lower()}]}).encode()
        self.answer(status, {}, body)

    def answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        """Answer, as the fault says; a body that nobody read ends the connection."""
        if self.fault.lost:
            raise _Reset
        self.send_response(status)
        told = {"Content-Length": str(len(body)), **headers, **self.fault.headers}
        for name, value in told.items():
            self.send_header(name, value)
        if self.left:
            self.close_connection = True
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD" and status != 204:
            self.wfile.write(body if self.fault.cut is None else body[: self.fault.cut])
        if self.fault.cut is not None:
            self.wfile.flush()
            raise _Reset

    def log_message(self, format: str, *args: object) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        pass  # a client that hangs up is part of the tests


@contextmanager
def faulty_registry() -> Iterator[Faulty]:
    """Serve until the block ends; `host` is where."""
    faulty = Faulty()
    handler = type("Handler", (_Handler,), {"faulty": faulty})
    with _Server(("127.0.0.1", 0), handler) as server:
        faulty.host = f"127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        try:
            yield faulty
        finally:
            server.shutdown()
