"""Contexts on disk: what they take of memory, and what is remembered of them."""

import os
import tracemalloc
from pathlib import Path

import pytest

from artificer.builder.staged.contents import Wanted, content_of
from artificer.builder.staged.contexts import OnDisk
from artificer.builder.staged.disk import DiskFiles
from artificer.builder.staged.ignore import Ignore
from artificer.builder.staged.select import Manner, below
from artificer.events import unheard
from artificer.store.blobs import Store, open_store

ALL = Wanted(("",), Manner())
LONG_AGO = 1_600_000_000_123_456_789


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """An empty store."""
    return open_store(str(tmp_path / "store"))


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A context of some files, none of them new."""
    folder = tmp_path / "context"
    folder.mkdir()
    for name in ("a", "c", "e"):
        (folder / name).write_text(name)
        os.utime(folder / name, ns=(LONG_AGO, LONG_AGO))
    return folder


def files_of(folder: Path) -> OnDisk:
    """What a new build sees of *folder*."""
    return OnDisk(DiskFiles(str(folder), Ignore(), unheard))


@pytest.mark.parametrize("come", ["0", "b", "d", "f"])
@pytest.mark.parametrize("gone", [None, "a", "c", "e"])
def test_files_that_come_and_go_give_the_key_of_what_is_there(
    tree: Path, store: Store, come: str, gone: str | None
) -> None:
    content_of(files_of(tree), ALL, store, afresh=False)
    (tree / come).write_text("new")
    if gone is not None:
        (tree / gone).unlink()

    found = content_of(files_of(tree), ALL, store, afresh=False)

    assert found.key == content_of(files_of(tree), ALL, store, afresh=True).key


def test_what_is_kept_of_a_file_takes_little_memory(tmp_path: Path) -> None:
    count = 2_000
    for number in range(count):
        (tmp_path / f"a-file-with-a-name-{number:05}").touch()
    files = files_of(tmp_path).files

    tracemalloc.start()
    found = sum(1 for _ in below(files, "", Ignore()))
    kept = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()

    assert found == count
    assert kept / count < 400
