"""What the store takes, what a prune gives back, and whether the store is sound."""

import os
import re
import time
from pathlib import Path

import pytest

from artificer.store.blobs import open_store
from tests.cli.outside import Cli, Done


@pytest.fixture
def filled(cli: Cli, work: Path) -> Cli:
    """A store with one build in it, that was not used for two days."""
    (work / "data").write_bytes(os.urandom(100_000))
    cli("-b", "scratch", "-f", "data", "-t", f"oci:{work / 'layout'}")
    age(cli.store, days=2)
    return cli


def age(store: Path, *, days: float) -> None:
    then = time.time() - days * 86_400
    for path in store.rglob("*"):
        if path.is_file():
            os.utime(path, (then, then))


def total(cli: Cli) -> int:
    """The bytes of the last line of `cache du`."""
    return int(cli("cache", "du").stdout.splitlines()[-1].split()[2])


def freed(done: Done) -> int:
    found = re.search(r"\((\d+) bytes, ", done.stdout)
    assert found
    return int(found[1])


def test_du_adds_up(filled: Cli) -> None:
    head, *rows, last = filled("cache", "du").stdout.splitlines()
    sizes = [int(re.split(r" {2,}", row)[2]) for row in rows]

    assert head.split() == ["KIND", "FILES", "BYTES", "SIZE"]
    assert sum(sizes) == int(last.split()[2]) >= 100_000


def test_du_of_a_store_that_is_not_there_is_nothing(cli: Cli) -> None:
    assert total(cli) == 0


@pytest.mark.parametrize(
    "words",
    [(), ("--older-than", "1d"), ("--max-size", "10kB"), ("--all",), ("--older-than", "36h")],
)
def test_a_prune_frees_what_it_says(filled: Cli, words: tuple[str, ...]) -> None:
    before = total(filled)
    done = filled("cache", "prune", *words)

    assert freed(done) == before - total(filled) >= 100_000


@pytest.mark.parametrize("words", [("--older-than", "3d"), ("--max-size", "1GB")])
def test_a_prune_leaves_what_it_should(filled: Cli, words: tuple[str, ...]) -> None:
    before = total(filled)

    assert freed(filled("cache", "prune", *words)) == 0
    assert total(filled) == before


def test_a_prune_while_somebody_builds_says_what_stays(filled: Cli) -> None:
    with open_store(str(filled.store)).in_use():
        done = filled("cache", "prune", "--all")

    assert "what was used within the last hour stays" in done.stderr


def test_a_named_image_stays_unless_everything_goes(cli: Cli, work: Path) -> None:
    (work / "data").write_bytes(os.urandom(100_000))
    cli("-b", "scratch", "-f", "data", "-t", "store:mine")
    age(cli.store, days=2)

    cli("cache", "prune")
    assert total(cli) > 100_000

    cli("cache", "prune", "--all")
    assert total(cli) == 0


def test_a_sound_store_is_found_sound(filled: Cli) -> None:
    done = filled("cache", "verify")

    assert done.stdout == ""
    assert "are what their digests say" in done.stderr


def damaged(store: Path) -> str:
    """The digest of the largest blob, of which a byte is wrong now."""
    path = max((store / "blobs/sha256").iterdir(), key=lambda one: one.stat().st_size)
    data = bytearray(path.read_bytes())
    data[100] ^= 1
    path.write_bytes(data)
    return f"sha256:{path.name}"


def test_a_damaged_blob_is_named(filled: Cli) -> None:
    digest = damaged(filled.store)
    done = filled("cache", "verify", code=1)

    assert done.stdout.startswith(f"blob {digest}: its bytes are those of sha256:")
    assert "fault" in done.error
    assert done.hint == "`artificer cache verify --remove` takes damaged blobs out"


def test_a_damaged_blob_is_removed_and_made_anew(filled: Cli, work: Path) -> None:
    digest = damaged(filled.store)
    done = filled("cache", "verify", "--remove", code=1)  # the records that need it are told, too
    filled("-b", "scratch", "-f", "data", "-t", f"oci:{work / 'again'}")

    assert f"blob {digest}" in done.stdout
    assert "(removed)" in done.stdout
    assert digest in [f"sha256:{path.name}" for path in (work / "again/blobs/sha256").iterdir()]
    filled("cache", "verify")


def test_a_file_that_is_no_blob_is_named_and_stays(filled: Cli) -> None:
    stray = filled.store / "blobs/sha256/notes.txt"
    stray.write_text("mine")
    done = filled("cache", "verify", "--remove", code=1)

    assert done.stdout == f"blob {stray}: its name is no digest\n"
    assert stray.exists()


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ((), "cache what?"),
        (("clear",), "no such command: cache clear"),
        (("prune", "--older-than", "soon"), "--older-than: not a duration: 'soon'"),
        (("prune", "--max-size", "many"), "--max-size: not a size: 'many'"),
        (("prune", "--all", "--max-size", "1GB"), "--all heeds neither age nor size"),
        (("du", "more"), "unrecognized arguments: more"),
    ],
)
def test_what_makes_no_sense_is_refused(cli: Cli, words: tuple[str, ...], error: str) -> None:
    assert cli("cache", *words, code=2).error == error


@pytest.mark.parametrize("words", [("cache",), ("cache", "du"), ("cache", "prune")])
def test_help_goes_to_standard_output(cli: Cli, words: tuple[str, ...]) -> None:
    done = cli(*words, "--help")

    assert done.stdout.startswith("usage: artificer cache")
    assert done.stderr == ""


def test_a_folder_that_is_no_store_is_left_alone(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("precious")
    done = cli("cache", "prune", "--all", "--store", tmp_path, code=1)

    assert "is not a store, and not empty" in done.error
    assert (tmp_path / "mine").exists()
