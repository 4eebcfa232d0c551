"""A client that is as plain as can be: it speaks the specification and checks nothing."""

import hashlib
import http.client
import json
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from artificer.oci import media
from artificer.oci.descriptor import Descriptor
from artificer.oci.digest import Digest


class Told(NamedTuple):
    """An answer."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def codes(self) -> list[str]:
        return [error["code"] for error in self.json["errors"]]


class Asking:
    """One connection to a registry, and the usual steps of a push."""

    def __init__(self, address: str) -> None:
        self.connection = http.client.HTTPConnection(address, timeout=20)

    def __call__(
        self,
        method: str,
        path: str,
        body: bytes | Iterable[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Told:
        chunked = not (body is None or isinstance(body, bytes))
        self.connection.request(method, path, body, dict(headers or {}), encode_chunked=chunked)
        response = self.connection.getresponse()
        return Told(response.status, response.headers, response.read())

    def close(self) -> None:
        self.connection.close()

    def start(self, repository: str) -> str:
        """The path of a new upload."""
        told = self("POST", f"/v2/{repository}/blobs/uploads/", b"")
        assert told.status == 202, told
        return path_of(told)

    def push(self, repository: str, data: bytes) -> Digest:
        digest = Digest.of(data)
        told = self("PUT", f"{self.start(repository)}?digest={digest}", data)
        assert told.status == 201, told
        return digest

    def put(
        self, repository: str, reference: str, manifest: bytes, kind: str = media.OCI_MANIFEST
    ) -> Told:
        path = f"/v2/{repository}/manifests/{reference}"
        return self("PUT", path, manifest, {"Content-Type": kind})

    def image(self, repository: str, *layers: bytes, **fields: Any) -> bytes:
        """An image's manifest, its blobs being pushed."""
        config = b'{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}'
        for blob in (config, *layers):
            self.push(repository, blob)
        return manifest_of(config, *layers, **fields)


def manifest_of(config: bytes, *layers: bytes, **fields: Any) -> bytes:
    document = {
        "schemaVersion": 2,
        "mediaType": media.OCI_MANIFEST,
        "config": Descriptor.for_bytes(media.OCI_CONFIG, config).document,
        "layers": [Descriptor.for_bytes(media.OCI_LAYER, layer).document for layer in layers],
        **fields,
    }
    return json.dumps(document).encode()


def index_of(*members: bytes, **fields: Any) -> bytes:
    manifests = [Descriptor.for_bytes(media.OCI_MANIFEST, member).document for member in members]
    return json.dumps(
        {"schemaVersion": 2, "mediaType": media.OCI_INDEX, "manifests": manifests, **fields}
    ).encode()


def path_of(told: Told) -> str:
    """The Location, which may be relative or absolute, as a path."""
    parts = urlsplit(told.headers["Location"])
    return f"{parts.path}?{parts.query}" if parts.query else parts.path


def sha512(data: bytes) -> Digest:
    return Digest("sha512:" + hashlib.sha512(data).hexdigest())
