"""Programs that are started: how long they live, and how much they may print."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from artificer.errors import ArtificerError
from artificer.kubernetes.cluster import Killed, NoCluster, Selector
from artificer.kubernetes.kubectl import Kubeconfig, Kubectl
from artificer.kubernetes.process import Stream, ended, kept, started
from artificer.limits import KUBERNETES_LIST_BYTES
from artificer.oci.document import InvalidDocument
from tests.kubernetes.recordings import Fake, whole
from tests.parts.waiting import PATIENCE, wait_until

LINE = ("--", "-b", "registry.example/base:1", "-t", "registry.example/app:1")


def _running(fake: Fake) -> list[str]:
    words = ["pgrep", "-f", f"{fake.folder}/kubectl"]
    return subprocess.run(words, check=False, capture_output=True, text=True).stdout.split()


def test_no_kubectl_outlives_a_submitter_that_is_killed(fake: Fake) -> None:
    fake.plan(**whole("suspended"))
    words = ["job", "submit", "--no-preflight", "--image", "registry.example/builder:1", *LINE]
    submitter = subprocess.Popen(
        [sys.executable, "-m", "artificer", *words],
        env={**os.environ, **fake.environ},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert submitter.stderr is not None
    with submitter.stderr as said:
        while "suspended" not in said.readline():
            assert submitter.poll() is None, said.read()
        watching = _running(fake)
        submitter.kill()
        submitter.wait()
    until = time.monotonic() + 30
    while _running(fake) and time.monotonic() < until:
        time.sleep(0.02)

    assert watching
    assert _running(fake) == []


def test_a_program_that_never_ends_is_ended_with_what_it_has_started() -> None:
    line = "sleep 1000 & echo $!; cat; echo late >&2; wait"

    found = ended(started(["/bin/sh", "-c", line], os.environ), b"", 1 << 10, 2.0)

    assert (found.late, found.code) == (True, -signal.SIGKILL)
    wait_until(lambda: not any(map(_lives, map(int, found.out.split()))))


def test_a_program_that_ends_in_time_is_not_late() -> None:
    found = ended(started(["/bin/cat"], os.environ), b"x", 1 << 10, PATIENCE)

    assert found == (0, b"x", b"", True, False)


def test_a_kubectl_that_waits_for_somebody_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "kubectl"
    program.write_text("#!/bin/sh\nexec sleep 1000\n")
    program.chmod(0o755)
    monkeypatch.setattr("artificer.kubernetes.kubectl.KUBECTL_SECONDS", 0.2)

    with pytest.raises(NoCluster, match=r"kubectl get has not ended in 0\.2 s") as caught:
        Kubectl(str(program), Kubeconfig(), {}, lambda _: None).find("jobs", "x")
    assert "log in" in (caught.value.hint or "").lower()


@pytest.mark.parametrize("printed", ['{"serverVersion": null}', '{"serverVersion": 5}', "{}"])
def test_a_version_that_is_none_is_empty(tmp_path: Path, printed: str) -> None:
    program = tmp_path / "kubectl"
    program.write_text(f"#!/bin/sh\nprintf '%s' '{printed}'\n")
    program.chmod(0o755)
    cluster = Kubectl(str(program), Kubeconfig(), os.environ, lambda _: None)

    assert cluster.version() == ""
    assert cluster.listed("pods", Selector()) == ()


def test_closing_ends_what_kubectl_has_started(tmp_path: Path) -> None:
    program, number = tmp_path / "kubectl", tmp_path / "number"
    program.write_text(
        f"#!/bin/sh\nsleep 1000 &\necho $! > {number}.new\nmv {number}.new {number}\nwait\n"
    )
    program.chmod(0o755)
    cluster = Kubectl(str(program), Kubeconfig(), os.environ, lambda _: None)
    said: list[ArtificerError] = []

    def asks() -> None:
        try:
            cluster.version()
        except ArtificerError as error:
            said.append(error)

    asking = threading.Thread(target=asks)
    asking.start()
    wait_until(number.exists)
    cluster.close()
    asking.join(PATIENCE)

    assert [type(error) for error in said] == [Killed]
    wait_until(lambda: not _lives(int(number.read_text())))


def _lives(number: int) -> bool:
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _stream(words: list[str], told: list[tuple[int, bytes]]) -> list[bytes]:
    with Stream(kept(words, os.environ), lambda *over: told.append(over)) as stream:
        return list(stream)


@pytest.mark.parametrize(
    ("line", "code"), [("exit 0", 0), ("exit 3", 3), ("kill -9 $$", 137), ("cat; exit 4", 4)]
)
def test_a_stream_ends_as_its_program_does(line: str, code: int) -> None:
    told: list[tuple[int, bytes]] = []

    found = _stream(["sh", "-c", f"echo 'a b'; echo no >&2; {line}"], told)

    assert (found, told) == ([b"a b\n"], [(code, b"no\n")])


def test_only_the_end_of_a_long_complaint_is_kept() -> None:
    line = "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); echo 0123456789; done >&2; echo end >&2"

    found = ended(started(["sh", "-c", line], os.environ), b"", 10, PATIENCE)

    assert found.err.endswith(b"9\nend\n")
    assert len(found.err) == 64 * 1024


def test_input_that_nobody_reads_does_not_hide_what_is_said() -> None:
    found = ended(
        started(["sh", "-c", "echo no >&2; exit 2"], os.environ), b"x" * 10_000_000, 10, PATIENCE
    )

    assert (found.code, found.err) == (2, b"no\n")


def test_an_answer_without_an_end_is_refused(fake: Fake) -> None:
    program = fake.folder / "endless"
    program.write_text("#!/bin/sh\nexec yes '{}'\n")
    program.chmod(0o755)
    cluster = Kubectl(str(program), Kubeconfig(), fake.environ, lambda _: None)

    with pytest.raises(InvalidDocument) as caught:
        cluster.listed("pods", Selector())

    said = f"kubectl get pods prints more than {KUBERNETES_LIST_BYTES} bytes"
    assert caught.value.message == said
    assert caught.value.hint
