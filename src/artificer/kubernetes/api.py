"""A cluster behind its API, for pods without `kubectl`: the mounted token, lists and watches."""

import json
import time
from collections.abc import Generator, Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

from artificer.errors import ArtificerError, reason
from artificer.events import Report
from artificer.http.connection import Connections
from artificer.http.dial import Network
from artificer.http.request import Request, Response, Send, body_of
from artificer.http.retry import Patience, retrying
from artificer.http.tls import Trust
from artificer.kubernetes.cluster import (
    GONE,
    Busy,
    Change,
    Document,
    Kind,
    Listed,
    LogLine,
    NotFound,
    Selector,
    Unidentified,
    log_lines,
    not_gone,
)
from artificer.kubernetes.objects import items_of
from artificer.kubernetes.problems import of_status
from artificer.kubernetes.resume import Breaks, Clock
from artificer.limits import KUBERNETES_BYTES, KUBERNETES_LIST_BYTES, LOG_LINE_BYTES, TOKEN_BYTES
from artificer.oci.document import InvalidDocument
from artificer.stop import Stop

_GROUPS: Mapping[str, str] = {"jobs": "/apis/batch/v1"}
_CORE = "/api/v1"
_UNBOUND = frozenset(("namespaces", "nodes"))
_REASONS = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    409: "Conflict",
    410: "Expired",
    422: "Invalid",
    429: "TooManyRequests",
}
_PAGE = 500
_WATCHED = 240
"""Seconds after which the server ends a watch, so that a dead line is not believed for ever."""
_SILENCE = 300.0
_SECONDS = 0.5


class Account(NamedTuple):
    """A pod's ServiceAccount: *host* is the API's, *directory* has token, ca.crt and namespace."""

    host: str
    directory: str
    namespace: str = ""


def opened(account: Account, report: Report) -> "Api":
    """The cluster that we are in; no connection is made yet."""
    stop = Stop()
    trust = Trust(roots=f"{account.directory}/ca.crt")
    network = Network(stop, trust=lambda _: trust, timeout=_SILENCE)
    connections = Connections(network)
    return Api(account, connections, stop, report)


class Api:
    """A `Cluster`. Proxies are not asked: the API is the cluster's own."""

    def __init__(
        self, account: Account, connections: Connections, stop: Stop, report: Report
    ) -> None:
        self._account = account
        self._connections = connections
        self._stop = stop
        self._report = report
        patience = Patience(stop.wait)
        self._send: Send = retrying(connections.send, patience, report=report)

    def create(self, document: Document, *, dry_run: bool = False) -> Document:
        """Create an object; the server refuses fields that it does not know."""
        query = {"fieldValidation": "Strict", **({"dryRun": "All"} if dry_run else {})}
        group = str(document["apiVersion"])
        base = f"/api/{group}" if "/" not in group else f"/apis/{group}"
        kind = _PLURALS.get(str(document["kind"]), f"{str(document['kind']).lower()}s")
        named = document.get("metadata", {}).get("namespace") or self.namespace()
        within = "" if kind.startswith("selfsubject") else f"/namespaces/{named}"
        return self._asked("POST", f"{base}{within}/{kind}", query, document)

    def find(self, kind: Kind, name: str) -> Document | None:
        """The object of that name, if there is one."""
        try:
            return self._asked("GET", f"{self._path(kind)}/{quote(name, safe='')}", {})
        except NotFound:
            return None

    def listed(self, kind: Kind, selector: Selector) -> tuple[Document, ...]:
        """The objects that there are."""
        return self._listing(kind, selector)[0]

    def watch(self, kind: Kind, selector: Selector) -> Generator[Change | Listed, None, None]:
        """A list, then its changes: from where they broke, unless that is too long ago."""
        breaks = Breaks(f"watching {kind}", Clock(time.monotonic, self._stop.wait), self._report)
        version = ""
        while not self._stop.is_set():
            problem: ArtificerError | None = None
            try:
                if not version:
                    objects, version = self._listing(kind, selector)
                    breaks.well()
                    yield Listed(kind, objects)
                for change, at in self._changes(kind, selector, version):
                    version = at
                    breaks.well()
                    if change is not None:
                        yield change
            except _Expired:
                version = ""
            except ArtificerError as error:
                problem = error
            if self._stop.is_set() or not breaks.broke(problem):
                return

    def logs(self, pod: str, container: str, since: str) -> Iterator[LogLine]:
        """The lines of a log, until the container or the stream ends."""
        query = {"container": container, "follow": "true", "timestamps": "true"}
        path = f"{self._path('pods')}/{quote(pod, safe='')}/log"
        with self._answer(
            "GET", path, {**query, **({"sinceTime": since} if since else {})}
        ) as got:
            yield from log_lines(_lines(got, LOG_LINE_BYTES))

    def delete(self, kind: Kind, name: str) -> None:
        """Delete an object, and wait until it and its pods are gone."""
        path = f"{self._path(kind)}/{quote(name, safe='')}"
        # Without a word about it, a Job of the API would leave its pods behind.
        options = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Foreground"}
        try:
            self._asked("DELETE", path, {}, options)
        except NotFound:
            return
        end = time.monotonic() + GONE
        while self.find(kind, name) is not None:
            if time.monotonic() > end:
                raise not_gone(name)
            self._stop.wait(_SECONDS)

    def may(self, verb: str, resource: str) -> bool:
        """Whether we may do that."""
        name, _, sub = resource.partition("/")
        attributes = {
            "namespace": self.namespace(),
            "verb": verb,
            "resource": name,
            "subresource": sub,
            "group": "batch" if name in _GROUPS else "",
        }
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": attributes},
        }
        return _within(self.create(review), "status").get("allowed") is True

    def version(self) -> str:
        """The server's version."""
        return str(self._asked("GET", "/version", {}).get("gitVersion", ""))

    def namespace(self) -> str:
        """The chosen namespace, else the pod's."""
        return self._account.namespace or self._read("namespace") or "default"

    def close(self) -> None:
        """End every connection."""
        self._stop.set()
        self._connections.abort()
        self._connections.close()

    def _path(self, kind: Kind) -> str:
        within = "" if kind in _UNBOUND else f"/namespaces/{quote(self.namespace(), safe='')}"
        return f"{_GROUPS.get(kind, _CORE)}{within}/{kind}"

    def _listing(self, kind: Kind, selector: Selector) -> tuple[tuple[Document, ...], str]:
        """All objects and the version of the list, a page after the other."""
        objects: list[Document] = []
        query = {**_selected(selector), "limit": str(_PAGE)}
        size = 0
        while True:
            with self._answer("GET", self._path(kind), query) as answer:
                data = answer.read(min(KUBERNETES_BYTES, KUBERNETES_LIST_BYTES - size))
            size += len(data)
            page = _document(data)
            about = _within(page, "metadata")
            objects += items_of(page)
            if not about.get("continue"):
                return tuple(objects), str(about.get("resourceVersion", ""))
            query["continue"] = str(about["continue"])

    def _changes(
        self, kind: Kind, selector: Selector, version: str
    ) -> Iterator[tuple[Change | None, str]]:
        query = {
            **_selected(selector),
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": version,
            "timeoutSeconds": str(_WATCHED),
        }
        with self._answer("GET", self._path(kind), query) as answer:
            for line in _lines(answer, KUBERNETES_BYTES):
                document = _document(line)
                about = document.get("object")
                if not isinstance(about, dict):
                    raise Busy("the cluster tells of a change that makes no sense")
                at = str(_within(about, "metadata").get("resourceVersion", version))
                match document.get("type"):
                    case ("ADDED" | "MODIFIED" | "DELETED") as name:
                        yield Change(kind, name, about), at
                    case "BOOKMARK":
                        yield None, at
                    case _:
                        code = about.get("code")
                        raise _problem(code if isinstance(code, int) else 500, about)

    def _asked(
        self, method: str, path: str, query: Mapping[str, str], document: Document | None = None
    ) -> Document:
        with self._answer(method, path, query, document) as answer:
            return _document(answer.read(KUBERNETES_BYTES))

    def _answer(
        self, method: str, path: str, query: Mapping[str, str], document: Document | None = None
    ) -> Response:
        """The answer to a request, if it is a good one. A token that was renewed is taken anew."""
        url = f"https://{self._account.host}{path}{'?' if query else ''}{urlencode(query)}"
        body = None if document is None else body_of(json.dumps(document).encode())
        token = self._read("token")
        answer = self._send(Request(method, url, _headers(token), body))
        if answer.status == 401 and (renewed := self._read("token")) != token:
            answer.close()
            answer = self._send(Request(method, url, _headers(renewed), body))
        if 200 <= answer.status <= 299:
            return answer
        with answer:
            said = answer.read(KUBERNETES_BYTES)
        try:
            status = _document(said)
        except InvalidDocument:
            status = {"message": f"status {answer.status}"}
        raise _problem(answer.status, status)

    def _read(self, name: str) -> str:
        path = f"{self._account.directory}/{name}"
        try:
            with open(path, encoding="utf-8") as file:
                return file.read(TOKEN_BYTES).strip()
        except (OSError, UnicodeDecodeError) as error:
            if name == "namespace":
                return ""
            why = reason(error) if isinstance(error, OSError) else "it is not text"
            raise Unidentified(
                f"cannot read the pod's token {path}: {why}",
                hint="`automountServiceAccountToken: true` mounts it",
            ) from error


class _Expired(ArtificerError):
    """What was known is too long ago for the server to tell what changed since."""


_PLURALS = {
    "SelfSubjectAccessReview": "selfsubjectaccessreviews",
    "SelfSubjectRulesReview": "selfsubjectrulesreviews",
}


def _headers(token: str) -> dict[str, str]:
    kind = "application/json"
    return {"Authorization": f"Bearer {token}", "Accept": kind, "Content-Type": kind}


def _selected(selector: Selector) -> dict[str, str]:
    return {
        **({"labelSelector": selector.labels} if selector.labels else {}),
        **({"fieldSelector": selector.fields} if selector.fields else {}),
    }


def _problem(code: int, status: Document) -> ArtificerError:
    known = status.get("reason") or _REASONS.get(code) or "InternalError"
    error = of_status(str(known), str(status.get("message") or f"status {code}"))
    return _Expired(error.message) if code == 410 or known in {"Expired", "Gone"} else error


def _document(data: bytes) -> Document:
    try:
        found: Any = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise InvalidDocument("the cluster answers with something else than JSON") from error
    if not isinstance(found, dict):
        raise InvalidDocument("the cluster answers with something else than an object")
    return found


def _within(document: Document, key: str) -> Document:
    found = document.get(key)
    return found if isinstance(found, dict) else {}


def _lines(answer: Response, limit: int) -> Iterator[bytes]:
    """The lines of *answer* as they come, with their ends; longer than *limit* ones in parts."""
    rest = b""
    for chunk in answer.chunks():
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            yield from _parts(line + b"\n", limit)
        *parts, rest = _parts(rest, limit)
        yield from parts
    if rest:
        yield rest


def _parts(line: bytes, limit: int) -> list[bytes]:
    return [line[at : at + limit] for at in range(0, len(line), limit)] or [b""]
