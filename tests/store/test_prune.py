"""Prune: frees what it says, and never what a name, a repository or a build needs."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from artificer.oci import media
from artificer.oci.descriptor import Descriptor
from artificer.oci.digest import Digest
from artificer.store import repositories
from artificer.store.blobs import Store, open_store
from artificer.store.census import du
from artificer.store.files import HOUR
from artificer.store.lock import LOCKS, lock_shared
from artificer.store.prune import prune
from tests.store.images import image_in, index_in

Aged = Callable[..., None]


def disk(store: Store) -> int:
    return sum(usage.bytes for usage in du(store))


def test_what_was_used_within_the_hour_stays(store: Store) -> None:
    digest = store.put(b"layer")
    store.set_record("layer", "key", b"data", needs=[digest])

    assert prune(store).freed == 0
    assert store.record("layer", "key") == b"data"


def test_what_nothing_needs_goes_after_an_hour(store: Store, aged: Aged) -> None:
    digest = store.put(b"layer" * 10_000)
    store.set_record("layer", "key", b"data", needs=[digest])
    aged()
    before = disk(store)

    pruned = prune(store)

    assert store.has(digest) is None
    assert list(store.records("layer")) == []
    assert pruned.freed == before - disk(store) > 50_000
    assert pruned.files == 2
    assert pruned.left == disk(store) == 0
    assert pruned.alone


def test_what_a_name_reaches_stays(store: Store, aged: Aged) -> None:
    image = image_in(store, b"layer one", b"layer two")
    store.set_name("app", index_in(store, image, image_in(store, b"layer three")))
    unnamed = image_in(store, b"layer two", b"layer four")
    aged()

    prune(store, max_bytes=0)

    for layer in (b"layer one", b"layer two", b"layer three"):
        assert store.has(Digest.of(layer)) is not None
    assert store.has(image.digest) is not None
    assert store.has(Digest.of(b"layer four")) is None
    assert store.has(unnamed.digest) is None


def test_a_forgotten_name_frees_its_image(store: Store, aged: Aged) -> None:
    image = image_in(store, b"layer")
    store.set_name("app", image)
    store.remove_name("app")
    aged()

    prune(store)

    assert disk(store) == 0


def test_the_least_recently_used_goes_first(store: Store, aged: Aged) -> None:
    old, older, oldest = (store.put(bytes([n]) * 100_000) for n in range(3))
    for hours, digest in ((2, old), (3, older), (4, oldest)):
        aged(digest, hours=hours)
    one = disk(store) // 3

    pruned = prune(store, max_bytes=2 * one)

    assert pruned.freed == one
    assert [store.has(digest) is not None for digest in (old, older, oldest)] == [1, 1, 0]


def test_a_record_goes_with_the_blob_that_it_needs(store: Store, aged: Aged) -> None:
    digest = store.put(b"x" * 100_000)
    store.set_record("layer", "key", b"data", needs=[digest])
    aged()

    prune(store, max_bytes=50_000)

    assert store.has(digest) is None
    assert list(store.records("layer")) == []


def test_a_store_within_its_limit_is_left_alone(store: Store, aged: Aged) -> None:
    store.put(b"layer")
    aged()

    assert prune(store, max_bytes=disk(store)).freed == 0


def test_older_than_asks_for_more_age(store: Store, aged: Aged) -> None:
    new, old = store.put(b"new"), store.put(b"old")
    aged(new, hours=2)
    aged(old, hours=50)

    prune(store, older_than=24 * HOUR)

    assert store.has(new) is not None
    assert store.has(old) is None


def test_older_than_nothing_takes_all_that_is_not_named(store: Store) -> None:
    store.set_name("app", image_in(store, b"layer"))
    other = store.put(b"other")

    prune(store, older_than=0, clock=lambda: time.time() + 1)

    assert store.has(other) is None
    assert store.has(Digest.of(b"layer")) is not None


def test_while_somebody_builds_the_hour_holds(store: Store, aged: Aged) -> None:
    old, new = store.put(b"old"), store.put(b"new")
    aged(old)

    with open_store(store.root).in_use():
        pruned = prune(store, older_than=0, clock=lambda: time.time() + 1)

    assert not pruned.alone
    assert store.has(old) is None
    assert store.has(new) is not None


def test_everything_goes_when_nobody_builds(store: Store) -> None:
    store.set_name("app", image_in(store, b"layer"))
    digest = store.put(b"other")
    store.set_record("layer", "key", b"data", needs=[digest])
    repositories.set_link(store, "team/app", repositories.TAGS, "latest", b"x")
    before = disk(store)

    pruned = prune(store, everything=True, clock=lambda: time.time() + 1)

    assert store.names() == {}
    assert repositories.repositories(store) == []
    assert disk(store) == 0
    assert pruned.freed == before


def test_everything_spares_the_last_hour_of_a_build(store: Store) -> None:
    store.set_name("app", image_in(store, b"layer"))

    with open_store(store.root).in_use():
        prune(store, everything=True)

    assert store.names() == {}
    assert store.has(Digest.of(b"layer")) is not None


def test_a_dead_writers_file_goes_at_once(store: Store) -> None:
    Path(store.root, "tmp", "dead").write_bytes(b"x" * 10_000)

    pruned = prune(store)

    assert os.listdir(f"{store.root}/tmp") == []
    assert pruned.freed >= 10_000


@pytest.mark.skipif(not LOCKS, reason="nobody can hold a directory here")
def test_a_directory_goes_when_the_build_that_unpacked_it_is_dead(store: Store) -> None:
    paths = [Path(store.root, "tmp", name) for name in ("dead", "live")]
    for path in paths:
        (path / "below").mkdir(parents=True)
        (path / "below" / "file").write_text("unpacked")
    descriptor = os.open(paths[1], os.O_RDONLY)
    try:
        lock_shared(descriptor)
        prune(store)
    finally:
        os.close(descriptor)

    assert [path.exists() for path in paths] == [False, True]


def test_a_live_writers_file_stays(store: Store) -> None:
    with store.writer() as writer:
        writer.write(b"hello")
        prune(store, everything=True)
        writer.commit(Digest.of(b"hello"))

    assert store.has(Digest.of(b"hello")) == 5


def test_a_dead_writers_file_stays_an_hour_while_somebody_builds(store: Store) -> None:
    dead = Path(store.root, "tmp", "dead")
    dead.write_bytes(b"x")

    with open_store(store.root).in_use():
        prune(store)
        assert dead.exists()
        prune(store, clock=lambda: time.time() + 2 * HOUR)

    assert not dead.exists()


def test_a_blob_used_since_it_was_listed_is_given_back(store: Store, aged: Aged) -> None:
    digest = store.put(b"layer")
    aged()

    def late_clock() -> float:
        return time.time() + 0.0

    class Meanwhile(Store):
        """A store in which somebody uses the blob just when a prune moves it aside."""

        __slots__ = ()

        def temporary_name(self) -> str:
            self.has(digest)
            return super().temporary_name()

    prune(Meanwhile(store.root), clock=late_clock)

    assert store.has(digest) is not None


def test_a_repositorys_images_stay(store: Store, aged: Aged) -> None:
    image = image_in(store, b"layer")
    link = repositories.link_of(image.digest)
    repositories.set_link(store, "app", repositories.MANIFESTS, link, media.OCI_MANIFEST.encode())
    for blob in (b"layer", b"unlisted"):
        store.put(blob)
        name = repositories.link_of(Digest.of(blob))
        repositories.set_link(store, "app", repositories.BLOBS, name)
    aged()

    prune(store)

    assert store.has(Digest.of(b"layer")) is not None
    assert store.has(Digest.of(b"unlisted")) is None
    unlisted = repositories.link_of(Digest.of(b"unlisted"))
    assert repositories.link(store, "app", repositories.BLOBS, unlisted) is None


def test_a_blob_that_waits_for_its_manifest_stays_an_hour(store: Store, aged: Aged) -> None:
    digest = store.put(b"layer")
    aged()
    name = repositories.link_of(digest)
    repositories.set_link(store, "app", repositories.BLOBS, name)

    prune(store)

    assert store.has(digest) is not None


def test_damaged_manifests_do_not_stop_a_prune(store: Store, aged: Aged) -> None:
    bad = store.put(b"{")
    store.set_name("bad", Descriptor.make(media.OCI_MANIFEST, bad, 1))
    store.set_name("gone", Descriptor.for_bytes(media.OCI_INDEX, b"gone"))
    other = store.put(b"other")
    Path(store.root, "blobs", "sha256", "no-digest").write_bytes(b"")
    aged()

    prune(store)

    assert store.has(bad) is not None
    assert store.has(other) is None
    assert not Path(store.root, "blobs", "sha256", "no-digest").exists()


def test_du_says_what_is_there(store: Store) -> None:
    store.set_name("app", image_in(store, b"layer"))
    store.put(b"other" * 2000)
    store.set_record("stat", "key", b"data")
    with store.writer() as writer:
        writer.write(b"x")

        found = {usage.kind: usage.files for usage in du(store)}

    assert found == {
        "blobs named": 3,
        "blobs served": 0,
        "blobs cached": 1,
        "records stat": 1,
        "links of repositories": 0,
        "tmp": 1,
        "uploads": 0,
        "caches of commands": 0,
        "outputs of workspaces": 0,
    }


def test_an_upload_that_nobody_finished_goes_after_an_hour(store: Store) -> None:
    folder = Path(store.root, "uploads")
    folder.mkdir()
    (folder / "1").write_bytes(b"x")

    prune(store)
    assert (folder / "1").exists()
    prune(store, clock=lambda: time.time() + 2 * HOUR)

    assert not (folder / "1").exists()


@pytest.mark.parametrize("hours", [0.9, 1.1])
def test_the_hour_is_an_hour(store: Store, aged: Aged, hours: float) -> None:
    digest = store.put(b"layer")
    aged(hours=hours)

    prune(store)

    assert (store.has(digest) is not None) == (hours < 1)


def test_a_prune_of_everything_takes_what_commands_keep(store: Store) -> None:
    cache = Path(store.root) / "state" / "caches" / "go-mod" / "module@v1"
    cache.mkdir(parents=True)
    (cache / "file.go").write_bytes(b"x" * 10_000)
    (cache / "link").symlink_to("file.go")
    cache.chmod(0o500)
    before = {usage.kind: usage for usage in du(store)}

    kept = prune(store, older_than=0)
    assert (cache / "file.go").exists()
    done = prune(store, everything=True)

    assert before["caches of commands"].files == 2
    assert before["caches of commands"].bytes >= 10_000
    assert kept.freed == 0
    assert done.freed >= before["caches of commands"].bytes
    assert not (Path(store.root) / "state").exists()
    assert sum(usage.bytes for usage in du(store)) == done.left
