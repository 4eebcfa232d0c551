"""The API of a cluster over TLS on loopback, which replays what a real server told."""

import contextlib
import json
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.http.servers import Peer, header, serving
from tests.kubernetes.recordings import changes
from tests.parts.certificates import authority, signed_by

Document = dict[str, Any]
_VERBS = ["create", "delete", "get", "list", "watch"]


def _resources(version: str, **kinds: str) -> Document:
    """What a version of the API has, as kubectl asks before anything else."""
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": version,
        "resources": [
            {"name": name, "singularName": "", "namespaced": True, "kind": kind, "verbs": _VERBS}
            for name, kind in kinds.items()
        ],
    }


_BATCH = {"groupVersion": "batch/v1", "version": "v1"}
DISCOVERY: dict[str, Document] = {
    "/api": {"kind": "APIVersions", "versions": ["v1"]},
    "/apis": {
        "kind": "APIGroupList",
        "apiVersion": "v1",
        "groups": [{"name": "batch", "versions": [_BATCH], "preferredVersion": _BATCH}],
    },
    "/api/v1": _resources("v1", pods="Pod", events="Event", secrets="Secret"),
    "/apis/batch/v1": _resources("batch/v1", jobs="Job"),
}
_LISTS = {
    "jobs": {"kind": "JobList", "apiVersion": "batch/v1"},
    "pods": {"kind": "PodList", "apiVersion": "v1"},
    "events": {"kind": "EventList", "apiVersion": "v1"},
}
GONE = {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old resource version"}


class FakeApi:
    """What the server does. *watches* says of each watch, in turn, how it goes.

    ``cut:N`` breaks in the middle of the change after N, ``end:N`` ends after N changes, ``gone``
    answers 410, ``expired:N`` tells 410 after N changes, ``bookmark`` adds one at the end, and
    ``all`` (when nothing is left) tells everything and stays.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self.folder = folder
        self.changes = changes(name)
        self.token = "t1"
        self.watches: dict[str, list[str]] = {}
        self.answers: list[tuple[int, Document, str]] = []
        self.requests: list[tuple[str, str, dict[str, str], Document | None]] = []
        self.logs: list[bytes] = []
        self.existing = True
        self.port = 0

    def rotate(self, token: str) -> None:
        """Give the account another token: the old one is good no more."""
        self.token = token
        (self.folder / "token").write_text(f"{token}\n")

    def handle(self, peer: Peer) -> None:
        """One connection."""
        while True:
            head, body = peer.request()
            if not head:
                return
            method, target, _ = head.split(" ", 2)
            parts = urlsplit(target)
            query = {key: values[0] for key, values in parse_qs(parts.query).items()}
            document = json.loads(body) if body else None
            self.requests.append((method, parts.path, query, document))
            if self.answers:
                code, status, more = self.answers.pop(0)
                _answer(peer, code, status, more)
            elif header(head, "authorization") != f"Bearer {self.token}":
                _answer(peer, 401, {"kind": "Status", "reason": "Unauthorized", "message": "no"})
            elif not self._respond(peer, method, parts.path, query, document):
                return

    def _respond(
        self, peer: Peer, method: str, path: str, query: dict[str, str], document: Document | None
    ) -> bool:
        kind = path.rpartition("/")[2]
        if path in DISCOVERY:
            _answer(peer, 200, DISCOVERY[path])
        elif method == "POST":
            _answer(peer, 201, self._created(document or {}))
        elif method == "DELETE":
            self.existing = False
            _answer(peer, 200, {"kind": "Status"})
        elif path.endswith("/log"):
            return self._log(peer)
        elif "watch" in query:
            return self._watch(peer, kind, int(query["resourceVersion"]))
        elif kind in {"jobs", "pods", "events"}:
            _answer(peer, 200, self._list(kind, query))
        else:
            _answer(peer, *self._known(path, kind))
        return True

    def _known(self, path: str, name: str) -> tuple[int, Document]:
        if path == "/version":
            return 200, {"gitVersion": "v1.36.2"}
        if not self.existing:
            return 404, {"kind": "Status", "reason": "NotFound", "message": "gone"}
        return 200, {"metadata": {"name": name}}

    def _created(self, document: Document) -> Document:
        if document["kind"] == "SelfSubjectAccessReview":
            verb = document["spec"]["resourceAttributes"]["verb"]
            return {**document, "status": {"allowed": verb != "delete"}}
        return {**document, "metadata": {"name": "made", **document.get("metadata", {})}}

    def _list(self, kind: str, query: dict[str, str]) -> Document:
        """Nothing yet, and for who was told 410 what there is in the end; a page holds one."""
        gone = any(said.startswith("told") for said in self.watches.get(f"{kind}-past", ()))
        if not gone:
            return {**_LISTS[kind], "items": [], "metadata": {"resourceVersion": "1"}}
        latest = {
            one.object["metadata"]["name"]: one.object for one in self.changes if one.kind == kind
        }
        items = list(latest.values())
        at = int(query.get("continue", "0"))
        more = {"continue": str(at + 1)} if at + 1 < len(items) else {}
        return {
            **_LISTS[kind],
            "items": items[at : at + 1],
            "metadata": {"resourceVersion": "99999", **more},
        }

    def _watch(self, peer: Peer, kind: str, since: int) -> bool:
        script = self.watches.get(kind, [])
        word, _, number = (script.pop(0) if script else "all").partition(":")
        if word == "gone":
            self.watches[f"{kind}-past"] = ["told"]
            _answer(peer, 410, GONE)
            return True
        peer.answer(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        told = [
            {"type": one.type, "object": one.object}
            for one in self.changes
            if one.kind == kind and int(one.object["metadata"]["resourceVersion"]) > since
        ]
        most = int(number) if number else len(told)
        for one in told[:most]:
            _chunk(peer, json.dumps(one).encode() + b"\n")
        if word == "cut" and told[most:]:
            _chunk(peer, json.dumps(told[most]).encode()[:100])
            peer.reset()
            return False
        if word == "expired":
            self.watches[f"{kind}-past"] = ["told"]
            _chunk(peer, json.dumps({"type": "ERROR", "object": GONE}).encode() + b"\n")
        if word == "bookmark":
            mark = {"metadata": {"resourceVersion": "98765"}}
            _chunk(peer, json.dumps({"type": "BOOKMARK", "object": mark}).encode() + b"\n")
        if word == "all":
            peer.sock.recv(1)  # until the client goes away
            return False
        peer.answer(b"0\r\n\r\n")
        return True

    def _log(self, peer: Peer) -> bool:
        peer.answer(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for data in self.logs:
            _chunk(peer, data)
        peer.answer(b"0\r\n\r\n")
        return True


def _chunk(peer: Peer, data: bytes) -> None:
    peer.answer(b"%x\r\n%b\r\n" % (len(data), data))


def _answer(peer: Peer, code: int, document: Document, more: str = "") -> None:
    data = json.dumps(document).encode()
    head = f"HTTP/1.1 {code} X\r\nContent-Length: {len(data)}\r\n{more}\r\n"
    peer.answer(head.encode() + data)


@contextlib.contextmanager
def fake_api(folder: Path, name: str) -> Iterator[FakeApi]:
    """A server that replays the recording *name*; *folder* is the pod's account."""
    issuer = authority("cluster")
    issuer.write(folder / "ca.crt", folder / "ca.key")
    signed_by(issuer, "server").write(folder / "server.crt", folder / "server.key")
    (folder / "namespace").write_text("builds")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.crt", folder / "server.key")
    api = FakeApi(folder, name)
    api.rotate("t1")
    with serving(api.handle, context) as server:
        api.port = server.port
        yield api
