"""Files that change, disks that are full, a user nobody knows: an error that says so, or none."""

import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.parts.commands import found
from tests.registry.faulty import faulty_registry
from tests.risks.builds import written
from tests.risks.machines import Done, Machine, Running, Word
from tests.risks.whole import tagged

MIB = 1 << 20
LINE = ("-b", "scratch", "-f", "tree")
ROOT = os.geteuid() == 0


def plain_user() -> tuple[Word, ...]:
    """Words that take away what root may do to files; nothing for anybody else."""
    caps = "-dac_override,-dac_read_search,-fowner"
    return (found("setpriv"), f"--bounding-set={caps}") if ROOT else ()


def is_told(done: Done, *words: str, code: int = 1) -> None:
    """An error of one line, that has *words* in it, and no image."""
    assert done.code == code, done
    assert done.stdout == "", done
    assert "Traceback" not in done.stderr, done
    (error,) = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    for word in words:
        assert word in error, done


def nothing_is_left(machine: Machine) -> None:
    folder = machine.store / "tmp"
    assert not folder.exists() or list(folder.iterdir()) == []
    machine("cache", "verify")


@contextmanager
def meanwhile(act: Callable[[], object]) -> Iterator[None]:
    """Do *act* over and over in a thread, while inside."""
    done = threading.Event()

    def loop() -> None:
        while not done.is_set():
            act()

    thread = threading.Thread(target=loop)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def test_a_file_that_keeps_changing_is_named_and_nothing_is_made_of_it(machine: Machine) -> None:
    file = written(machine.work / "tree", {"log": os.urandom(30 * MIB), "calm": b""}) / "log"

    def write() -> None:
        with file.open("r+b") as opened:
            opened.write(os.urandom(1000))

    with meanwhile(write):
        done = machine(*LINE, "-t", "oci:layout", code=1)

    is_told(done, "tree/log", "changed while it was read")
    assert "reading again" in done.stderr
    assert "--exclude" in done.stderr
    assert not (machine.work / "layout").exists()
    nothing_is_left(machine)


def test_a_file_that_changes_once_is_read_again(machine: Machine) -> None:
    tree = written(machine.work / "tree", {"a": os.urandom(60 * MIB), "z": b"old"})
    running = machine.start(*LINE, "--compression-level", "9", "-t", "store:x")
    _until(lambda: _temporary(machine), running)
    (tree / "z").write_bytes(b"new, and longer")

    done = running.done()

    fresh = Machine(machine.folder.parent / "fresh")
    shutil.copytree(tree, fresh.work / "tree")
    assert done.code == 0
    assert done.digest == fresh(*LINE, "--compression-level", "9", "-t", "store:x").digest
    assert done.digest == machine(*LINE, "--compression-level", "9", "-t", "store:x").digest


@pytest.mark.parametrize("folder", [False, True])
def test_what_vanishes_is_left_out_or_told(machine: Machine, folder: bool) -> None:
    """Before it was seen, while it was, or after: never a traceback, never half of it."""
    for _ in range(6):
        shutil.rmtree(machine.work, ignore_errors=True)
        files = {f"{number:04}/f": b"x" for number in range(1000)}
        tree = written(machine.work / "tree", files)
        shutil.rmtree(machine.store, ignore_errors=True)
        running = machine.start(*LINE, "-t", "store:x")
        _until((machine.store / "lock").exists, running)
        time.sleep(0.02)
        for number in range(999, 0, -1):
            gone = tree / f"{number:04}"
            shutil.rmtree(gone) if folder else (gone / "f").unlink()
        done = running.done()
        if done.code:
            is_told(done, "tree/")
        nothing_is_left(machine)


@pytest.mark.parametrize("mode", [0o000, 0o100])
@pytest.mark.parametrize("name", ["secret", "folder"])
def test_what_may_not_be_read_is_named(machine: Machine, name: str, mode: int) -> None:
    tree = written(machine.work / "tree", {"secret": b"", "folder/f": b""})
    (tree / name).chmod(mode)

    done = machine(*LINE, "-t", "store:x", before=plain_user(), code=1)

    is_told(done, f"tree/{name}", "permission denied")
    (tree / name).chmod(0o755)
    nothing_is_left(machine)


@pytest.mark.parametrize("where", ["store:x", "oci:/closed/layout", "oci-archive:/closed/x.tar"])
def test_where_may_not_be_written_is_named(machine: Machine, where: str) -> None:
    closed = machine.folder / "closed"
    closed.mkdir(mode=0o555)
    written(machine.work / "tree", {"a": b""})
    environ = {"ARTIFICER_STORE": str(closed / "store")} if where == "store:x" else None
    where = where.replace("/closed", str(closed))

    done = machine(*LINE, "-t", where, environ=environ, before=plain_user(), code=1)

    is_told(done, str(closed), "ermission denied")
    assert list(closed.iterdir()) == []


def test_a_store_that_may_only_be_read_still_knows_what_it_knows(machine: Machine) -> None:
    written(machine.work / "tree", {"a": b""})
    time.sleep(0.03)
    told = machine(*LINE, "-t", "oci:layout").digest
    subprocess.run(["chmod", "-R", "a-w", machine.store], check=True)
    try:
        again = machine(*LINE, "-t", "oci:layout", before=plain_user())
        (machine.work / "tree/a").write_bytes(b"new")
        time.sleep(0.03)
        failed = machine(*LINE, "-t", "oci:layout", before=plain_user(), code=1)
    finally:
        subprocess.run(["chmod", "-R", "u+w", machine.store], check=True)

    assert again.digest == told
    is_told(failed, str(machine.store), "ermission denied")


needs_root = pytest.mark.skipif(not ROOT, reason="only root may mount")


def on_a_disk_of(size: str, place: Path) -> tuple[Word, ...]:
    """Words that run a command where *place* is a small disk of its own."""
    place.mkdir(exist_ok=True)
    script = f'mount -t tmpfs -o size={size} none {place} && exec "$@"'
    return ("unshare", "--mount", "sh", "-c", script, "sh")


@needs_root
@pytest.mark.parametrize("size", ["64k", "1m", "20m"])
def test_a_store_on_a_full_disk_is_told(machine: Machine, size: str) -> None:
    written(machine.work / "tree", {"large": os.urandom(30 * MIB)})

    done = machine(*LINE, "-t", "oci:x", before=on_a_disk_of(size, machine.store), code=1)

    is_told(done, "no space left", str(machine.store))
    assert "cache prune" in done.stderr


@needs_root
@pytest.mark.parametrize("kind", ["oci", "oci-archive", "docker-archive", "rootfs"])
def test_a_full_disk_at_the_target_is_told(machine: Machine, kind: str) -> None:
    written(machine.work / "tree", {"large": os.urandom(30 * MIB)})
    disk = machine.folder / "disk"

    done = machine(*LINE, "-t", f"{kind}:{disk}/x", before=on_a_disk_of("1m", disk), code=1)

    is_told(done, "o space left", str(disk))
    nothing_is_left(machine)


def test_nobody_and_nowhere(machine: Machine) -> None:
    """A user without a name, a home and a store of its own, as in a pod."""
    written(machine.work / "tree", {"a": b""})
    plain = machine(*LINE, "-t", "oci:one").digest
    temporary = machine.folder / "temporary"
    temporary.mkdir()
    nothing: dict[str, str | None] = dict.fromkeys(("HOME", "ARTIFICER_STORE", "USER"))
    environ = {**nothing, "XDG_RUNTIME_DIR": None, "TMPDIR": str(temporary)}
    before = ("unshare", "--user", "--map-user=123456") if ROOT else ()

    done = machine(*LINE, "-t", "oci:two", environ=environ, before=before)

    assert done.digest == plain
    (store,) = temporary.iterdir()
    assert store.name == f"artificer-{123456 if ROOT else os.getuid()}"
    assert store.stat().st_mode & 0o777 == 0o700


def shell(machine: Machine, script: str) -> subprocess.CompletedProcess[str]:
    """Run *script*, in which ``artificer`` is a command."""
    return subprocess.run(
        ["bash", "-c", f'artificer() {{ "{sys.executable}" -m artificer "$@"; }}\n{script}'],
        check=False,
        capture_output=True,
        text=True,
        env=machine.environ,
        cwd=machine.work,
        timeout=300,
    )


def test_a_directory_that_is_gone_is_told(machine: Machine) -> None:
    written(machine.work / "tree", {"a": b""})
    line = f"artificer -b scratch -f {machine.work}/tree"

    done = shell(machine, f"mkdir gone; cd gone; rmdir ../gone; {line} -t store:x")

    assert done.returncode == 1
    assert "error: the current directory does not exist any more\n" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("redirected", "code"),
    [
        (">&-", 0),
        ("2>&-", 0),
        ("<&-", 0),
        (">&- 2>&- <&-", 0),
        (">/dev/full", 1),
        ("2>/dev/full", 0),
    ],
)
def test_streams_that_are_closed_or_full(machine: Machine, redirected: str, code: int) -> None:
    written(machine.work / "tree", {"a": b""})

    done = shell(machine, f"artificer {' '.join(LINE)} -t store:x {redirected}")

    assert done.returncode == code, done
    assert "Traceback" not in done.stderr
    if code:
        assert "error: cannot write to standard output: no space left on device" in done.stderr
    machine("inspect", "store:x")


@pytest.mark.parametrize("words", ["--help", "-b scratch -f tree -t store:x", "tree store:many"])
def test_whoever_reads_one_line_only_is_no_error(machine: Machine, words: str) -> None:
    written(machine.work / "tree", {f"{number}": b"" for number in range(9000)})
    machine(*LINE, "-t", "store:many")

    done = shell(machine, f"artificer {words} | head -1; echo ${{PIPESTATUS[0]}}")

    assert done.stdout.splitlines()[-1] in {"0", "141"}
    assert "Traceback" not in done.stderr
    assert "error" not in done.stderr


def test_a_name_that_is_no_utf8_goes_all_the_way(machine: Machine) -> None:
    tree = written(machine.work / "tree", {"a": b""})
    os.mkdir(os.fsencode(tree) + b"/\xff\n\x1b[2J")
    with faulty_registry() as registry:
        done = machine(*LINE, "-t", f"{registry.host}/team/app:1")

        assert tagged(registry.host, "team/app") == done.digest
        assert "\x1b" not in done.stderr + done.stdout


def _temporary(machine: Machine) -> list[Path]:
    folder = machine.store / "tmp"
    return list(folder.iterdir()) if folder.exists() else []


def _until(what: Callable[[], object], running: Running) -> None:
    while not what():
        assert running.process.poll() is None
        time.sleep(0.01)
