"""The demo, as `./dev demo` runs it, in a place of its own."""

import platform
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from artificer.registry.server.serving import serve
from artificer.store.blobs import open_store
from tests.parts.commands import Command
from tests.parts.ports import free_port
from tests.parts.waiting import PATIENCE

CHECKOUT = Path(__file__).resolve().parents[2]


class Demo:
    """The place of the demo, and what it said each time."""

    def __init__(self, place: Path) -> None:
        self.place = place
        # The second time it is the same only if nobody else got it meanwhile.
        (place / "port").write_text(str(free_port()))
        self.first = self.run()
        self.second = self.run()

    def run(self) -> str:
        words = [sys.executable, str(CHECKOUT / "tools/demo.py"), str(self.place)]
        done = subprocess.run(words, check=False, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stderr == ""
        return done.stdout


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    return Demo(tmp_path_factory.mktemp("demo"))


def test_the_first_time_it_builds_and_pushes_an_image(demo: Demo) -> None:
    assert re.search(r"/demo/app: [0-9a-f]{12} \(.*\) sent", demo.first)
    assert re.search(r"/demo/app:v1 is now sha256:", demo.first)
    assert "Done, " in demo.first.splitlines()[-1]


def test_it_shows_what_it_pushed(demo: Demo) -> None:
    assert '| command      ["/bin/hello"]' in demo.first
    assert re.search(r"-rwxr-xr-x .* /bin/hello", demo.first)
    assert "__pycache__" not in demo.first.partition("6. ")[2]


def test_the_second_time_there_is_nothing_to_do(demo: Demo) -> None:
    assert " sent\n" not in demo.second
    assert demo.second.count("already: nothing to send") == 2
    assert "Nothing to send: both images were there already." in demo.second


def test_it_leaves_nobody_listening(demo: Demo) -> None:
    log = (demo.place / "registry.log").read_text()

    assert log.endswith("The registry has ended.\n")


@pytest.mark.skipif(
    (platform.system(), platform.machine()) not in {("Linux", "x86_64"), ("Linux", "aarch64")},
    reason="the program is for another machine",
)
def test_the_program_in_the_image_runs(demo: Demo) -> None:
    done = subprocess.run([demo.place / "base/bin/hello"], check=True, capture_output=True)

    assert done.stdout == b"Hello from an image that artificer built.\n"


def test_podman_runs_the_image(demo: Demo, podman: Command) -> None:
    port = int((demo.place / "port").read_text())
    with serve(open_store(str(demo.place / "registry")), port=port) as server:
        server.start()
        name = f"{server.address}/demo/app:v1"
        said = podman.output("run", "--rm", "--tls-verify=false", "--network=host", name)

    assert said == "Hello from an image that artificer built."


def test_a_port_that_is_taken_by_now_is_no_obstacle(demo: Demo) -> None:
    with socket.create_server(("127.0.0.1", int((demo.place / "port").read_text()))):
        third = demo.run()

    assert "/demo/app:v1 is now sha256:" in third


def test_a_reader_that_goes_away_ends_the_registry_too(tmp_path: Path) -> None:
    words = [sys.executable, str(CHECKOUT / "tools/demo.py"), str(tmp_path)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout
        while b"listens" not in (line := process.stdout.readline()):
            assert line, "it ends, and never listened"
        process.stdout.close()
        code = process.wait(PATIENCE)
        said = process.stderr.read() if process.stderr else b""

    assert (code, said) == (141, b"")
    assert (tmp_path / "registry.log").read_text().endswith("The registry has ended.\n")


def test_a_place_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    words = [sys.executable, str(CHECKOUT / "tools/demo.py"), str(tmp_path / "file")]
    done = subprocess.run(words, check=False, capture_output=True, text=True, timeout=300)

    assert done.returncode == 1
    assert done.stderr.startswith(f"\nerror: {tmp_path / 'file'}")
