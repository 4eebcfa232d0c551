"""What went into a registry and out of it, as the registry itself tells: nobody is slowed."""

import http.server
import json
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

MARK = "bench-mark"


class Sent(NamedTuple):
    """Bytes and numbers of what clients did since the last look."""

    blobs: int = 0
    size: int = 0
    """Bytes of the blobs, without manifests."""
    mounts: int = 0
    fetched: int = 0
    """Bytes of the blobs that were read."""


class Traffic:
    """The registry's notifications, collected: every blob that was taken, mounted or given."""

    def __init__(self) -> None:
        self.url = ""
        self._events: list[dict[str, Any]] = []
        self._lock = threading.Lock()

    @property
    def section(self) -> dict[str, Any]:
        """The registry's configuration that makes it tell us."""
        endpoint = {
            "name": "bench",
            "url": self.url,
            "timeout": "2s",
            "threshold": 5,
            "backoff": "1s",
        }
        return {"endpoints": [endpoint]}

    def take(self, event: dict[str, Any]) -> None:
        """Keep one event."""
        with self._lock:
            self._events.append(event)

    def since(self, manifest: str, seconds: float = 10) -> Sent:
        """Everything since the last look, and forget it.

        Events come late but in order, so we ask for the *manifest* and wait to be told of it.
        """
        mark = f"{MARK}-{time.monotonic_ns()}"
        accept = "application/vnd.oci.image.manifest.v1+json"
        headers = {"User-Agent": mark, "Accept": accept}
        urllib.request.urlopen(urllib.request.Request(manifest, headers=headers)).close()
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            with self._lock:
                agents = [event["request"].get("useragent") for event in self._events]
                if mark in agents:
                    told = [_told(event) for event in self._events[: agents.index(mark)]]
                    del self._events[: agents.index(mark) + 1]
                    return Sent(*map(sum, zip(*told, strict=True))) if told else Sent()
            time.sleep(0.01)
        raise TimeoutError("the registry does not tell what it was sent")


def _told(event: dict[str, Any]) -> Sent:
    target, action = event["target"], event["action"]
    size = int(target.get("length") or target.get("size") or 0)
    if "manifest" in target["mediaType"] or "index" in target["mediaType"]:
        return Sent()
    if action == "push":
        return Sent(blobs=1, size=size)
    if action == "mount":
        return Sent(mounts=1)
    get = action == "pull" and event["request"]["method"] == "GET"
    return Sent(fetched=size if get else 0)


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    traffic: Traffic

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        for event in body["events"]:
            self.traffic.take(event)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@contextmanager
def listening() -> Iterator[Traffic]:
    """Listen for notifications until the block ends."""
    traffic = Traffic()
    handler = type("Handler", (_Handler,), {"traffic": traffic})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        traffic.url = f"http://127.0.0.1:{server.server_port}/"
        threading.Thread(target=server.serve_forever, name="traffic", daemon=True).start()
        try:
            yield traffic
        finally:
            server.shutdown()
