"""Root in a default pod: what a command sees in a chroot, what it may not, what is left of it."""

import os
import signal
import socket
import subprocess
import threading
from pathlib import Path

import pytest

from artificer.sandbox.client import Sandbox
from artificer.sandbox.command import Bind, Cache, Secret, Socket, Tmpfs, TreeLayer
from artificer.sandbox.rung import NotPossible
from tests.parts.waiting import lifetime, processes_with, wait_until
from tests.sandbox import roots


@pytest.fixture
def pod(_boxes: dict[str, Sandbox]) -> Sandbox:
    """A sandbox of root in a default pod."""
    return _boxes["chroot"]


def test_a_command_sees_its_own_processes_only(pod: Sandbox, base: TreeLayer) -> None:
    with pod.at((base,)) as root:
        done = roots.ran(
            root,
            "ls /proc | grep -c '^[0-9]'; cat /proc/1/status /proc/$PPID/environ 2>&1 | "
            "grep -c 'No such file'; grep ^Pid: /proc/self/status | wc -l; head -n1 /proc/cpuinfo",
        )

    listed, hidden, own, processor = done.said.splitlines()
    assert int(listed) < 6
    assert (hidden, own) == ("2", "1")
    assert processor


def test_links_of_proc_stay_in_the_root(pod: Sandbox, base: TreeLayer) -> None:
    with pod.at((base,)) as root:
        done = roots.ran(
            root,
            "ln -s /etc/machine-id /out; cat /proc/self/root/out 2>&1; cd /srv; "
            "readlink /proc/self/cwd; readlink /proc/self/exe; cat /proc/self/cwd/f0; "
            "ls /proc/self/../1 2>&1; readlink /proc/self/root",
        )

    assert done.said.splitlines() == [
        "cat: can't open '/proc/self/root/out': No such file or directory",
        "/srv",
        "/bin/busybox",
        "file 0",
        "ls: /proc/self/../1: No such file or directory",
        "/",
    ]


def test_devices_and_streams_can_be_opened(pod: Sandbox, base: TreeLayer) -> None:
    with pod.at((base,)) as root:
        done = roots.ran(
            root,
            "echo a > /dev/stdout; echo b > /dev/fd/1; echo c >> /dev/stderr; "
            "head -c 3 /dev/zero | wc -c; echo > /dev/null; cat /proc/mounts | wc -l",
        )

    assert done.said.split() == ["a", "b", "c", "3", "4"]


def test_sys_and_the_settings_of_the_kernel_are_for_reading(pod: Sandbox, base: TreeLayer) -> None:
    with pod.at((base,)) as root:
        done = roots.ran(
            root, "echo 1 > /proc/sys/vm/drop_caches; ls /sys/class > /dev/null && echo read"
        )

    assert "Read-only file system" in done.said
    assert done.said.endswith("read\n")


def test_no_signal_reaches_the_builder(pod: Sandbox, base: TreeLayer) -> None:
    other = subprocess.Popen(["sleep", "60"])
    with pod.at((base,)) as root:
        script = f"kill -9 {other.pid} 2>&1; kill -0 $PPID 2>&1; sleep 50 & kill -TERM -1; echo on"
        done = roots.ran(root, script)

    alive = other.poll() is None
    other.kill()
    other.wait()
    assert alive
    assert done.said.count("No such process") == 2
    assert done.said.endswith("on\n")


def test_processes_left_behind_are_ended(pod: Sandbox, base: TreeLayer) -> None:
    life = lifetime()
    with pod.at((base,)) as root:
        script = f"(setsid sh -c 'sleep {life} & sleep {life}' &) ; echo done"
        done = roots.ran(root, script)

    assert done.said == "done\n"
    assert not processes_with(life)


def test_a_user_is_one_and_reads_its_own_proc(pod: Sandbox, base: TreeLayer) -> None:
    with pod.at((base,)) as root:
        command = roots.shell(
            "id -u; id -G; grep ^Uid: /proc/self/status; echo x > /tmp/mine; cat /dev/stdin; "
            "cat /proc/self/environ | tr '\\0' '\\n' | grep ^HOME; echo y > /etc/no",
            user="web:extra",
        )
        done = roots.ran(root, command)

    assert done.said.splitlines()[:3] == ["33", "77", "Uid:\t33\t33\t33\t33"]
    assert "HOME=/var/www" in done.said
    assert "Permission denied" in done.said
    assert done.members["tmp/mine"].uid == 33


def test_a_secret_is_read_and_is_on_no_disk(
    pod: Sandbox, base: TreeLayer, sandbox_folder: Path
) -> None:
    life = lifetime()
    secret = Secret("/run/secrets/token", b"hush-1234", mode=0o440, uid=33, gid=33)
    script = (
        "cat /run/secrets/token; stat -c ' %a %u %s' /run/secrets/token; "
        f"cp /run/secrets/token /c; echo x > /run/secrets/token; sleep {life}; rm /c"
    )
    seen: list[int] = []

    def look() -> None:
        wait_until(lambda: processes_with(life))
        words = ["grep", "-rl", "hush-1234", f"{sandbox_folder}/state-chroot"]
        told = subprocess.run(words, check=False, capture_output=True, text=True).stdout
        # Only what the command itself has copied.
        seen.extend(len(line) for line in told.splitlines() if not line.endswith("/root/c"))
        for process in processes_with(life):
            os.kill(process, signal.SIGTERM)

    watcher = threading.Thread(target=look)
    with pod.at((base,)) as root:
        watcher.start()
        done = roots.ran(root, roots.shell(script, mounts=(secret,)))
        watcher.join()
        later = roots.ran(root, "cat /run/secrets/token 2>&1")

    assert done.said.startswith("hush-1234 440 33 9\n")
    assert "Read-only file system" in done.said
    assert "No such file" in later.said
    assert done.members == {}
    assert seen == []


def test_a_secret_is_found_through_links_and_from_its_directory(
    pod: Sandbox, base: TreeLayer
) -> None:
    secret = Secret("/srv/dir/token", b"hush", mode=0o400)
    with pod.at((base,)) as root:
        script = "cd /srv; cat dir/token to-dir/token ./dir/../dir/token"
        command = roots.shell(script, mounts=(secret,))
        done = roots.ran(root, command)
        other = roots.ran(root, roots.shell("cat /srv/dir/token", user="web", mounts=(secret,)))

    assert done.said == "hush" * 3
    assert "Permission denied" in other.said


def test_mounts_are_put_into_place_and_taken_back(
    pod: Sandbox, base: TreeLayer, sandbox_folder: Path
) -> None:
    stage = roots.layer(sandbox_folder, [roots.directory("d"), roots.member("d/x", b"of stage\n")])
    mounts = (
        Bind("/srv/dir", (stage,), "d"),
        Bind("/opt/new/file", (stage,), "d/x"),
        Cache("/var/cache/mine", "test-pod", mode=0o700, uid=5),
        Tmpfs("/srv/web"),
    )
    script = (
        "cat /srv/dir/x /opt/new/file; ls /srv/web | wc -l; echo t > /srv/web/t; "
        "stat -c '%a %u' /var/cache/mine; cat /var/cache/mine/n; echo kept > /var/cache/mine/n"
    )
    with pod.at((base,)) as root:
        first = roots.ran(root, roots.shell(script, mounts=mounts))
        second = roots.ran(root, roots.shell(script, mounts=mounts))
        later = roots.ran(root, "cat /srv/dir/a | head -c 2; ls /srv/web; ls -d /opt /var/cache")

    assert first.said.startswith("of stage\nof stage\n0\n700 5\n")
    assert second.said.endswith("kept\n")
    assert later.said.startswith("aa")
    assert later.said.count("No such file") == 2
    assert first.members == second.members == {}


def test_what_is_mounted_to_be_read_cannot_be_written_in_silence(
    pod: Sandbox, base: TreeLayer, sandbox_folder: Path
) -> None:
    stage = roots.layer(sandbox_folder, [roots.directory("d"), roots.member("d/x", b"of stage\n")])
    reading = roots.shell("echo y > /mnt/y", mounts=(Bind("/mnt", (stage,), "d"),))
    writing = roots.shell("echo y > /mnt/y", mounts=(Bind("/mnt", (stage,), "d", writable=True),))
    with pod.at((base,)) as root:
        assert roots.ran(root, writing).code == 0
        with pytest.raises(NotPossible, match="read-only"):
            roots.ran(root, reading)


def test_a_socket_is_spoken_to(pod: Sandbox, base: TreeLayer, tmp_path: Path) -> None:
    path = str(tmp_path / "agent")
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(path)
    listening.listen()

    def answer() -> None:
        connection, _ = listening.accept()
        connection.sendall(connection.recv(100).upper())
        connection.close()

    threading.Thread(target=answer, daemon=True).start()
    with pod.at((base,)) as root:
        mounts = (Socket("/run/agent.sock", path, mode=0o600),)
        done = roots.ran(root, roots.shell("stat -c '%F %a' /run/agent.sock", mounts=mounts))

    assert done.said == "socket 600\n"
    assert done.members == {}


def test_links_instead_of_directories_lead_nowhere(
    pod: Sandbox, base: TreeLayer, sandbox_folder: Path, tmp_path: Path
) -> None:
    for name in ("hosts", "resolv.conf", "null", "x", "token"):
        (tmp_path / name).write_text("the machine's")
    cache = Cache("/srv/dir/x", "hostile")
    script = (
        f"mv /etc /old; mv /dev /olddev; rm -r /srv/dir/x; mv /srv/dir /srv/gone; "
        f"ln -s {tmp_path} /etc; ln -s {tmp_path} /dev; ln -s {tmp_path} /srv/dir"
    )
    with pod.at((base,)) as root:
        done = roots.ran(root, roots.shell(script, mounts=(cache,)))
        again = roots.ran(root, roots.shell("ls /srv/dir/x 2>&1", mounts=(cache,)))

    assert {path.name: path.read_text() for path in tmp_path.iterdir() if path.is_file()} == (
        dict.fromkeys(("hosts", "resolv.conf", "null", "x", "token"), "the machine's")
    )
    assert done.members["etc"].linkname == str(tmp_path)
    assert "old/passwd" in done.members
    assert "the machine's" not in again.said


def test_what_needs_a_namespace_is_refused(pod: Sandbox, base: TreeLayer) -> None:
    with pod.at((base,)) as root, pytest.raises(NotPossible, match="without a network"):
        roots.ran(root, roots.shell("true", network="none"))


def test_a_file_with_two_names_is_not_changed_by_guessing(
    pod: Sandbox, base: TreeLayer, sandbox_folder: Path
) -> None:
    linked = roots.layer(
        sandbox_folder,
        [roots.member("one", b"1\n"), roots.member("two", type=b"1", linkname="one")],
    )
    with pod.at((base, linked)) as root, pytest.raises(NotPossible, match="hard link"):
        roots.ran(root, "echo more >> /one")
    with pod.at((base, linked)) as root:
        replaced = roots.ran(root, "echo new > /n; mv /n /one")

    assert set(replaced.members) == {"one"}


def test_the_bytes_that_a_layer_had_are_compared(
    pod: Sandbox, base: TreeLayer, sandbox_folder: Path
) -> None:
    with pod.at((base,)) as root:
        same = roots.ran(root, "cp -p /srv/f0 /n; mv /n /srv/f0; touch -d @1000000000 /srv")
        other = roots.ran(root, "echo FILE 0 > /n; touch -r /srv/f1 /n; mv /n /srv/f0; "
                                "touch -d @1000000000 /srv")  # fmt: skip

    assert same.members == {}
    assert set(other.members) == {"srv", "srv/f0"}


def test_roots_are_kept_and_further_layers_put_upon_them(
    pod: Sandbox, base: TreeLayer, sandbox_folder: Path
) -> None:
    more = roots.layer(sandbox_folder, [roots.member("more", b"m"), roots.member(".wh.srv", b"")])
    with pod.at((base,)) as root:
        roots.ran(root, "true")
    with pod.at((base, more)) as root:
        done = roots.ran(root, "cat /more; ls -d /srv 2>&1; echo x > /x")
        layer = roots.adopted(root, done)
        roots.ran(root, "true")
    # Who served it looks whether anything was changed, and then gives it back.
    state = Path(roots.state_of("chroot", sandbox_folder))
    wait_until(lambda: not list(state.glob("roots/*/work-*")))
    with pod.at((base, more, layer)) as root:
        assert roots.ran(root, "cat /x").said == "x\n"

    assert done.said.startswith("mls: /srv: No such file")


def test_a_killed_builder_leaves_no_process_and_gives_caches_back(
    base: TreeLayer, sandbox_folder: Path
) -> None:
    cache, life = Cache("/cache", "killed"), lifetime()
    with roots.sandbox("chroot", sandbox_folder) as box, box.at((base,)) as root:
        roots.ran(root, roots.shell("echo kept > /cache/it", mounts=(cache,)))

        def workers() -> list[int]:
            found = [pid for pid in os.listdir("/proc") if pid.isdigit()]
            return [int(pid) for pid in found if is_worker(pid, life)]

        def kill() -> None:
            wait_until(lambda: workers() and processes_with(life))
            for pid in workers():
                os.kill(pid, signal.SIGKILL)

        threading.Thread(target=kill).start()
        with pytest.raises(Exception, match=r"gone|ended"):
            root.run(
                roots.shell(f"setsid sleep {life} & sleep {life}; true", mounts=(cache,)),
                lambda _: None,
            )

    wait_until(lambda: not processes_with(life))
    with roots.sandbox("chroot", sandbox_folder) as box, box.at((base,)) as root:
        assert roots.ran(root, roots.shell("cat /cache/it", mounts=(cache,))).said == "kept\n"


def is_worker(process: str, life: str) -> bool:
    """Whether a process is a worker of ours: its children's child is the shell."""
    try:
        children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
        words = Path(f"/proc/{process}/cmdline").read_text()
        inner = [Path(f"/proc/{one}/task/{one}/children").read_text() for one in children]
        below = [
            Path(f"/proc/{one}/cmdline").read_text().replace("\0", " ")
            for one in " ".join(inner).split()
        ]
    except OSError:
        return False
    return "artificer.sandbox" in words and any(f"setsid sleep {life}" in one for one in below)
