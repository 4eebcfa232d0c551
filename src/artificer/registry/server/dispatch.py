"""Which request is answered by what, and who may ask."""

import base64
import binascii
import hmac
from collections.abc import Callable, Mapping

from artificer.registry.server.answers import Answer, Problem, json_answer
from artificer.registry.server.asked import Asked, Body, route, split
from artificer.registry.server.blobs import delete_blob, get_blob
from artificer.registry.server.listings import list_referrers, list_repositories, list_tags
from artificer.registry.server.manifests import delete_manifest, get_manifest, put_manifest
from artificer.registry.server.uploads import Uploads
from artificer.store.blobs import Store

VERSION = ("Docker-Distribution-API-Version", "registry/2.0")
_READS = frozenset({"GET", "HEAD"})

Handle = Callable[[Asked], Answer]


class Credentials:
    """The one user that is let in. Has no repr: it holds a password."""

    __slots__ = ("_expected",)

    def __init__(self, username: str, password: str) -> None:
        self._expected = base64.b64encode(f"{username}:{password}".encode())

    def let_in(self, header: str) -> bool:
        """Whether an Authorization *header* is the user's."""
        scheme, _, given = header.partition(" ")
        try:
            decoded = base64.b64decode(given, validate=True)
        except (binascii.Error, ValueError):
            return False
        return scheme.lower() == "basic" and hmac.compare_digest(
            decoded, base64.b64decode(self._expected)
        )


class Dispatch:
    """Answers requests from a store."""

    def __init__(
        self, store: Store, *, read_only: bool = False, credentials: Credentials | None = None
    ) -> None:
        self._read_only = read_only
        self._credentials = credentials
        self._handlers = _handlers(store)

    def __call__(self, method: str, target: str, headers: Mapping[str, str], body: Body) -> Answer:
        """The answer to one request; *headers* have lower-case keys."""
        self._check_user(headers)
        path, query = split(target)
        topic, repository, item = route(path)
        if self._read_only and method not in _READS:
            raise Problem(405, "UNSUPPORTED", "this registry is read-only")
        handle = self._handlers.get((topic, "GET" if method == "HEAD" else method))
        if handle is None:
            raise Problem(405, "UNSUPPORTED", f"{method} is not for this path")
        return handle(Asked(method, topic, repository, item, query, headers, body))

    def _check_user(self, headers: Mapping[str, str]) -> None:
        credentials = self._credentials
        if credentials is not None and not credentials.let_in(headers.get("authorization", "")):
            raise Problem(401, "UNAUTHORIZED", "authentication required").with_headers(
                ("WWW-Authenticate", 'Basic realm="artificer registry"')
            )


def _handlers(store: Store) -> Mapping[tuple[str, str], Handle]:
    uploads = Uploads(store)
    return {
        ("base", "GET"): lambda _: json_answer(200, {}),
        ("catalog", "GET"): lambda asked: list_repositories(store, asked),
        ("tags", "GET"): lambda asked: list_tags(store, asked),
        ("referrers", "GET"): lambda asked: list_referrers(store, asked),
        ("blob", "GET"): lambda asked: get_blob(store, asked),
        ("blob", "DELETE"): lambda asked: delete_blob(store, asked),
        ("uploads", "POST"): uploads.start,
        ("upload", "GET"): uploads.status,
        ("upload", "PATCH"): uploads.append,
        ("upload", "PUT"): uploads.finish,
        ("upload", "DELETE"): uploads.cancel,
        ("manifest", "GET"): lambda asked: get_manifest(store, asked),
        ("manifest", "PUT"): lambda asked: put_manifest(store, asked),
        ("manifest", "DELETE"): lambda asked: delete_manifest(store, asked),
    }
