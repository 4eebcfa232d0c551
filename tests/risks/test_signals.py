"""Ctrl-C and SIGTERM, whatever goes on: the end soon, and nothing half done."""

import fcntl
import os
import pty
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from artificer.store.blobs import open_store
from tests.parts.waiting import PATIENCE, wait_until
from tests.registry.faulty import Fault, Faulty, faulty_registry
from tests.risks.breaking import Breaker, breaking
from tests.risks.builds import written
from tests.risks.machines import Done, Machine, Running
from tests.risks.whole import tagged

MIB = 1 << 20
SIGNALS = [(signal.SIGINT, 130), (signal.SIGTERM, 143)]
LINE = ("-b", "scratch", "-f", "tree")


@pytest.fixture
def registry() -> Iterator[Faulty]:
    with faulty_registry() as registry:
        yield registry


@pytest.fixture
def breaker(registry: Faulty) -> Iterator[Breaker]:
    registry.relative = True  # or uploads would go past the proxy
    with breaking(registry.host) as breaker:
        yield breaker


SOON = 20.0
"""Seconds; two on a quiet machine, and much less than what each test gives it to do."""


def wait_for(what: Callable[[], object], running: Running) -> None:
    def happened() -> object:
        assert running.process.poll() is None, f"it has ended: {running.done()}"
        return what()

    wait_until(happened)


def temporary(machine: Machine) -> list[Path]:
    folder = machine.store / "tmp"
    return list(folder.iterdir()) if folder.exists() else []


def ended(running: Running, number: int) -> Done:
    """Send the signal; it must end soon, saying no more than that."""
    started = time.monotonic()
    running.kill(number)
    done = running.done()
    assert time.monotonic() - started < SOON, done
    assert done.code == 128 + number, done
    assert done.stdout == "", done
    assert done.stderr.rstrip().splitlines()[-1] == "error: cancelled", done
    return done


def is_clean(machine: Machine) -> None:
    """Nothing is left of it, and the next prune finds nothing to do in the tmp."""
    assert temporary(machine) == []
    machine("cache", "verify")


@pytest.mark.parametrize(("number", "code"), SIGNALS)
def test_while_a_tree_is_walked(machine: Machine, number: int, code: int) -> None:
    tree = machine.work / "tree"
    for folder in range(40):
        (tree / str(folder)).mkdir(parents=True)
    (tree / "file").touch()
    for name in range(40_000):
        os.link(tree / "file", tree / str(name % 40) / str(name))
    running = machine.start(*LINE, "-t", "store:x")
    wait_for(machine.store.exists, running)

    ended(running, number)

    is_clean(machine)


@pytest.mark.parametrize(("number", "code"), SIGNALS)
def test_while_a_layer_is_compressed(machine: Machine, number: int, code: int) -> None:
    written(machine.work / "tree", {"large": os.urandom(MIB) * 100})
    words = ("--compression", "gzip", "--compression-level", "12")
    running = machine.start(*LINE, *words, "-t", "oci:layout")
    wait_for(lambda: [path for path in temporary(machine) if path.stat().st_size > 0], running)

    ended(running, number)

    is_clean(machine)
    assert not (machine.work / "layout").exists()


@pytest.mark.parametrize(("number", "code"), SIGNALS)
@pytest.mark.parametrize("size", [MIB, 40 * MIB])
def test_while_a_layer_is_sent(
    machine: Machine, registry: Faulty, breaker: Breaker, size: int, number: int, code: int
) -> None:
    written(machine.work / "tree", {"large": os.urandom(size)})
    breaker.slow = 0.3
    running = machine.start(*LINE, "-t", f"{breaker.host}/team/app:1")
    wait_for(lambda: breaker.received > 1000, running)

    ended(running, number)

    assert registry.tags == {}
    is_clean(machine)


@pytest.mark.parametrize(("number", "code"), SIGNALS)
@pytest.mark.parametrize("reader", ["copy-from", "moved"])
def test_while_a_base_is_read(
    machine: Machine, breaker: Breaker, registry: Faulty, reader: str, number: int, code: int
) -> None:
    written(machine.work / "tree", {"large": os.urandom(8 * MIB)})
    machine(*LINE, "-t", f"{registry.host}/base:1")
    other = Machine(machine.folder.parent / "other")
    base = f"{breaker.host}/base"
    breaker.slow = 0.3
    words = ("-b", f"{base}:1", "-c", "x", "-t", f"{registry.host}/moved:1")
    if reader == "copy-from":
        words = ("-b", "scratch", "--copy-from", f"{base}:1:/tree", "-t", "store:x")
    running = other.start(*words)
    wait_for(lambda: breaker.sent > 10_000, running)

    ended(running, number)

    assert tagged(registry.host, "moved") is None
    is_clean(other)


@pytest.mark.parametrize(("number", "code"), SIGNALS)
def test_while_it_waits_to_try_again(
    machine: Machine, registry: Faulty, number: int, code: int
) -> None:
    written(machine.work / "tree", {"a": b""})
    again = Fault("HEAD manifest", status=503, headers={"Retry-After": "50"})
    registry.faults.extend([again] * 9)
    running = machine.start(*LINE, "-t", f"{registry.host}/team/app:1")
    wait_for(lambda: registry.requests, running)
    time.sleep(0.2)

    ended(running, number)

    is_clean(machine)


@pytest.mark.parametrize(("number", "code"), SIGNALS)
def test_while_a_registry_says_nothing(machine: Machine, number: int, code: int) -> None:
    written(machine.work / "tree", {"a": b""})
    with socket.create_server(("127.0.0.1", 0)) as silent:
        host = f"127.0.0.1:{silent.getsockname()[1]}"
        running = machine.start(*LINE, "-t", f"{host}/team/app:1")
        accepted = silent.accept()[0]

        ended(running, number)
        accepted.close()


@pytest.mark.parametrize(("number", "code"), SIGNALS)
def test_while_a_credential_helper_hangs(machine: Machine, number: int, code: int) -> None:
    written(machine.work / "tree", {"a": b""})
    called = machine.folder / "called"
    helper = machine.folder / "bin" / "docker-credential-slow"
    written(helper.parent, {helper.name: f"#!/bin/sh\necho $$ >{called}\nexec sleep 1000\n"})
    helper.chmod(0o755)
    written(machine.home, {".docker/config.json": '{"credsStore": "slow"}'})
    path = f"{helper.parent}:{machine.environ['PATH']}"
    running = machine.start(*LINE, "-t", "127.0.0.1:9/team/app:1", environ={"PATH": path})
    wait_for(lambda: called.exists() and called.read_text().strip(), running)

    ended(running, number)

    with pytest.raises(ProcessLookupError):
        os.kill(int(called.read_text()), 0)


@pytest.mark.parametrize(("number", "code"), SIGNALS)
def test_while_a_prune_holds_the_store(machine: Machine, number: int, code: int) -> None:
    written(machine.work / "tree", {"a": b""})
    open_store(str(machine.store))
    with open(machine.store / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        running = machine.start(*LINE, "-t", "store:x")
        time.sleep(1)
        assert running.process.poll() is None

        started = time.monotonic()
        running.kill(number)
        done = running.done()

    assert time.monotonic() - started < SOON
    assert done.code == code


def test_the_second_signal_ends_it_at_once(machine: Machine) -> None:
    written(machine.work / "tree", {"large": os.urandom(MIB) * 100})
    running = machine.start(*LINE, "--compression-level", "12", "-t", "store:x")
    wait_for(lambda: temporary(machine), running)
    running.kill(signal.SIGINT)
    running.kill(signal.SIGINT)

    assert running.done().code == 130
    machine("cache", "prune")
    is_clean(machine)


def test_the_terminal_is_as_it_was(machine: Machine, breaker: Breaker, registry: Faulty) -> None:
    """While bars are drawn, the cursor is hidden."""
    written(machine.work / "tree", {"large": os.urandom(20 * MIB)})
    machine(*LINE, "-t", f"{registry.host}/base:1")
    breaker.slow = 0.1
    ours, theirs = pty.openpty()
    words = ("-b", "scratch", "--copy-from", f"{breaker.host}/base:1:/tree", "-t", "store:x")
    process = subprocess.Popen(
        [sys.executable, "-m", "artificer", *words],
        env={**machine.environ, "TERM": "xterm-256color"},
        cwd=machine.work,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    shown = b""
    while b"\x1b[?25l" not in shown:
        shown += os.read(ours, 1 << 16)
    process.send_signal(signal.SIGINT)
    try:
        while more := os.read(ours, 1 << 16):
            shown += more
    except OSError:  # Linux: the last one has closed the terminal
        pass
    os.close(ours)

    assert process.wait(PATIENCE) == 130
    assert shown.rindex(b"\x1b[?25h") > shown.rindex(b"\x1b[?25l")
    assert shown.rstrip().splitlines()[-1].endswith(b" cancelled")
