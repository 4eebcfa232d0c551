import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.parts.servers import NotStarted, serving
from tests.parts.waiting import wait_until


def _ended(pid: int) -> bool:
    """True when *pid* is gone, or only waits for its parent to read how it ended."""
    try:
        return "\nState:\tZ" in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True


def test_a_server_ends_with_its_block(tmp_path: Path) -> None:
    with serving(["sleep", "60"], tmp_path / "log", {"PATH": os.defpath}) as server:
        assert server.process.poll() is None

    assert server.process.returncode == -signal.SIGTERM


def test_a_server_takes_its_children_along(tmp_path: Path) -> None:
    words = ["sh", "-c", "sleep 60 & echo $! >&2; wait"]
    with serving(words, tmp_path / "log", {"PATH": os.defpath}) as server:
        server.wait_until(lambda: (tmp_path / "log").read_text().endswith("\n"))
        child = int((tmp_path / "log").read_text())

    wait_until(lambda: _ended(child))


def test_a_server_that_does_not_start_shows_its_log(tmp_path: Path) -> None:
    words = ["sh", "-c", "echo no such device >&2; exit 1"]
    with (
        pytest.raises(NotStarted, match="no such device"),
        serving(words, tmp_path / "log", {"PATH": os.defpath}) as server,
    ):
        server.wait_until(lambda: False)


@pytest.mark.skipif(
    sys.platform != "linux", reason="only Linux tells a child that its parent died"
)
def test_a_server_ends_with_a_test_run_that_is_killed(tmp_path: Path) -> None:
    program = (
        "import os, pathlib, sys, time\n"
        "from tests.parts.servers import serving\n"
        "with serving(['sleep', '60'], pathlib.Path(sys.argv[1]), {'PATH': os.defpath}) as s:\n"
        "    print(s.process.pid, flush=True); time.sleep(60)\n"
    )
    words = [sys.executable, "-c", program, str(tmp_path / "log")]
    root = Path(__file__).parents[2]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, cwd=root) as run:
        assert run.stdout
        pid = int(run.stdout.readline())
        run.kill()

    wait_until(lambda: _ended(pid))
