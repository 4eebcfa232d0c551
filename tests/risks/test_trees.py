"""A tree that is edited between builds: never another image than from scratch, few new layers."""

import contextlib
import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from artificer.builder.build import Sources, build
from artificer.builder.known import Known
from artificer.builder.recipe import AddFiles, Compress, Target
from artificer.images.reach import Reach
from artificer.layers.rules import Rules
from artificer.layers.select import LocalPath
from artificer.layers.split import Sizes
from artificer.oci.image import Image, Layer
from artificer.oci.reference import Scratch
from artificer.stop import Stop
from artificer.store.blobs import Store, open_store
from artificer.store.prune import prune
from artificer.store.verify import verify
from tests.risks.builds import Offline, fresh_store

SMALL = Sizes(whole=30_000, bucket=25_000, large=6_000)
# No file is larger than a bucket: an edit crosses one step at most.
FOLDERS = ("", "app", "app/b", "app/b/c", "node_modules", "node_modules/m", "usr/lib/d")
_paths = st.builds(os.path.join, st.sampled_from(FOLDERS), st.sampled_from("xyz"))
_folders = st.sampled_from(FOLDERS[1:])
_sizes = st.sampled_from([0, 1, 600, 3000, 5999, 6000, 9000, 20_000])
_letters = st.sampled_from("ab")


MANY = 1000


class Trees(RuleBasedStateMachine):
    """A directory that is edited, and a store that has seen what it was."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="artificer-trees-"))
        self.tree = self.folder / "tree"
        self.tree.mkdir()
        self.store = open_store(str(self.folder / "store"))
        self.built: tuple[Layer, ...] = ()
        self.promised = MANY

    def teardown(self) -> None:
        shutil.rmtree(self.folder)

    @initialize(sizes=st.lists(_sizes, min_size=12, max_size=12))
    def begin(self, sizes: list[int]) -> None:
        for number, size in enumerate(sizes):
            self.write(f"{FOLDERS[number % 7]}/{'xyz'[number % 3]}".lstrip("/"), size, "a")

    @rule(path=_paths, size=_sizes, letter=_letters)
    def write(self, path: str, size: int, letter: str) -> None:
        file = self.tree / path
        # Removed here and added there, and past a step.
        self.promised = 4
        with contextlib.suppress(OSError):  # a link or a file stands in the way
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(letter * size)

    @rule(path=_paths, more=_sizes)
    def grow(self, path: str, more: int) -> None:
        self.promised = 4
        with contextlib.suppress(OSError), (self.tree / path).open("a") as file:
            file.write("c" * more)

    @rule(path=_paths, size=_sizes)
    def shrink(self, path: str, size: int) -> None:
        self.promised = 4
        with contextlib.suppress(OSError):
            os.truncate(self.tree / path, min(size, (self.tree / path).stat().st_size))

    @rule(path=_paths, letter=_letters)
    def rewrite_and_set_the_time_back(self, path: str, letter: str) -> None:
        self.promised = 1
        with contextlib.suppress(OSError):
            file = self.tree / path
            before = file.stat()
            file.write_text(letter * before.st_size)
            os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))

    @rule(path=_paths, letter=_letters)
    def replace_and_set_the_time_back(self, path: str, letter: str) -> None:
        with contextlib.suppress(OSError):
            file, other = self.tree / path, self.tree / "other"
            before = file.stat()
            other.write_text(letter * before.st_size)
            os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
            other.replace(file)

    @rule(path=_paths)
    def write_around_a_build(self, path: str) -> None:
        """All within one tick of the clock."""
        self.write(path, 10, "a")
        self.made(self.store)
        self.write(path, 10, "b")
        self.promised = MANY

    @rule(path=_paths)
    def touch(self, path: str) -> None:
        self.promised = 0
        with contextlib.suppress(OSError):
            os.utime(self.tree / path, (5, 5), follow_symlinks=False)

    @rule(path=_paths)
    def remove(self, path: str) -> None:
        self.promised = 4
        with contextlib.suppress(OSError):
            (self.tree / path).unlink()

    @rule(folder=_folders)
    def remove_folder(self, folder: str) -> None:
        with contextlib.suppress(OSError):
            shutil.rmtree(self.tree / folder)

    @rule(folder=_folders, other=_folders)
    def rename_folder(self, folder: str, other: str) -> None:
        with contextlib.suppress(OSError):
            (self.tree / folder).rename(self.tree / other)

    @rule(path=st.one_of(_paths, _folders), mode=st.sampled_from([0o644, 0o755, 0o700]))
    def chmod(self, path: str, mode: int) -> None:
        with contextlib.suppress(OSError):
            (self.tree / path).chmod(mode | 0o400)

    @rule(path=_paths, other=_paths)
    def hard_link(self, path: str, other: str) -> None:
        with contextlib.suppress(OSError):
            os.link(self.tree / path, self.tree / other, follow_symlinks=False)

    @rule(path=_paths, to=st.one_of(_paths, _folders))
    def symbolic_link(self, path: str, to: str) -> None:
        with contextlib.suppress(OSError):
            (self.tree / path).symlink_to(to)

    @rule()
    def settle(self) -> None:
        time.sleep(0.015)

    @rule()
    def forget_records(self) -> None:
        shutil.rmtree(f"{self.store.root}/records", ignore_errors=True)

    @rule()
    def prune(self) -> None:
        prune(self.store, older_than=0, clock=lambda: time.time() + 100)

    @invariant()
    def a_warm_store_gives_what_an_empty_one_does(self) -> None:
        warm = self.made(self.store)
        with fresh_store() as empty:
            assert warm.manifest == self.made(empty).manifest
        fresh = [layer for layer in warm.layers if layer not in self.built]
        if len(self.built) > 1 and len(warm.layers) > 1:
            assert len(fresh) <= self.promised
        self.built, self.promised = warm.layers, MANY

    @invariant()
    def the_store_is_whole(self) -> None:
        assert verify(self.store).faults == ()

    def made(self, store: Store) -> Image:
        offline: Any = Offline()
        reach = Reach(store, offline, lambda event: None, Stop())
        step = AddFiles((LocalPath(f"{self.tree}/.", "srv"),), Rules(), ("tree",), SMALL)
        target = Target(Scratch(), (step,), compress=Compress("none"))
        sources = Sources(reach, Known(reach))
        with store.in_use():
            content = build(target, sources.base(target.base), sources).content
        assert isinstance(content, Image)
        return content


TestTrees = Trees.TestCase
TestTrees.settings = settings(
    max_examples=25,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
