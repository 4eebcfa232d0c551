"""A build that ends while its sandbox starts."""

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest


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
