"""`artificer lock` pins the tags of a command line; builds in that directory use the pins."""

from pathlib import Path

import pytest

from tests.cli.outside import Cli
from tests.parts.commands import Command
from tests.parts.images import BaseImage


@pytest.fixture
def here(work: Path) -> Path:
    (work / "server").write_text("x")
    return work


def test_a_locked_tag_that_moves_does_not_move_the_build(
    here: Path,
    cli: Cli,
    alpine: BaseImage,
    multi: BaseImage,
    fresh_repository: str,
    skopeo: Command,
) -> None:
    base = f"{fresh_repository}:1"
    copy = ("copy", "--all", "--src-tls-verify=false", "--dest-tls-verify=false")
    skopeo.run(*copy, f"docker://{alpine.reference}", f"docker://{base}")
    words = ("-b", base, "-f", "server")

    done = cli("lock", *words)
    assert f"+ {base} {alpine.digest}" in done.stdout.splitlines()
    first = cli(*words, "--locked", "-t", "oci:layout:one").stdout
    skopeo.run(*copy, f"docker://{multi.reference}", f"docker://{base}")
    second = cli(*words, "-t", "oci:layout:one").stdout
    stale = cli("lock", "--check", *words, code=1)

    assert first == second
    assert multi.digest.partition(":")[2][:12] in stale.stderr
    assert alpine.digest in (here / "artificer.lock").read_text()


def test_locked_refuses_what_is_not_pinned(here: Path, cli: Cli, alpine: BaseImage) -> None:
    cli("lock", "-b", "scratch", "-f", "server")
    (here / "artificer.lock").write_text('{"version": 1}')

    done = cli("-b", alpine.reference, "--locked", "-t", "oci:layout:x", code=1)

    assert "is not in artificer.lock" in done.stderr
    assert "`artificer lock`" in done.stderr
    assert not (here / "layout").exists()


def test_a_second_lock_changes_nothing(here: Path, cli: Cli, alpine: BaseImage) -> None:
    cli("lock", "-b", alpine.reference)
    before = (here / "artificer.lock").stat().st_mtime_ns

    done = cli("lock", "-b", alpine.reference)

    assert done.stdout == ""
    assert "up to date" in done.stderr
    assert (here / "artificer.lock").stat().st_mtime_ns == before


def test_a_command_line_without_a_base_is_not_taken_for_the_workspace(cli: Cli) -> None:
    done = cli("lock", "--apt", "nginx", "-t", "oci:x", code=2)

    assert done.error == "the command line that is to be locked names no base"
    assert "`-b BASE`" in done.hint
