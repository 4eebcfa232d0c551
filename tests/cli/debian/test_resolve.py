"""`artificer packages resolve`, as a person types it."""

import json
from pathlib import Path

import pytest

from tests.cli.outside import Cli
from tests.parts.archive import SmallArchive, made


@pytest.fixture
def small(tmp_path: Path) -> SmallArchive:
    archive = SmallArchive(tmp_path / "archive")
    archive.add(
        made("base", "1", Essential="yes"),
        made("apt", "2", Depends="lib"),
        made("lib", "1:3"),
        made("web", "1", Depends="lib (>= 1:2)", Recommends="extra"),
        made("extra", "1"),
        made("greedy", "1", Conflicts="lib"),
    )
    return archive.publish()


@pytest.fixture
def sources(small: SmallArchive, tmp_path: Path) -> str:
    path = tmp_path / "debian.list"
    path.write_text(small.line() + "\n")
    return str(path)


def test_an_empty_root_gets_the_essential_set_and_apt_too(cli: Cli, sources: str) -> None:
    done = cli("packages", "resolve", "--sources", sources, "web")

    assert done.stdout.splitlines() == ["apt=2", "base=1", "lib=1:3", "web=1"]


def test_an_archive_may_be_written_as_a_line(cli: Cli, small: SmallArchive) -> None:
    done = cli("packages", "resolve", "--archive", small.line(), "web", "--recommends")

    assert "extra=1" in done.stdout.splitlines()


def test_a_program_is_told_where_packages_are_and_why(
    cli: Cli, small: SmallArchive, sources: str
) -> None:
    done = cli("packages", "resolve", "--sources", sources, "web", "--format", "json")

    told = json.loads(done.stdout)
    lib = next(one for one in told["packages"] if one["name"] == "lib")
    assert told["architecture"] == "amd64"
    assert (lib["version"], lib["auto"], lib["why"]) == ("1:3", True, "apt depends on lib")
    assert lib["urls"][0].startswith(f"file://{small.root}/pool/")
    assert len(lib["sha256"]) == 64


def test_the_lists_are_kept_for_those_who_are_offline(cli: Cli, small: SmallArchive) -> None:
    with small.serve() as place:
        line = small.line(uri=place.uri)
        first = cli("packages", "resolve", "--archive", line, "web")

    done = cli("packages", "resolve", "--archive", line, "web", "--offline")

    assert done.stdout == first.stdout


@pytest.mark.parametrize(
    ("words", "error", "hint"),
    [
        (("webb",), "there is no package webb", "do you mean web?"),
        (("web=2",), "web has no version 2", "there is 1"),
        (("web", "--exclude", "web"), "web is asked for and excluded", "leave"),
        (("web", "--pin", "web"), "not a pin: 'web'", "PACKAGE PRIORITY PATTERN"),
        (("web", "--pin", "web -1 version *"), "web is pinned away", "there is 1"),
        (("web", "--arch", "amd64"), "unrecognized arguments", "did you mean --architecture?"),
        (("web", "--platform", "x"), "unrecognized arguments", "did you mean --architecture?"),
        (
            ("web", "--include", "x"),
            "unrecognized arguments",
            "`artificer packages resolve --help`",
        ),
        (("web:i386",), "web is not there for i386", "it is there for amd64"),
        (("web", "--architecture", "x86_64"), "no archive has packages for x86_64", "amd64"),
        (("web", "--sources", "."), "--sources: . is a directory", "name the files in it"),
        (("./web.deb",), "./web.deb: no such file or directory", "is the path right"),
    ],
)
def test_what_cannot_be_is_an_error_with_a_way_out(
    cli: Cli, sources: str, words: tuple[str, ...], error: str, hint: str
) -> None:
    done = cli.ended("packages", "resolve", "--sources", sources, *words)

    assert done.code != 0
    assert done.stdout == ""
    assert f"error: {error}" in done.stderr
    assert hint in done.stderr


def test_nothing_at_all_is_no_empty_line(cli: Cli, tmp_path: Path) -> None:
    bare = SmallArchive(tmp_path / "bare").publish()

    assert cli("packages", "resolve", "--archive", bare.line()).stdout == ""


def test_a_conflict_is_shown_as_a_tree(cli: Cli, sources: str) -> None:
    done = cli("packages", "resolve", "--sources", sources, "web", "greedy", code=1)

    assert done.stderr.splitlines()[:3] == [
        "error: there is no set of packages in which all this holds:",
        "  apt depends on lib",
        "    greedy 1 (asked for) conflicts with lib 1:3",
    ]


def test_without_an_archive_it_says_how_to_name_one(cli: Cli) -> None:
    done = cli("packages", "resolve", "web", code=2)

    assert "error: packages of which archive?" in done.stderr
    assert "--sources FILE" in done.stderr


def test_without_a_network_the_list_that_is_missing_is_named(cli: Cli) -> None:
    line = "[trusted=yes] http://127.0.0.1:9/debian stable main"

    done = cli("packages", "resolve", "--archive", line, "web", code=69)

    assert "127.0.0.1:9" in done.stderr
