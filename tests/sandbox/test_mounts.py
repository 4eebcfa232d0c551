"""What is mounted for one command, and that nothing of it is left afterwards."""

import os
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest

from artificer.sandbox.client import Sandbox, SandboxFailed
from artificer.sandbox.command import Bind, Cache, Command, Secret, Socket, Tmpfs, TreeLayer
from tests.parts.waiting import PATIENCE, lifetime, processes_with, wait_until
from tests.sandbox import roots

# Modules of perl are not in the root: families and types are numbers.
_ASK = """
socket(S, 1, 1, 0) && connect(S, pack("Sa*", 1, "/run/agent")) || die $!;
syswrite(S, "hello\n"); sysread(S, $x, 100); print $x;
"""


@pytest.fixture
def other(sandbox_folder: Path) -> TreeLayer:
    """Files of another stage."""
    return roots.layer(
        sandbox_folder,
        [
            roots.directory("data", 0o755),
            roots.member("data/one", b"one\n", uid=33, gid=33),
            roots.link("data/absolute", "/data/one"),
            roots.link("way", "/data"),
            roots.member("single", b"single\n"),
        ],
    )


def test_files_of_a_stage_are_mounted_read_only(
    box: Sandbox, base: TreeLayer, other: TreeLayer
) -> None:
    mount = Bind("/mnt/here", (other,), "data")
    script = "cat /mnt/here/one; echo x > /mnt/here/new || echo refused; touch /t"
    with box.at((base,)) as root:
        done = roots.ran(root, roots.shell(script, mounts=(mount,)))

    assert done.said.startswith("one\n")
    assert done.said.endswith("refused\n")
    assert set(done.members) == {"t"}


def test_what_is_written_to_a_bind_mount_is_lost(
    box: Sandbox, base: TreeLayer, other: TreeLayer
) -> None:
    mount = Bind("/mnt", (base, other), "data", writable=True)
    with box.at((base,)) as root:
        first = roots.ran(root, roots.shell("echo x > /mnt/one; ls /mnt", mounts=(mount,)))
        second = roots.ran(root, roots.shell("cat /mnt/one", mounts=(mount,)))

    assert first.said == "absolute\none\n"
    assert second.said == "one\n"
    assert first.members == {}


def test_a_single_file_can_be_mounted(box: Sandbox, base: TreeLayer, other: TreeLayer) -> None:
    mounts = (Bind("/etc/new/file", (other,), "single"), Bind("/srv/f0", (other,), "/data/one"))
    with box.at((base,)) as root:
        done = roots.ran(root, roots.shell("cat /etc/new/file /srv/f0", mounts=mounts))
        later = roots.ran(root, "cat /srv/f0; ls /etc")

    assert done.said == "single\none\n"
    assert later.said == "file 0\ngroup\nhosts\npasswd\nresolv.conf\n"
    assert done.members == {}


def test_links_of_mounted_files_stay_in_their_root(
    box: Sandbox, base: TreeLayer, other: TreeLayer
) -> None:
    mount = Bind("/m", (other,), "way")
    with box.at((base,)) as root:
        assert roots.ran(root, roots.shell("ls /m", mounts=(mount,))).said == "absolute\none\n"


def test_a_mount_of_what_is_not_there_is_an_error(
    box: Sandbox, base: TreeLayer, other: TreeLayer
) -> None:
    with box.at((base,)) as root, pytest.raises(SandboxFailed, match="there is no /nothing"):
        roots.ran(root, roots.shell("true", mounts=(Bind("/m", (other,), "nothing"),)))


def test_a_cache_outlives_the_command_and_the_build(
    rung: str, base: TreeLayer, sandbox_folder: Path, users: None
) -> None:
    mount = Cache("/root/.cache", "outlives", mode=0o750, uid=0, gid=0)
    script = "cat /root/.cache/x; echo again >> /root/.cache/x; stat -c %a /root/.cache"
    said = []
    for _ in range(2):
        with roots.sandbox(rung, sandbox_folder) as box, box.at((base,)) as root:
            done = roots.ran(root, roots.shell(script, mounts=(mount,)))
            said.append(done.said)

    assert said[1] == "again\n750\n"
    assert done.members == {}


def test_a_new_cache_begins_as_files_of_a_stage(
    box: Sandbox, base: TreeLayer, other: TreeLayer
) -> None:
    mount = Cache("/c", f"from-{time.time_ns()}", chain=(other,), path="data")
    with box.at((base,)) as root:
        script = "cat /c/one; stat -c %u /c/one; rm /c/one"
        assert roots.ran(root, roots.shell(script, mounts=(mount,))).said == "one\n33\n"
        assert roots.ran(root, roots.shell("ls /c", mounts=(mount,))).said == "absolute\n"


@pytest.mark.parametrize(
    ("sharing", "alone"), [("locked", True), ("shared", False), ("private", False)]
)
def test_commands_share_a_cache_as_they_ask(
    sharing: str, alone: bool, box: Sandbox, base: TreeLayer
) -> None:
    mount = Cache("/c", f"sharing-{sharing}", sharing)  # type: ignore[arg-type]
    life = lifetime()
    first = roots.shell(f"touch /c/busy; sleep {life}; rm /c/busy", mounts=(mount,))
    second = roots.shell("test -e /c/busy && echo busy", mounts=(mount,))
    said: list[str] = []
    with box.at((base,)) as one, box.at((base,)) as two:
        holder = threading.Thread(target=lambda: roots.ran(one, first))
        holder.start()
        wait_until(lambda: processes_with(life))
        waiter = threading.Thread(target=lambda: said.append(roots.ran(two, second).said))
        waiter.start()

        # Who has to wait does so until the first is ended, and the others are done by then.
        waiter.join(0.5 if alone else PATIENCE)
        waits = waiter.is_alive()
        for process in processes_with(life):
            os.kill(process, signal.SIGTERM)
        for thread in (holder, waiter):
            thread.join()

    assert waits == alone
    assert said == ["busy\n" if sharing == "shared" else ""]


def test_a_tmpfs_is_empty_and_gone(box: Sandbox, base: TreeLayer) -> None:
    mount = Tmpfs("/srv", 1 << 20)
    script = "ls /srv | wc -l; dd if=/dev/zero of=/srv/big bs=1M count=3 2>&1"
    with box.at((base,)) as root:
        done = roots.ran(root, roots.shell(script, mounts=(mount,)))
        later = roots.ran(root, "ls /srv | wc -l")

    assert done.said.startswith("0\n")
    assert "No space left" in done.said
    assert int(later.said) > 5
    assert done.members == {}


def test_mounts_may_lie_in_mounts(box: Sandbox, base: TreeLayer, other: TreeLayer) -> None:
    mounts = (Tmpfs("/x"), Bind("/x/y", (other,), "data"), Secret("/x/z/secret", b"s"))
    with box.at((base,)) as root:
        done = roots.ran(root, roots.shell("ls /x/y; cat /x/z/secret", mounts=mounts))

    assert done.said == "absolute\none\ns"
    assert done.members == {}


def test_a_secret_is_seen_and_never_written_to_disk(
    rung: str, box: Sandbox, base: TreeLayer, sandbox_folder: Path
) -> None:
    text = f"very-secret-{rung}-{time.time_ns()}"
    mount = Secret("/run/secrets/token", text.encode(), mode=0o400)
    script = "cat /run/secrets/token; stat -c ' %a %u' /run/secrets/token; sleep 0.2; ls -a /run"
    found = []

    def look(_: bytes) -> None:
        words = ["grep", "-rlF", text, str(sandbox_folder)]
        found.append(subprocess.run(words, capture_output=True, check=False).stdout)

    with box.at((base,)) as root:
        root.run(roots.shell(script, mounts=(mount,)), look)
        look(b"")
        done = roots.ran(root, roots.shell(script, mounts=(mount,)))

    assert done.said.startswith(f"{text} 400 0\n")
    assert set(found) == {b""}
    assert done.members == {}


@pytest.mark.parametrize("rung", roots.RUNGS[:3], indirect=True)
def test_a_secret_belongs_to_whom_it_is_for(box: Sandbox, base: TreeLayer) -> None:
    mount = Secret("/s", b"s", mode=0o440, uid=33, gid=77)
    with box.at((base,)) as root:
        command = roots.shell("stat -c '%a %u %g' /s; cat /s", user="web", mounts=(mount,))
        assert roots.ran(root, command).said == "440 33 77\ns"


@pytest.mark.parametrize("user", ["", "web"])
def test_a_socket_of_the_machine_can_be_spoken_to(
    user: str, rung: str, box: Sandbox, base: TreeLayer, sandbox_folder: Path
) -> None:
    if user and rung == "single-map":
        pytest.skip("there is no other user")
    path = str(sandbox_folder / f"agent-{rung}{user}")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        os.chmod(path, 0o666)  # noqa: S103 - every user is an agent's user here
        server.listen()
        echo = threading.Thread(target=_echo, args=(server,), daemon=True)
        echo.start()
        mount = Socket("/run/agent", path, mode=0o600, uid=33 if user else 0)
        command = Command(("perl", "-e", _ASK), user=user, mounts=(mount,))
        with box.at((base,)) as root:
            done = roots.ran(root, command)
        echo.join()

    assert done.said == "HELLO\n"
    assert done.members == {}


def _echo(server: socket.socket) -> None:
    connection, _ = server.accept()
    with connection:
        connection.sendall(connection.recv(100).upper())
