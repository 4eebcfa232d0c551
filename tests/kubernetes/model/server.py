"""The API of a cluster that is none: enough of it for `kubectl` and for us, over TLS."""

import contextlib
import json
import secrets
import ssl
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from tests.kubernetes.model.admission import refused
from tests.kubernetes.model.discovery import DISCOVERY, GROUPS, schema
from tests.kubernetes.model.jobs import JobController
from tests.kubernetes.model.kubelet import LABELS, NODE, Kubelet, evicted
from tests.kubernetes.model.world import Document, Key, Refusal, World
from tests.parts.certificates import authority, signed_by

_ALL = [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}]


class Model:
    """A cluster of one node, which has *image* alone."""

    def __init__(self, image: str) -> None:
        self.world = World()
        self.kubelet = Kubelet(self.world, image)
        self.admin = secrets.token_hex(8)
        self.accounts: dict[str, tuple[str, str]] = {}
        features = [{"name": "", "features": {"userNamespaces": True}}]
        node = {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": NODE, "labels": LABELS},
            "status": {"runtimeHandlers": features, "images": [{"names": [image]}]},
        }
        self.world.create("nodes", "", node)

    def rules(self, token: str) -> list[Document]:
        """What who has *token* may do."""
        if token == self.admin:
            return _ALL
        if token not in self.accounts:
            raise Refusal(401, "Unauthorized", "Unauthorized")
        namespace, name = self.accounts[token]
        bound = {
            one["roleRef"]["name"]
            for _, one in self.world.all("rolebindings", namespace)
            if any(subject["name"] == name for subject in one["subjects"])
        }
        roles = [one for key, one in self.world.all("roles", namespace) if key.name in bound]
        return [rule for role in roles for rule in role["rules"]]

    def created(self, kind: str, namespace: str, document: Document, *, dry: bool) -> Document:
        if kind == "jobs":
            document["status"] = {}
        if kind == "pods":
            refused(self.world, document, namespace, document["metadata"]["name"])
            document["status"] = {"phase": "Pending"}
        if dry:
            return document
        found = self.world.create(kind, namespace, document)
        if kind == "namespaces":
            self._begin(found["metadata"]["name"])
        return found

    def _begin(self, namespace: str) -> None:
        """Its account comes a moment after a namespace."""
        account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}}
        words = ("serviceaccounts", namespace, account)
        threading.Timer(0.05, self.world.create, words).start()

    def delete(self, key: Key) -> Document:
        if self.world.get(key) is None:
            raise _missing(key)
        if key.kind in {"jobs", "pods"}:
            self.world.mark_deleted(key)
        else:
            self.world.remove(key)
        for one in ("jobs", "pods") if key.kind == "namespaces" else ():
            for inner, _ in self.world.all(one, key.name):
                self.world.mark_deleted(inner)
        return self.world.get(key) or {"kind": "Status", "apiVersion": "v1", "status": "Success"}


def _missing(key: Key) -> Refusal:
    return Refusal(404, "NotFound", f'{key.kind} "{key.name}" not found')


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    model: Model

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        self._answer("GET")

    def do_POST(self) -> None:
        self._answer("POST")

    def do_DELETE(self) -> None:
        self._answer("DELETE")

    def _answer(self, method: str) -> None:
        parts = urlsplit(self.path)
        self.query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        size = int(self.headers.get("Content-Length") or 0)
        data = self.rfile.read(size)
        document = json.loads(data) if data else {}
        try:
            if parts.path in DISCOVERY:
                self._send(200, DISCOVERY[parts.path])
                return
            if parts.path.startswith("/openapi/v3/"):
                self._send(200, schema(parts.path.removeprefix("/openapi/v3/")))
                return
            self._route(method, parts.path.strip("/").split("/"), document)
        except Refusal as error:
            self._send(error.code, error.status)
        except (BrokenPipeError, ConnectionResetError, ssl.SSLError):
            self.close_connection = True

    def _route(self, method: str, words: list[str], document: Document) -> None:
        if words[0] not in {"api", "apis"}:
            raise Refusal(404, "NotFound", "the server could not find the requested resource")
        version = "v1" if words[0] == "api" else "/".join(words[1:3])
        rest = words[2 if words[0] == "api" else 3 :]
        namespace = ""
        if rest[0] == "namespaces" and len(rest) > 2:
            namespace, rest = rest[1], rest[2:]
        kind, name, sub = [*rest, "", ""][:3]
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        self._allow(token, method, version, "/".join(filter(None, (kind, sub))), name, namespace)
        key = Key(kind, namespace, name)
        if kind.startswith("selfsubject"):
            self._send(201, {**document, "status": self._review(token, document["spec"])})
        elif method == "DELETE":
            self._send(200, self.model.delete(key))
        elif method == "POST":
            self._send(201, self._posted(key, sub, document))
        else:
            self._get(version, key, sub)

    def _get(self, version: str, key: Key, sub: str) -> None:
        kind, namespace, name = key
        if sub == "log":
            self._log(key)
        elif name:
            found = self.model.world.get(key)
            if found is None:
                raise _missing(key)
            self._send(200, found)
        elif self.query.get("watch") in {"true", "1"}:
            self._watch(version, kind, namespace)
        else:
            self._list(version, kind, namespace)

    def _allow(
        self, token: str, method: str, version: str, what: str, name: str, namespace: str
    ) -> None:
        get = "get" if name else ("watch" if "watch" in self.query else "list")
        verb = {"POST": "create", "DELETE": "delete", "GET": get}[method]
        group = version.rpartition("/")[0]
        if self._may(token, verb, group, what) or what.startswith("selfsubject"):
            return
        who = "system:serviceaccount:" + ":".join(self.model.accounts[token])
        raise Refusal(
            403,
            "Forbidden",
            f'{what} is forbidden: User "{who}" cannot {verb} resource "{what}" in API group '
            f'"{group}" in the namespace "{namespace}"',
        )

    def _may(self, token: str, verb: str, group: str, what: str) -> bool:
        wanted = {"verbs": verb, "apiGroups": group, "resources": what}
        return any(
            all({value, "*"} & {*rule[key]} for key, value in wanted.items())
            for rule in self.model.rules(token)
        )

    def _review(self, token: str, asked: Document) -> Document:
        about = asked.get("resourceAttributes", {})
        what = "/".join(filter(None, (about.get("resource"), about.get("subresource"))))
        allowed = self._may(token, about.get("verb", ""), about.get("group", ""), what)
        return {"resourceRules": self.model.rules(token), "allowed": allowed}

    def _posted(self, key: Key, sub: str, document: Document) -> Document:
        model = self.model
        if sub == "eviction":
            model.world.change(key, evicted)
            return {"kind": "Status", "apiVersion": "v1", "status": "Success"}
        if sub == "token":
            token = secrets.token_hex(8)
            model.accounts[token] = (key.namespace, key.name)
            return {**document, "status": {"token": token, "expirationTimestamp": None}}
        return model.created(key.kind, key.namespace, document, dry="dryRun" in self.query)

    def _list(self, version: str, kind: str, namespace: str) -> None:
        world = self.model.world
        with world.changed:
            found, at = world.all(kind, namespace), world.version
        items = [one for _, one in found if self._selected(one)]
        title = GROUPS[version][kind]
        about = {"metadata": {"resourceVersion": str(at)}, "items": items}
        self._send(200, {"kind": f"{title}List", "apiVersion": version, **about})

    def _watch(self, version: str, kind: str, namespace: str) -> None:
        self._begin_chunks()
        since = int(self.query.get("resourceVersion") or 0)
        if "sendInitialEvents" in self.query:
            since = self._tell_all(version, kind, namespace)
        for change in self.model.world.news(since):
            if change is None:
                continue
            _, name, key, document = change
            if key.kind == kind and namespace in {"", key.namespace} and self._selected(document):
                self._change(name, document)
        self._chunk(b"")

    def _tell_all(self, version: str, kind: str, namespace: str) -> int:
        """What there is, as a list in the form of changes; the version that it is of."""
        world = self.model.world
        with world.changed:
            found, at = world.all(kind, namespace), world.version
        for _, one in found:
            if self._selected(one):
                self._change("ADDED", one)
        notes = {"k8s.io/initial-events-end": "true"}
        about = {"metadata": {"resourceVersion": str(at), "annotations": notes}}
        self._change("BOOKMARK", {"kind": GROUPS[version][kind], "apiVersion": version, **about})
        return at

    def _change(self, name: str, document: Document) -> None:
        self._chunk(json.dumps({"type": name, "object": document}).encode() + b"\n")

    def _log(self, key: Key) -> None:
        pod = self.model.world.get(key)
        if pod is None:
            raise _missing(key)
        uid, kubelet = pod["metadata"]["uid"], self.model.kubelet
        self._begin_chunks()
        told, since = 0, self.query.get("sinceTime", "")[:19]
        while True:
            over = uid in kubelet.ended or self.model.world.over
            lines = kubelet.logs.get(uid, [])[told:]
            told += len(lines)
            for line in lines:
                if line[:19] >= since:
                    self._chunk(line.encode())
            if over:
                break
            with self.model.world.changed:
                self.model.world.changed.wait(0.2)
        self._chunk(b"")

    def _selected(self, document: Document) -> bool:
        labels = document["metadata"].get("labels", {})
        fields = {"metadata.name": document["metadata"]["name"], "type": document.get("type")}
        return all(
            known.get(word.partition("=")[0]) == word.partition("=")[2].removeprefix("=")
            for known, text in ((labels, "labelSelector"), (fields, "fieldSelector"))
            for word in filter(None, self.query.get(text, "").split(","))
        )

    def _send(self, code: int, document: Document) -> None:
        data = json.dumps(document).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _begin_chunks(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data))
        self.wfile.flush()


class _Server(ThreadingHTTPServer):
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that is ended at any moment is usual here."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


@contextlib.contextmanager
def model(folder: Path, image: str) -> Iterator[Path]:
    """A cluster for as long as the context lasts: its kubeconfig, in *folder*."""
    issuer = authority("cluster")
    issuer.write(folder / "ca.crt", folder / "ca.key")
    signed_by(issuer, "server").write(folder / "server.crt", folder / "server.key")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.crt", folder / "server.key")
    one = Model(image)
    handler = type("Handler", (_Handler,), {"model": one})
    server = _Server(("127.0.0.1", 0), handler)
    # Who connects and says nothing keeps the thread that is its own, not the one that accepts.
    server.socket = context.wrap_socket(
        server.socket, server_side=True, do_handshake_on_connect=False
    )
    for run in (server.serve_forever, one.kubelet.run, JobController(one.world).run):
        threading.Thread(target=run, daemon=True).start()
    cluster = {
        "server": f"https://localhost:{server.server_port}",
        "certificate-authority": f"{folder}/ca.crt",
    }
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": cluster}],
        "users": [{"name": "admin", "user": {"token": one.admin}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "admin"}}],
        "current-context": "x",
    }
    path = folder / "config"
    path.write_text(json.dumps(config))
    try:
        yield path
    finally:
        one.world.over = True
        server.shutdown()
        server.server_close()
