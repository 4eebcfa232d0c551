"""Split and records against a build from scratch, over every way to edit a tree."""

import os
import shutil
import stat
import tempfile
import time
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from artificer.layers.encode import encoder
from artificer.layers.entry import DIRECTORY, FILE, HARDLINK, Entry, Stat, stat_of
from artificer.layers.snapshot import Snapshot, racy, unchanged
from artificer.layers.split import Sizes, partition
from artificer.layers.write import write_layer
from artificer.stop import Stop
from artificer.store.blobs import open_store

_paths = st.sampled_from(
    [f"{folder}{name}" for folder in ("", "a/", "a/b/", "c/vendor/", "d/") for name in "xyz"]
)
_sizes = st.sampled_from([0, 1, 600, 3000, 9000, 30_000])
_letters = st.sampled_from(b"ab")
SMALL = Sizes(whole=40_000, bucket=20_000, large=8_000)


class Edits(RuleBasedStateMachine):
    """A tree on disk, and the last record of it that was not racy."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.tree = self.folder / "tree"
        self.tree.mkdir()
        self.store = open_store(str(self.folder / "store"))
        self.record: Snapshot | None = None

    def teardown(self) -> None:
        shutil.rmtree(self.folder)

    @initialize()
    def begin(self) -> None:
        for path in ("x", "a/x", "a/b/y", "c/vendor/z"):
            self.write(path, 9000, ord("a"))

    @rule(path=_paths, size=_sizes, letter=_letters)
    def write(self, path: str, size: int, letter: int) -> None:
        file = self.tree / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(bytes([letter]) * size)

    @rule(path=_paths, letter=_letters)
    def write_in_secret(self, path: str, letter: int) -> None:
        file = self.tree / path
        if file.exists():
            before = file.stat()
            file.write_bytes(bytes([letter]) * before.st_size)
            os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))

    @rule(path=_paths)
    def write_all_at_once_around_a_build(self, path: str) -> None:
        self.write(path, 10, ord("a"))
        self.build()
        self.write(path, 10, ord("b"))

    @rule(path=_paths)
    def wait_and_write_in_secret_after_a_build(self, path: str) -> None:
        self.write(path, 10, ord("a"))
        self.wait()
        self.build()
        self.write_in_secret(path, ord("b"))

    @rule(path=_paths)
    def remove(self, path: str) -> None:
        (self.tree / path).unlink(missing_ok=True)

    @rule(path=_paths, mode=st.sampled_from([0o644, 0o755]))
    def chmod(self, path: str, mode: int) -> None:
        if (self.tree / path).exists():
            (self.tree / path).chmod(mode)

    @rule(path=_paths, other=_paths)
    def link(self, path: str, other: str) -> None:
        if (self.tree / path).exists() and not (self.tree / other).exists():
            (self.tree / other).parent.mkdir(parents=True, exist_ok=True)
            os.link(self.tree / path, self.tree / other)

    @rule(path=_paths, other=_paths)
    def move(self, path: str, other: str) -> None:
        if (self.tree / path).exists():
            (self.tree / other).parent.mkdir(parents=True, exist_ok=True)
            (self.tree / path).rename(self.tree / other)

    @rule()
    def wait(self) -> None:
        time.sleep(0.015)

    @rule()
    def build(self) -> None:
        started = time.time_ns()
        seen, entries = self.walked()
        digests = self.digests(entries)
        stats = [each for _, each in seen]
        self.record = None if racy(stats, started) else Snapshot.of("", seen, digests)

    @invariant()
    def an_unchanged_record_is_what_a_build_from_scratch_gives(self) -> None:
        if self.record and unchanged(self.record):
            assert self.record.result == self.digests(self.walked()[1])

    def digests(self, entries: list[Entry]) -> bytes:
        layers = [
            write_layer(part, encoder("none"), self.store, stop=Stop(), threads=1)
            for part in partition(entries, sizes=SMALL)
        ]
        return b" ".join(layer.diff_id.encode() for layer in layers)

    def walked(self) -> tuple[list[tuple[str, Stat]], list[Entry]]:
        seen = [(str(self.tree), stat_of(self.tree.lstat()))]
        entries: list[Entry] = []
        first: dict[int, str] = {}
        for path in sorted(self.tree.rglob("*")):
            status = path.lstat()
            seen.append((str(path), stat_of(status)))
            name = str(path.relative_to(self.tree))
            mode = stat.S_IMODE(status.st_mode)
            entry = Entry(name, DIRECTORY, mode, 0, 0, 0, 0, "", None)
            if stat.S_ISREG(status.st_mode):
                target = first.setdefault(status.st_ino, name)
                entry = entry._replace(kind=HARDLINK, link=target)
                if target == name:
                    entry = Entry(name, FILE, mode, 0, 0, status.st_size, 0, "", str(path))
                    entry = entry._replace(stat=stat_of(status))
            entries.append(entry)
        return seen, entries


TestEdits = Edits.TestCase
TestEdits.settings = settings(
    max_examples=40,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
