import gzip
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from artificer.errors import ArtificerError, Cancelled
from artificer.layers import write
from artificer.layers.encode import PIECE, encoder
from artificer.layers.entry import DIRECTORY, HARDLINK, SYMLINK, Entry, Span
from artificer.layers.pack import pack
from artificer.layers.pool import ROOM, Pool
from artificer.layers.write import Known, Tar, write_layer, write_tar
from artificer.oci.digest import Digest
from artificer.stop import Stop
from artificer.store.blobs import Store, open_store
from tests.layers.made import blob, contents, left_over, made, on_disk, random_bytes

GZIP = encoder("gzip")
NONE = encoder("none")


def test_a_layer_is_these_bytes(store: Store) -> None:
    entries = [
        Entry("etc", DIRECTORY, 0o755, 0, 0, 0, 0, "", None),
        made("etc/hi", b"hi\n"),
        Entry("etc/hello", SYMLINK, 0o777, 0, 0, 0, 0, "hi", None),
        Entry("etc/hard", HARDLINK, 0o644, 0, 0, 0, 0, "etc/hi", None),
        made("big", bytes(3 * PIECE)),
    ]

    layers = [write_layer(entries, encoder(kind), store, stop=Stop()) for kind in KINDS]

    assert [(layer.size, layer.digest) for layer in layers] == GOLDEN
    assert {layer.diff_id for layer in layers} == {GOLDEN[2][1]}
    assert {layer.tar_size for layer in layers} == {GOLDEN[2][0]}


KINDS = ("gzip", "zstd", "none")
GOLDEN = [
    (3_944, "sha256:0735148411c360141c377814aad0ec3b28a49639207c65b3d7381a38ef201ab7"),
    (364, "sha256:09aeb013d036767c7a5b050651671fdb738c68bd7283ae799ef0cd359963cdae"),
    (3_149_824, "sha256:72da353065cc07ac8adce9705fde6b1f7c226d2a052e9cfd1a64cc28c4a39192"),
]


def test_the_digest_names_the_blob_and_the_diff_id_the_tar(store: Store, tmp_path: Path) -> None:
    entries = [on_disk(tmp_path, "a", random_bytes(2 * PIECE)), made("b", b"b" * 1000)]

    layer = write_layer(entries, GZIP, store, stop=Stop())

    data = blob(store, layer)
    assert Digest.of(data) == layer.digest
    assert Digest.of(gzip.decompress(data)) == layer.diff_id
    assert (len(data), len(gzip.decompress(data)), 2) == layer[1:2] + layer[3:5]


# Around the cut, the end of a small file's room, and one and two pieces.
SIZES = [
    *(0, 1, 511, 512, 513),
    *(PIECE - 2 * 512 + n for n in (-513, -512, -511, -1, 0, 1, 511, 512, 513)),
    *(ROOM - PIECE - 2 * 512 + n for n in (-1, 0, 1, 512)),
    *(2 * PIECE - 512 + n for n in (-1, 0, 1)),
    5 * PIECE + 7,
]


@pytest.mark.parametrize("size", SIZES)
def test_files_of_every_size_are_read_back(store: Store, tmp_path: Path, size: int) -> None:
    data = random_bytes(size)
    archive = tmp_path / "archive"
    archive.write_bytes(b"front" + data + b"behind")
    span = made("span", data)._replace(source=Span(str(archive), 5))
    entries = [on_disk(tmp_path, "disk", data), span, made("memory", data), made("last", b"!")]

    layer = write_layer(entries, NONE, store, stop=Stop())

    expected = {"disk": data, "span": data, "memory": data, "last": b"!"}
    assert contents(blob(store, layer)) == expected


@pytest.mark.parametrize("kind", ["gzip", "zstd", "none"])
def test_a_tar_that_ends_at_a_cut_has_no_empty_piece(store: Store, kind: str) -> None:
    layer = write_layer(
        [made("a", bytes(2 * PIECE - 3 * 512))], encoder(kind), store, stop=Stop(), threads=1
    )

    assert layer.tar_size == 2 * PIECE
    assert blob(store, layer).count(b"\x1f\x8b\x08\0") in {0, 2}
    assert blob(store, layer).count(b"\x28\xb5\x2f\xfd") in {0, 2}


def test_many_small_files_cross_many_cuts(store: Store, tmp_path: Path) -> None:
    entries = [on_disk(tmp_path, f"d{n % 7}/f{n}", random_bytes(n * 37)) for n in range(500)]

    layer = write_layer(entries, NONE, store, stop=Stop())

    assert contents(blob(store, layer)) == {
        entry.path: Path(str(entry.source)).read_bytes() for entry in entries
    }


@settings(deadline=None, max_examples=25)
@given(st.lists(st.integers(0, 400_000), max_size=12), st.integers(1, 5))
def test_the_same_entries_give_the_same_layer(sizes: list[int], threads: int) -> None:
    entries = [made(f"f{n}", random_bytes(size)) for n, size in enumerate(sizes)]
    writer = _Memory()

    layers = {
        write_layer(entries, GZIP, writer, stop=Stop(), threads=count, known=known)  # type: ignore[arg-type]
        for count in (1, threads)
        for known in (None, lambda _: None)
    }

    assert len(layers) == 1


class _Memory:
    """A store that forgets."""

    def writer(self) -> "_Memory":
        return self

    def __enter__(self) -> "_Memory":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def write(self, data: bytes) -> None:
        pass

    def commit(self, digest: Digest) -> None:
        pass


@pytest.mark.parametrize("held", [write.HELD, 0])
def test_a_known_tar_is_neither_compressed_nor_written(
    store: Store, monkeypatch: pytest.MonkeyPatch, held: int
) -> None:
    monkeypatch.setattr(write, "HELD", held)
    entries = [made("a", random_bytes(3 * PIECE))]
    first = write_layer(entries, GZIP, store, stop=Stop())
    asked = []

    def known(diff_id: Digest) -> Known:
        asked.append(diff_id)
        return Known(Digest.of(b"elsewhere"), 9)

    empty = open_store(store.root + "2")
    layer = write_layer(entries, GZIP, empty, known=known, stop=Stop())

    assert asked == [first.diff_id]
    assert layer == first._replace(digest=Digest.of(b"elsewhere"), size=9, reused=True)
    assert left_over(empty) == []


@pytest.mark.parametrize("held", [write.HELD, 0])
@pytest.mark.parametrize("kind", KINDS)
def test_asking_in_vain_gives_the_same_layer(
    store: Store, monkeypatch: pytest.MonkeyPatch, held: int, kind: str
) -> None:
    entries = [made("a", random_bytes(3 * PIECE + 5))]
    monkeypatch.setattr(write, "HELD", held)

    layers = [
        write_layer(entries, encoder(kind), store, known=known, stop=Stop())
        for known in (None, lambda _: None)
    ]

    assert layers[0] == layers[1]
    assert len(blob(store, layers[0])) == layers[0].size


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_of_the_disk_leaves_nothing_and_no_thread(tmp_path: Path, kind: str) -> None:
    class Full(_Memory):
        def write(self, data: bytes) -> None:
            raise DiskFull("no space left")

    class DiskFull(ArtificerError):
        pass

    before = set(threading.enumerate())
    entries = [made(f"f{n}", random_bytes(PIECE)) for n in range(30)]

    with pytest.raises(DiskFull):
        write_layer(entries, encoder(kind), Full(), stop=Stop())  # type: ignore[arg-type]

    assert set(threading.enumerate()) <= before


def test_stopping_leaves_nothing_and_no_thread(store: Store) -> None:
    stop = Stop()
    stop.set()
    before = set(threading.enumerate())

    with pytest.raises(Cancelled):
        write_layer([made("a", bytes(2 * PIECE))], GZIP, store, stop=stop)

    assert left_over(store) == []
    assert set(threading.enumerate()) <= before


def test_gnu_tar_unpacks_what_was_written(store: Store, tmp_path: Path) -> None:
    name = "d/" + "n" * 200
    entries = [
        Entry("d", DIRECTORY, 0o750, 0, 0, 0, 0, "", None),
        made(name, random_bytes(2 * PIECE))._replace(mtime=1_700_000_000),
        Entry("hard", HARDLINK, 0o644, 0, 0, 0, 0, name, None),
        Entry("sym", SYMLINK, 0o777, 0, 0, 0, 0, "t" * 200, None),
    ]
    layer = write_layer(entries, GZIP, store, stop=Stop())

    tar = ["tar", "-xpzf", store.blob_path(layer.digest)]
    subprocess.run(tar, cwd=tmp_path, check=True)

    assert (tmp_path / name).read_bytes() == random_bytes(2 * PIECE)
    assert (tmp_path / name).stat().st_mtime == 1_700_000_000
    assert (tmp_path / "hard").samefile(tmp_path / name)
    assert str((tmp_path / "sym").readlink()) == "t" * 200
    assert (tmp_path / "d").stat().st_mode & 0o7777 == 0o750


MEMORY = """
import resource, sys
from artificer.layers.encode import encoder
from artificer.layers.entry import Entry, stat_of
from artificer.layers.write import write_layer
from artificer.stop import Stop
from artificer.store.blobs import open_store
import os
import subprocess
import sys
path, root = sys.argv[1:]
size = os.path.getsize(path)
entry = Entry("big", "0", 0o644, 0, 0, size, 0, "", path, stat=stat_of(os.lstat(path)))
store = open_store(root)
used = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
before = used()
for known in (None, lambda digest: None):
    write_layer([entry], encoder("gzip"), store, known=known, stop=Stop(), threads=2)
print(used() - before)
"""


def test_memory_does_not_grow_with_the_layer(tmp_path: Path) -> None:
    with (tmp_path / "big").open("wb") as file:
        file.truncate(256 * PIECE)

    run = subprocess.run(
        [sys.executable, "-c", MEMORY, str(tmp_path / "big"), str(tmp_path / "store")],
        check=True,
        capture_output=True,
    )

    assert int(run.stdout) < 40 * 1024


def test_an_error_while_compressing_is_raised_where_the_pool_is_fed() -> None:
    def broken(piece: memoryview) -> bytes:
        raise MemoryError

    before = set(threading.enumerate())
    pool = Pool()

    with pytest.raises(MemoryError), pool.encoding(broken, bytes, threads=2):
        pack([made(f"f{n}", random_bytes(PIECE)) for n in range(30)], pool, Stop())

    assert set(threading.enumerate()) <= before


def ready(entries: list[Entry], store: Store) -> Tar:
    tar = blob(store, write_layer(entries, NONE, store, stop=Stop()))
    return Tar(len(tar), [tar[at : at + 70_000] for at in range(0, len(tar), 70_000)], 2)


@pytest.mark.parametrize("size", [0, 100, PIECE * 2 + 17])
def test_a_tar_that_is_ready_becomes_the_layer_that_its_entries_would(
    store: Store, size: int
) -> None:
    entries = [made("a", b"a" * size), made("b", b"b")]
    usual = write_layer(entries, GZIP, store, stop=Stop())

    layer = write_tar(ready(entries, store), GZIP, store, known=lambda _: None, stop=Stop())

    assert layer == usual


@pytest.mark.parametrize("held", [write.HELD, 0])
def test_a_tar_that_somebody_knows_is_not_made_again(
    store: Store, held: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(write, "HELD", held)
    known = Known(Digest.of(b"elsewhere"), 7)
    tar = ready([made("a", b"a"), made("b", b"b")], store)

    layer = write_tar(tar, GZIP, store, known=lambda _: known, stop=Stop())

    assert layer.reused
    assert (layer.digest, layer.size) == known
