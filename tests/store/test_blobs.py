"""Blobs: whole or not there, whatever goes wrong meanwhile."""

import hashlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from artificer.oci.digest import Digest
from artificer.store.blobs import BlobCorrupt, BlobMissing, Store, open_store
from artificer.store.files import DiskFull, StoreUnusable

HELLO = Digest.of(b"hello")


def remains(store: Store) -> list[str]:
    return os.listdir(f"{store.root}/tmp")


def test_what_is_put_can_be_read(store: Store) -> None:
    digest = store.put(b"hello")

    assert digest == HELLO
    assert store.has(digest) == 5
    assert store.read(digest, 5) == b"hello"
    assert Path(store.blob_path(digest)).read_bytes() == b"hello"
    assert remains(store) == []


def test_what_was_never_put_is_not_there(store: Store) -> None:
    assert store.has(HELLO) is None
    with pytest.raises(BlobMissing):
        store.read(HELLO, 5)


def test_a_document_over_its_limit_is_refused(store: Store) -> None:
    store.put(b"hello")

    with pytest.raises(BlobCorrupt, match="more than the 4"):
        store.read(HELLO, 4)


def test_a_damaged_document_is_not_given_out(store: Store) -> None:
    store.put(b"hello")
    Path(store.blob_path(HELLO)).write_bytes(b"jello")

    with pytest.raises(BlobCorrupt, match="damaged") as caught:
        store.read(HELLO, 5)

    assert "cache verify" in str(caught.value.hint)


def test_putting_again_mends_a_truncated_blob(store: Store) -> None:
    store.put(b"hello")
    Path(store.blob_path(HELLO)).write_bytes(b"he")

    store.put(b"hello")

    assert store.read(HELLO, 5) == b"hello"


def test_chunks_are_named_by_what_they_hash_to(store: Store) -> None:
    assert store.put_chunks([b"he", b"", b"llo"]) == HELLO
    assert store.read(HELLO, 5) == b"hello"


def test_sha512_names_a_blob_as_well(store: Store) -> None:
    digest = Digest("sha512:" + hashlib.sha512(b"hello").hexdigest())

    assert store.put_chunks([b"hello"], digest, 5) == digest
    assert store.read(digest, 5) == b"hello"


def test_chunks_of_another_digest_leave_nothing(store: Store) -> None:
    with pytest.raises(BlobCorrupt, match="digest mismatch"):
        store.put_chunks([b"jello"], HELLO)

    assert store.has(HELLO) is None
    assert remains(store) == []


@pytest.mark.parametrize("size", [4, 6])
def test_chunks_of_another_size_leave_nothing(store: Store, size: int) -> None:
    with pytest.raises(BlobCorrupt):
        store.put_chunks([b"he", b"llo"], HELLO, size)

    assert store.has(HELLO) is None
    assert remains(store) == []


def test_an_endless_source_is_cut_off_at_its_size(store: Store) -> None:
    sent = 0

    def endless() -> Iterator[bytes]:
        nonlocal sent
        while True:
            sent += 1
            yield b"x" * 1000

    with pytest.raises(BlobCorrupt, match="more than its 5000 bytes"):
        store.put_chunks(endless(), HELLO, 5000)

    assert sent == 6


def test_a_source_that_breaks_leaves_nothing_and_its_own_error(store: Store) -> None:
    def broken() -> Iterator[bytes]:
        yield b"he"
        raise OSError("the input's disk")

    with pytest.raises(OSError, match="the input's disk"):
        store.put_chunks(broken())

    assert remains(store) == []


def test_a_blob_is_invisible_until_it_is_committed(store: Store) -> None:
    with store.writer() as writer:
        writer.write(bytearray(b"he"))
        writer.write(memoryview(b"llo"))
        assert store.has(HELLO) is None
        assert Path(writer.path).read_bytes() == b"hello"
        writer.commit(HELLO, 5)
        assert writer.path == store.blob_path(HELLO)

    assert store.read(HELLO, 5) == b"hello"


def test_a_writer_without_commit_leaves_nothing(store: Store) -> None:
    with store.writer() as writer:
        writer.write(b"hello")

    assert remains(store) == []


def test_a_spool_has_no_name(store: Store) -> None:
    with store.spool() as spool:
        spool.write(b"hello")
        spool.seek(0)
        assert spool.read() == b"hello"
        assert remains(store) == []


def test_the_folders_own_file_can_become_a_blob(store: Store) -> None:
    path = f"{store.root}/uploads-1"
    Path(path).write_bytes(b"hello")

    store.adopt(path, HELLO)

    assert store.read(HELLO, 5) == b"hello"
    assert not os.path.exists(path)


def test_a_blob_can_be_discarded(store: Store) -> None:
    store.put(b"hello")

    assert store.discard(HELLO)
    assert not store.discard(HELLO)
    assert store.has(HELLO) is None


def test_to_ask_for_a_blob_is_to_use_it(store: Store) -> None:
    store.put(b"hello")
    os.utime(store.blob_path(HELLO), (1, 1))

    store.has(HELLO)

    assert time.time() - os.stat(store.blob_path(HELLO)).st_mtime < 60


def test_a_burst_of_uses_writes_the_time_once(store: Store) -> None:
    store.put(b"hello")
    then = time.time() - 30
    os.utime(store.blob_path(HELLO), (then, then))

    store.has(HELLO)

    assert os.stat(store.blob_path(HELLO)).st_mtime == pytest.approx(then, abs=0.01)


def test_many_threads_put_the_same_blob(store: Store) -> None:
    threads = [threading.Thread(target=store.put, args=(b"hello" * 1000,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert store.has(Digest.of(b"hello" * 1000)) == 5000
    assert remains(store) == []


def test_a_store_is_an_oci_layout_that_only_its_owner_enters(store: Store) -> None:
    assert Path(store.root, "oci-layout").read_bytes() == b'{"imageLayoutVersion":"1.0.0"}'
    assert os.path.isdir(f"{store.root}/blobs/sha256")
    assert os.stat(store.root).st_mode & 0o777 == 0o700


def test_opening_a_store_asks_the_system_once(store: Store) -> None:
    calls: list[str] = []
    watching = True

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if watching and event.startswith(("open", "os.")):
            calls.append(event)

    sys.addaudithook(hook)
    open_store(store.root)
    watching = False

    assert calls == []  # a stat is not audited; nothing is opened, listed, made


def test_a_missing_store_is_not_made_unless_asked(tmp_path: Path) -> None:
    with pytest.raises(StoreUnusable, match="not a store"):
        open_store(str(tmp_path / "none"), create=False)

    assert not (tmp_path / "none").exists()


def test_somebodys_folder_does_not_become_a_store(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")

    with pytest.raises(StoreUnusable, match="not empty") as caught:
        open_store(str(tmp_path))

    assert "--store" in str(caught.value.hint)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_store_that_was_half_made_is_finished(store: Store) -> None:
    os.unlink(f"{store.root}/oci-layout")

    assert open_store(store.root).put(b"hello") == HELLO


def test_a_path_that_cannot_be_a_folder_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(StoreUnusable) as caught:
        open_store(str(tmp_path / "file" / "store"))

    assert "--store" in str(caught.value.hint)


AS_NOBODY = """
import os, sys
from artificer.oci.digest import Digest
from artificer.store.blobs import open_store
from artificer.store.files import StoreUnusable
if os.getuid() == 0:
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
store = open_store(sys.argv[1])
with store.in_use():
    assert store.has(Digest.of(b"hello")) == 5
    assert store.read(Digest.of(b"hello"), 5) == b"hello"
    assert store.names() == {}
    try:
        store.put(b"other")
    except StoreUnusable as error:
        print(error.message, error.hint)
"""


def test_a_store_that_may_only_be_read_is_read(store: Store) -> None:
    store.put(b"hello")
    os.utime(store.blob_path(HELLO), (1, 1))
    root = Path(store.root)
    for folder in (root, *(path for path in root.rglob("*") if path.is_dir())):
        folder.chmod(0o555)
    for folder in root.parents:
        if str(folder).startswith("/tmp/"):  # pytest's folders are its user's only
            folder.chmod(folder.stat().st_mode | 0o055)

    done = subprocess.run(
        [sys.executable, "-c", AS_NOBODY, store.root], capture_output=True, text=True, check=False
    )

    assert done.stderr == ""
    assert "cannot be used: permission denied" in done.stdout
    assert "--store" in done.stdout


FILLING = """
import resource, sys
from artificer.store.blobs import open_store
from artificer.store.files import DiskFull
store = open_store(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    store.put_chunks(b"x" * 40_000 for _ in range(10))
except DiskFull as error:
    print(error.message, error.hint)
"""


def test_a_full_disk_is_a_clear_error_and_leaves_nothing(store: Store) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FILLING, store.root], capture_output=True, text=True, check=True
    )

    assert "no space left" in done.stdout
    assert "cache prune" in done.stdout
    assert remains(store) == []


def test_the_errors_of_a_full_disk_are_a_persons(store: Store) -> None:
    full = Path("/dev/full")
    assert full.exists()
    link = Path(store.root) / "tmp" / "full"
    link.symlink_to(full)
    writer = store.writer()
    os.dup2(os.open(str(full), os.O_WRONLY), writer._fd)

    with pytest.raises(DiskFull), writer:
        writer.write(b"hello")

    assert remains(store) == ["full"]
