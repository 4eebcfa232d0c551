"""Blobs that go ahead of their manifest: sent once each, named by nobody, and the threads end."""

import threading
from pathlib import Path

import pytest

from artificer.images.ahead import Ahead
from artificer.oci.reference import Repository
from tests.images.made import FakeRegistry, image_of, reach_of, tar_of
from tests.parts.waiting import PATIENCE

HERE = Repository("a.example", "app")
THERE = Repository("b.example", "app")
ONE = tar_of(("etc/one", b"1" * 5000))
TWO = tar_of(("etc/two", b"2"))


def threads() -> list[threading.Thread]:
    return [one for one in threading.enumerate() if one.name.startswith("ahead-")]


def test_every_target_has_each_blob_and_no_manifest(tmp_path: Path) -> None:
    registry = FakeRegistry()
    reach, _ = reach_of(f"{tmp_path}/store", registry)
    blobs = [layer.blob for layer in image_of(reach.store, ONE, TWO).layers]
    ahead = Ahead([HERE, THERE], reach)

    ahead.send(blobs[:1])
    ahead.send(blobs)
    carried = ahead.finish()

    assert carried == {blob.digest for blob in blobs}
    assert sorted(line for line in registry.requests if not line.startswith("HEAD")) == sorted(
        f"SEND {target} {blob.digest}" for target in (HERE, THERE) for blob in blobs
    )
    assert registry.manifests == {}
    assert threads() == []


def test_a_failure_is_raised_by_what_follows_and_nothing_else_is_begun(tmp_path: Path) -> None:
    registry = FakeRegistry()
    reach, _ = reach_of(f"{tmp_path}/store", registry)
    first, second = (layer.blob for layer in image_of(reach.store, ONE, TWO).layers)
    registry.refuses.add(first.digest)
    ahead = Ahead([HERE], reach)
    ahead.send([first])

    with pytest.raises(ConnectionError):
        ahead.finish()
    with pytest.raises(ConnectionError):
        ahead.send([second])
    assert (str(HERE), second.digest) not in registry.blobs


def test_who_closes_it_leaves_no_thread_behind(tmp_path: Path) -> None:
    reach, _ = reach_of(f"{tmp_path}/store")
    ahead = Ahead([HERE], reach)
    waiting = threads()

    ahead.close()
    for thread in waiting:
        thread.join(PATIENCE)

    assert len(waiting) == 2
    assert threads() == []
