"""Two builders and a prune of one store, killed at any moment: what is left is whole."""

import os
import random
import shutil
import signal
import time
from pathlib import Path

from tests.risks.builds import written
from tests.risks.machines import Machine, Running, Word

ROUNDS = 40
LINE = ("-b", "scratch", "-f", "tree", "--compression", "none")
MIB = 1 << 20


def changed(machine: Machine, rng: random.Random) -> None:
    """Give the tree one large file and some small ones that nobody has seen."""
    files = {f"d{number}/f": rng.randbytes(10_000) for number in range(20)}
    written(machine.work / "tree", {**files, "large": rng.randbytes(8 * MIB)})


def job(kind: int, machine: Machine, rng: random.Random) -> tuple[Word, ...]:
    if kind == 2:
        return ("cache", "prune", "--all") if rng.random() < 0.3 else ("cache", "prune")
    changed(machine, rng)
    place = rng.choice([f"store:name-{kind}", f"oci:layout-{kind}"])
    return (*LINE, "-t", place, *rng.choice([(), ("--no-cache",), ("-f", "tree:/other")]))


def test_killed_builds_and_prunes_leave_a_store_that_is_whole(tmp_path: Path) -> None:
    rng = random.Random(1)
    store = str(tmp_path / "store")
    machines = [Machine(tmp_path / str(number), ARTIFICER_STORE=store) for number in range(3)]
    running: dict[int, Running] = {}
    ended = []
    for _ in range(ROUNDS):
        for kind, machine in enumerate(machines):
            if kind not in running:
                running[kind] = machine.start(*job(kind, machine, rng))
        time.sleep(rng.random() * 0.5)
        victim = rng.randrange(3)
        running[victim].kill()
        ended.append(running.pop(victim).done())
    ended += [each.done() for each in running.values()]

    codes = {done.code for done in ended}
    assert codes <= {0, -signal.SIGKILL}, [str(done) for done in ended if done.code > 0]
    assert codes == {0, -signal.SIGKILL}
    assert machines[0]("cache", "verify").stderr
    fresh = Machine(tmp_path / "fresh")
    shutil.rmtree(fresh.work)
    shutil.copytree(machines[0].work, fresh.work)
    ours = machines[0](*LINE, "-t", "oci:here").digest
    assert ours == fresh(*LINE, "-t", "oci:here").digest
    machines[0]("cache", "prune", "--all")
    assert list((tmp_path / "store" / "tmp").iterdir()) == []
    assert sum(os.path.isfile(path) for path in (tmp_path / "store" / "blobs").rglob("*")) == 0
