"""A build that ends while its sandbox starts, or has work."""

import json
import os
import signal
import socket
import subprocess
import sys
import tarfile
import time
from pathlib import Path
from threading import Thread

import pytest

from artificer.oci.digest import Digest
from artificer.sandbox.client import NoSandbox, Sandbox, SandboxFailed, SandboxOptions
from artificer.sandbox.command import TreeLayer
from artificer.sandbox.protocol import Hung
from artificer.stop import Stop
from tests.sandbox import roots

_MINUTES = 1 << 39  # bytes; longer than any grace


@pytest.mark.parametrize("rung", ["", "no such"])
def test_a_sandbox_whose_build_is_gone_ends_without_a_word(tmp_path: Path, rung: str) -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    options = {"state": str(tmp_path), "rung": rung, "allow_lost_owners": False}
    options |= {"started": 0, "epoch": 0, "preserve_mtime": False}
    ours.send(json.dumps(options).encode())
    ours.close()

    with theirs:
        done = subprocess.run(
            [sys.executable, "-m", "artificer.sandbox", str(theirs.fileno())],
            pass_fds=(theirs.fileno(),),
            capture_output=True,
            check=False,
        )

    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


@pytest.mark.usefixtures("users")
@pytest.mark.parametrize("rung", roots.EVERYWHERE)
def test_a_layer_that_nobody_waits_for_is_not_unpacked_to_its_end(
    rung: str, sandbox_folder: Path
) -> None:
    folder = sandbox_folder / f"gone-{rung}"
    folder.mkdir(mode=0o755)
    layer, ends = _endless(folder), []
    with roots.sandbox(rung, folder) as box:
        thread = Thread(target=lambda: ends.append(_end(box, layer)))
        thread.start()
        state = Path(roots.state_of(rung, folder))
        while not [*state.glob("trees/*/.p*/root/zeros"), *state.glob("roots/*/w*/root/zeros")]:
            assert thread.is_alive()
            time.sleep(0.01)

        box.close()
        thread.join()

    assert ends == [Hung]
    left = [*state.glob("work/*/*"), *state.glob("trees/*/.part-*"), *state.glob("roots/*/work-*")]
    assert left == []


@pytest.mark.usefixtures("users")
@pytest.mark.parametrize("rung", roots.EVERYWHERE[:1])
def test_a_sandbox_that_was_killed_is_said_to_be(rung: str, sandbox_folder: Path) -> None:
    folder = sandbox_folder / "killed"
    folder.mkdir(mode=0o755)
    others = _sandboxes()
    with roots.sandbox(rung, folder) as box:
        assert box.rung.name
        (own,) = _sandboxes() - others
        os.kill(own, signal.SIGKILL)

        ends = {_end(box, _endless(folder)) for _ in range(3)}

    assert ends <= {SandboxFailed, Hung}


@pytest.mark.usefixtures("users")
def test_who_cannot_run_commands_is_asked_once(sandbox_folder: Path) -> None:
    tries = sandbox_folder / "tries"
    launcher = ("sh", "-c", f'echo >>{tries}; exec "$@"', "sh")
    options = SandboxOptions(rung="no such", launcher=launcher)
    with Sandbox(str(sandbox_folder / "none"), options, Stop()) as box:
        told = []
        for _ in range(2):
            with pytest.raises(NoSandbox) as caught:
                assert box.rung
            told.append((caught.value.message, caught.value.hint))

    assert told[0] == told[1]
    assert tries.read_text() == "\n"


def test_who_cannot_begin_says_why_and_leaves_nothing_open(tmp_path: Path) -> None:
    options = SandboxOptions(launcher=("/no/such/program",))
    before = os.listdir("/proc/self/fd")
    with (
        Sandbox(str(tmp_path), options, Stop()) as box,
        pytest.raises(NoSandbox, match="/no/such/program cannot be run: no such file"),
    ):
        assert box.rung

    assert os.listdir("/proc/self/fd") == before


def _sandboxes() -> set[int]:
    """The processes of all sandboxes of this one."""
    words = ["pgrep", "-P", str(os.getpid()), "-f", "artificer[.]sandbox"]
    return set(map(int, subprocess.run(words, check=False, capture_output=True).stdout.split()))


def _endless(folder: Path) -> TreeLayer:
    """A layer whose one file takes no room, and minutes to be read."""
    info = tarfile.TarInfo("zeros")
    info.size = _MINUTES
    path = folder / "endless.tar"
    path.write_bytes(info.tobuf(tarfile.PAX_FORMAT))
    os.truncate(path, path.stat().st_size + _MINUTES + 1024)
    return TreeLayer(Digest.of(b"never told"), str(path))


def _end(box: Sandbox, layer: TreeLayer) -> type[BaseException] | None:
    try:
        with box.at((layer,)):
            return None
    except BaseException as error:
        return type(error)
