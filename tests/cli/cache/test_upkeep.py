"""The store's size limit, which is looked after when a build wrote something."""

import os
import time
from pathlib import Path

import pytest

from tests.cli.outside import Cli, Done

LARGE = 200_000


def build(cli: Cli, *words: str, file: str = "data", code: int = 0, **environ: str) -> Done:
    target = f"oci:{cli.directory / 'layout'}"
    return cli("-b", "scratch", "-f", file, "-t", target, *words, code=code, environ=environ)


def write(cli: Cli, file: str = "data") -> None:
    (cli.directory / file).write_bytes(os.urandom(LARGE))
    time.sleep(0.02)  # of a file that is newer than the clock's tick nothing is remembered


@pytest.fixture
def old(cli: Cli) -> Cli:
    """A store with the build of another file that was not used for two days."""
    write(cli, "other")
    build(cli, "--store-limit", "none", file="other")
    then = time.time() - 2 * 86_400
    for path in cli.store.rglob("*"):
        if path.is_file():
            os.utime(path, (then, then))
    write(cli)
    return cli


def large_blobs(store: Path) -> int:
    return sum(path.stat().st_size >= LARGE for path in (store / "blobs/sha256").iterdir())


def test_a_build_that_wrote_something_keeps_the_store_within_its_limit(old: Cli) -> None:
    done = build(old, "--store-limit", "250kB")

    assert "the store is kept within its limit: freed " in done.stderr
    assert large_blobs(old.store) == 1


def test_the_variable_says_the_limit_too(old: Cli) -> None:
    build(old, ARTIFICER_STORE_LIMIT="250kB")

    assert large_blobs(old.store) == 1


@pytest.mark.parametrize("limit", ["none", "1GB"])
def test_what_is_within_the_limit_stays(old: Cli, limit: str) -> None:
    done = build(old, "--store-limit", limit, ARTIFICER_STORE_LIMIT="1kB")

    assert "within its limit" not in done.stderr
    assert large_blobs(old.store) == 2


def test_what_was_used_within_the_hour_stays_whatever_the_limit(cli: Cli) -> None:
    write(cli)
    build(cli, "--store-limit", "1kB")

    assert large_blobs(cli.store) == 1


def test_a_build_that_wrote_nothing_leaves_the_store_alone(old: Cli) -> None:
    build(old, "--store-limit", "none")
    done = build(old, "--store-limit", "1kB")

    assert "within its limit" not in done.stderr
    assert large_blobs(old.store) == 2


def test_the_limit_that_nobody_chose_is_looked_at_once_an_hour(cli: Cli) -> None:
    records = cli.store / "records/upkeep"
    write(cli)
    build(cli)
    (first,) = (path.stat().st_mtime_ns for path in records.rglob("*") if path.is_file())
    write(cli)
    build(cli)
    (second,) = (path.stat().st_mtime_ns for path in records.rglob("*") if path.is_file())

    assert first == second


def test_a_limit_that_is_no_size_is_refused_before_anything_is_built(cli: Cli) -> None:
    write(cli)
    by_word = build(cli, "--store-limit", "much", code=2)
    by_variable = build(cli, code=2, ARTIFICER_STORE_LIMIT="much")

    assert by_word.error == "--store-limit: not a size: 'much'"
    assert by_variable.error == "ARTIFICER_STORE_LIMIT: not a size: 'much'"
    assert not (cli.directory / "layout").exists()


def test_a_store_that_cannot_be_pruned_fails_no_build(old: Cli) -> None:
    (old.store / "index.json").write_text("broken")
    done = build(old, "--store-limit", "250kB")

    assert "warning: the store was not pruned: " in done.stderr
    assert done.stderr.endswith("Done.\n")
