"""What archives have is fetched, verified from the key down, and fetched once."""

import hashlib
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from artificer import limits
from artificer.errors import ArtificerError, Misused
from artificer.events import BlobProgress, Event, Warned
from artificer.sources.debian.archives.acquire import acquire, open_universe
from artificer.sources.debian.archives.documents import Trust
from artificer.sources.debian.archives.index import BadIndex
from artificer.sources.debian.archives.lists import usual_keyrings
from artificer.sources.debian.archives.openpgp import NotOpenPgp, armoured
from artificer.sources.debian.archives.release import BadRelease, Expired, NotListed
from artificer.sources.debian.archives.signature import NotVerified, UnknownKey
from artificer.sources.debian.archives.sourceslist import BadSources
from artificer.sources.debian.archives.universe import Universe
from artificer.sources.debian.resolving.binary import Binary
from artificer.sources.debian.values import Archive, Locked
from artificer.sources.url import NotFetched, NotFound, Web, WrongHash
from artificer.store.blobs import Store, open_store
from tests.parts.archive import TIME, SmallArchive, compressed, made
from tests.parts.archive_server import Served, served
from tests.parts.machine_archive import web_over
from tests.parts.openpgp import Key

TRUST = Trust((), TIME + 60, ("python",))
INDEX = "/dists/stable/main/binary-amd64/Packages"


@pytest.fixture
def told() -> list[Event]:
    return []


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(str(tmp_path / "store"))


@pytest.fixture
def web(store: Store, told: list[Event]) -> Iterator[Web]:
    with web_over(store, report=told.append) as web:
        yield web


@pytest.fixture
def small(tmp_path: Path) -> SmallArchive:
    archive = SmallArchive(tmp_path / "archive")
    files = {"usr/share/a/data": "x" * 100_000}
    return archive.add(made("a", "1", "amd64", files=files), made("b", "2")).publish()


@pytest.fixture
def place(small: SmallArchive) -> Iterator[Served]:
    with small.serve() as place:
        yield place


def opened(web: Web, *archives: Archive) -> Universe:
    return open_universe(archives, ["amd64"], web, trust=TRUST)


def locked(binary: Binary) -> Locked:
    found = (binary.name, binary.version, binary.architecture)
    return Locked(*found, binary.urls, binary.sha256, binary.size)


def refused(kind: type[ArtificerError], web: Web, *archives: Archive) -> tuple[str, str]:
    """Message and hint of what is said when *archives* are opened."""
    with pytest.raises(kind) as caught:
        opened(web, *archives)
    return caught.value.message, caught.value.hint or ""


def test_an_archive_is_read_by_http_and_once(small: SmallArchive, place: Served, web: Web) -> None:
    archive = small.archive(uri=place.uri)
    first = opened(web, archive)
    asked = list(place.paths)
    again = opened(web, archive)

    assert [repr(one) for one in first.versions("a", "amd64")] == ["a:amd64=1"]
    assert sorted(again.names()) == ["a", "b"]
    assert asked[0] == "/dists/stable/InRelease"
    assert "/by-hash/SHA256/" in asked[1]
    assert place.paths == [*asked, "/dists/stable/InRelease"]


@pytest.mark.parametrize("by", ["gpgv", "sqv", "python"])
def test_each_verifier_takes_either_form_of_a_signature(
    by: str, small: SmallArchive, web: Web
) -> None:
    trust = Trust((), TIME + 60, (by,))  # type: ignore[arg-type]
    for form in ("inline", "detached"):
        small.publish(signed=[form])
        universe = open_universe([small.archive()], ["amd64"], web, trust=trust)

        assert sorted(universe.names()) == ["a", "b"]


@pytest.mark.parametrize("compression", ["gz", "xz", "zst"])
def test_each_compression_is_read(compression: str, small: SmallArchive, web: Web) -> None:
    small.publish(compressions=[compression])

    assert sorted(opened(web, small.archive()).names()) == ["a", "b"]


def test_a_release_that_is_the_same_is_not_sent_again(
    small: SmallArchive, place: Served, web: Web
) -> None:
    archive = small.archive(uri=place.uri)
    opened(web, archive)
    opened(web, archive)
    assert place.unchanged == ["/dists/stable/InRelease"]

    small.add(made("new")).publish()
    assert "new" in opened(web, archive).names()
    assert len(place.unchanged) == 1


def test_what_is_kept_of_a_release_may_be_damaged(
    small: SmallArchive, place: Served, web: Web
) -> None:
    archive = small.archive(uri=place.uri)
    opened(web, archive)
    (record,) = web.store.records("deb-release")
    web.store.set_record("deb-release", record.key, b"nonsense")

    assert opened(web, archive).versions("a")
    assert place.unchanged == []


def test_without_by_hash_an_index_has_its_name(
    small: SmallArchive, place: Served, web: Web
) -> None:
    opened(web, small.archive(uri=place.uri)._replace(by_hash=False))

    assert place.paths[1] == f"{INDEX}.zst"


def test_a_mirror_that_lacks_the_hash_is_asked_for_the_name(
    small: SmallArchive, place: Served, web: Web
) -> None:
    small.publish(by_hash=False)
    opened(web, small.archive(uri=place.uri)._replace(by_hash=True))

    assert place.paths[2] == f"{INDEX}.zst"


def test_a_form_that_is_listed_but_not_there_leaves_the_others(
    small: SmallArchive, place: Served, web: Web
) -> None:
    small.publish(by_hash=False)
    (small.root / f"{INDEX[1:]}.zst").unlink()
    opened(web, small.archive(uri=place.uri))

    assert place.paths[1:] == [f"{INDEX}.zst", f"{INDEX}.gz"]


def test_components_are_read_as_they_are_asked_for(tmp_path: Path, web: Web) -> None:
    archive = SmallArchive(tmp_path / "two").add(made("a")).add(made("c"), component="contrib")
    archive.publish()

    assert sorted(opened(web, archive.archive()).names()) == ["a"]
    assert sorted(opened(web, archive.archive("stable", "main", "contrib")).names()) == ["a", "c"]


def test_a_flat_archive_is_read(small: SmallArchive, web: Web) -> None:
    small.flat(made("f"))
    universe = opened(web, small.archive("./"))
    (package,) = universe.versions("f")

    assert package.urls == (f"file://{small.root}/f_1_all.deb",)
    assert acquire([locked(package)], web) == {
        locked(package): f"{small.root}/f_1_all.deb",
    }


def test_a_directory_of_packages_without_a_release_is_read_if_trusted(
    small: SmallArchive, web: Web
) -> None:
    small.flat(made("f"))
    for name in ("Release", "InRelease"):
        (small.root / name).unlink()
    archive = small.archive("./")

    message, hint = refused(NotFound, web, archive)
    assert "has neither InRelease nor Release" in message
    assert "[trusted=yes]" in hint
    assert list(opened(web, archive._replace(trusted=True)).names()) == ["f"]
    assert list(opened(web, archive._replace(trusted=True)).names()) == ["f"]


def test_packages_are_fetched_verified_and_kept(
    small: SmallArchive, place: Served, web: Web, told: list[Event]
) -> None:
    universe = opened(web, small.archive(uri=place.uri))
    packages = [locked(universe.versions(name)[0]) for name in ("a", "b")]
    found = acquire(packages, web)
    count = len(place.paths)

    assert list(found) == packages
    for package, path in found.items():
        assert hashlib.sha256(Path(path).read_bytes()).hexdigest() == package.sha256
    assert acquire(packages, web) == found
    assert len(place.paths) == count
    total = sum(package.size for package in packages)
    done = [event.done for event in told if isinstance(event, BlobProgress)]
    assert done[-1] == total


def test_a_download_that_breaks_off_is_continued(
    small: SmallArchive, place: Served, web: Web
) -> None:
    universe = opened(web, small.archive(uri=place.uri))
    package = locked(universe.versions("a")[0])
    path = package.urls[0].removeprefix(place.uri)
    place.cut[path] = 100
    found = acquire([package], web)

    assert Path(found[package]).stat().st_size == package.size
    assert place.requests[-1] == (path, "bytes=100-")


def test_archives_are_reached_through_a_proxy(
    small: SmallArchive, place: Served, store: Store
) -> None:
    with web_over(store, environ={"http_proxy": place.uri}) as web:
        universe = opened(web, small.archive(uri="http://archive.invalid"))
        package = locked(universe.versions("a")[0])

        assert package.urls[0].startswith("http://archive.invalid/pool/")
        assert Path(acquire([package], web)[package]).is_file()


def test_a_file_of_an_archive_on_disk_is_not_copied(small: SmallArchive, web: Web) -> None:
    universe = opened(web, small.archive())
    package = locked(universe.versions("a")[0])

    for _ in range(2):
        assert acquire([package], web)[package].startswith(str(small.root))
    Path(acquire([package], web)[package]).write_bytes(b"other")
    with pytest.raises(WrongHash, match=r"a:amd64=1: file://.* not ") as caught:
        acquire([package], web)
    assert "lock the packages anew" in (caught.value.hint or "")


def test_a_locked_package_may_be_had_elsewhere(
    small: SmallArchive, place: Served, web: Web
) -> None:
    universe = opened(web, small.archive(uri=place.uri))
    package = locked(universe.versions("a")[0])
    gone = package._replace(urls=("file:///nowhere/a.deb", f"{place.uri}/no", *package.urls))

    assert Path(acquire([gone], web)[gone]).is_file()


def test_offline_what_was_read_before_is_there(
    small: SmallArchive, place: Served, web: Web
) -> None:
    archive = small.archive(uri=place.uri)
    opened(web, archive)
    offline = web._replace(offline=True)
    count = len(place.paths)

    assert sorted(opened(offline, archive).names()) == ["a", "b"]
    assert len(place.paths) == count


def test_offline_what_was_never_read_is_named(
    small: SmallArchive, place: Served, web: Web
) -> None:
    offline = web._replace(offline=True)
    message, hint = refused(NotFetched, offline, small.archive(uri=place.uri))

    assert message == f"{place.uri}/dists/stable/Release is not in the store, and offline"
    assert "--offline" in hint


def test_another_suite_than_the_one_asked_for_is_told(
    small: SmallArchive, web: Web, told: list[Event]
) -> None:
    opened(web, small.archive())
    assert not any(isinstance(event, Warned) for event in told)

    (small.root / "dists/sid").symlink_to("stable")
    opened(web, small.archive("sid"))
    (warned,) = (event for event in told if isinstance(event, Warned))
    assert warned.text.endswith("InRelease is of stable or bookworm, not of sid")


def test_a_snapshot_is_where_the_release_says(small: SmallArchive, web: Web) -> None:
    with served(small.root.parent) as place:
        small.publish(
            Snapshots=f"{place.uri}/@SNAPSHOTID@", Valid_Until="Sat, 01 Jan 2000 00:00:00 UTC"
        )
        kept = small.root.parent / "20260101T000000Z"
        SmallArchive(kept, small.key).add(made("old", "0")).publish()
        archive = small.archive(uri=f"{place.uri}/archive")

        universe = opened(web, archive._replace(snapshot="20260101T000000Z"))
        assert list(universe.names()) == ["old"]
        assert universe.versions("old")[0].urls[0].startswith(f"{place.uri}/20260101T000000Z/pool")
    small.publish()
    message, hint = refused(BadRelease, web, small.archive()._replace(snapshot="20260101T000000Z"))
    assert "does not say where its snapshots are" in message
    assert "@SNAPSHOTID@" in hint


def test_an_address_that_asks_which_snapshot_needs_one(small: SmallArchive, web: Web) -> None:
    archive = small.archive(uri=f"file://{small.root}/@SNAPSHOTID@")

    message, hint = refused(BadSources, web, archive._replace(place="sources.list:1"))

    assert message.startswith("sources.list:1: ")
    assert "asks which snapshot" in message
    assert "snapshot=" in hint


def test_a_suite_may_be_named_for_its_architecture(tmp_path: Path, web: Web) -> None:
    archive = SmallArchive(tmp_path / "flat").flat(made("f"), folder="amd64")
    found = opened(web, archive.archive("$(ARCH)/"))

    assert list(found.names()) == ["f"]


def test_a_key_may_stand_in_the_list_of_archives(small: SmallArchive, web: Web) -> None:
    archive = small.archive()._replace(signed_by=(armoured(small.key.public()),))

    assert sorted(opened(web, archive).names()) == ["a", "b"]


def test_the_usual_keyrings_are_for_archives_that_name_none(small: SmallArchive, web: Web) -> None:
    archive = small.archive()._replace(signed_by=())
    trust = TRUST._replace(usual=(str(small.keyring),))

    assert open_universe([archive], ["amd64"], web, trust=trust).versions("a")
    message, _ = refused(UnknownKey, web, archive)
    assert f"signed by {small.key.id}, and no keyring is known here" in message


# What archives, and what is on the way to them, may do wrong.


def test_an_unknown_key_is_named(small: SmallArchive, tmp_path: Path, web: Web) -> None:
    other = tmp_path / "other.gpg"
    other.write_bytes(Key.make().public())
    message, hint = refused(UnknownKey, web, small.archive()._replace(signed_by=(str(other),)))

    assert small.key.id in message
    assert str(other) in message
    assert "Signed-By" in hint


def test_a_changed_release_is_refused(small: SmallArchive, web: Web) -> None:
    path = small.root / "dists/stable/InRelease"
    path.write_text(path.read_text().replace("Label: Test", "Label: Evil"))
    message, hint = refused(NotVerified, web, small.archive())

    assert "the signature by" in message
    assert "is wrong (says python)" in message
    assert "changed on the way" in hint


def test_a_release_without_a_signature_is_refused_unless_trusted(
    small: SmallArchive, web: Web
) -> None:
    small.publish(signed=[])
    message, hint = refused(NotVerified, web, small.archive())

    assert "is not signed" in message
    assert "[trusted=yes]" in hint
    assert opened(web, small.archive()._replace(trusted=True)).versions("a")


def test_an_expired_release_is_refused_unless_asked(small: SmallArchive, web: Web) -> None:
    small.publish(Valid_Until="Tue, 14 Nov 2023 22:00:00 UTC")
    message, hint = refused(Expired, web, small.archive())

    assert "was valid until 2023-11-14 22:00 UTC" in message
    assert "check-valid-until=no" in hint
    assert opened(web, small.archive()._replace(check_valid_until=False)).versions("a")


def test_a_web_page_is_no_archive(small: SmallArchive, place: Served, web: Web) -> None:
    place.answers["/dists/stable/InRelease"] = b"<!doctype html><title>Log in</title>"
    message, hint = refused(NotOpenPgp, web, small.archive(uri=place.uri))

    assert "is a web page" in message
    assert "login" in hint


def test_a_release_that_is_cut_short_is_refused(small: SmallArchive, web: Web) -> None:
    path = small.root / "dists/stable/InRelease"
    path.write_text(path.read_text()[:300])
    message, _ = refused(NotOpenPgp, web, small.archive())

    assert "cut short" in message


def test_a_release_may_not_be_endless(
    small: SmallArchive, place: Served, web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "RELEASE_BYTES", 100)
    message, _ = refused(ArtificerError, web, small.archive(uri=place.uri))
    assert "longer than 100 bytes" in message
    message, _ = refused(BadRelease, web, small.archive())
    assert "larger than any list" in message


def test_an_archive_without_sha256_is_refused(small: SmallArchive, web: Web) -> None:
    small.sign("Suite: stable\nMD5Sum:\n 0 1 x\n")
    message, hint = refused(BadRelease, web, small.archive())

    assert "lists no SHA256 sums, only MD5Sum" in message
    assert "made anew" in hint


def test_an_index_that_is_another_is_refused(small: SmallArchive, place: Served, web: Web) -> None:
    for form in ("zst", "gz", "xz"):
        place.answers[f"{INDEX}.{form}"] = compressed(b"Package: evil\n" * 20, form)[:50] + b"x"
    archive = small.archive(uri=place.uri)._replace(by_hash=False)
    message, hint = refused(WrongHash, web, archive)

    assert f"{INDEX}.zst" in message
    assert "mirror is being updated" in hint


def test_an_index_that_is_listed_as_huge_is_not_fetched(
    small: SmallArchive, place: Served, web: Web
) -> None:
    size = limits.PACKAGES_BYTES + 1
    small.sign(f"Suite: stable\nSHA256:\n {'0' * 64} {size} main/binary-amd64/Packages.xz\n")
    message, _ = refused(BadIndex, web, small.archive(uri=place.uri))

    assert f"has {size} bytes" in message
    assert place.paths == ["/dists/stable/InRelease"]


def test_an_archive_that_is_not_there_says_so(
    small: SmallArchive, place: Served, web: Web
) -> None:
    message, hint = refused(NotFound, web, small.archive("unstable", uri=place.uri))

    assert message == f"{place.uri}/dists/unstable has neither InRelease nor Release"
    assert "the name of the suite" in hint


def test_a_server_that_fails_is_unavailable(small: SmallArchive, place: Served, web: Web) -> None:
    place.answers["/dists/stable/InRelease"] = 500
    with pytest.raises(ArtificerError) as caught:
        opened(web, small.archive(uri=place.uri))

    assert caught.value.exit_code in {69, 75}


def test_a_component_that_is_not_there_says_which_are(small: SmallArchive, web: Web) -> None:
    message, hint = refused(NotListed, web, small.archive("stable", "universe"))

    assert "has no component universe" in message
    assert hint == "it has main"


def test_an_architecture_that_is_not_there_says_which_are(small: SmallArchive, web: Web) -> None:
    small.publish(architectures=("all", "amd64"), No_Support_for_Architecture_all="Packages")

    with pytest.raises(NotListed, match="no archive has packages for s390x") as caught:
        open_universe([small.archive()], ["s390x"], web, trust=TRUST)

    assert caught.value.hint == "there are amd64"


def test_an_archive_that_is_kept_from_an_architecture_says_so(
    small: SmallArchive, web: Web
) -> None:
    archive = small.archive()._replace(architectures=("arm64",))

    with pytest.raises(NotListed, match="no archive has packages for amd64") as caught:
        open_universe([archive], ["amd64"], web, trust=TRUST)

    assert caught.value.hint == "add amd64 to their `arch`, which says something else"


def test_an_unknown_architecture_is_told_where_components_have_longer_names(
    small: SmallArchive, web: Web
) -> None:
    small.publish(Components="updates/main")

    with pytest.raises(NotListed, match="no archive has packages for x86_64") as caught:
        open_universe([small.archive()], ["x86_64"], web, trust=TRUST)

    assert caught.value.hint == "there are amd64"


def test_a_foreign_architecture_may_be_missing(small: SmallArchive, web: Web) -> None:
    universe = open_universe([small.archive()], ["amd64", "arm64"], web, trust=TRUST)

    assert sorted(universe.names()) == ["a", "b"]


def test_a_package_that_is_another_is_refused(
    small: SmallArchive, place: Served, web: Web
) -> None:
    universe = opened(web, small.archive(uri=place.uri))
    package = locked(universe.versions("a")[0])
    path = package.urls[0].removeprefix(place.uri)
    for data, message in (
        (b"x" * package.size, "not "),
        (b"x" * (package.size - 1), "is cut short"),
        (b"x" * (package.size + 1), "longer than its"),
    ):
        place.answers[path] = data
        with pytest.raises(WrongHash, match=message) as caught:
            acquire([package], web)
        assert caught.value.message.startswith("a:amd64=1: ")
        assert caught.value.hint
    place.answers[path] = 404
    with pytest.raises(NotFound, match="answered 404"):
        acquire([package], web)


def test_a_package_that_nobody_has_or_that_has_no_sum_is_refused(web: Web) -> None:
    package = Locked("a", "1", "all", (), "0" * 64, 1)

    with pytest.raises(NotFetched, match="a:all=1 cannot be had"):
        acquire([package], web)
    with pytest.raises(WrongHash, match="a:all=1 has no SHA256"):
        acquire([package._replace(urls=("http://a.example.org/a.deb",), sha256="")], web)


def test_a_directory_without_packages_says_how_to_make_it_one(
    small: SmallArchive, web: Web
) -> None:
    archive = small.archive("./")._replace(trusted=True)
    message, hint = refused(NotFound, web, archive)

    assert message == f"file://{small.root}/ has no Packages"
    assert "dpkg-scanpackages" in hint


def test_an_index_that_is_nowhere_is_named(small: SmallArchive, place: Served, web: Web) -> None:
    small.publish(by_hash=False)
    for path in (small.root / INDEX[1:]).parent.iterdir():
        path.unlink()
    message, hint = refused(NotFound, web, small.archive(uri=place.uri))

    assert message == f"{place.uri}{INDEX}.zst: answered 404"
    assert hint


def test_a_file_that_cannot_be_read_is_named(
    small: SmallArchive, tmp_path: Path, web: Web
) -> None:
    (tmp_path / "d").mkdir()
    package = Locked("a", "1", "all", (f"file://{tmp_path}/d",), "0" * 64, 1)
    with pytest.raises(NotFetched, match=r"a:all=1: .*is a directory"):
        acquire([package], web)
    (small.root / "dists/stable/InRelease").unlink()
    (small.root / "dists/stable/InRelease").mkdir()
    message, _ = refused(NotFetched, web, small.archive())
    assert "InRelease: is a directory" in message


def test_a_file_is_known_by_its_stat_once_it_is_old(small: SmallArchive, web: Web) -> None:
    package = locked(opened(web, small.archive()).versions("a")[0])
    path = acquire([package], web)[package]
    assert not list(web.store.records("deb-file"))

    wait_until_old(path)
    assert acquire([package._replace(urls=(path,))], web)
    assert len(list(web.store.records("deb-file"))) == 1
    assert acquire([package], web)[package] == path


def wait_until_old(path: str) -> None:
    while time.time() - Path(path).stat().st_ctime < 2.1:
        time.sleep(0.1)


def test_archives_have_a_largest_number(small: SmallArchive, web: Web) -> None:
    with pytest.raises(Misused, match="1000 is the limit"):
        opened(web, *[small.archive()] * 1001)


def test_the_usual_keyrings_of_this_machine_are_files() -> None:
    assert all(Path(path).is_file() for path in usual_keyrings())


def test_packages_need_an_archive(web: Web) -> None:
    with pytest.raises(Misused, match="no archive") as caught:
        opened(web)

    assert "--archive" in (caught.value.hint or "")
