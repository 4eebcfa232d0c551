"""What builds keep and what they leave: pruned, shared, and whole whoever was killed."""

import os
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

from artificer.sandbox.client import Pruned, Sandbox, SandboxFailed
from artificer.sandbox.command import Cache, TreeLayer
from artificer.sandbox.protocol import Hung
from artificer.stop import Stop
from tests.parts.waiting import lifetime, processes_with, wait_until
from tests.sandbox import roots


@pytest.fixture
def folder(rung: str, sandbox_folder: Path, tmp_path: Path, users: None) -> Path:
    """A folder for a state of one test's own."""
    made = sandbox_folder / f"state-of-{rung}-{tmp_path.name}"
    made.mkdir()
    return made


def files_in(path: str) -> int:
    return sum(len(names) for _, _, names in os.walk(path))


def test_a_prune_removes_what_nobody_uses(rung: str, folder: Path, base: TreeLayer) -> None:
    mount = Cache("/c", "c", uid=0)
    found: list[Pruned] = []
    state = Path(roots.state_of(rung, folder))

    def pruned() -> bool:
        found.append(box.prune(0))
        return True

    with roots.sandbox(rung, folder) as box:
        with box.at((base,)) as root:
            done = roots.ran(root, roots.shell("echo > /c/x; chown 5 /c/x", mounts=(mount,)))
            roots.adopted(root, done)
            box.prune(0)
            assert roots.ran(root, "cat /srv/f0").said == "file 0\n"
        kept = box.prune(3600)
        # The root is in use until who served it has cleared up, which nobody waits for.
        wait_until(lambda: pruned() and not list(state.rglob("f0")))
        rest = box.prune(0, with_caches=True)

    assert (kept.freed, kept.roots, kept.caches) == (0, 0, 0)
    assert sum(one.freed for one in found) > 1_000_000 or sum(one.roots for one in found) == 1
    assert (sum(one.caches for one in found), rest.caches) == (0, 1)


def test_two_builds_unpack_a_layer_once(rung: str, folder: Path, base: TreeLayer) -> None:
    said = []

    def build() -> None:
        with roots.sandbox(rung, folder) as box, box.at((base,)) as root:
            said.append(roots.ran(root, "cat /srv/f0").said)

    threads = [threading.Thread(target=build) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert said == ["file 0\n"] * 3


def test_a_build_that_was_killed_while_it_unpacked_leaves_nothing_half_done(
    rung: str, folder: Path, base: TreeLayer
) -> None:
    state = roots.state_of(rung, folder)
    for wait in (0.002, 0.01, 0.02):
        box = Sandbox(state, roots.options(rung), Stop())
        assert box.rung.name == rung
        thread = threading.Thread(target=_try_root, args=(box, base))
        thread.start()
        time.sleep(wait)
        process = box._process
        assert process is not None
        os.killpg(process.pid, 9)
        thread.join()
        box.close()

    with roots.sandbox(rung, folder) as box, box.at((base,)) as root:
        said = roots.ran(root, "ls /srv /bin | wc -l; cat /srv/owned").said

    with roots.sandbox(rung, folder.parent) as box, box.at((base,)) as root:
        assert said == roots.ran(root, "ls /srv /bin | wc -l; cat /srv/owned").said


def _try_root(box: Sandbox, base: TreeLayer) -> None:
    with suppress(Hung), box.at((base,)):
        pass


@pytest.mark.parametrize("rung", ["root"], indirect=True)
def test_a_full_disk_is_an_error_and_leaves_nothing(
    folder: Path, base: TreeLayer, rung: str
) -> None:
    state = roots.state_of(rung, folder)
    mounting = f'mount -t tmpfs -o size=14m none {state}; exec "$@"'
    launcher = ("unshare", "-m", "sh", "-c", mounting, "sh")
    with roots.sandbox(rung, folder, launcher=launcher) as box:
        with box.at((base,)) as root:
            done = roots.ran(root, "dd if=/dev/zero of=/big bs=1M count=30")
        big = roots.layer(folder.parent, [roots.member("big", os.urandom(16 << 20))])
        with pytest.raises(SandboxFailed, match="no space left"), box.at((base, big)):
            pass
        with box.at((base,)) as root:
            later = roots.ran(root, "ls /srv | wc -l")

    assert "No space left" in done.said
    assert done.code == 1
    assert int(later.said) > 5


@pytest.mark.parametrize("rung", ["root"], indirect=True)
def test_a_folder_with_any_name_will_do(folder: Path, base: TreeLayer, rung: str) -> None:
    odd = folder / "a b,c:d\\e=ü"
    odd.mkdir()
    with roots.sandbox(rung, odd) as box, box.at((base,)) as root:
        done = roots.ran(root, "rm /srv/f0; cat /srv/f1")

    assert done.said == "file 1\n"
    assert ".wh.f0" in "".join(done.members)


@pytest.mark.parametrize("rung", ["full-map"], indirect=True)
def test_a_masked_proc_is_used_as_it_is(folder: Path, base: TreeLayer, rung: str) -> None:
    masking = 'mount -t tmpfs none /proc/scsi || mount -t tmpfs none /proc/fs; exec "$@"'
    launcher = ("unshare", "-m", "sh", "-c", masking, "sh")
    life = lifetime()
    script = f"echo $$; readlink /proc/self; (setsid sleep {life} &); echo x > /x"
    with roots.sandbox(rung, folder, launcher=launcher) as box, box.at((base,)) as root:
        done = roots.ran(root, script)
        left = processes_with(life)

    assert done.code == 0
    assert int(done.said.split()[0]) > 100
    assert left == []
    assert set(done.members) == {"x"}
