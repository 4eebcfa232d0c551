"""A build's files come to another machine whole, by git or by a registry, and nothing twice."""

import base64
import os
import stat
from pathlib import Path

import pytest

from tests.cli.outside import Cli
from tests.parts.git_server import commit, serving_git
from tests.parts.registries import LockedRegistry, Registry


@pytest.fixture
def tree(work: Path) -> Path:
    """Files of many sizes, a link, a program, an empty directory."""
    root = work / "tree"
    for number in range(40):
        path = root / f"d{number % 7}" / f"f{number}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.urandom(60_000))
    (root / "large").write_bytes(os.urandom(900_000))
    (root / "link").symlink_to("d0/f0")
    (root / "run.sh").write_text("#!/bin/sh\n")
    (root / "run.sh").chmod(0o755)
    (root / "empty").mkdir()
    return root


def files(root: Path) -> dict[str, object]:
    """What is in *root*, and what of it an image would be made of."""
    found: dict[str, object] = {}
    for path in sorted(root.rglob("*")):
        name = str(path.relative_to(root))
        if path.is_symlink():
            found[name] = os.readlink(path)
        elif path.is_file():
            found[name] = (path.read_bytes(), bool(path.stat().st_mode & stat.S_IXUSR))
        else:
            found[name] = None
    return found


def test_what_was_packed_is_fetched(
    cli: Cli, tree: Path, fresh_repository: str, work: Path
) -> None:
    reference = cli("source", "pack", tree, fresh_repository).stdout.strip()
    cli.machine("other")("source", "fetch", "--artifact", reference, "--into", work / "out")

    assert reference.startswith(f"{fresh_repository}@sha256:")
    assert files(work / "out") == files(tree)


def test_equal_files_have_an_equal_digest_on_every_machine(
    cli: Cli, tree: Path, fresh_repository: str
) -> None:
    first = cli("source", "pack", tree, fresh_repository).stdout
    for path in tree.rglob("*"):
        os.utime(path, (1, 1), follow_symlinks=False)
    second = cli.machine("other")("source", "pack", tree, fresh_repository).stdout

    assert first == second


def test_only_a_part_with_what_changed_is_sent_again(
    cli: Cli, tree: Path, fresh_repository: str, open_registry: Registry
) -> None:
    cli("source", "pack", tree, fresh_repository)
    (tree / "d3" / "f3").write_bytes(os.urandom(60_000))
    before = len(open_registry.requests())
    done = cli("source", "pack", tree, fresh_repository, "--progress", "json")
    asked = open_registry.requests()[before:]

    sent = [event for event in done.events if event["event"] == "blob-sent"]
    assert sum(event["size"] for event in sent) < 700_000
    assert len(asked) <= 9, asked


def test_nothing_is_sent_when_nothing_changed(
    cli: Cli, tree: Path, fresh_repository: str, open_registry: Registry
) -> None:
    cli("source", "pack", tree, fresh_repository)
    before = len(open_registry.requests())
    cli.machine("other")("source", "pack", tree, fresh_repository)

    assert {line.split()[0] for line in open_registry.requests()[before:]} == {"HEAD"}


def test_blobs_that_the_registry_lost_are_sent_again(
    cli: Cli, tree: Path, fresh_repository: str, open_registry: Registry
) -> None:
    cli("source", "pack", tree, fresh_repository)
    (tree / "more").write_text("more")
    path = fresh_repository.partition("/")[2]
    layers = open_registry.data / "docker/registry/v2/repositories" / path / "_layers/sha256"
    for link in layers.rglob("link"):
        link.unlink()
    reference = cli("source", "pack", tree, fresh_repository).stdout.strip()
    cli.machine("other")("source", "fetch", "--artifact", reference, "--into", "out")

    assert files(cli.directory / "out") == files(tree)


def test_what_is_ignored_stays_but_for_what_a_build_needs(
    cli: Cli, tree: Path, fresh_repository: str, work: Path
) -> None:
    (tree / ".dockerignore").write_text("d*\nDockerfile\n.dockerignore\n!d5\n")
    (tree / "Dockerfile").write_text("FROM scratch\n")
    reference = cli("source", "pack", tree, fresh_repository).stdout.strip()
    cli("source", "fetch", "--artifact", reference, "--into", work / "out")

    names = {path.name for path in (work / "out").iterdir()}
    assert names == {".dockerignore", "Dockerfile", "d5", "empty", "large", "link", "run.sh"}


def test_artificers_own_ignore_file_comes_first(
    cli: Cli, tree: Path, fresh_repository: str, work: Path
) -> None:
    (tree / ".dockerignore").write_text("*\n")
    (tree / ".artificerignore").write_text("d*\n")
    reference = cli("source", "pack", tree, fresh_repository).stdout.strip()
    cli("source", "fetch", "--artifact", reference, "--into", work / "out")

    assert (work / "out" / "large").exists()
    assert not (work / "out" / "d0").exists()


def test_a_directory_that_holds_anything_is_refused(cli: Cli, tree: Path) -> None:
    done = cli(
        *("source", "fetch", "--git", "file:///nowhere", "--into", tree),
        code=2,
    )

    assert done.error == f"{tree} is not empty"


def test_a_container_that_is_started_again_finds_it_done(cli: Cli, work: Path) -> None:
    commit(work / "repository", {"a": "a"})
    words = ("source", "fetch", "--git", f"file://{work}/repository", "--into", work / "out")
    cli(*words)
    again = cli(*words)

    assert again.stderr.endswith(" already\n")


def test_what_a_killed_fetch_left_is_taken_away(cli: Cli, work: Path) -> None:
    commit(work / "repository", {"a": "a"})
    (work / "out" / ".artificer-source").mkdir(parents=True)
    (work / "out" / "half").write_text("of an earlier one")
    cli("source", "fetch", "--git", f"file://{work}/repository", "--into", work / "out")

    assert files(work / "out") == {"a": (b"a", False)}


def test_a_fetch_that_fails_leaves_the_directory_empty(cli: Cli, work: Path) -> None:
    commit(work / "repository", {"a": "a"})
    words = ("--git", f"file://{work}/repository", "--revision", "no-such", "--into", work / "out")
    cli("source", "fetch", *words, code=1)

    assert list((work / "out").iterdir()) == []


def test_a_revision_is_fetched_with_the_credentials_of_a_mounted_secret(
    cli: Cli, work: Path
) -> None:
    revision = commit(work / "served" / "app", {"app.txt": "1", "sub/b": "2"})
    commit(work / "served" / "app", {"app.txt": "later"})
    secret = work / "secret"
    secret.mkdir()
    (secret / "username").write_text("alice")
    (secret / "password").write_text("her password")
    header = "Basic " + base64.b64encode(b"alice:her password").decode()
    with serving_git(work / "served", header) as server:
        words = ("--git", server.url("app"), "--revision", revision, "--into", work / "out")
        cli("source", "fetch", *words, "--credentials", secret, "--directory", "sub")
        (secret / "password").write_text("another")
        refused = cli(
            *("source", "fetch", *words[:-1], work / "other", "--credentials", secret), code=77
        )

    assert files(work / "out") == {"app.txt": (b"1", False), "sub": None, "sub/b": (b"2", False)}
    assert "another" not in refused.stderr


def test_a_secret_without_credentials_is_named(cli: Cli, work: Path) -> None:
    (work / "secret").mkdir()
    words = ("--git", "https://example.com/a.git", "--into", work / "out")
    done = cli("source", "fetch", *words, "--credentials", work / "secret", code=77)

    assert done.error == f"{work}/secret has no credentials for git"


def test_a_directory_that_the_source_has_not_is_an_error(cli: Cli, work: Path) -> None:
    commit(work / "repository", {"a": "a"})
    words = ("--git", f"file://{work}/repository", "--into", work / "out")
    done = cli("source", "fetch", *words, "--directory", "absent", code=2)
    out = cli("source", "fetch", *words, "--directory", "../../..", code=2)

    assert "has no directory absent" in done.error
    assert "leads out of" in out.error


def test_an_image_is_no_packed_directory(cli: Cli, work: Path, fresh_repository: str) -> None:
    (work / "f").write_text("f")
    image = cli("-b", "scratch", "-f", "f", "-t", f"{fresh_repository}:1").stdout.strip()
    done = cli("source", "fetch", "--artifact", image, "--into", work / "out", code=1)

    assert done.error == f"{image} is not a directory that was packed"


def test_a_registry_that_lets_nobody_in_is_told_by_the_exit_code(
    cli: Cli, tree: Path, htpasswd_registry: LockedRegistry
) -> None:
    name = f"{htpasswd_registry.host}/context"
    cli("source", "pack", tree, name, "--cacert", htpasswd_registry.ca_file, code=77)
