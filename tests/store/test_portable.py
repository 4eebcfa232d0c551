"""The store can be imported and used where the system has no file locks."""

import subprocess
import sys
from pathlib import Path

WITHOUT_LOCKS = """
import sys
sys.modules["fcntl"] = None
from artificer.oci.digest import Digest
from artificer.store.blobs import open_store
from artificer.store.prune import prune
from artificer.store.verify import verify
store = open_store(sys.argv[1])
with store.in_use():
    digest = store.put(b"hello")
    store.set_record("layer", "key", b"data", needs=[digest])
    with store.spool() as spool:
        spool.write(b"x")
assert store.take_record("layer", "key") == b"data"
with store.writer() as writer:
    writer.write(b"live")
    pruned = prune(store, everything=True)
    writer.commit(Digest.of(b"live"))
assert not pruned.alone
assert store.has(digest) == 5
print(verify(store).faults)
"""


def test_without_locks_a_prune_spares_the_last_hour(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_LOCKS, str(tmp_path / "store")],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.stdout, done.stderr) == ("()\n", "")


SLOW = {
    "dataclasses", "inspect", "pathlib", "tempfile", "subprocess", "shutil", "logging",
    "asyncio", "urllib.request", "tarfile", "sqlite3", "tomllib", "configparser",
}  # fmt: skip


def test_opening_a_store_loads_no_slow_module() -> None:
    program = "import sys; sys.path.append(sys.argv[1]); import artificer.store.blobs"
    source = str(Path(__file__).parents[2] / "src")

    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"{program}; print(*sys.modules)", source],
        capture_output=True,
        text=True,
        check=True,
    )

    assert SLOW & set(done.stdout.split()) == set()
