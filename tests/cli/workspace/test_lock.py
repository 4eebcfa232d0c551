"""`artificer lock` in a workspace: tags and URLs of its WORKSPACE, pinned."""

from pathlib import Path

import pytest

from tests.cli.outside import Cli
from tests.parts.commands import Command
from tests.parts.images import BaseImage

WORKSPACE = """\
load("@io_bazel_rules_docker//container:container.bzl", "container_pull")
load("@bazel_tools//tools/build_defs/repo:http.bzl", "http_file")

container_pull(name = "base", registry = "{registry}", repository = "{repository}", tag = "1")
http_file(name = "file", urls = ["file://{file}"])
"""
BUILD = """\
docker_build(name = "image", base = "@base//image", files = ["@file//file"])
"""
COPY = ("copy", "--all", "--src-tls-verify=false", "--dest-tls-verify=false")


@pytest.fixture
def site(cli: Cli, work: Path, fresh_repository: str, alpine: BaseImage, skopeo: Command) -> Cli:
    """A workspace that takes a tag and a URL from outside."""
    skopeo.run(*COPY, f"docker://{alpine.reference}", f"docker://{fresh_repository}:1")
    registry, _, repository = fresh_repository.partition("/")
    file = work / "outside.txt"
    file.write_text("one")
    text = WORKSPACE.format(registry=registry, repository=repository, file=file)
    (work / "WORKSPACE").write_text(text)
    (work / "BUILD").write_text(BUILD)
    return cli


def test_what_moves_does_not_move_a_locked_build(
    site: Cli, work: Path, fresh_repository: str, multi: BaseImage, skopeo: Command
) -> None:
    told = site("lock").stdout.splitlines()
    locked = site("build", "--locked", "//:image")
    first = locked.stdout
    skopeo.run(*COPY, f"docker://{multi.reference}", f"docker://{fresh_repository}:1")
    second = site("build", "//:image").stdout

    assert [line.split()[0] for line in told] == ["+", "+"]
    assert first == second
    assert "may change" not in locked.stderr
    assert site("lock", "--check").stdout == ""
    assert multi.digest[7:19] in site("lock", "--check", "--update", code=1).stderr
    assert site("lock").stdout == ""
    assert f"~ {fresh_repository}:1" in site("lock", "--update").stdout


def test_a_file_that_is_another_one_now_is_refused_with_both_hashes(site: Cli, work: Path) -> None:
    site("lock")
    (work / "outside.txt").write_text("two")

    done = site.machine("other")("build", "@file//file", code=1)

    assert "sha256 is" in done.error
    assert "WORKSPACE:5" in done.error


def test_locked_refuses_what_has_no_pin_and_check_what_has_one_too_many(
    site: Cli, work: Path
) -> None:
    assert "artificer.lock" in site("build", "--locked", "//:image", code=1).error
    site("lock")
    (work / "WORKSPACE").write_text("")

    done = site("lock", "--check", code=1)

    assert done.stderr.count("  - ") == 2


def test_rule_sets_that_are_known_are_not_fetched_for_a_lock(site: Cli, work: Path) -> None:
    git = 'git_repository(name = "io_bazel_rules_docker", remote = "https://x.invalid", tag = "1")'
    archive = 'http_archive(name = "rules_pkg", urls = ["https://x.invalid/rules_pkg.tar"])'
    with (work / "WORKSPACE").open("a") as file:
        file.write(f"{git}\n{archive}\n")

    told = site("lock").stdout

    assert len(told.splitlines()) == 2
    assert "x.invalid" not in told
