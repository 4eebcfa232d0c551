"""Images of a running docker or podman engine (``docker-daemon:NAME``), over its unix socket."""

import http.client
import os
import re
import socket
from collections.abc import Container, Iterator, Sequence
from contextlib import suppress
from typing import Any, NamedTuple
from urllib.parse import quote

from artificer import limits
from artificer.errors import ArtificerError, Misused, Unavailable, reason
from artificer.events import EngineLoaded
from artificer.images.archive import Archive
from artificer.images.docker_archive import Saved, docker_parts, found_in_archive, saved_as
from artificer.images.place import Found, NotFound
from artificer.images.reach import Reach
from artificer.images.tarred import tarred
from artificer.oci.digest import Digest
from artificer.oci.document import InvalidDocument, parse
from artificer.oci.image import Content
from artificer.oci.reference import Daemon

SOCKET = "/var/run/docker.sock"
_CHUNK = 1 << 18
_TIMEOUT = 600
_LAYER_FILE = re.compile(r"([0-9a-f]{64})\.tar: no such file")


class NoDaemon(Unavailable):
    """There is no engine to speak to."""


class DaemonFailed(ArtificerError):
    """The engine did not do what it was asked."""


def find_in_daemon(reference: Daemon, host: str | None, reach: Reach) -> Found:
    """Return the engine's image of that name; *host* is what DOCKER_HOST says, if anything."""
    connection = _connection(host)
    name = quote(_name(reference), safe="")
    with _Asked(connection, "GET", f"/images/{name}/get") as response:
        if response.status == 404 or response.status >= 400:
            raise NotFound(
                f"{reference}: the engine has no such image",
                hint=f"it said: {_message(response)}",
            )
        # The engine streams a tar whose listing comes last: it is kept to be read in any order.
        digest = reach.store.put_chunks(_chunks(response, reach))
    return found_in_archive(Archive(reach.store.blob_path(digest), str(reference)), None)


def load_into_daemon(content: Content, reference: Daemon, host: str | None, reach: Reach) -> None:
    """Load *content* into the engine under the reference's name, and see that it is there.

    Only layers that the engine lacks are sent.
    """
    saved = saved_as(content, reference.name)
    sent = _sent(saved, str(reference), host, reach)
    name = quote(_name(reference), safe="")
    with _Asked(_connection(host), "GET", f"/images/{name}/json") as response:
        if response.status != 200:
            raise DaemonFailed(f"{reference}: the engine took the image, but does not have it")
        loaded = _document(response).get("Id")
    total = sum(layer.descriptor.size for layer in saved.image.layers)
    reach.report(EngineLoaded(str(reference), str(loaded), sent, total))


def _sent(saved: Saved, called: str, host: str | None, reach: Reach) -> int:
    """Have the engine load *saved*; return how many bytes it was sent.

    The engine looks for each layer, with those below it, among its own before it opens the
    archive's: so the first attempt has no layer, and its failure names the first that is missing.
    """
    layers = saved.image.layers
    there = frozenset(layer.diff_id for layer in layers)
    failed = _attempt(saved, there, host, reach)
    total = failed.sent
    if failed.said:
        missing = _first_missing(failed.said, [layer.diff_id for layer in layers])
        there = frozenset(layer.diff_id for layer in layers[:missing])
        failed = _attempt(saved, there, host, reach)
        total += failed.sent
    if failed.said and there:
        failed = _attempt(saved, frozenset(), host, reach)
        total += failed.sent
    if failed.said:
        raise DaemonFailed(f"{called}: the engine refused the image: {_short(failed.said)}")
    return total


class _Attempt(NamedTuple):
    """How many bytes were sent, and what the engine did not like; "" if it took them."""

    sent: int
    said: str


def _attempt(saved: Saved, without: Container[Digest], host: str | None, reach: Reach) -> _Attempt:
    sent = 0

    def body() -> Iterator[bytes]:
        nonlocal sent
        # Podman's would put a short name below localhost/.
        parts = docker_parts([saved], reach, without=without, spelled=str)
        for chunk in tarred(parts, reach):
            sent += len(chunk)
            yield chunk

    headers = {"Content-Type": "application/x-tar", "Transfer-Encoding": "chunked"}
    path = "/images/load?quiet=1"
    with _Asked(_connection(host), "POST", path, body(), headers) as response:
        said = response.read(limits.ERROR_BYTES).decode("utf-8", "replace")
        failed = response.status >= 300 or '"error' in said
    return _Attempt(sent, (said or str(response.status)) if failed else "")


def _first_missing(said: str, diff_ids: Sequence[Digest]) -> int:
    """Which layer *said*, an error of the engine, is about; the first if that is not clear."""
    named = _LAYER_FILE.search(said)
    found = [n for n, diff_id in enumerate(diff_ids) if named and diff_id.hex == named[1]]
    return found[0] if found else 0


def socket_path(host: str | None) -> str:
    """Return the socket that *host* (what DOCKER_HOST says) names, or docker's usual one."""
    if not host:
        return SOCKET
    if not host.startswith("unix://"):
        raise Misused(
            f"DOCKER_HOST is {host.partition('://')[0]}://…: only a unix socket will do",
            hint="set DOCKER_HOST=unix:///path/to/docker.sock, or push to a registry",
        )
    return host.removeprefix("unix://")


def _name(reference: Daemon) -> str:
    name = reference.name
    return str(name if name.tag or name.digest else name._replace(tag="latest"))


class _Connection(http.client.HTTPConnection):
    """One connection to an engine's socket."""

    def __init__(self, path: str) -> None:
        super().__init__("docker", timeout=_TIMEOUT)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(_TIMEOUT)
        try:
            self.sock.connect(self._path)
        except OSError as error:
            self.close()
            raise NoDaemon(
                f"the engine at {self._path} does not answer: {reason(error)}",
                hint="is it running, and may we use its socket? (the group `docker` may)",
            ) from error


def _connection(host: str | None) -> _Connection:
    path = socket_path(host)
    if not os.path.exists(path):
        raise NoDaemon(
            f"there is no docker engine: {path} does not exist",
            hint="podman has one with `podman system service`; set DOCKER_HOST=unix://PATH, "
            "or write docker-archive:FILE and load it there",
        )
    return _Connection(path)


class _Asked:
    """One request and its streamed response; the connection is closed at the end."""

    def __init__(
        self,
        connection: _Connection,
        method: str,
        path: str,
        body: Iterator[bytes] | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        self._connection = connection
        self._ask = (method, path, body, headers or {})

    def __enter__(self) -> http.client.HTTPResponse:
        method, path, body, headers = self._ask
        # It may have said why before it hung up: the response is read all the same.
        with suppress(BrokenPipeError, ConnectionResetError):
            self._connection.request(
                method, path, body=body, headers=headers, encode_chunked=body is not None
            )
        try:
            return self._connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            raise DaemonFailed(f"the engine broke off: {error}") from error

    def __exit__(self, *error: object) -> None:
        self._connection.close()


def _chunks(response: http.client.HTTPResponse, reach: Reach) -> Iterator[bytes]:
    try:
        while chunk := response.read(_CHUNK):
            reach.stop.check()
            yield chunk
    except (OSError, http.client.HTTPException) as error:
        raise DaemonFailed(f"the engine broke off: {error}") from error
    if response.length:
        raise DaemonFailed(f"the engine broke off: {response.length} bytes are missing")


def _document(response: http.client.HTTPResponse) -> dict[str, Any]:
    data = response.read(limits.CONFIG_BYTES + 1)
    return parse(data, limit=limits.CONFIG_BYTES, what="the engine's answer")


def _message(response: http.client.HTTPResponse) -> str:
    data = response.read(limits.ERROR_BYTES)
    try:
        said = parse(data, limit=limits.ERROR_BYTES, what="an error").get("message")
    except InvalidDocument:
        said = None
    return _short(said if isinstance(said, str) else data.decode("utf-8", "replace"))


def _short(text: str) -> str:
    return " ".join(text.split())[:300]
