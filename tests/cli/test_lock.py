"""`artificer lock` pins the tags of a command line; builds in that directory use the pins."""

from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.parts.commands import Command
from tests.parts.images import BaseImage


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    (tmp_path / "work" / "server").write_text("x")
    return tmp_path / "work"


def test_a_locked_tag_that_moves_does_not_move_the_build(
    here: Path,
    artificer: Run,
    alpine: BaseImage,
    multi: BaseImage,
    fresh_repository: str,
    skopeo: Command,
) -> None:
    base = f"{fresh_repository}:1"
    copy = ("copy", "--all", "--src-tls-verify=false", "--dest-tls-verify=false")
    skopeo.run(*copy, f"docker://{alpine.reference}", f"docker://{base}")
    words = ("-b", base, "-f", "server")

    done = artificer("lock", *words)
    assert f"+ {base} {alpine.digest}" in done.lines
    first = artificer(*words, "--locked", "-t", "oci:layout:one").lines
    skopeo.run(*copy, f"docker://{multi.reference}", f"docker://{base}")
    second = artificer(*words, "-t", "oci:layout:one").lines
    stale = artificer("lock", "--check", *words, code=1)

    assert first == second
    assert multi.digest.partition(":")[2][:12] in stale.err
    assert alpine.digest in (here / "artificer.lock").read_text()


def test_locked_refuses_what_is_not_pinned(here: Path, artificer: Run, alpine: BaseImage) -> None:
    artificer("lock", "-b", "scratch", "-f", "server")
    (here / "artificer.lock").write_text('{"version": 1}')

    done = artificer("-b", alpine.reference, "--locked", "-t", "oci:layout:x", code=1)

    assert "is not in artificer.lock" in done.err
    assert "`artificer lock`" in done.err
    assert not (here / "layout").exists()


def test_a_second_lock_changes_nothing(here: Path, artificer: Run, alpine: BaseImage) -> None:
    artificer("lock", "-b", alpine.reference)
    before = (here / "artificer.lock").stat().st_mtime_ns

    done = artificer("lock", "-b", alpine.reference)

    assert done.lines == []
    assert "up to date" in done.err
    assert (here / "artificer.lock").stat().st_mtime_ns == before
