"""Places to mount at: found within a root, made, and taken back."""

import os
from pathlib import Path

import pytest

from artificer.sandbox.points import Points, read_file, real_path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    made = tmp_path / "root"
    (made / "usr/bin").mkdir(parents=True)
    (made / "usr/bin/sh").write_text("sh")
    for name, target in (
        ("bin", "usr/bin"),
        ("absolute", "/usr/bin"),
        ("out", "../../../.."),
        ("loop", "loop"),
        ("dangling", "/not/there"),
    ):
        (made / name).symlink_to(target)
    return made


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/bin/sh", "/usr/bin/sh"),
        ("absolute/sh", "/usr/bin/sh"),
        ("/out/usr/./bin/../bin", "/usr/bin"),
        ("/../..", "/"),
        ("/dangling/x", "/not/there/x"),
        ("/new/one", "/new/one"),
    ],
)
def test_links_are_followed_within_the_root(root: Path, path: str, expected: str) -> None:
    assert real_path(str(root), path) == expected


def test_links_without_an_end_are_an_error(root: Path) -> None:
    with pytest.raises(OSError, match="too many levels"):
        real_path(str(root), "/loop/x")


def test_what_was_made_is_taken_back_and_times_stay(root: Path) -> None:
    os.utime(root, ns=(1, 2))
    os.utime(root / "usr", ns=(3, 4))
    points = Points(str(root))
    points.make("/new/one/file", directory=False)
    points.make("/usr/dir", directory=True)
    points.make("/bin/sh", directory=False)
    points.make("/dangling", directory=True)
    points.restore()
    assert (root / "new/one/file").is_file()
    assert (root / "not/there").is_dir()
    assert root.stat().st_mtime_ns == 2

    points.take_back()

    assert sorted(os.listdir(root)) == ["absolute", "bin", "dangling", "loop", "out", "usr"]
    assert os.listdir(root / "usr") == ["bin"]
    assert (root.stat().st_mtime_ns, (root / "usr").stat().st_mtime_ns) == (2, 4)


def test_what_a_command_put_there_stays(root: Path) -> None:
    points = Points(str(root))
    points.make("/a/file", directory=False)
    points.make("/b", directory=True)
    points.make("/c", directory=True)
    (root / "a/file").write_text("mine")
    (root / "b/mine").write_text("mine")
    (root / "c").rmdir()
    (root / "c").write_text("another")

    points.take_back()

    assert (root / "a/file").read_text() == "mine"
    assert (root / "b/mine").exists()
    assert (root / "c").read_text() == "another"


def test_a_file_of_the_root_is_read_and_only_a_file(root: Path) -> None:
    os.mkfifo(root / "fifo")

    assert read_file(str(root), "/absolute/sh") == b"sh"
    assert read_file(str(root), "/out/etc/passwd") == b""
    assert [read_file(str(root), name) for name in ("fifo", "usr", "loop", "no")] == [b""] * 4
