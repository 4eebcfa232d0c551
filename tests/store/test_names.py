"""Names: an OCI layout's index, which others read and write, too."""

import json
import threading
from pathlib import Path

import pytest

from artificer import limits
from artificer.oci import media
from artificer.oci.descriptor import Descriptor
from artificer.oci.document import InvalidDocument
from artificer.store.blobs import Store, open_store
from tests.parts.commands import Command
from tests.store.images import image_in

ONE = Descriptor.for_bytes(media.OCI_MANIFEST, b"one", annotations={"who": "me"})
TWO = Descriptor.for_bytes(media.OCI_INDEX, b"two")


def index_of(store: Store) -> Path:
    return Path(store.root, "index.json")


def test_a_name_gives_back_what_it_was_set_to(store: Store) -> None:
    store.set_name("app:1", ONE)
    store.set_name("app:2", TWO)

    assert store.name("app:1") == ONE
    assert store.name("app:2") == TWO
    assert store.name("app:3") is None
    assert store.names() == {"app:1": ONE, "app:2": TWO}


def test_a_name_names_one_thing(store: Store) -> None:
    store.set_name("app", ONE)
    store.set_name("app", TWO)

    assert store.names() == {"app": TWO}
    assert len(json.loads(index_of(store).read_bytes())["manifests"]) == 1


def test_setting_a_name_again_writes_nothing(store: Store) -> None:
    store.set_name("app", ONE)
    before = index_of(store).stat().st_ino

    store.set_name("app", ONE)

    assert index_of(store).stat().st_ino == before


def test_a_name_can_be_forgotten(store: Store) -> None:
    store.set_name("app", ONE)

    assert store.remove_name("app")
    assert not store.remove_name("app")
    assert store.names() == {}


def test_what_others_wrote_into_the_index_stays(store: Store) -> None:
    nameless = {"mediaType": media.OCI_MANIFEST, "digest": str(TWO.digest), "size": 3, "x": 1.50}
    index = {"schemaVersion": 2, "manifests": [nameless], "annotations": {"theirs": "yes"}}
    index_of(store).write_text(json.dumps(index))

    store.set_name("app", ONE)

    after = json.loads(index_of(store).read_bytes())
    assert after["annotations"] == {"theirs": "yes"}
    assert after["manifests"][0] == nameless
    assert store.names() == {"app": ONE}


def test_names_set_at_once_are_all_kept(store: Store) -> None:
    def work(number: int) -> None:
        mine = open_store(store.root)
        for step in range(5):
            mine.set_name(f"{number}-{step}", ONE)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(store.names()) == 30


def test_an_index_that_is_no_json_is_a_clear_error(store: Store) -> None:
    index_of(store).write_text("{")

    with pytest.raises(InvalidDocument, match=r"index\.json is not valid JSON"):
        store.names()


@pytest.mark.parametrize(("extra", "whole"), [(0, True), (1, False)])
def test_an_index_over_its_limit_is_refused(store: Store, extra: int, whole: bool) -> None:
    text = b'{"manifests":[],"x":"' + b"y" * (limits.STORE_INDEX_BYTES - 23 + extra) + b'"}'
    index_of(store).write_bytes(text)

    if whole:
        assert store.names() == {}
    else:
        with pytest.raises(InvalidDocument, match="larger than"):
            store.names()


def test_skopeo_reads_the_store_and_writes_into_it(store: Store, skopeo: Command) -> None:
    store.set_name("registry.example/team/app:1", image_in(store, b"layer"))

    skopeo.run("copy", f"oci:{store.root}:registry.example/team/app:1", f"oci:{store.root}:again")

    assert store.name("again") is not None
    assert store.name("registry.example/team/app:1") is not None
