import http.server
import socketserver
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest

from artificer.images.daemon import (
    DaemonFailed,
    find_in_daemon,
    load_into_daemon,
    socket_path,
)
from artificer.images.place import NotFound
from artificer.images.written import copy_to
from artificer.oci.reference import Daemon, parse_name
from tests.images.made import image_of, reach_of, tar_of

FILES = tar_of(("etc/one", b"1" * 5000))
NAME = Daemon(parse_name("a:1"))
Answers = dict[str, tuple[int, bytes]]


class _Engine(http.server.BaseHTTPRequestHandler):
    """Answers as it is told, whatever it is sent; nothing at all for status 0."""

    answers: ClassVar[Answers] = {}

    def do_GET(self) -> None:
        status, data = self.answers[self.command]
        if not status:
            return
        self.send_response(status)
        self.send_header("Content-Length", str(len(data) + (100 if status == 206 else 0)))
        self.end_headers()
        self.wfile.write(data)

    def do_POST(self) -> None:
        while size := int(self.rfile.readline(), 16):
            self.rfile.read(size + 2)
        self.rfile.readline()
        self.do_GET()

    def address_string(self) -> str:
        return "engine"

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def engine(parts_folder: Path) -> Iterator[tuple[str, Answers]]:
    """A fake engine's DOCKER_HOST, and its answers by method."""
    answers: Answers = {}
    handler = type("Engine", (_Engine,), {"answers": answers})
    path = parts_folder / "fake.sock"
    with socketserver.ThreadingUnixStreamServer(str(path), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"unix://{path}", answers
        server.shutdown()
        thread.join()
    path.unlink()


@pytest.mark.parametrize(
    ("post", "get", "message"),
    [
        ((500, b'{"message":"no space"}'), (200, b"{}"), "refused the image"),
        ((200, b'{"error":"broken layer"}'), (200, b"{}"), "broken layer"),
        ((200, b"{}"), (404, b"{}"), "does not have it"),
        ((0, b""), (200, b"{}"), "broke off"),
    ],
)
def test_what_an_engine_refuses_is_told(
    tmp_path: Path,
    engine: tuple[str, Answers],
    post: tuple[int, bytes],
    get: tuple[int, bytes],
    message: str,
) -> None:
    reach, _ = reach_of(f"{tmp_path}/store")
    image = image_of(reach.store, FILES)
    host, answers = engine
    answers.update(POST=post, GET=get)

    with pytest.raises(DaemonFailed, match=message):
        load_into_daemon(image, NAME, host, reach)


def test_an_image_that_an_engine_cuts_off_is_not_kept(
    tmp_path: Path, engine: tuple[str, Answers]
) -> None:
    reach, _ = reach_of(f"{tmp_path}/store")
    host, answers = engine
    answers["GET"] = (206, FILES)
    with pytest.raises(DaemonFailed, match="broke off"):
        find_in_daemon(NAME, host, reach)
    assert not list((tmp_path / "store" / "tmp").iterdir())

    answers["GET"] = (500, b"not even JSON")
    with pytest.raises(NotFound) as error:
        find_in_daemon(NAME, host, reach)
    assert error.value.hint == "it said: not even JSON"


def test_dockers_usual_socket_is_asked_when_nothing_is_said() -> None:
    assert socket_path(None) == "/var/run/docker.sock"
    assert socket_path("unix:///run/podman.sock") == "/run/podman.sock"


def test_a_blob_is_copied_where_it_cannot_be_linked(tmp_path: Path) -> None:
    reach, _ = reach_of(f"{tmp_path}/store")
    blob = image_of(reach.store, FILES).layers[0].blob
    elsewhere = Path("/dev/shm")
    if not elsewhere.is_dir() or elsewhere.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is no second file system")
    target = elsewhere / tmp_path.name

    copy_to(blob, str(target), reach)

    assert blob.digest.matches(target.read_bytes())
    target.unlink()
