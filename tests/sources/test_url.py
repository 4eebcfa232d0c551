"""Files of the web are fetched once, verified, and resumed where a connection broke."""

import base64
import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from artificer.errors import ArtificerError, Misused, Transient
from artificer.events import BlobProgress, Event, Warned
from artificer.http.request import Request, Response
from artificer.oci.digest import Digest
from artificer.sources.url import NotFetched, Web, WrongHash, fetch, wanted
from artificer.stop import Stop
from artificer.store.blobs import open_store

DATA = bytes(range(256)) * 4096
HASH = hashlib.sha256(DATA).hexdigest()
URL = "https://files.example/a/file.deb"


class Server:
    """Answers GET as the table says; counts what it was asked."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self.files = files
        self.asked: list[Request] = []
        self.breaks: list[int] = []

    def __call__(self, request: Request) -> Response:
        self.asked.append(request)
        data = self.files.get(request.url)
        if data is None:
            return Response.of(404, {}, url=request.url)
        start = int(request.headers.get("Range", "bytes=0-")[6:-1])
        headers = {"etag": '"1"', "content-length": str(len(data) - start)}
        rest = data[start:]
        if self.breaks:
            rest = rest[: self.breaks.pop(0)]
            return self._breaking(206 if start else 200, headers, rest, request.url)
        return Response.of(206 if start else 200, headers, rest, url=request.url)

    def _breaking(
        self, status: int, headers: Mapping[str, str], data: bytes, url: str
    ) -> Response:
        left = memoryview(data)

        def pull(size: int) -> bytes:
            nonlocal left
            if not left:
                raise Transient("broke off")
            piece, left = left[:size], left[size:]
            return bytes(piece)

        return Response(status, headers, url=url, pull=pull, close=lambda: None)


@pytest.fixture
def told() -> list[Event]:
    return []


@pytest.fixture
def web(tmp_path: Path, told: list[Event]) -> Callable[..., Web]:
    def make(server: Server, **more: object) -> Web:
        store = open_store(str(tmp_path / "store"))
        return Web(server, store, told.append, Stop(), **more)  # type: ignore[arg-type]

    return make


def test_a_file_is_fetched_once(web: Callable[..., Web]) -> None:
    server = Server({URL: DATA})
    file = wanted([URL], sha256=HASH)

    first, second = fetch(file, web(server)), fetch(file, web(server))

    assert first == second
    assert first.digest == Digest.of(DATA)
    assert Path(first.path).read_bytes() == DATA
    assert len(server.asked) == 1


def test_the_next_url_is_tried(web: Callable[..., Web]) -> None:
    server = Server({URL: DATA})

    fetch(wanted(["https://gone.example/file.deb", URL], sha256=HASH), web(server))

    assert [request.url for request in server.asked] == ["https://gone.example/file.deb", URL]


def test_a_wrong_hash_shows_both_and_keeps_nothing(web: Callable[..., Web]) -> None:
    reach = web(Server({URL: b"other"}))

    with pytest.raises(WrongHash) as caught:
        fetch(wanted([URL], sha256=HASH), reach)

    assert HASH in caught.value.message
    assert hashlib.sha256(b"other").hexdigest() in caught.value.message
    assert reach.store.has(Digest.of(b"other")) is None


@pytest.mark.parametrize("algorithm", ["sha256", "sha384", "sha512"])
def test_integrity_is_verified(web: Callable[..., Web], algorithm: str) -> None:
    value = base64.b64encode(hashlib.new(algorithm, DATA).digest()).decode()
    wrong = base64.b64encode(hashlib.new(algorithm, b"x").digest()).decode()

    fetch(wanted([URL], integrity=f"{algorithm}-{value}"), web(Server({URL: DATA})))
    with pytest.raises(WrongHash):
        fetch(wanted([URL], integrity=f"{algorithm}-{wrong}"), web(Server({URL: DATA})))


def test_a_file_without_a_hash_is_told_and_kept(
    web: Callable[..., Web], told: list[Event]
) -> None:
    server = Server({URL: DATA})

    fetch(wanted([URL]), web(server))
    fetch(wanted([URL]), web(server))

    (warning,) = [event for event in told if isinstance(event, Warned)]
    assert HASH in warning.hint
    assert len(server.asked) == 1


def test_a_broken_download_goes_on_where_it_broke(web: Callable[..., Web]) -> None:
    server = Server({URL: DATA})
    server.breaks = [1000, 70_000]

    found = fetch(wanted([URL], sha256=HASH), web(server))

    assert found.size == len(DATA)
    assert [request.headers.get("Range") for request in server.asked] == [
        None, "bytes=1000-", "bytes=71000-",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("url", "name"),
    [(URL, "file.deb"), (f"https://me:word@files.example/by-hash/{HASH}", "files.example")],
)
def test_a_large_download_is_told_by_its_name_and_to_its_end(
    web: Callable[..., Web], told: list[Event], url: str, name: str
) -> None:
    data = DATA * 20

    fetch(wanted([url]), web(Server({url: data})))

    seen = [event for event in told if isinstance(event, BlobProgress)]
    assert {event.name for event in seen} == {name}
    assert 0 < seen[0].done < len(data)
    assert seen[-1].done == seen[-1].total == len(data)


def test_a_download_that_always_breaks_is_given_up(web: Callable[..., Web]) -> None:
    server = Server({URL: DATA})
    server.breaks = [1] * 10

    with pytest.raises(Transient):
        fetch(wanted([URL], sha256=HASH), web(server))


def test_local_files_and_distribution_directories_need_no_network(
    web: Callable[..., Web], tmp_path: Path
) -> None:
    (tmp_path / "dist").mkdir()
    (tmp_path / "dist" / "file.deb").write_bytes(DATA)
    server = Server({})

    by_url = fetch(wanted([f"file://{tmp_path}/dist/file.deb"]), web(server))
    by_dist = fetch(wanted([URL], sha256=HASH), web(server, distdirs=(str(tmp_path / "dist"),)))

    assert by_url == by_dist
    assert server.asked == []


def test_another_file_in_a_distribution_directory_is_not_taken(
    web: Callable[..., Web], tmp_path: Path
) -> None:
    (tmp_path / "file.deb").write_bytes(b"another")

    found = fetch(wanted([URL], sha256=HASH), web(Server({URL: DATA}), distdirs=(str(tmp_path),)))

    assert found.digest == Digest.of(DATA)


def test_offline_nothing_is_asked(web: Callable[..., Web]) -> None:
    server = Server({URL: DATA})

    with pytest.raises(NotFetched, match="offline"):
        fetch(wanted([URL], sha256=HASH), web(server, offline=True))

    assert server.asked == []


@pytest.mark.parametrize(
    ("urls", "more"),
    [
        ([], {}),
        (["ftp://x/y"], {}),
        ([URL], {"sha256": "abc"}),
        ([URL], {"integrity": "md5-abc"}),
        ([URL], {"integrity": "sha256-!!!"}),
        (
            [URL],
            {"sha256": HASH, "integrity": "sha256-" + base64.b64encode(bytes(32)).decode()},
        ),
    ],
)
def test_what_cannot_be_wanted_is_misuse(urls: list[str], more: dict[str, Any]) -> None:
    with pytest.raises(Misused):
        wanted(urls, **more)


def test_secrets_in_urls_are_not_told(web: Callable[..., Web]) -> None:
    url = "https://user:secret@files.example/x?token=secret"

    with pytest.raises(ArtificerError) as caught:
        fetch(wanted([url], sha256=HASH), web(Server({})))

    assert "secret" not in f"{caught.value.message} {caught.value.hint}"


@pytest.mark.parametrize(
    "url", ["http://[::1/x", "http://u:hunter2@[x/y", "http://a\u2100b/x", "x"]
)
def test_half_an_address_is_no_url_and_its_password_is_not_told(url: str) -> None:
    with pytest.raises(Misused, match="not a URL that can be fetched") as caught:
        wanted([url])
    assert "hunter2" not in caught.value.message
