"""Commands in a root: who they are, what they see, how they end, and what they leave."""

import os
import signal
import socket
import threading
from pathlib import Path

import pytest

from artificer.errors import Cancelled
from artificer.sandbox.client import Sandbox, SandboxFailed
from artificer.sandbox.command import Command, TreeLayer
from artificer.sandbox.rung import NotPossible
from artificer.stop import Stop
from tests.parts.waiting import lifetime, processes_with, wait_until
from tests.sandbox import roots

REAL = [rung for rung in roots.RUNGS if rung != "single-map"]


def test_a_command_tells_its_exit_code(box: Sandbox, base: TreeLayer) -> None:
    with box.at((base,)) as root:
        assert roots.ran(root, "exit 7").code == 7
        assert roots.ran(root, "kill -9 $$").code == -9
        assert roots.ran(root, Command(("/no/such",))).code == 127
        assert roots.ran(root, Command(("no-such",))).said == "no-such: not found\n"
        assert roots.ran(root, Command(("/etc/passwd",))).code == 126


def test_output_comes_while_the_command_runs(box: Sandbox, base: TreeLayer) -> None:
    said, life = b"", lifetime()

    def hear(data: bytes) -> None:
        nonlocal said
        said += data
        # It goes on only because of what it has said.
        if said == b"one\n":
            wait_until(lambda: processes_with(life))
            for process in processes_with(life):
                os.kill(process, signal.SIGTERM)

    with box.at((base,)) as root:
        code = root.run(roots.shell(f"echo one; sleep {life}; echo two >&2"), hear)

    assert (code, said.startswith(b"one\n"), said.endswith(b"two\n")) == (0, True, True)


def test_much_output_is_passed_on(box: Sandbox, base: TreeLayer) -> None:
    with box.at((base,)) as root:
        done = roots.ran(root, "seq 200000; echo end")

    assert len(done.said) == 1288895 + 4
    assert done.said.endswith("200000\nend\n")


def test_input_is_empty(box: Sandbox, base: TreeLayer) -> None:
    with box.at((base,)) as root:
        assert roots.ran(root, "cat; wc -c < /dev/stdin").said.strip() == "0"


@pytest.mark.parametrize("rung", REAL, indirect=True)
@pytest.mark.parametrize(
    ("user", "said"),
    [
        ("web", "33 33 33 77 /var/www"),
        ("33", "33 33 33 77 /var/www"),
        ("web:extra", "33 77 77 /var/www"),
        ("1234", "1234 0 0 /"),
        ("1234:5678", "1234 5678 5678 /"),
        ("root", "0 0 0 /root"),
    ],
)
def test_a_user_is_looked_up_in_the_root(
    user: str, said: str, box: Sandbox, base: TreeLayer
) -> None:
    with box.at((base,)) as root:
        command = roots.shell("echo $(id -u) $(id -g) $(id -G) $HOME; touch /tmp/x", user=user)
        done = roots.ran(root, command)

    assert done.said.strip() == said
    assert done.members["tmp/x"].uid == int(said.split()[0])
    assert done.members["tmp/x"].gid == int(said.split()[1])


@pytest.mark.parametrize("rung", ["single-map"], indirect=True)
def test_another_user_than_root_is_refused_where_there_is_one_id(
    box: Sandbox, base: TreeLayer
) -> None:
    with box.at((base,)) as root:
        with pytest.raises(NotPossible, match="only one user id"):
            roots.ran(root, roots.shell("true", user="web"))
        with pytest.raises(NotPossible, match="only one user id"):
            roots.ran(root, "su web -c 'echo x > /tmp/x'")


def test_lost_owners_can_be_allowed(base: TreeLayer, sandbox_folder: Path, users: None) -> None:
    with (
        roots.sandbox("single-map", sandbox_folder, allow_lost_owners=True) as box,
        box.at((base,)) as root,
    ):
        done = roots.ran(root, roots.shell("id -u; touch /tmp/x", user="web"))

    assert done.said == "0\n"
    assert done.members["tmp/x"].uid == 0


@pytest.mark.parametrize("rung", REAL, indirect=True)
def test_a_setuid_program_has_its_owners_rights(box: Sandbox, base: TreeLayer) -> None:
    with box.at((base,)) as root:
        roots.ran(root, "cp /bin/perl /suid; chmod 4755 /suid")
        done = roots.ran(root, Command(("/suid", "-e", 'print "$< $>"'), user="web"))

    assert done.said == "33 0"


def test_an_unknown_user_is_an_error(box: Sandbox, base: TreeLayer) -> None:
    with box.at((base,)) as root, pytest.raises(SandboxFailed, match="user 'nobody-here'"):
        roots.ran(root, roots.shell("true", user="nobody-here"))


def test_a_missing_working_directory_is_made_and_stays(box: Sandbox, base: TreeLayer) -> None:
    with box.at((base,)) as root:
        done = roots.ran(root, roots.shell("pwd", cwd="/new/place"))

    assert done.said == "/new/place\n"
    assert set(done.members) == {"new", "new/place"}


def test_the_environment_is_the_commands_own(box: Sandbox, base: TreeLayer) -> None:
    with box.at((base,)) as root:
        done = roots.ran(root, Command(("env",), (("A", "1"), ("HOME", "/h"))))

    found = dict(line.split("=", 1) for line in done.said.splitlines())
    assert found.pop("PATH").startswith("/usr/local/sbin:")
    assert found == {"A": "1", "HOME": "/h"}


def test_the_umask_is_the_commands_own(box: Sandbox, base: TreeLayer) -> None:
    with box.at((base,)) as root:
        done = roots.ran(root, roots.shell("echo > /x; mkdir /d", umask=0o077))

    assert (done.members["x"].mode, done.members["d"].mode) == (0o600, 0o700)


def test_a_script_is_no_part_of_the_layer(box: Sandbox, base: TreeLayer) -> None:
    with box.at((base,)) as root:
        command = Command((), script=b"#!/bin/sh\necho $0; ls /dev/pipes\n")
        done = roots.ran(root, command)

    assert done.said == "/dev/pipes/script\nscript\n"
    assert done.members == {}


def test_processes_that_are_left_behind_end(box: Sandbox, base: TreeLayer) -> None:
    with box.at((base,)) as root:
        script = "(setsid sleep 9000 &) ; (while :; do sleep 1; echo >> /alive; done) & echo done"
        done = roots.ran(root, script)
        later = roots.ran(root, "ps; ls /")

    assert done.said == "done\n"
    assert "sleep" not in later.said
    assert "alive" not in later.said


def test_hosts_are_known(box: Sandbox, base: TreeLayer) -> None:
    with box.at((base,)) as root:
        command = roots.shell("cat /etc/hosts", hosts=(("db", "10.1.2.3"),))
        done = roots.ran(root, command)

    assert "127.0.0.1\tlocalhost" in done.said
    assert "10.1.2.3\tdb\n" in done.said
    assert done.members == {}


def test_the_machines_resolv_conf_is_seen_and_the_roots_own_stays(
    box: Sandbox, sandbox_folder: Path, base: TreeLayer
) -> None:
    own = roots.layer(sandbox_folder, [roots.member("etc/resolv.conf", b"own\n")])
    machine = Path("/etc/resolv.conf").read_text() if Path("/etc/resolv.conf").exists() else ""

    with box.at((base, own)) as root:
        done = roots.ran(root, "cat /etc/resolv.conf; rm /etc/resolv.conf 2>/dev/null; true")

    assert done.said == machine
    assert done.members == {}


def test_without_a_network_there_is_only_loopback(box: Sandbox, base: TreeLayer) -> None:
    script = "ip -o link | wc -l; ip -o link show up | wc -l; cat /etc/resolv.conf"
    with box.at((base,)) as root:
        assert roots.ran(root, roots.shell(script, network="none")).said == "1\n1\n"


def test_by_default_the_network_is_the_machines(box: Sandbox, base: TreeLayer) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        threading.Thread(target=_greet, args=(server,), daemon=True).start()
        with box.at((base,)) as root:
            assert roots.ran(root, f"nc 127.0.0.1 {port}").said == "hello\n"
            alone = roots.shell(f"nc 127.0.0.1 {port}", network="none")
            assert roots.ran(root, alone).code != 0


def test_a_command_has_no_more_capabilities_than_in_docker(box: Sandbox, base: TreeLayer) -> None:
    with box.at((base,)) as root:
        done = roots.ran(root, "grep Cap /proc/self/status; mount -t tmpfs x /tmp")

    assert "CapEff:\t00000000a80425fb" in done.said
    assert "CapBnd:\t00000000a80425fb" in done.said
    assert done.code != 0


def test_the_machine_cannot_be_changed(box: Sandbox, base: TreeLayer) -> None:
    with box.at((base,)) as root:
        done = roots.ran(
            root, "echo x > /proc/sys/kernel/hostname; echo x > /sys/kernel/x; ls /work"
        )

    assert done.said.count("Read-only file system") + done.said.count("ermission denied") >= 1
    assert "No such file or directory" in done.said


def test_nothing_of_what_we_mount_is_in_the_layer(box: Sandbox, sandbox_folder: Path) -> None:
    bare = roots.layer(
        sandbox_folder, [roots.member("busybox", Path("/bin/busybox").read_bytes(), mode=0o755)]
    )

    with box.at((bare,)) as root:
        done = roots.ran(root, Command(("/busybox", "ls", "/", "/etc", "/proc/self/stat")))

    assert done.code == 0
    assert "resolv.conf" in done.said
    assert done.members == {}


def test_stopping_ends_a_command_at_once(rung: str, base: TreeLayer, sandbox_folder: Path) -> None:
    stop = Stop()
    state = roots.state_of(rung, sandbox_folder)
    life = lifetime()
    command = roots.shell(f"(setsid sleep {life} &); echo begun; sleep {life}")

    with (
        Sandbox(state, roots.options(rung), stop) as box,
        pytest.raises(Cancelled),
        box.at((base,)) as root,
    ):
        root.run(command, lambda _: stop.set())

    wait_until(lambda: not processes_with(life))
    mounts = Path("/proc/self/mountinfo").read_text()
    assert state not in mounts


def test_a_killed_build_leaves_no_process(
    rung: str, base: TreeLayer, sandbox_folder: Path
) -> None:
    box = Sandbox(roots.state_of(rung, sandbox_folder), roots.options(rung), Stop())
    life = lifetime()
    child = os.fork()
    if not child:
        with box.at((base,)) as root:
            root.run(roots.shell(f"sleep {life}"), lambda _: None)
        os._exit(0)
    wait_until(lambda: processes_with(life))

    os.kill(child, 9)
    os.waitpid(child, 0)

    wait_until(lambda: not processes_with(life))


def _greet(server: socket.socket) -> None:
    connection, _ = server.accept()
    with connection:
        connection.sendall(b"hello\n")
