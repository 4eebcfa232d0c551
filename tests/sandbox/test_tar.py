"""What was found to have changed, as entries and as a tar."""

import io
import os
import tarfile
from pathlib import Path

from artificer.layers.entry import DIRECTORY, FILE, HARDLINK, Entry, stat_of
from artificer.layers.whiteout import whiteout
from artificer.sandbox.layer import entries_of, send_tar, tar_size
from artificer.sandbox.rung import Found, Times


def file(path: str, place: Path, data: bytes = b"x") -> Entry:
    if not place.exists():
        place.write_bytes(data)
    status = place.stat()
    size = status.st_size
    return Entry(path, FILE, 0o644, 0, 0, size, 0, "", str(place), stat=stat_of(status))


def folder(path: str) -> Entry:
    return Entry(path, DIRECTORY, 0o755, 0, 0, 0, 0, "", None)


def test_whiteouts_come_first_and_directories_before_what_is_in_them(tmp_path: Path) -> None:
    found = [
        Found(file("b/x", tmp_path / "1")),
        Found(folder("b.d")),
        Found(whiteout("z", 0)),
        Found(folder("b")),
        Found(whiteout("a/y", 0)),
    ]

    paths = [entry.path for entry in entries_of(found)]

    assert paths == [".wh.z", "a/.wh.y", "b", "b/x", "b.d"]


def test_what_did_not_change_is_left_out_unless_something_in_it_did(tmp_path: Path) -> None:
    found = [
        Found(folder("a"), same=True),
        Found(folder("a/b"), same=True),
        Found(folder("c"), same=True),
        Found(file("a/b/new", tmp_path / "1")),
        Found(file("a/old", tmp_path / "2"), same=True),
    ]

    assert [entry.path for entry in entries_of(found)] == ["a", "a/b", "a/b/new"]


def test_the_first_path_of_a_file_has_its_bytes(tmp_path: Path) -> None:
    first = file("x/old", tmp_path / "1")
    os.link(tmp_path / "1", tmp_path / "2")
    entries = entries_of(
        [Found(file("y/new", tmp_path / "2")), Found(first, same=True), Found(folder("q"))]
    )

    assert [(entry.path, entry.kind, entry.link) for entry in entries] == [
        ("q", DIRECTORY, ""),
        ("x/old", FILE, ""),
        ("y/new", HARDLINK, "x/old"),
    ]


def test_the_tar_is_as_long_as_was_said_and_holds_the_files(tmp_path: Path) -> None:
    big = os.urandom(3_000_001)
    entries = entries_of(
        [
            Found(file("big", tmp_path / "big", big)),
            Found(file("empty", tmp_path / "empty", b"")),
            Found(whiteout("gone", 5)),
            *(Found(folder("d" * 120 + str(number))) for number in range(2000)),
        ]
    )
    with (tmp_path / "tar").open("wb") as out:
        send_tar(entries, out.fileno())
    data = (tmp_path / "tar").read_bytes()

    assert len(data) == tar_size(entries)
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        found = tar.extractfile("big")
        assert found is not None
        assert found.read() == big
        assert tar.getmember(".wh.gone").mtime == 5
        assert len(tar.getmembers()) == 2003


def test_times_are_whole_seconds_and_new_ones_the_epoch() -> None:
    times = Times(started=10_500_000_000, epoch=3)

    assert times.seconds(9_999_999_999) == 9
    assert times.seconds(10_000_000_000) == 3
    assert times.seconds(10_500_000_001) == 3
    assert times.seconds(-1) == -1
    assert times._replace(preserve=True).seconds(99_900_000_000) == 99
