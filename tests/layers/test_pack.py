import os
from pathlib import Path

import pytest

from artificer.layers import pack as packing
from artificer.layers.encode import PIECE, encoder
from artificer.layers.entry import Span
from artificer.layers.pack import ChangedWhileRead, Unreadable, _read_into
from artificer.layers.write import write_layer
from artificer.stop import Stop
from artificer.store.blobs import Store
from tests.layers.made import blob, contents, left_over, made, on_disk, random_bytes

GZIP = encoder("gzip")
NONE = encoder("none")


def _grown(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"more")


def _cut_short(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def _touched(path: Path) -> None:
    os.utime(path, ns=(1, 1))


def _replaced(path: Path) -> None:
    other = path.with_name("other")
    other.write_bytes(path.read_bytes())
    os.utime(other, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns))
    other.rename(path)


def _linked(path: Path) -> None:
    path.rename(path.with_name("other"))
    path.symlink_to("other")


def _gone(path: Path) -> None:
    path.unlink()


def _a_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _a_fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


CHANGES = [_grown, _cut_short, _touched, _replaced, _linked, _gone, _a_directory, _a_fifo]


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("size", [100, 2 * PIECE])
def test_a_file_that_is_not_the_one_that_was_seen_is_an_error(  # type: ignore[no-untyped-def]
    store: Store, tmp_path: Path, change, size: int
) -> None:
    entries = [made("a", b"a"), on_disk(tmp_path, "file", random_bytes(size))]
    change(tmp_path / "file")

    with pytest.raises(ChangedWhileRead) as changed:
        write_layer(entries, GZIP, store, stop=Stop())

    assert changed.value.path == str(tmp_path / "file")
    assert left_over(store) == []


def test_a_file_that_changes_while_it_is_read_is_an_error(store: Store, tmp_path: Path) -> None:
    entries = [on_disk(tmp_path, "file", random_bytes(20 * PIECE))]
    reads = []

    class Changing(Stop):
        def check(self) -> None:
            reads.append(1)
            if len(reads) == 5:
                _touched(tmp_path / "file")

    with pytest.raises(ChangedWhileRead):
        write_layer(entries, GZIP, store, stop=Changing())

    assert left_over(store) == []


def test_a_missing_or_unreadable_file_is_named(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "nothing"
    entry = made("x", b"xyz")._replace(source=str(path))

    with pytest.raises(Unreadable) as missing:
        write_layer([entry], GZIP, store, stop=Stop())

    assert missing.value.message == f"cannot read {path}: no such file or directory"
    assert left_over(store) == []


def test_files_of_others_are_read_where_their_access_time_cannot_be_kept(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    really = os.open

    def refusing(path: str, flags: int, *rest: int) -> int:
        if flags & os.O_NOATIME:
            raise PermissionError(1, "Operation not permitted", path)
        return really(path, flags, *rest)

    entries = [on_disk(tmp_path, "a", b"a"), on_disk(tmp_path, "b", b"b")]
    monkeypatch.setattr(os, "open", refusing)

    layer = write_layer(entries, NONE, store, stop=Stop())

    assert contents(blob(store, layer)) == {"a": b"a", "b": b"b"}


def test_without_readv_the_layer_is_the_same(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entries = [on_disk(tmp_path, str(size), random_bytes(size)) for size in (0, 7, 3 * PIECE)]
    layer = write_layer(entries, NONE, store, stop=Stop())

    def short(descriptor: int, views: tuple[memoryview]) -> int:
        return _read_into(descriptor, (views[0][:100_000],))

    for reader in (_read_into, short):
        monkeypatch.setattr(packing, "_readv", reader)

        assert write_layer(entries, NONE, store, stop=Stop()) == layer


@pytest.mark.parametrize("size", [10, 2 * PIECE])
def test_a_disk_that_cannot_be_read_is_named(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    def failing(descriptor: int, views: tuple[memoryview]) -> int:
        raise OSError(5, "Input/output error")

    entry = on_disk(tmp_path, "file", random_bytes(size))
    monkeypatch.setattr(packing, "_readv", failing)

    with pytest.raises(Unreadable, match="file: input/output error"):
        write_layer([entry], GZIP, store, stop=Stop())


def test_a_file_that_may_not_be_read_comes_with_a_hint(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    really = os.open
    entry = on_disk(tmp_path, "file", b"secret")

    def refusing(path: str, flags: int, *rest: int) -> int:
        if path != entry.source:
            return really(path, flags, *rest)
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(os, "open", refusing)

    with pytest.raises(Unreadable) as refused:
        write_layer([entry], GZIP, store, stop=Stop())

    assert refused.value.message == f"cannot read {entry.source!s}: permission denied"
    assert refused.value.hint


def test_a_span_beyond_its_file_is_an_error(store: Store, tmp_path: Path) -> None:
    (tmp_path / "archive").write_bytes(b"short")
    entry = made("x", b"longer")._replace(source=Span(str(tmp_path / "archive"), 2))

    with pytest.raises(ChangedWhileRead):
        write_layer([entry], GZIP, store, stop=Stop())
