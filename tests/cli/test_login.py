"""Logging in and out, with a real registry's password and a real token service."""

import base64
import http.server
import json
import os
import pty
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.outside import Cli
from tests.parts.registries import LockedRegistry, Registry, TokenRegistry
from tests.parts.waiting import PATIENCE


def auths(path: Path) -> dict[str, str]:
    """What the file says, decoded: USER:PASSWORD of each registry."""
    entries = json.loads(path.read_text())["auths"]
    return {key: base64.b64decode(one.get("auth", "")).decode() for key, one in entries.items()}


@pytest.fixture
def config(cli: Cli) -> Path:
    return Path(cli.environ["HOME"]) / ".docker/config.json"


@pytest.fixture
def helper(cli: Cli, config: Path, tmp_path: Path) -> Path:
    """The folder of a credential helper that the config names."""
    folder = tmp_path / "helper"
    folder.mkdir()
    program = folder / "docker-credential-box"
    program.write_text(
        f'#!/bin/sh\ncat > "{folder}/$1"\n[ "$1" != get ] || cat "{folder}/answer"\n'
    )
    program.chmod(0o755)
    config.parent.mkdir()
    config.write_text('{"credsStore": "box"}')
    cli.environ["PATH"] = f"{folder}:{cli.environ['PATH']}"
    return folder


def logged_in(cli: Cli, registry: LockedRegistry, *words: str) -> None:
    secret = registry.password.encode() + b"\n"
    options = ("-u", registry.user, "--password-stdin", "--cacert", registry.ca_file)
    done = cli("login", registry.host, *options, *words, stdin=secret)

    assert registry.password not in done.stdout + done.stderr


def test_a_login_is_kept_as_docker_keeps_it(
    cli: Cli, htpasswd_registry: LockedRegistry, config: Path
) -> None:
    logged_in(cli, htpasswd_registry)

    user, password = htpasswd_registry.user, htpasswd_registry.password
    assert auths(config) == {htpasswd_registry.host: f"{user}:{password}"}
    assert config.stat().st_mode & 0o777 == 0o600


def test_it_says_that_the_password_is_in_plain_text_and_where(
    cli: Cli, htpasswd_registry: LockedRegistry
) -> None:
    options = ("--cacert", htpasswd_registry.ca_file, "--password-stdin", "-u", "alice")
    secret = htpasswd_registry.password.encode()
    done = cli("login", htpasswd_registry.host, *options, stdin=secret)

    assert "~/.docker/config.json, in plain text" in done.stderr
    assert done.stdout == ""


def test_a_login_lets_a_build_push(
    cli: Cli, htpasswd_registry: LockedRegistry, work: Path
) -> None:
    logged_in(cli, htpasswd_registry)
    (work / "hello").write_text("hello")
    target = f"{htpasswd_registry.host}/logged/in:1"
    done = cli("-b", "scratch", "-f", "hello", "-t", target, "--cacert", htpasswd_registry.ca_file)

    assert done.stdout.startswith(f"{htpasswd_registry.host}/logged/in@sha256:")


def test_a_login_in_a_file_of_its_own_leaves_the_others_alone(
    cli: Cli, htpasswd_registry: LockedRegistry, config: Path, tmp_path: Path
) -> None:
    logged_in(cli, htpasswd_registry, "--authfile", str(tmp_path / "auth.json"))

    assert list(auths(tmp_path / "auth.json")) == [htpasswd_registry.host]
    assert not config.exists()


def test_a_wrong_password_is_not_kept(
    cli: Cli, htpasswd_registry: LockedRegistry, config: Path
) -> None:
    options = ("-u", "alice", "--password-stdin", "--cacert", htpasswd_registry.ca_file)
    done = cli("login", htpasswd_registry.host, *options, stdin=b"guessed-it\n", code=77)

    assert done.error == f"{htpasswd_registry.host} does not accept this user and password"
    assert "guessed-it" not in done.stderr
    assert not config.exists()


def test_a_token_service_checks_the_password(
    cli: Cli, token_registry: TokenRegistry, config: Path
) -> None:
    words = ("login", token_registry.host, "--username", token_registry.user, "--password-stdin")
    wrong = cli(*words, stdin=b"guessed-it\n", code=77)
    right = cli(*words, stdin=token_registry.password.encode())

    assert "does not accept this user and password" in wrong.error
    assert token_registry.password not in right.stderr
    assert auths(config)[token_registry.host].endswith(token_registry.password)
    assert [one.scopes for one in token_registry.service.requests] == [(), ()]


def test_a_password_can_be_kept_without_asking_the_registry(cli: Cli, config: Path) -> None:
    words = ("login", "registry.invalid", "-u", "me", "--password-stdin", "--no-check")
    cli(*words, stdin=b"unchecked")

    assert auths(config) == {"registry.invalid": "me:unchecked"}


def test_a_key_file_of_several_lines_is_a_password(cli: Cli, config: Path) -> None:
    key = '{\n  "private_key": "x"\n}'
    words = ("login", "gcr.io", "-u", "_json_key", "--password-stdin", "--no-check")
    cli(*words, stdin=f"{key}\n".encode())

    assert auths(config) == {"gcr.io": f"_json_key:{key}"}


def test_docker_hub_is_called_as_docker_calls_it(cli: Cli, config: Path) -> None:
    cli("login", "docker.io", "-u", "me", "--password-stdin", "--no-check", stdin=b"x")

    assert auths(config) == {"https://index.docker.io/v1/": "me:x"}


def test_a_registry_that_asks_nobody_checks_nothing_and_it_says_so(
    cli: Cli, open_registry: Registry
) -> None:
    done = cli("login", open_registry.host, "-u", "me", "--password-stdin", stdin=b"x")

    assert "lets everybody in: the password could not be checked" in done.stderr


@pytest.mark.parametrize("words", [("-p", "my-secret"), ("--password=my-secret",)])
def test_a_password_among_the_words_is_refused_and_not_repeated(
    cli: Cli, words: tuple[str, ...]
) -> None:
    done = cli("login", "ghcr.io", "-u", "me", *words, code=2)

    assert "seen by everybody" in done.error
    assert "my-secret" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (("ghcr.io", "-u", "me"), "no terminal to ask"),
        (("ghcr.io", "--password-stdin"), "--password-stdin needs the user"),
        (("ghcr.io", "-u", "a:b", "--password-stdin"), "has no colon"),
        (("ghcr", "-u", "me", "--password-stdin"), "not a registry: ghcr"),
        (("ghcr.io/me", "-u", "me", "--password-stdin"), "not a registry: ghcr.io/me"),
        (("ghcr.io", "-u", "me", "--password-stdin"), "no password on standard input"),
    ],
)
def test_what_cannot_work_is_refused(cli: Cli, words: tuple[str, ...], error: str) -> None:
    assert error in cli("login", *words, stdin=b"\n", code=2).error


def test_a_password_that_is_no_text_is_refused_without_being_shown(cli: Cli) -> None:
    done = cli("login", "ghcr.io", "-u", "me", "--password-stdin", stdin=b"\xffsecret", code=2)

    assert "not UTF-8" in done.error
    assert "secret" not in done.stderr


def test_a_host_that_is_no_registry_is_told_from_a_wrong_password(
    cli: Cli, tmp_path: Path
) -> None:
    words = ("login", "127.0.0.1:1", "-u", "me", "--password-stdin")

    assert cli(*words, stdin=b"x", code=69).error


class Website(http.server.BaseHTTPRequestHandler):
    """Answers, but not as a registry does."""

    def do_GET(self) -> None:
        self.send_response(404)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


def test_a_website_is_no_registry(cli: Cli, config: Path) -> None:
    with http.server.HTTPServer(("127.0.0.1", 0), Website) as server:
        threading.Thread(target=server.serve_forever).start()
        host = f"127.0.0.1:{server.server_address[1]}"
        words = ("login", host, "-u", "me", "--password-stdin")
        done = cli(*words, stdin=b"x", code=1)
        server.shutdown()

    assert done.error == f"{host} answered 404 where a registry greets (/v2/)"
    assert not config.exists()


def test_a_helper_keeps_what_the_file_says_it_should(
    cli: Cli, htpasswd_registry: LockedRegistry, config: Path, helper: Path
) -> None:
    logged_in(cli, htpasswd_registry)

    kept = json.loads((helper / "store").read_text())
    assert kept["Secret"] == htpasswd_registry.password
    assert htpasswd_registry.password not in config.read_text()


def test_a_logout_makes_the_helper_forget(cli: Cli, helper: Path) -> None:
    cli("logout", "ghcr.io")

    assert (helper / "erase").read_text() == "ghcr.io"


def test_after_a_logout_nothing_is_left(cli: Cli, config: Path) -> None:
    cli("login", "ghcr.io", "-u", "me", "--password-stdin", "--no-check", stdin=b"x")
    done = cli("logout", "ghcr.io")

    assert done.stderr == "logged out of ghcr.io\n"
    assert auths(config) == {}


def test_a_logout_of_what_was_never_logged_in_says_so(cli: Cli) -> None:
    done = cli("logout", "ghcr.io")

    assert done.stderr == "no login for ghcr.io in ~/.docker/config.json\n"


def test_a_logout_tells_of_a_login_that_another_file_has(cli: Cli) -> None:
    other = Path(cli.environ["HOME"]) / ".config/containers/auth.json"
    words = ("login", "ghcr.io", "-u", "me", "--password-stdin", "--no-check")
    cli(*words, "--authfile", other, stdin=b"other-secret")
    done = cli("logout", "ghcr.io")

    assert "remains in ~/.config/containers/auth.json" in done.stderr
    assert "other-secret" not in done.stderr


class Terminal:
    """A command at a terminal: what it prints, and what is typed."""

    def __init__(self, cli: Cli, *words: str | os.PathLike[str]) -> None:
        self.master, slave = pty.openpty()
        self.shown = b""
        self.process = subprocess.Popen(
            [sys.executable, "-m", "artificer", *words],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=cli.environ,
            cwd=cli.directory,
            start_new_session=True,
        )
        os.close(slave)

    def until(self, word: str) -> None:
        while word.encode() not in self.shown:
            self.shown += os.read(self.master, 1024)

    def type(self, text: str) -> None:
        os.write(self.master, text.encode())

    def end(self) -> int:
        try:
            while data := os.read(self.master, 1024):
                self.shown += data
        except OSError:  # nobody is left at the other end
            pass
        return self.process.wait(PATIENCE)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self.master)


@pytest.fixture
def terminal(cli: Cli, htpasswd_registry: LockedRegistry) -> Iterator[Terminal]:
    words = ("login", htpasswd_registry.host, "--cacert", htpasswd_registry.ca_file)
    at = Terminal(cli, *words)
    yield at
    at.close()


def test_the_terminal_is_asked_and_shows_no_password(
    terminal: Terminal, htpasswd_registry: LockedRegistry, config: Path
) -> None:
    terminal.until("user name for")
    terminal.type("alice\n")
    terminal.until("password of alice: ")
    terminal.type(f"{htpasswd_registry.password}\n")

    assert terminal.end() == 0
    assert htpasswd_registry.password.encode() not in terminal.shown
    assert list(auths(config)) == [htpasswd_registry.host]


def test_a_signal_ends_the_question(terminal: Terminal, config: Path) -> None:
    terminal.until("user name for")
    terminal.type("alice\n")
    terminal.until("password of alice: ")
    time.sleep(0.1)
    terminal.process.terminate()

    assert terminal.end() == 143
    assert not config.exists()
