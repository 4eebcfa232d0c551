"""Directories served on loopback, as archives of packages are, and as broken ones are."""

import base64
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit


class Served:
    """A directory on loopback: *uri*, and the *requests* so far as ``(path, Range header)``.

    It knows ETag, Range and If-None-Match; *unchanged* are the paths that were answered by 304.
    What *answers* has for a path is said in place of the file: a status, or other bytes. A path
    in *cut* breaks off after so many bytes, once. With a *login* (``USER:PASSWORD``) nobody else
    is served; *told* are the headers ``Authorization`` of requests by their paths. What is in
    *moved* is somewhere else.
    """

    def __init__(self, uri: str) -> None:
        self.uri = uri
        self.requests: list[tuple[str, str]] = []
        self.unchanged: list[str] = []
        self.answers: dict[str, int | bytes] = {}
        self.cut: dict[str, int] = {}
        self.login = ""
        self.told: dict[str, str] = {}
        self.moved: dict[str, str] = {}

    @property
    def paths(self) -> list[str]:
        return [path for path, _ in self.requests]


@contextmanager
def served(root: Path) -> Iterator[Served]:
    """Serve the directory *root* on loopback until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        tag = ""

        def do_GET(self) -> None:
            # As a proxy, it is asked for whole URLs, and has all hosts' files.
            path = unquote(urlsplit(self.path).path)
            place.requests.append((path, self.headers.get("Range", "")))
            place.told[path] = self.headers.get("Authorization", "")
            answer = _answer(place, root, path)
            if isinstance(answer, int):
                self._say(answer, b"")
                return
            self.tag = f'"{zlib.crc32(answer):08x}"'
            if self.headers.get("If-None-Match") == self.tag:
                place.unchanged.append(path)
                self._say(304, b"")
                return
            start = int(self.headers.get("Range", "bytes=0-")[6:].rstrip("-"))
            self._say(206 if start else 200, answer[start:], place.cut.pop(path, -1))

        def _say(self, status: int, data: bytes, cut: int = -1) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.send_header("ETag", self.tag)
            if status == 302:
                self.send_header("Location", place.moved[urlsplit(self.path).path])
            self.end_headers()
            self.wfile.write(data if cut < 0 else data[:cut])
            if cut >= 0:
                self.close_connection = True

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    place = Served(f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield place
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _basic(login: str) -> str:
    return f"Basic {base64.b64encode(login.encode()).decode()}"


def _answer(place: Served, root: Path, path: str) -> int | bytes:
    """What is said of *path*: a status, or bytes."""
    if path in place.moved:
        return 302
    if place.login and place.told[path] != _basic(place.login):
        return 401
    if path in place.answers:
        return place.answers[path]
    file = root / path.lstrip("/")
    return file.read_bytes() if file.is_file() else 404
