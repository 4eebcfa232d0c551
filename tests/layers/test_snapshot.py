import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artificer.layers.entry import pack_stat, stat_of, told
from artificer.layers.snapshot import Change, Snapshot, changes, racy, unchanged

LONG_AGO = 1_000_000_000_000_000_001


def snapshot_of(folder: Path) -> Snapshot:
    paths = [folder, *sorted(folder.rglob("*"))]
    return Snapshot.of("key", [(str(path), stat_of(path.lstat())) for path in paths], b"result")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    tree = tmp_path / "tree"
    (tree / "sub").mkdir(parents=True)
    (tree / "a").write_bytes(b"aaa")
    (tree / "sub" / "b").write_bytes(b"b")
    (tree / "link").symlink_to("a")
    for path in tree.rglob("*"):
        os.utime(path, ns=(LONG_AGO, LONG_AGO), follow_symlinks=False)
    time.sleep(0.02)  # a tick, or else all below would be racy
    return tree


def test_what_was_not_touched_is_unchanged(tree: Path) -> None:
    snapshot = snapshot_of(tree)

    (tree / "a").read_bytes()

    assert unchanged(snapshot)


def _rewritten(tree: Path) -> None:
    (tree / "a").write_bytes(b"AAA")


def _rewritten_in_secret(tree: Path) -> None:
    (tree / "a").write_bytes(b"AAA")
    os.utime(tree / "a", ns=(LONG_AGO, LONG_AGO))


def _replaced(tree: Path) -> None:
    (tree / "other").write_bytes(b"AAA")
    os.utime(tree / "other", ns=(LONG_AGO, LONG_AGO))
    (tree / "other").rename(tree / "a")


def _grown(tree: Path) -> None:
    (tree / "a").write_bytes(b"aaaa")


def _made_executable(tree: Path) -> None:
    (tree / "a").chmod(0o755)


def _removed(tree: Path) -> None:
    (tree / "sub" / "b").unlink()


def _added(tree: Path) -> None:
    (tree / "sub" / "c").write_bytes(b"")


def _pointed_elsewhere(tree: Path) -> None:
    (tree / "link").unlink()
    (tree / "link").symlink_to("b")


def _turned_into_a_directory(tree: Path) -> None:
    (tree / "a").unlink()
    (tree / "a").mkdir()


MODE = f"{0o666 & ~0o022:04o}"


@pytest.mark.parametrize(
    ("change", "path", "what"),
    [
        (_rewritten, "a", "written (same size, other modification time)"),
        (
            _rewritten_in_secret,
            "a",
            "touched (links, owner, attributes, or written under the same modification time)",
        ),
        (_replaced, "a", "replaced by another file (same size and modification time)"),
        (_grown, "a", "size 3 → 4"),
        (_made_executable, "a", f"mode {MODE} → 0755"),
        (_removed, "sub/b", "removed"),
        (_added, "sub/c", "added"),
        (_pointed_elsewhere, "link", "written (same size, other modification time)"),
        (_turned_into_a_directory, "a", "file → directory"),
    ],
)
def test_every_change_is_seen_and_explained(
    tree: Path, change: Callable[[Path], None], path: str, what: str
) -> None:
    (tree / "a").chmod(int(MODE, 8))
    before = snapshot_of(tree)

    change(tree)

    assert not unchanged(before)
    assert changes(before, snapshot_of(tree)) == [Change(str(tree / path), what)]


def test_a_change_of_size_and_mode_is_told_at_once(tree: Path) -> None:
    (tree / "a").chmod(0o600)
    before = snapshot_of(tree)
    (tree / "a").write_bytes(b"")
    (tree / "a").chmod(0o4755)

    assert [change.what for change in changes(before, snapshot_of(tree))] == [
        "size 3 → 0, mode 0600 → 4755"
    ]


def test_a_directory_is_told_when_there_is_nothing_else(tree: Path) -> None:
    before = snapshot_of(tree)
    (tree / "sub" / "ignored").write_bytes(b"")
    (tree / "sub" / "ignored").unlink()

    assert changes(before, snapshot_of(tree)) == [Change(str(tree / "sub"), "names in it")]


_integers = st.integers(-(2**63), 2**63 - 1)
_naturals = st.integers(0, 2**64 - 1)
_stats = st.builds(
    pack_stat, _naturals, st.integers(0, 2**63 - 1), _integers, _integers, _naturals
)
_paths = st.binary(min_size=1).filter(lambda path: b"\0" not in path).map(os.fsdecode)
_snapshots = st.builds(
    Snapshot.of, st.text("0123456789abcdef"), st.lists(st.tuples(_paths, _stats)), st.binary()
)


@given(_snapshots)
def test_a_record_is_read_back(snapshot: Snapshot) -> None:
    assert Snapshot.unpack(snapshot.pack()) == snapshot


@given(_snapshots, st.data())
def test_a_damaged_record_is_none(snapshot: Snapshot, data: st.DataObject) -> None:
    packed = bytearray(snapshot.pack())
    packed[data.draw(st.integers(0, len(packed) - 1))] ^= data.draw(st.integers(1, 255))

    assert Snapshot.unpack(bytes(packed)) is None
    assert Snapshot.unpack(snapshot.pack()[: data.draw(st.integers(0, len(packed) - 1))]) is None
    assert Snapshot.unpack(snapshot.pack() + b"\0") is None


def test_the_format_is_these_bytes() -> None:
    seen = [("a", pack_stat(1, 2, -3, 4, 5)), ("b\udcff", pack_stat(6, 7, 8, 9, 10))]

    packed = Snapshot.of("key", seen, b"result").pack()

    assert packed[:24] == b"artificer stat record 1\n"
    assert packed[56:88] == b"".join(n.to_bytes(8, "little") for n in (3, 6, 4, 2))
    assert packed[88:101] == b"keyresulta\0b\xff"
    assert packed[101:] == b"".join(
        n.to_bytes(8, "little", signed=True) for n in (1, 2, -3, 4, 5, 6, 7, 8, 9, 10)
    )


def test_a_time_of_a_far_century_makes_a_stat() -> None:
    times = {"st_mtime_ns": 2**64 + 5, "st_ctime_ns": 7}
    far = os.stat_result((0o100644, 3, 0, 1, 0, 0, 2, 0, 0, 0), times)

    assert told(stat_of(far)) == (0o100644, 2, 5, 7, 3)


NOW = 1_700_000_000_000_000_000
TICK = 10_000_000


@pytest.mark.parametrize(
    ("mtime", "ctime", "answer"),
    [
        (NOW - TICK, LONG_AGO, True),
        (LONG_AGO, NOW - TICK, True),
        (NOW - TICK - 1, NOW - TICK - 1, False),
        (NOW + 10**12, LONG_AGO, True),
        (NOW - 2 * 10**9, NOW - 2 * 10**9, True),
        (NOW - 10**9, NOW - 3 * 10**9, True),
        (NOW - 10**9, NOW - 10**9 - 1, False),
        (NOW - 3 * 10**9, NOW - 3 * 10**9, False),
    ],
)
def test_what_is_newer_than_a_tick_is_racy(mtime: int, ctime: int, answer: bool) -> None:
    stats = [pack_stat(0, 0, 1, 1, 0), pack_stat(0o100644, 1, mtime, ctime, 1)]

    assert racy(stats, NOW) is answer


def test_a_file_written_just_now_is_racy(tmp_path: Path) -> None:

    started = time.time_ns()
    (tmp_path / "a").write_bytes(b"a")

    assert racy([stat_of((tmp_path / "a").lstat())], started)


def test_looking_at_a_record_loads_next_to_nothing() -> None:
    code = (
        "import artificer.layers.snapshot, sys; "
        "print(*{'dataclasses', 'pathlib', 'threading', 'queue', 'deflate'} & set(sys.modules))"
    )

    run = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, check=True)

    assert run.stdout.strip() == b""
