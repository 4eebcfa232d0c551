"""The store served as a registry, in a process of its own that signals end."""

import getpass
import io
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, cast
from urllib.request import urlopen

import pytest

from artificer.cli.serve import run
from artificer.cli.session import Session
from tests.cli.outside import Cli
from tests.parts.commands import Command
from tests.parts.waiting import PATIENCE, wait_until

SECRET = "open sesame"


class Serving:
    """`artificer registry serve` on a free port: `.address`, `.end(signal)`, what it `.said`."""

    def __init__(self, cli: Cli, *words: str, stdin: str = "") -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "artificer", "registry", "serve", "--port", "0", *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**cli.environ, "ARTIFICER_STORE": f"{cli.store}-served"},
            text=True,
        )
        pipe, out = cast("IO[str]", self.process.stdin), cast("IO[str]", self.process.stdout)
        pipe.write(stdin)
        pipe.close()
        self.said = ""
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        self.address = out.readline().rstrip("\n")

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        code = self.process.wait(PATIENCE)
        self._reader.join()
        for pipe in (self.process.stdout, self.process.stderr):
            cast("IO[str]", pipe).close()
        return code

    def _read(self) -> None:
        for line in cast("IO[str]", self.process.stderr):
            self.said += line


Serve = Callable[..., Serving]


@pytest.fixture
def serve(cli: Cli) -> Iterator[Serve]:
    started: list[Serving] = []

    def begin(*words: str, stdin: str = "") -> Serving:
        started.append(Serving(cli, *words, stdin=stdin))
        return started[-1]

    yield begin
    for one in started:
        if one.process.poll() is None:
            one.end(signal.SIGKILL)


def build(cli: Cli, work: Path, target: str, *words: str, code: int = 0) -> str:
    (work / "hello").write_text("hello")
    done = cli("-b", "scratch", "-f", "hello", "-t", target, *words, code=code)
    return done.stdout.strip() or done.error


def test_what_is_pushed_can_be_pulled_by_others(
    cli: Cli, serve: Serve, work: Path, skopeo: Command
) -> None:
    serving = serve()
    built = build(cli, work, f"{serving.address}/some/app:1")
    name = f"docker://{serving.address}/some/app:1"
    seen = skopeo.output("inspect", "--tls-verify=false", "--format", "{{.Digest}}", name)

    assert serving.address.startswith("127.0.0.1:")
    assert built == f"{serving.address}/some/app@{seen}"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_though_a_client_stays(
    serve: Serve, number: signal.Signals, code: int
) -> None:
    serving = serve()
    host, _, port = serving.address.rpartition(":")
    with socket.create_connection((host, int(port))):
        ended = serving.end(number)

    assert ended == code
    assert serving.said.endswith("The registry has ended.\n")
    assert "error" not in serving.said


def test_requests_are_told_unless_they_are_not_wanted(cli: Cli, serve: Serve, work: Path) -> None:
    loud, quiet = serve(), serve("--quiet")
    build(cli, work, f"{loud.address}/app:1")
    build(cli, work, f"{quiet.address}/app:1")
    loud.end()
    quiet.end()

    assert "PUT /v2/app/manifests/1 201" in loud.said
    assert quiet.said == ""


def test_one_that_is_read_only_takes_nothing(cli: Cli, serve: Serve, work: Path) -> None:
    serving = serve("--read-only")

    assert "read-only" in build(cli, work, f"{serving.address}/app:1", code=1)


def test_one_with_a_user_lets_nobody_else_in(cli: Cli, serve: Serve, work: Path) -> None:
    serving = serve("--user", "ali", "--password-stdin", stdin=f"{SECRET}\n")
    target = f"{serving.address}/app:1"

    assert "not allowed" in build(cli, work, target, code=77)
    assert build(cli, work, target, "--creds", f"ali:{SECRET}").startswith(serving.address)
    serving.end()
    assert SECRET not in serving.said


def test_a_port_that_is_taken_is_an_error(cli: Cli, serve: Serve) -> None:
    port = serve().address.rpartition(":")[2]
    done = cli("registry", "serve", "--port", port, code=69)

    assert done.error.startswith(f"cannot listen on 127.0.0.1:{port}: ")
    assert "or 0 for any free one" in done.hint


def test_it_warns_when_everybody_may_write(serve: Serve) -> None:
    open_to_all, guarded = serve("--host", "0.0.0.0"), serve("--host", "0.0.0.0", "--read-only")
    open_to_all.end()
    guarded.end()

    assert "warning: whoever reaches 0.0.0.0 may push and delete" in open_to_all.said
    assert "warning" not in guarded.said


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ((), "registry what?"),
        (("start",), "no such command: registry start"),
        (("serve", "--port", "70000"), "--port: not a port: 70000"),
        (("serve", "--port", "http"), "argument --port: invalid int value: 'http'"),
        (("serve", "--password-stdin"), "--password-stdin needs the user"),
        (("serve", "--user", "a:b"), "--user: a user name is not empty, and has no colon"),
        (("serve", "--user", "ali"), "there is no terminal to ask for the password"),
    ],
)
def test_what_makes_no_sense_is_refused(cli: Cli, words: tuple[str, ...], error: str) -> None:
    assert cli("registry", *words, code=2).error == error


def test_a_build_and_its_registry_can_share_a_store(cli: Cli, serve: Serve, work: Path) -> None:
    serving = serve()
    cli.environ["ARTIFICER_STORE"] += "-served"
    build(cli, work, f"{serving.address}/app:1")
    done = cli("-b", "scratch", "-f", "hello", "-t", f"{serving.address}/app:1")

    assert "nothing to send" in done.stderr
    assert os.path.isdir(cli.store / "repositories")


def test_it_serves_until_it_is_asked_to_stop(cli: Cli) -> None:
    out = io.StringIO()
    session = Session(cli.environ, io.StringIO(), out, io.StringIO())
    codes: list[int] = []
    words = ["registry", "serve", "--port", "0"]
    thread = threading.Thread(target=lambda: codes.append(run(words, session)))
    thread.start()
    wait_until(out.getvalue)
    with urlopen(f"http://{out.getvalue().strip()}/v2/") as answer:
        status = answer.status
    session.cancel(signal.SIGTERM)
    thread.join(PATIENCE)

    assert status == 200
    assert codes == [143]


def test_a_password_is_asked_for_at_the_terminal(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(getpass, "getpass", lambda prompt, stream: SECRET)
    session = Session(cli.environ, Terminal(), io.StringIO(), io.StringIO())
    session.stop.set()

    assert run(["registry", "serve", "--port", "0", "--user", "ali"], session) == 0
