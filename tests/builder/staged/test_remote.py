from collections.abc import Callable
from pathlib import Path

import pytest

from artificer.builder.staged.options import Secrets
from artificer.builder.staged.remote import Remotes
from artificer.builder.staged.shop import Ask
from artificer.errors import ArtificerError, Misused, Unavailable
from artificer.events import unheard
from artificer.http.request import Request, Response
from artificer.oci.digest import Digest
from artificer.sources.git import Git
from artificer.sources.url import NotFound, Web, WrongHash
from artificer.stop import Stop
from artificer.store.blobs import open_store

URL = "https://example.com/dir/a%20file.bin?x=1"
MODIFIED = "Wed, 21 Oct 2015 07:28:00 GMT"


class Server:
    """One file, which may be replaced; `asked` are the requests."""

    def __init__(self, data: bytes = b"data", **headers: str) -> None:
        self.data = data
        self.headers = headers
        self.status = 200
        self.asked: list[Request] = []

    def __call__(self, request: Request) -> Response:
        self.asked.append(request)
        tag = self.headers.get("etag")
        if tag and request.headers.get("If-None-Match") == tag:
            return Response.of(304, {}, b"")
        since = request.headers.get("If-Modified-Since")
        if since and since == self.headers.get("last-modified"):
            return Response.of(304, {}, b"")
        return Response.of(self.status, self.headers, self.data)


@pytest.fixture
def remotes(tmp_path: Path) -> Callable[..., Remotes]:
    store = open_store(str(tmp_path / "store"))

    def make(
        server: Server, epoch: int = 5, *, offline: bool = False, **secrets: bytes
    ) -> Remotes:
        web = Web(server, store, unheard, Stop(), offline=offline)
        return Remotes(web, Git(store, unheard, Stop()), Secrets(secrets), epoch)

    return make


def test_a_file_has_the_urls_name_and_the_servers_time(remotes: Callable[..., Remotes]) -> None:
    found = remotes(Server(b"data", **{"last-modified": MODIFIED})).fetch(Ask(URL))

    assert (found.name, found.mtime, found.is_directory) == ("a file.bin", 1445412480, False)
    assert Path(found.path).read_bytes() == b"data"


@pytest.mark.parametrize("modified", ["", "yesterday", "Wed, 21 Oct 99999 07:28:00 GMT"])
def test_without_a_time_it_has_the_epoch(remotes: Callable[..., Remotes], modified: str) -> None:
    found = remotes(Server(b"data", **{"last-modified": modified})).fetch(Ask(URL))

    assert found.mtime == 5


@pytest.mark.parametrize("headers", [{"etag": '"1"'}, {"last-modified": MODIFIED}])
def test_the_server_is_asked_each_time_but_sends_only_what_is_new(
    remotes: Callable[..., Remotes], headers: dict[str, str]
) -> None:
    server = Server(b"data", **headers)
    first = remotes(server).fetch(Ask(URL))
    again = remotes(server).fetch(Ask(URL))
    server.data, server.headers = b"new", {"etag": '"2"'}

    other = remotes(server).fetch(Ask(URL))

    assert first == again
    assert other.identity != first.identity
    assert len(server.asked) == 3


def test_a_file_is_fetched_once_in_a_build(remotes: Callable[..., Remotes]) -> None:
    server = Server()
    one = remotes(server)

    assert one.fetch(Ask(URL)) == one.fetch(Ask(URL))
    assert len(server.asked) == 1


def test_with_a_checksum_it_is_verified_fetched_once_and_of_no_time(
    remotes: Callable[..., Remotes],
) -> None:
    server = Server(b"data", **{"last-modified": MODIFIED})
    ask = Ask(URL, str(Digest.of(b"data")))

    first = remotes(server).fetch(ask)
    second = remotes(server).fetch(ask)

    assert first == second
    assert first.mtime == 5
    assert len(server.asked) == 1


def test_other_bytes_than_the_checksums_are_refused_and_not_kept(
    remotes: Callable[..., Remotes],
) -> None:
    ask = Ask(URL, str(Digest.of(b"other")))
    with pytest.raises(WrongHash, match="not sha256"):
        remotes(Server()).fetch(ask)

    server = Server(b"other")
    remotes(server).fetch(ask)

    assert len(server.asked) == 1


@pytest.mark.parametrize("checksum", ["md5:abc", "sha512:" + "0" * 128, "xyz"])
def test_a_checksum_is_a_sha256(remotes: Callable[..., Remotes], checksum: str) -> None:
    with pytest.raises(Misused, match="not a checksum"):
        remotes(Server()).fetch(Ask(URL, checksum))


@pytest.mark.parametrize(
    ("secret", "value"),
    [("HTTP_AUTH_TOKEN_example.com", "Bearer abc"), ("HTTP_AUTH_HEADER_example.com", "abc")],
)
def test_secrets_authorize_by_host(
    remotes: Callable[..., Remotes], secret: str, value: str
) -> None:
    server = Server()

    remotes(server, **{secret: b"abc\n", "HTTP_AUTH_TOKEN_other.com": b"x"}).fetch(Ask(URL))

    assert server.asked[0].headers["Authorization"] == value


@pytest.mark.parametrize(("status", "error"), [(404, NotFound), (503, Unavailable)])
def test_a_server_that_has_no_file_is_an_error(
    remotes: Callable[..., Remotes], status: int, error: type[ArtificerError]
) -> None:
    server = Server()
    server.status = status

    with pytest.raises(error, match=str(status)):
        remotes(server).fetch(Ask(URL))


def test_offline_what_was_fetched_is_taken(remotes: Callable[..., Remotes]) -> None:
    server = Server()
    with pytest.raises(Unavailable, match="offline"):
        remotes(server, offline=True).fetch(Ask(URL))
    first = remotes(server).fetch(Ask(URL))

    assert remotes(server, offline=True).fetch(Ask(URL)) == first
    assert len(server.asked) == 1
