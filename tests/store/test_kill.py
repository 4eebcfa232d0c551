"""Builds that are killed while a prune runs leave a whole store, and nothing undeletable."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from artificer.store.blobs import open_store
from artificer.store.census import du
from artificer.store.prune import prune
from artificer.store.verify import verify

ROUNDS = 25
PRUNE_LOOP = """
import sys, time
from artificer.store.blobs import open_store
from artificer.store.prune import prune
while True:
    prune(open_store(sys.argv[1]), older_than=0, clock=lambda: time.time() + 1)
    print("pruned", flush=True)
"""


def started(*words: str) -> "subprocess.Popen[bytes]":
    root = Path(__file__).parent.parent.parent
    process = subprocess.Popen(
        [sys.executable, *words],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(root)},
    )
    assert process.stdout is not None
    process.stdout.readline()  # it is at work
    return process


def kill(process: "subprocess.Popen[bytes]") -> None:
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL  # it did not fail by itself


def test_killed_builds_and_prunes_leave_a_whole_store(tmp_path: Path) -> None:
    root = str(tmp_path / "store")
    store = open_store(root)
    rng = random.Random(1)

    def builder() -> "subprocess.Popen[bytes]":
        return started("-m", "tests.store.kill_worker", root, str(rng.random()))

    builders = [builder(), builder()]
    pruner = started("-c", PRUNE_LOOP, root)
    for _ in range(ROUNDS):
        time.sleep(rng.random() * 0.1)
        victim = rng.randrange(3)
        if victim == 2:
            kill(pruner)
            pruner = started("-c", PRUNE_LOOP, root)
        else:
            kill(builders[victim])
            builders[victim] = builder()
    for process in (*builders, pruner):
        kill(process)

    assert verify(store).faults == ()
    assert len(store.names()) > 0
    prune(store, everything=True, clock=lambda: time.time() + 1)
    assert sum(usage.files for usage in du(store)) == 0
