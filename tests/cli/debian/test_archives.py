"""Where archives are reached, and as whom: mirrors and logins, told by no image and no lock."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.outside import Cli
from tests.parts.archive import SmallArchive, made
from tests.parts.archive_server import Served

AWAY = "https://packages.invalid/debian"
SECRET = "s3cr3t-word"


@pytest.fixture
def archive(tmp_path: Path) -> SmallArchive:
    found = SmallArchive(tmp_path / "archive")
    found.add(made("hello", "1.0", "amd64", files={"usr/bin/hello": "#!/bin/sh\n"}))
    return found.publish()


@pytest.fixture
def place(archive: SmallArchive) -> Iterator[Served]:
    with archive.serve() as place:
        yield place


@pytest.fixture
def auth(tmp_path: Path, place: Served) -> Path:
    """A private archive's login, in a file as apt has it."""
    place.login = f"me:{SECRET}"
    path = tmp_path / "auth.conf"
    path.write_text(f"machine {place.uri} login me password {SECRET}\n")
    return path


def words(archive: SmallArchive, uri: str, *more: str) -> tuple[str, ...]:
    return (
        *("-b", "scratch", "--archive", archive.line(uri=uri), "--deb-level", "unpack"),
        *("--apt", "hello", "-t", "oci:out", *more),
    )


def digest(cli: Cli) -> str:
    return str(json.loads(cli("inspect", "oci:out", "--format", "json").stdout)["digest"])


def everything_in(*folders: Path) -> bytes:
    return b"".join(
        str(path).encode() + path.read_bytes()
        for folder in folders
        for path in folder.rglob("*")
        if path.is_file() and not path.is_symlink()
    )


@pytest.mark.parametrize("how", ["option", "variable"])
def test_a_mirror_changes_neither_lock_nor_image(
    cli: Cli, work: Path, archive: SmallArchive, place: Served, how: str
) -> None:
    word = f"packages.invalid/debian={place.uri}"
    option = ["--archive-mirror", word] if how == "option" else []
    environ = {"ARTIFICER_ARCHIVE_MIRROR": f"other.invalid=http://x {word}"} if not option else {}

    cli("lock", *words(archive, AWAY, *option), environ=environ)
    cli(*words(archive, AWAY, "--locked", *option), environ=environ)
    resolved = cli(
        *("packages", "resolve", "hello", "--archive", archive.line(uri=AWAY), *option),
        environ=environ,
    )

    lock = (work / "artificer.lock").read_text()
    assert f'"{AWAY}/pool/main/h/hello/hello_1.0_amd64.deb"' in lock
    assert place.uri not in lock
    assert "hello=1.0" in resolved.stdout
    with_mirror = digest(cli)
    (work / "artificer.lock").unlink()
    cli.machine("other")(*words(archive, place.uri))
    assert digest(cli) == with_mirror


def test_targets_are_built_over_a_mirror(
    cli: Cli, work: Path, archive: SmallArchive, place: Served
) -> None:
    (work / "WORKSPACE").write_text("")
    (work / "BUILD").write_text(
        'apt(name = "debs", packages = ["hello"], level = "unpack", lock = "debs.lock",\n'
        f'    archives = ["{archive.line(uri=AWAY)}"], architectures = ["amd64"])\n'
    )
    mirror = ("--archive-mirror", f"packages.invalid/debian={place.uri}")

    cli("lock", *mirror)
    cli("build", "//:debs", *mirror)

    assert f"{AWAY}/pool" in (work / "debs.lock").read_text()
    assert any(path.startswith("/pool/") for path in place.paths)


def test_a_lock_is_built_when_the_mirror_is_away(
    cli: Cli, archive: SmallArchive, place: Served
) -> None:
    cli("lock", *words(archive, place.uri))

    host = place.uri.removeprefix("http://")
    done = cli(*words(archive, place.uri, f"--archive-mirror={host}=http://127.0.0.1:1"))

    assert "the mirror http://127.0.0.1:1 is not asked again" in done.stderr


def test_a_private_archive_is_read_with_a_login_that_is_told_nowhere(
    cli: Cli, work: Path, archive: SmallArchive, place: Served, auth: Path
) -> None:
    done = [
        cli("lock", *words(archive, place.uri, "--archive-auth", str(auth))),
        cli(*words(archive, place.uri, "--locked", "--archive-auth", str(auth), "--explain")),
        cli("history", "oci:out"),
    ]

    basic = place.told["/pool/main/h/hello/hello_1.0_amd64.deb"].removeprefix("Basic ")
    assert basic
    told = "".join(one.stdout + one.stderr for one in done)
    kept = everything_in(work, Path(cli.environ["ARTIFICER_STORE"]))
    for secret in (SECRET, basic):
        assert secret not in told
        assert secret.encode() not in kept


@pytest.mark.parametrize("how", ["variable", "netrc", "home"])
def test_logins_are_in_the_files_where_others_look(
    cli: Cli, archive: SmallArchive, place: Served, auth: Path, how: str
) -> None:
    if how == "home":
        (Path(cli.environ["HOME"]) / ".netrc").write_bytes(auth.read_bytes())
    names = {"variable": "ARTIFICER_ARCHIVE_AUTH", "netrc": "NETRC"}

    cli(*words(archive, place.uri), environ={names[how]: str(auth)} if how in names else {})


def test_who_has_no_login_is_told_where_one_was_looked_for(
    cli: Cli, archive: SmallArchive, place: Served, auth: Path
) -> None:
    done = cli(*words(archive, place.uri), code=77)

    assert "answered 401" in done.error
    assert "~/.netrc" in done.hint
    assert f"machine {place.uri} login" in done.hint
    assert "--archive-auth" in done.hint


def test_a_wrong_login_is_told_by_its_file(
    cli: Cli, archive: SmallArchive, place: Served, auth: Path
) -> None:
    auth.write_text(f"machine {place.uri} login me password {SECRET}-not\n")

    done = cli(*words(archive, place.uri, "--archive-auth", str(auth)), code=77)

    assert f"{auth} (--archive-auth) (machine {place.uri}) is not enough" in done.hint
    assert SECRET not in done.stderr


def test_a_login_does_not_follow_to_another_host(
    cli: Cli, archive: SmallArchive, place: Served, auth: Path
) -> None:
    name = "/pool/main/h/hello/hello_1.0_amd64.deb"
    with archive.serve() as other:
        place.moved[name] = f"{other.uri}{name}"
        cli(*words(archive, place.uri, "--archive-auth", str(auth)))

    assert place.told[name].startswith("Basic ")
    assert other.told[name] == ""


def test_a_login_in_an_address_is_refused_with_the_way_out(
    cli: Cli, archive: SmallArchive, place: Served
) -> None:
    uri = place.uri.replace("http://", f"http://me:{SECRET}@")

    done = cli(*words(archive, uri), code=2)

    assert "--archive-auth" in done.hint
    assert SECRET not in done.stderr


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (("--archive-mirror", "nonsense"), "FROM=TO"),
        (("--archive-auth", "absent.conf"), "cannot read absent.conf (--archive-auth)"),
    ],
)
def test_what_says_nothing_is_misuse(
    cli: Cli, archive: SmallArchive, place: Served, more: tuple[str, ...], told: str
) -> None:
    done = cli(*words(archive, place.uri, *more), code=2)
    assert told in f"{done.error} {done.hint}"


def test_without_packages_there_is_no_archive_to_reach(cli: Cli) -> None:
    done = cli("-b", "scratch", "--archive-mirror", "a=http://b", "-t", "oci:out", code=2)
    assert "no package is to be installed" in done.error


def test_files_of_a_workspace_come_over_mirrors_and_with_logins_too(
    cli: Cli, work: Path, archive: SmallArchive, place: Served, auth: Path
) -> None:
    name = "pool/main/h/hello/hello_1.0_amd64.deb"
    digest = hashlib.sha256((archive.root / name).read_bytes()).hexdigest()
    (work / "WORKSPACE").write_text(
        'load("@bazel_tools//tools/build_defs/repo:http.bzl", "http_file")\n'
        f'http_file(name = "deb", urls = ["{AWAY}/{name}"], sha256 = "{digest}")\n'
    )
    mirror = ("--archive-mirror", f"packages.invalid/debian={place.uri}")

    cli("build", "@deb//file", *mirror, "--archive-auth", str(auth))
    (work / "WORKSPACE").write_text((work / "WORKSPACE").read_text().replace(AWAY, place.uri))
    done = cli.machine("other").ended("build", "@deb//file")

    assert done.code == 77
    assert "--archive-auth" in done.stderr
