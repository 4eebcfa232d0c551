import os
import stat
from pathlib import Path

import pytest

from artificer.images.directory import Directory, UnsafeEntry
from artificer.layers.entry import CHAR, DIRECTORY, FIFO, FILE, HARDLINK, SYMLINK, Entry

ROOT = os.geteuid() == 0


def _file(path: str, data: bytes = b"", mode: int = 0o644) -> tuple[Entry, list[bytes]]:
    return Entry(path, FILE, mode, 0, 0, len(data), 5, "", None), [data]


def _other(path: str, kind: str, link: str = "", mode: int = 0o755) -> tuple[Entry, list[bytes]]:
    return Entry(path, kind, mode, 0, 0, 0, 5, link, None), []


def _written(path: Path, *layers: list[tuple[Entry, list[bytes]]]) -> Directory:
    directory = Directory(str(path), owners=False)
    for layer in layers:
        directory.next_layer()
        for entry, chunks in layer:
            directory.add(entry, chunks)
    directory.finish()
    return directory


def test_parents_are_made_and_modes_and_times_are_set_last(tmp_path: Path) -> None:
    _written(
        tmp_path,
        [
            _other("", DIRECTORY, mode=0o700),
            _other("a", DIRECTORY, mode=0o500),
            _file("a/b/c", b"x", 0o4755),
        ],
    )

    assert stat.S_IMODE((tmp_path / "a/b/c").stat().st_mode) == 0o4755
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o500
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o700
    assert (tmp_path / "a").stat().st_mtime == (tmp_path / "a/b/c").stat().st_mtime == 5


def test_a_file_takes_the_place_of_a_directory_and_back(tmp_path: Path) -> None:
    _written(
        tmp_path,
        [_other("a", DIRECTORY), _file("a/deep/x"), _file("b"), _file("c")],
        [_file("a", b"file"), _file("b/x", b"below"), _other("c", DIRECTORY)],
    )

    assert (tmp_path / "a").read_bytes() == b"file"
    assert (tmp_path / "b/x").read_bytes() == b"below"
    assert (tmp_path / "c").is_dir()


def test_a_layer_hides_only_what_is_below_it(tmp_path: Path) -> None:
    _written(
        tmp_path,
        [_file("d/old"), _file("d/sub/old"), _file("gone"), _file("kept")],
        [
            _file("d/new"),
            _file("d/sub/new"),
            _file("d/.wh..wh..opq"),
            _file(".wh.gone"),
            _file("kept", b"again"),
            _file(".wh.kept"),
            _file(".wh.never"),
            _file(".wh..wh.aufs"),
        ],
    )

    assert sorted(os.listdir(tmp_path)) == ["d", "kept"]
    assert sorted(os.listdir(tmp_path / "d")) == ["new", "sub"]
    assert os.listdir(tmp_path / "d/sub") == ["new"]


def test_a_link_to_a_directory_that_becomes_another_is_looked_up_again(tmp_path: Path) -> None:
    _written(
        tmp_path,
        [_other("one", DIRECTORY), _other("two", DIRECTORY), _other("way", SYMLINK, "one")],
        [_file("way/a"), _other("way", SYMLINK, "two"), _file("way/b"), _other("x", FIFO)],
        [_file(".wh.way"), _file("way/c")],
    )

    assert os.listdir(tmp_path / "one") == ["a"]
    assert os.listdir(tmp_path / "two") == ["b"]
    assert os.listdir(tmp_path / "way") == ["c"]


@pytest.mark.parametrize(
    "entry",
    [
        _file("a/.."),
        _file("a/."),
        _file("a/.wh..."),
        _other("x", HARDLINK, "a/.."),
        _other("x", HARDLINK, "nowhere"),
        _other("x", "9"),
    ],
)
def test_an_entry_that_cannot_be_is_refused(
    tmp_path: Path, entry: tuple[Entry, list[bytes]]
) -> None:
    with pytest.raises(UnsafeEntry):
        _written(tmp_path, [entry])


def test_attributes_are_set_where_the_file_system_has_them(tmp_path: Path) -> None:
    plain, chunks = _file("a", b"x")
    attributes = (("user.one", b"1"), ("nonsense.two", b"2"))
    directory = Directory(str(tmp_path), owners=False)

    directory.add(plain._replace(xattrs=attributes), chunks)
    skipped = {one.what for one in directory.finish()}

    assert "extended attributes (nonsense.two)" in skipped
    if "extended attributes (user.one)" not in skipped:
        assert os.getxattr(tmp_path / "a", "user.one") == b"1"


def test_a_hard_link_to_itself_stays_a_file(tmp_path: Path) -> None:
    _written(tmp_path, [_file("a", b"x"), _other("a", HARDLINK, "a")])

    assert (tmp_path / "a").read_bytes() == b"x"


@pytest.mark.skipif(not ROOT, reason="only root may set owners")
def test_root_gets_owners_and_devices(tmp_path: Path) -> None:
    directory = Directory(str(tmp_path), owners=True)
    entry, chunks = _file("a", b"x", 0o4755)
    directory.add(entry._replace(uid=7, gid=8), chunks)
    directory.add(Entry("n", CHAR, 0o666, 0, 0, 0, 5, "", None, device=(1, 3)), [])
    skipped = {one.what for one in directory.finish()}

    status = (tmp_path / "a").stat()
    assert stat.S_IMODE(status.st_mode) == 0o4755
    if "owners" not in skipped:  # root of a user namespace may not
        assert (status.st_uid, status.st_gid) == (7, 8)
    if "devices" not in skipped:
        assert (tmp_path / "n").stat().st_rdev == os.makedev(1, 3)
