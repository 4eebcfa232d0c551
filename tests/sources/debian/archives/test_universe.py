"""Versions are had in the order of apt's policy, from several archives and files."""

from pathlib import Path

import pytest

from artificer import limits
from artificer.sources.debian.archives.acquire import open_universe
from artificer.sources.debian.archives.documents import Trust
from artificer.sources.debian.archives.preferences import pin_of
from artificer.sources.debian.archives.universe import Overfull, Universe, UnsafePath
from artificer.sources.debian.resolving.versions import BadVersion
from artificer.sources.debian.values import Archive
from artificer.sources.url import Web
from artificer.store.blobs import open_store
from tests.parts.archive import TIME, SmallArchive, deb_bytes, made
from tests.parts.machine_archive import web_over

TRUST = Trust((), TIME + 60, ("python",))


@pytest.fixture
def web(tmp_path: Path) -> Web:
    with web_over(open_store(str(tmp_path / "store"))) as web:
        return web


@pytest.fixture
def archives(tmp_path: Path) -> tuple[Archive, Archive]:
    """A stable archive, and backports that are taken for upgrades only."""
    stable = SmallArchive(tmp_path / "stable")
    stable.add(
        made("a", "1", "amd64", Provides="x, y (= 2)"),
        made("b", "1", Essential="yes"),
        made("b", "2"),
        made("a", "1", "arm64"),
    ).publish(architectures=["amd64", "arm64"])
    newer = SmallArchive(tmp_path / "newer")
    newer.add(made("a", "2", "amd64", Provides="x"), made("b", "1"), made("c", "1~rc1", "all"))
    newer.publish(
        "stable-backports",
        codename="bookworm-backports",
        NotAutomatic="yes",
        ButAutomaticUpgrades="yes",
    )
    return stable.archive(), newer.archive("stable-backports")


def versions(universe: Universe, name: str, architecture: str = "amd64") -> list[tuple[str, int]]:
    return [(one.version, one.pin) for one in universe.versions(name, architecture)]


def test_the_highest_pin_is_first_then_the_newest(
    archives: tuple[Archive, Archive], web: Web
) -> None:
    universe = open_universe(archives, ["amd64"], web, trust=TRUST)

    assert versions(universe, "a") == [("1", 500), ("2", 100)]
    assert versions(universe, "b") == [("2", 500), ("1", 500), ("1", 100)]
    assert versions(universe, "c") == [("1~rc1", 100)]
    assert versions(universe, "none") == []


def test_pins_change_the_order(archives: tuple[Archive, Archive], web: Web) -> None:
    pins = [pin_of("a 900 release n=bookworm-backports"), pin_of("c -1 1~*")]
    universe = open_universe(archives, ["amd64"], web, pins=pins, trust=TRUST)

    assert versions(universe, "a") == [("2", 900), ("1", 500)]
    assert versions(universe, "c") == [("1~rc1", -1)]


def test_an_archive_may_be_pinned_as_a_whole(archives: tuple[Archive, Archive], web: Web) -> None:
    stable, newer = archives
    universe = open_universe([stable, newer._replace(pin=990)], ["amd64"], web, trust=TRUST)

    assert versions(universe, "a") == [("2", 990), ("1", 500)]


def test_the_same_package_of_two_archives_is_one(
    archives: tuple[Archive, Archive], tmp_path: Path, web: Web
) -> None:
    stable, _ = archives
    copied = SmallArchive(tmp_path / "copy")
    copied.add(made("a", "1", "amd64", Provides="x, y (= 2)")).publish("other", codename="other")
    universe = open_universe(
        [stable, copied.archive("other")._replace(pin=600)], ["amd64"], web, trust=TRUST
    )

    (one,) = universe.versions("a", "amd64")
    assert (one.pin, one.archive) == (600, 0)
    assert one.suites == ("stable", "bookworm", "other")
    assert one.urls[0].startswith(f"file://{tmp_path}/stable/pool/")


def test_packages_for_all_are_the_native_ones(archives: tuple[Archive, Archive], web: Web) -> None:
    universe = open_universe(archives, ["amd64", "arm64"], web, trust=TRUST)

    assert [str(one) for one in map(repr, universe.versions("a", "arm64"))] == ["a:arm64=1"]
    assert versions(universe, "b", "arm64") == []
    assert versions(universe, "b", "all") == versions(universe, "b")


def test_a_name_may_be_provided(archives: tuple[Archive, Archive], web: Web) -> None:
    universe = open_universe(archives, ["amd64"], web, trust=TRUST)

    assert [(one.name, one.version) for one in universe.providers("x")] == [("a", "1"), ("a", "2")]
    assert [(one.name, one.version) for one in universe.providers("y")] == [("a", "1")]
    assert universe.providers("a") == ()


def test_the_essential_set_and_all_names_are_known(
    archives: tuple[Archive, Archive], web: Web
) -> None:
    universe = open_universe(archives, ["amd64"], web, trust=TRUST)

    assert [(one.name, one.version) for one in universe.essential()] == [("b", "1")]
    assert sorted(universe.names()) == ["a", "b", "c"]


def test_names_that_are_like_one_are_suggested(tmp_path: Path, web: Web) -> None:
    archive = SmallArchive(tmp_path / "archive")
    archive.add(made("nginx"), made("nginx-core"), made("apache2")).publish()
    universe = open_universe([archive.archive()], ["amd64"], web, trust=TRUST)

    assert universe.suggest("nginxx") == ("nginx",)
    assert universe.suggest("apache") == ("apache2",)
    assert universe.suggest("zsh") == ()


def test_a_file_is_a_package_beside_those_of_archives(
    archives: tuple[Archive, Archive], tmp_path: Path, web: Web
) -> None:
    path = tmp_path / "d e.deb"
    path.write_bytes(deb_bytes(made("d", "3", Provides="x", Depends="a")))
    universe = open_universe(archives, ["amd64"], web, files=[str(path)], trust=TRUST)
    binary = universe.local(str(path))

    assert binary is not None
    assert universe.versions("d", "amd64") == (binary,)
    assert binary.urls == (f"file://{tmp_path}/d%20e.deb",)
    assert binary.size == path.stat().st_size
    assert [one.name for one in universe.providers("x")] == ["a", "a", "d"]
    assert "d" in universe.names()
    assert universe.local("other.deb") is None


@pytest.mark.parametrize("path", ["../../etc/x.deb", "/etc/x.deb", "http://e.example.org/x.deb"])
def test_a_package_outside_of_its_archive_is_refused(path: str, tmp_path: Path, web: Web) -> None:
    archive = SmallArchive(tmp_path / "archive")
    archive.add(made("a"), Filename=path).publish()
    universe = open_universe([archive.archive()], ["amd64"], web, trust=TRUST)

    with pytest.raises(UnsafePath, match="the file of a is outside of the archive") as caught:
        universe.versions("a", "amd64")
    assert "hostile" in (caught.value.hint or "")


@pytest.mark.parametrize("size", [str(limits.DOWNLOAD_BYTES + 1), "9" * 18])
def test_a_package_larger_than_any_is_refused(size: str, tmp_path: Path, web: Web) -> None:
    archive = SmallArchive(tmp_path / "archive")
    archive.add(made("a"), Size=size).publish()
    universe = open_universe([archive.archive()], ["amd64"], web, trust=TRUST)

    with pytest.raises(Overfull, match=f"a:all=1 has {size} bytes"):
        universe.versions("a")


def test_a_size_that_is_none_is_as_if_it_was_not_said(tmp_path: Path, web: Web) -> None:
    archive = SmallArchive(tmp_path / "archive")
    archive.add(made("a"), Size="9" * 5000).publish()
    universe = open_universe([archive.archive()], ["amd64"], web, trust=TRUST)

    assert universe.versions("a")[0].size == 0


def test_an_index_has_so_many_versions_of_a_package(
    tmp_path: Path, web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = SmallArchive(tmp_path / "archive")
    archive.add(made("a", "1"), made("a", "2"), made("b")).publish()
    universe = open_universe([archive.archive()], ["amd64"], web, trust=TRUST)
    monkeypatch.setattr(limits, "PACKAGE_VERSIONS", 1)

    with pytest.raises(Overfull, match="has more than 1 versions of a"):
        universe.versions("a")
    assert len(universe.versions("b")) == 1


def test_a_version_that_is_none_is_named_with_its_package(tmp_path: Path, web: Web) -> None:
    archive = SmallArchive(tmp_path / "archive")
    archive.add(made("a"), Version="1 2").publish()
    universe = open_universe([archive.archive()], ["amd64"], web, trust=TRUST)

    with pytest.raises(BadVersion, match=r"Packages.*: a: not a version of a Debian package"):
        universe.versions("a", "amd64")


def test_names_of_files_are_written_as_urls_have_them(tmp_path: Path, web: Web) -> None:
    archive = SmallArchive(tmp_path / "archive")
    archive.add(made("a"), Filename="pool/a_1%3a2 b.deb").publish()
    universe = open_universe([archive.archive()], ["amd64"], web, trust=TRUST)

    assert universe.versions("a")[0].urls[0].endswith("/pool/a_1%253a2%20b.deb")
