"""Whether what a registry has under a tag is whole, asked without any of our code."""

import hashlib
import http.client
import json
from typing import Any

ACCEPT = {
    "Accept": "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json"
}


def got(host: str, path: str, headers: dict[str, str] | None = None) -> tuple[int, bytes]:
    """The status and the body of a GET."""
    connection = http.client.HTTPConnection(host, timeout=30)
    try:
        connection.request("GET", path, headers=headers or {})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def tagged(host: str, repository: str, tag: str = "1") -> str | None:
    """The digest of what *tag* names, every byte of which was read; None without such a tag."""
    status, data = got(host, f"/v2/{repository}/manifests/{tag}", ACCEPT)
    if status == 404:
        return None
    assert status == 200, data
    document: dict[str, Any] = json.loads(data)
    for one in (document["config"], *document["layers"]):
        status, blob = got(host, f"/v2/{repository}/blobs/{one['digest']}")
        assert status == 200, f"{repository}:{tag} names {one['digest']}, which is missing"
        assert _digest(blob) == one["digest"]
    return _digest(data)


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"
