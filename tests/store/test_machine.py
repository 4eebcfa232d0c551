"""Two users of one store and a prune, in any order: nothing that is needed is ever lost."""

import os
import shutil
import tempfile
import time
from contextlib import ExitStack

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
)

from artificer.oci.digest import Digest
from artificer.store.blobs import Store, open_store
from artificer.store.census import du
from artificer.store.prune import prune
from artificer.store.verify import verify
from tests.store.images import image_in

LAYERS = st.sampled_from("abcd").map(lambda letter: letter.encode() * 17 ** (ord(letter) - 96))
NAMES = st.sampled_from(["one", "two"])
KEYS = st.sampled_from(["k1", "k2", "k3"])
WHO = st.booleans()


class TwoUsers(RuleBasedStateMachine):
    """What should be in the store is kept in plain sets and dictionaries."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.mkdtemp()
        self.handles = (open_store(self.folder), open_store(self.folder))
        self.stack = ExitStack()
        self.building = False
        self.fresh: set[Digest] = set()
        self.names: dict[str, frozenset[Digest]] = {}
        self.records: dict[str, tuple[bytes, Digest]] = {}

    def user(self, who: bool) -> Store:
        return self.handles[who]

    @rule(who=WHO, layer=LAYERS)
    def put(self, who: bool, layer: bytes) -> None:
        self.fresh.add(self.user(who).put(layer))

    @rule(who=WHO, layer=LAYERS)
    def has(self, who: bool, layer: bytes) -> None:
        digest = Digest.of(layer)
        if self.user(who).has(digest) is not None:
            self.fresh.add(digest)
        else:
            assert digest not in self.fresh

    @rule(who=WHO, layers=st.lists(LAYERS, max_size=3), name=NAMES)
    def build(self, who: bool, layers: list[bytes], name: str) -> None:
        store = self.user(who)
        image = image_in(store, *layers)
        store.set_name(name, image)
        config = Digest.of(b'{"rootfs":{}}')
        self.names[name] = frozenset({image.digest, config, *map(Digest.of, layers)})
        self.fresh |= self.names[name]

    @rule(who=WHO, name=NAMES)
    def forget(self, who: bool, name: str) -> None:
        assert self.user(who).remove_name(name) == (name in self.names)
        self.names.pop(name, None)

    @rule(who=WHO, key=KEYS, layer=LAYERS)
    def set_record(self, who: bool, key: str, layer: bytes) -> None:
        store = self.user(who)
        digest = store.put(layer)
        store.set_record("layer", key, layer[:3], needs=[digest])
        self.fresh.add(digest)
        self.records[key] = (layer[:3], digest)

    @rule(who=WHO, key=KEYS)
    def record(self, who: bool, key: str) -> None:
        store = self.user(who)
        data = store.record("layer", key)
        if data is not None:
            assert data == self.records[key][0]
            assert store.has(self.records[key][1]) is not None
            self.fresh.add(self.records[key][1])

    @rule(who=WHO, key=KEYS)
    def take(self, who: bool, key: str) -> None:
        first = self.user(who).take_record("layer", key)
        assert first is None or first == self.records[key][0]
        assert self.user(not who).take_record("layer", key) is None

    @rule()
    def two_hours_pass(self) -> None:
        then = time.time() - 7200
        for part in ("blobs", "records"):
            for folder, _, names in os.walk(f"{self.folder}/{part}"):
                for name in names:
                    os.utime(os.path.join(folder, name), (then, then))
        self.fresh.clear()

    @precondition(lambda self: not self.building)
    @rule(who=WHO)
    def start_to_build(self, who: bool) -> None:
        self.stack.enter_context(self.user(who).in_use())
        self.building = True

    @rule()
    def stop_building(self) -> None:
        self.stack.close()
        self.building = False

    @rule(who=WHO, limit=st.sampled_from([None, 0, 10_000, 100_000]), hasty=st.booleans())
    def prune(self, who: bool, limit: int | None, hasty: bool) -> None:
        store = self.user(who)
        before = sum(usage.bytes for usage in du(store))

        pruned = prune(
            store,
            max_bytes=limit,
            older_than=0 if hasty else 3600,
            clock=lambda: time.time() + (1 if hasty else 0),
        )

        after = sum(usage.bytes for usage in du(store))
        assert pruned.freed == before - after
        assert pruned.left == after
        assert pruned.alone != self.building
        if pruned.alone and hasty:
            self.fresh &= frozenset().union(*self.names.values())

    @invariant()
    def what_was_just_used_or_is_named_is_there(self) -> None:
        for digest in self.fresh.union(*self.names.values()):
            assert os.path.exists(self.handles[0].blob_path(digest))

    @invariant()
    def everything_points_to_whole_bytes(self) -> None:
        assert verify(self.handles[0]).faults == ()
        assert set(self.handles[1].names()) == set(self.names)
        assert os.listdir(f"{self.folder}/tmp") == []

    def teardown(self) -> None:
        self.stack.close()
        shutil.rmtree(self.folder)


TestTwoUsers = TwoUsers.TestCase
TestTwoUsers.settings = settings(max_examples=100, stateful_step_count=25, deadline=None)
