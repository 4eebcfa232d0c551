"""Records: small files under any key, worth nothing without the blobs that they need."""

import os
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artificer.oci.digest import Digest
from artificer.store.blobs import Store, open_store
from artificer.store.records import NeedsMissing


def test_a_record_gives_back_what_was_set(store: Store) -> None:
    store.set_record("layer", "key", b"one\ntwo")
    store.set_record("layer", "other", b"")

    assert store.record("layer", "key") == b"one\ntwo"
    assert store.record("layer", "other") == b""
    assert store.record("layer", "none") is None
    assert store.record("upload", "key") is None


def test_the_last_one_wins(store: Store) -> None:
    store.set_record("layer", "key", b"one")
    store.set_record("layer", "key", b"two")

    assert store.record("layer", "key") == b"two"


@given(key=st.text(), data=st.binary())
def test_any_text_is_a_key(
    tmp_path_factory: pytest.TempPathFactory, key: str, data: bytes
) -> None:
    store = open_store(str(tmp_path_factory.getbasetemp() / "any"))

    store.set_record("any", key, data)

    assert store.record("any", key) == data
    assert key in {record.key for record in store.records("any")}


@pytest.mark.parametrize("key", ["../../etc/passwd", "/abs", "a\0b", "x" * 5000, "", "\udc80"])
def test_no_key_leaves_the_folder(store: Store, key: str) -> None:
    store.set_record("layer", key, b"data")

    assert store.record("layer", key) == b"data"
    assert set(os.listdir(store.root)) <= {
        "blobs", "index.json", "index.lock", "oci-layout", "records", "tmp",
    }  # fmt: skip


@pytest.mark.parametrize("kind", ["", "..", "a/b", "A", ".x"])
def test_a_kind_is_a_plain_word(store: Store, kind: str) -> None:
    with pytest.raises(ValueError):
        store.record(kind, "key")


def test_only_its_owner_reads_a_record(store: Store) -> None:
    store.set_record("upload", "key", b"a capability")

    (record,) = store.records("upload")
    assert os.stat(record.path).st_mode & 0o777 == 0o600


def test_a_record_without_its_blob_is_none(store: Store) -> None:
    digest = store.put(b"layer")
    store.set_record("layer", "key", b"data", needs=[digest])

    assert store.record("layer", "key") == b"data"
    store.discard(digest)
    assert store.record("layer", "key") is None


def test_a_record_is_not_kept_before_its_blob(store: Store) -> None:
    with pytest.raises(NeedsMissing):
        store.set_record("layer", "key", b"data", needs=[Digest.of(b"layer")])

    assert store.record("layer", "key") is None


def test_to_read_a_record_is_to_use_it_and_its_blob(store: Store) -> None:
    digest = store.put(b"layer")
    store.set_record("layer", "key", b"data", needs=[digest])
    (record,) = store.records("layer")
    for path in (record.path, store.blob_path(digest)):
        os.utime(path, (1, 1))

    store.record("layer", "key")

    assert os.stat(record.path).st_mtime > 1
    assert os.stat(store.blob_path(digest)).st_mtime > 1


def test_one_of_many_takers_gets_a_record(store: Store) -> None:
    for _ in range(20):
        store.set_record("upload", "key", b"session")
        taken: list[bytes | None] = []
        barrier = threading.Barrier(4)

        def take(into: list[bytes | None] = taken, start: threading.Barrier = barrier) -> None:
            start.wait()
            into.append(store.take_record("upload", "key"))

        threads = [threading.Thread(target=take) for _taker in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert sorted(taken, key=str) == [None, None, None, b"session"]
    assert os.listdir(f"{store.root}/tmp") == []


def test_a_record_that_another_wrote_differently_is_none(store: Store) -> None:
    store.set_record("layer", "key", b"data")
    (record,) = store.records("layer")

    for content in (b"", b"{}", b'["else"]\ndata', b'["key","no digest"]\ndata', b"\xff"):
        Path(record.path).write_bytes(content)
        assert store.record("layer", "key") is None
        assert len(list(store.records("layer"))) == 1


def test_records_are_listed_by_kind(store: Store) -> None:
    digest = store.put(b"layer")
    store.set_record("layer", "a", b"1", needs=[digest])
    store.set_record("layer", "b", b"2")
    store.set_record("upload", "c", b"3")

    assert store.kinds() == ["layer", "upload"]
    found = {(record.key, record.data, record.needs) for record in store.records("layer")}
    assert found == {("a", b"1", (digest,)), ("b", b"2", ())}


def test_a_record_can_be_removed(store: Store) -> None:
    store.set_record("layer", "key", b"data")

    assert store.remove_record("layer", "key")
    assert not store.remove_record("layer", "key")
