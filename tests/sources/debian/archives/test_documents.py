"""Lists of archives come from mirrors as well, never get older, and may change underway."""

from collections.abc import Callable, Iterator
from email.utils import formatdate
from pathlib import Path

import pytest

from artificer.events import Event, Note, Warned
from artificer.http.request import Request, Response
from artificer.sources.debian.archives.acquire import acquire, open_universe
from artificer.sources.debian.archives.documents import Trust
from artificer.sources.debian.archives.universe import Universe
from artificer.sources.debian.values import Archive, Locked
from artificer.sources.logins import Logins, named_logins
from artificer.sources.mirrors import Mirrors, mirrors_of
from artificer.sources.url import NotFetched, Refused, Web, WrongHash
from artificer.store.blobs import open_store
from tests.parts.archive import TIME, SmallArchive, made
from tests.parts.archive_server import Served, served
from tests.parts.machine_archive import web_over
from tests.parts.openpgp import Key

TRUST = Trust((), TIME + 7 * 86400, ("python",))
RELEASE = "/dists/stable/InRelease"


@pytest.fixture
def told() -> list[Event]:
    return []


@pytest.fixture
def web(tmp_path: Path, told: list[Event]) -> Iterator[Web]:
    with web_over(open_store(str(tmp_path / "store")), report=told.append) as web:
        yield web


@pytest.fixture
def small(tmp_path: Path) -> SmallArchive:
    return SmallArchive(tmp_path / "archive").add(made("a", "1", "amd64")).publish()


@pytest.fixture
def place(small: SmallArchive) -> Iterator[Served]:
    with small.serve() as place:
        yield place


def opened(web: Web, archive: Archive) -> Universe:
    return open_universe([archive], ["amd64"], web, trust=TRUST)


def newest(universe: Universe) -> Locked:
    one = universe.versions("a", "amd64")[0]
    return Locked(one.name, one.version, one.architecture, one.urls, one.sha256, one.size)


def warnings(told: list[Event]) -> list[str]:
    return [event.text for event in told if isinstance(event, Warned)]


def over(web: Web, *words: str) -> Web:
    return web._replace(mirrors=Mirrors(mirrors_of(words)))


def on(day: int) -> str:
    return formatdate(TIME + day * 86400, usegmt=True)


def test_a_mirror_is_asked_and_the_archive_is_named(
    small: SmallArchive, place: Served, web: Web
) -> None:
    web = over(web, f"archive.invalid/debian={place.uri}")

    one = newest(opened(web, small.archive(uri="https://archive.invalid/debian")))
    path = acquire([one], web)[one]

    assert one.urls[0].startswith("https://archive.invalid/debian/pool/")
    assert Path(path).stat().st_size == one.size


def test_a_directory_may_be_the_mirror(small: SmallArchive, web: Web) -> None:
    web = over(web, f"archive.invalid={small.root}")

    one = newest(opened(web, small.archive(uri="https://archive.invalid")))

    assert acquire([one], web)[one]


def test_what_a_mirror_lacks_the_archive_has(
    small: SmallArchive, place: Served, web: Web, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    with served(tmp_path / "empty") as mirror:
        web = over(web, f"{place.uri.removeprefix('http://')}={mirror.uri}")
        one = newest(opened(web, small.archive(uri=place.uri)))
        acquire([one], web)

        assert mirror.requests
    assert f"/{one.urls[0].partition('/pool/')[2]}" in place.paths[-1]


def test_a_mirror_that_lies_is_passed_over(
    small: SmallArchive, place: Served, web: Web, tmp_path: Path, told: list[Event]
) -> None:
    key = Key.make("ed25519", created=TIME)
    other = SmallArchive(tmp_path / "other", key).add(made("a", "666", "amd64")).publish()
    with other.serve() as mirror:
        web = over(web, f"{place.uri}={mirror.uri}")
        one = newest(opened(web, small.archive(uri=place.uri)))
        for file in (small.root / "pool").rglob("*.deb"):
            mirror.answers[f"/{file.relative_to(small.root)}"] = b"x" * file.stat().st_size
        acquire([one], web)

    assert one.version == "1"
    assert any(isinstance(event, Note) and "passed over" in event.text for event in told)


def test_a_mirror_that_is_away_is_told_once(
    small: SmallArchive, place: Served, web: Web, told: list[Event]
) -> None:
    web = over(web, f"{place.uri}=http://127.0.0.1:1")

    one = newest(opened(web, small.archive(uri=place.uri)))
    acquire([one], web)

    assert len([text for text in warnings(told) if "not asked again" in text]) == 1


def test_offline_what_a_mirror_gave_is_there(
    small: SmallArchive, place: Served, web: Web, told: list[Event]
) -> None:
    web = over(web, f"archive.invalid={place.uri}")
    archive = small.archive(uri="https://archive.invalid")
    one = newest(opened(web, archive))

    assert newest(opened(web._replace(offline=True), archive)) == one
    assert warnings(told) == []


def test_an_older_release_than_the_one_seen_is_not_taken(
    small: SmallArchive, place: Served, web: Web, told: list[Event]
) -> None:
    archive = small.archive(uri=place.uri)
    old = {path: file.read_bytes() for path, file in _files(small)}
    small.add(made("a", "2", "amd64")).publish(Date=on(1))
    assert newest(opened(web, archive)).version == "2"

    place.answers.update(old)

    assert newest(opened(web, archive)).version == "2"
    assert any("older than that of" in text for text in warnings(told))


def test_an_older_release_is_taken_where_time_does_not_count(
    small: SmallArchive, place: Served, web: Web
) -> None:
    old = {path: file.read_bytes() for path, file in _files(small)}
    small.add(made("a", "2", "amd64")).publish(Date=on(1))
    opened(web, small.archive(uri=place.uri))
    place.answers.update(old)

    unchecked = small.archive(uri=place.uri)._replace(check_valid_until=False)
    assert newest(opened(web, unchecked)).version == "1"


def test_a_mirror_that_lags_is_passed_over_for_the_archive(
    small: SmallArchive, place: Served, web: Web, tmp_path: Path
) -> None:
    lagging = tmp_path / "lagging"
    for path, file in _files(small):
        (lagging / path.lstrip("/")).parent.mkdir(parents=True, exist_ok=True)
        (lagging / path.lstrip("/")).write_bytes(file.read_bytes())
    small.add(made("a", "2", "amd64")).publish(Date=on(1))
    archive = small.archive(uri=place.uri)
    opened(web, archive)

    with served(lagging) as mirror:
        assert newest(opened(over(web, f"{place.uri}={mirror.uri}"), archive)).version == "2"


def test_a_record_that_is_damaged_is_as_none(small: SmallArchive, place: Served, web: Web) -> None:
    archive = small.archive(uri=place.uri)
    for text in (b"", b"{}\n", b"[1]\nx", b'{"made": "x", "text": 1}\n'):
        web.store.set_record("deb-newest", f"{place.uri}/dists/stable", text)
        assert newest(opened(web, archive)).version == "1"


def test_a_list_that_changes_underway_is_read_once_more(
    small: SmallArchive, place: Served, web: Web, told: list[Event]
) -> None:
    stale = (small.root / RELEASE.lstrip("/")).read_bytes()
    for _, file in _files(small):
        if "by-hash" in file.parts:
            file.unlink()
    small.add(made("a", "2", "amd64")).publish(Date=on(1))
    asked = 0

    def send(request: Request, ask: Callable[[Request], Response] = web.send) -> Response:
        nonlocal asked
        asked += request.url.endswith(RELEASE)
        place.answers = {RELEASE: stale} if asked == 1 else {}
        return ask(request)

    one = newest(opened(web._replace(send=send), small.archive(uri=place.uri)))

    assert (one.version, asked) == ("2", 2)
    assert any(isinstance(event, Note) and "is read again" in event.text for event in told)


def test_a_list_that_stays_wrong_is_an_error(small: SmallArchive, place: Served, web: Web) -> None:
    for path, file in _files(small):
        if "Packages" in path or "by-hash" in path:
            place.answers[path] = b"x" * file.stat().st_size

    with pytest.raises(WrongHash, match="sha256 is") as caught:
        opened(web, small.archive(uri=place.uri))

    assert place.paths.count(RELEASE) == 2
    assert "being updated" in (caught.value.hint or "")


def test_a_login_opens_a_private_archive(
    small: SmallArchive, place: Served, web: Web, tmp_path: Path
) -> None:
    place.login = "me:secret"
    (tmp_path / "auth").write_text("machine http://127.0.0.1 login you password wrong")
    logins = Logins(named_logins(str(tmp_path / "auth"), "--archive-auth", str(tmp_path)))

    with pytest.raises(Refused, match="answered 401") as caught:
        opened(web._replace(logins=logins), small.archive(uri=place.uri))

    assert caught.value.exit_code == 77
    assert "the login of ~/auth (--archive-auth)" in (caught.value.hint or "")


def test_a_package_that_is_refused_is_named(small: SmallArchive, place: Served, web: Web) -> None:
    one = newest(opened(web, small.archive(uri=place.uri)))
    place.login = "me:secret"

    with pytest.raises(Refused, match=r"a:amd64=1: .*answered 401"):
        acquire([one], web)


def test_an_archive_that_says_403_of_everything_refuses_us(
    small: SmallArchive, place: Served, web: Web
) -> None:
    place.answers = dict.fromkeys((RELEASE, "/dists/stable/Release"), 403)

    with pytest.raises(Refused, match="answered 403"):
        opened(web, small.archive(uri=place.uri))


def test_a_server_that_is_broken_is_unavailable(
    small: SmallArchive, place: Served, web: Web
) -> None:
    place.answers = {RELEASE: 500}
    with pytest.raises(NotFetched):
        opened(web, small.archive(uri=place.uri))


def _files(archive: SmallArchive) -> list[tuple[str, Path]]:
    found = sorted(path for path in (archive.root / "dists").rglob("*") if path.is_file())
    return [(f"/{path.relative_to(archive.root)}", path) for path in found]
