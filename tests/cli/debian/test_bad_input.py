"""Archives, requests and locks of Debian packages that are wrong: what is said, and no image."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.outside import Cli, Done
from tests.parts.archive import SmallArchive, made
from tests.parts.openpgp import Key

HELLO = made("hello", "1.0", "amd64", files={"usr/bin/hello": "#!/bin/sh\n"})
Refused = Callable[..., Done]


@pytest.fixture
def archive(tmp_path: Path) -> SmallArchive:
    return SmallArchive(tmp_path / "archive").add(HELLO).publish()


@pytest.fixture
def refused(cli: Cli, work: Path) -> Iterator[Refused]:
    """Runs a command that must fail; afterwards there is no image, and the store is sound."""

    def run(*words: str, code: int = 1) -> Done:
        done = cli(*words, code=code)
        assert done.stdout == ""
        assert done.error
        assert done.hint
        assert "Traceback" not in done.stderr
        return done

    yield run
    assert not (work / "out").exists()
    assert list((cli.store / "tmp").glob("*")) == []
    cli("cache", "verify")


def words(line: str, *more: str, apt: str = "hello") -> tuple[str, ...]:
    """A build of *apt* upon nothing, out of the archive of *line*."""
    where = ("-b", "scratch", "--archive", line, "--deb-level", "unpack")
    return (*where, "--apt", apt, "-t", "oci:out", *more)


def damaged(folder: Path, pattern: str) -> None:
    """Change the last byte of each file that *pattern* names."""
    for path in folder.rglob(pattern):
        if path.is_file():
            data = path.read_bytes()
            path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))


def test_an_expired_release(refused: Refused, archive: SmallArchive) -> None:
    archive.publish(Valid_Until="Mon, 01 Jan 2024 00:00:00 UTC")

    done = refused(*words(archive.line()))

    assert "was valid until 2024-01-01" in done.error
    assert "check-valid-until=no" in done.hint


def test_a_wrong_signature(refused: Refused, archive: SmallArchive) -> None:
    release = archive.root / "dists/stable/InRelease"
    release.write_text(release.read_text().replace("Label: Test", "Label: Evil"))

    done = refused(*words(archive.line()))

    assert "the signature by" in done.error
    assert "is wrong" in done.error


def test_an_unknown_key(refused: Refused, archive: SmallArchive, tmp_path: Path) -> None:
    other = SmallArchive(tmp_path / "other", Key.make(created=1))

    done = refused(
        *words(
            archive.line()
            .replace(archive.keyring.name, "k")
            .replace(str(archive.keyring.with_name("k")), str(other.keyring))
        )
    )

    assert f"is signed by {archive.key.id}, which is not in {other.keyring}" in done.error
    assert "signed-by=FILE" in done.hint


def test_many_keyrings_without_the_key_are_counted(
    refused: Refused, archive: SmallArchive
) -> None:
    done = refused(*words(f"file://{archive.root} stable main"))

    assert len(done.error) < 600
    assert "signed-by=FILE" in done.hint


def test_no_signature_at_all(refused: Refused, archive: SmallArchive) -> None:
    archive.publish(signed=())

    done = refused(*words(archive.line()))

    assert "is not signed" in done.error
    assert "[trusted=yes]" in done.hint


def test_an_index_that_is_another(refused: Refused, archive: SmallArchive) -> None:
    damaged(archive.root / "dists", "Packages*")
    damaged(archive.root / "dists", "by-hash/SHA256/*")

    done = refused(*words(archive.line()))

    assert "/main/binary-amd64/" in done.error
    assert "sha256 is" in done.error
    assert "try again" in done.hint


@pytest.mark.parametrize("by_http", [False, True])
def test_a_package_that_is_another(
    refused: Refused, archive: SmallArchive, *, by_http: bool
) -> None:
    damaged(archive.root, "*.deb")

    with archive.serve() as server:
        done = refused(*words(archive.line(uri=server.uri if by_http else "")))

    assert "hello:amd64=1.0: " in done.error
    assert "sha256 is" in done.error
    assert "replaced" in done.hint


@pytest.mark.parametrize("by_http", [False, True])
def test_a_package_that_is_cut_short(
    refused: Refused, archive: SmallArchive, *, by_http: bool
) -> None:
    (path,) = archive.root.rglob("*.deb")
    path.write_bytes(path.read_bytes()[:-9])

    with archive.serve() as server:
        done = refused(*words(archive.line(uri=server.uri if by_http else "")))

    assert "hello:amd64=1.0: " in done.error
    assert f"{path.stat().st_size} bytes, not {path.stat().st_size + 9}" in done.error


@pytest.mark.parametrize(("by_http", "code"), [(False, 69), (True, 1)])
def test_a_package_that_is_gone(
    refused: Refused, archive: SmallArchive, code: int, *, by_http: bool
) -> None:
    for path in archive.root.rglob("*.deb"):
        path.unlink()

    with archive.serve() as server:
        done = refused(*words(archive.line(uri=server.uri if by_http else "")), code=code)

    assert "hello:amd64=1.0: " in done.error
    assert "newer version" in done.hint


@pytest.mark.parametrize(
    ("uri", "error", "hint"),
    [
        ("http://127.0.0.1:1/debian", "127.0.0.1:1: cannot connect", "server running there"),
        ("http://nowhere.invalid/debian", "nowhere.invalid: ", "the name"),
    ],
)
def test_an_archive_that_cannot_be_reached(
    refused: Refused, archive: SmallArchive, uri: str, error: str, hint: str
) -> None:
    done = refused(*words(archive.line(uri=uri)), code=69)

    assert error in done.error
    assert hint in done.hint


def test_a_suite_that_is_not_there(refused: Refused, archive: SmallArchive) -> None:
    done = refused(*words(archive.line("unstable")))

    assert "dists/unstable has neither InRelease nor Release" in done.error
    assert "name of the suite" in done.hint


@pytest.mark.parametrize(
    ("packages", "said"),
    [
        (
            [made("a", Depends="b (>= 2)"), made("b", "1")],
            ["a depends on b (>= 2)", "there is b 1, not b (>= 2)"],
        ),
        ([made("a", Depends="nowhere")], ["a depends on nowhere", "there is no package nowhere"]),
        (
            [made("a", Depends="b, c"), made("b", Conflicts="c"), made("c")],
            ["b cannot be there beside c (needed by a): they exclude one another"],
        ),
        (
            [made("a", Pre_Depends="b"), made("b", Pre_Depends="a")],
            ["pre-depend on one another in a circle: a → b"],
        ),
        (
            [made("a", files={"usr/x": "1"}, Depends="b"), made("b", files={"usr/x": "2"})],
            ["/usr/x is in a 1 and also in b 1", "--deb-exclude"],
        ),
    ],
    ids=["version", "unknown", "conflict", "circle", "file"],
)
def test_a_set_that_cannot_be(
    refused: Refused, archive: SmallArchive, packages: list[Any], said: list[str]
) -> None:
    archive.add(*packages).publish()

    done = refused(*words(archive.line(), apt="a"))

    for text in said:
        assert text in done.stderr


@pytest.mark.parametrize(
    ("name", "error", "hint"),
    [
        ("helo", "there is no package helo", "do you mean hello?"),
        ("zzzz", "there is no package zzzz", "no archive has one"),
        ("hello=9", "hello has no version 9", "there is 1.0"),
    ],
)
def test_a_name_or_a_version_that_is_not_there(
    refused: Refused, archive: SmallArchive, name: str, error: str, hint: str
) -> None:
    done = refused(*words(archive.line(), apt=name), code=2)

    assert error in done.error
    assert hint in done.hint


@pytest.mark.parametrize(
    ("line", "error", "hint"),
    [
        (("--deb-levle", "unpack"), "--deb-levle", "did you mean --deb-level?"),
        (("--deb-level", "unpak"), "'unpak'", "--help"),
        (("--atp", "hello"), "--atp", "did you mean --apt?"),
    ],
)
def test_a_word_that_is_misspelled(
    refused: Refused, archive: SmallArchive, line: tuple[str, ...], error: str, hint: str
) -> None:
    done = refused(*words(archive.line(), *line), code=2)

    assert error in done.error
    assert hint in done.hint


@pytest.fixture
def lock(cli: Cli, work: Path, archive: SmallArchive) -> Path:
    cli("lock", *words(archive.line()))
    return work / "artificer.lock"


@pytest.mark.parametrize(
    ("change", "error", "code"),
    [
        ({"urls": ["file:///etc/passwd"]}, "/etc/passwd has", 1),
        ({"urls": ["file:///dev/zero"]}, "/dev/zero: longer than its 848 bytes", 1),
        ({"urls": ["../../../dev/zero"]}, "hello:amd64=1.0: ", 69),
        ({"urls": ["ftp://x/y"]}, "not a URL that can be fetched: ftp://x/y", 2),
        ({"urls": ["http://[::1/y"]}, "no URLs that can be fetched", 2),
        ({"urls": []}, "no URLs", 2),
        ({"name": "../../x"}, "not a name of a package", 2),
        ({"name": None}, "not a name of a package", 2),
        ({"name": "bash"}, "bash:amd64=1.0: its file is the package hello:amd64=1.0", 1),
        ({"version": "9"}, "hello:amd64=9: its file is the package hello:amd64=1.0", 1),
        ({"architecture": "s390x"}, "hello:s390x=1.0: its file is the package", 1),
        ({"sha256": "../../etc/passwd"}, "not a sha256", 2),
        ({"sha256": "0" * 64}, "sha256 is", 1),
        ({"size": -1}, "has no size", 2),
        ({"size": 10**18}, "larger than any package may be", 2),
    ],
)
def test_a_lock_that_means_harm(
    refused: Refused,
    archive: SmallArchive,
    lock: Path,
    change: dict[str, Any],
    error: str,
    code: int,
) -> None:
    document = json.loads(lock.read_text())
    (request,) = document["packages"].values()
    (package,) = request["architectures"]["amd64"]["packages"]
    package.update(change)
    lock.write_text(json.dumps(document))

    assert error in refused(*words(archive.line(), "--locked"), code=code).error


@pytest.mark.usefixtures("lock")
def test_a_lock_that_is_stale(refused: Refused, archive: SmallArchive) -> None:
    done = refused(*words(archive.line(), "--recommends"))

    assert "the lock is of another request" in done.error
    assert "artificer lock" in done.hint


def test_a_lock_that_cannot_be_read(refused: Refused, archive: SmallArchive, lock: Path) -> None:
    lock.write_text("{")

    done = refused(*words(archive.line(), "--locked"), code=2)

    assert "artificer.lock:1: not a lock file" in done.error
