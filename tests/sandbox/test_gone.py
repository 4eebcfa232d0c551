"""A build that ends while its sandbox starts, or has work."""

import json
import os
import socket
import subprocess
import sys
import tarfile
import time
from pathlib import Path
from threading import Thread

import pytest

from artificer.oci.digest import Digest
from artificer.sandbox.client import Sandbox
from artificer.sandbox.command import TreeLayer
from artificer.sandbox.protocol import Hung
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
