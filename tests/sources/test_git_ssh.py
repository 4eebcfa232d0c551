"""A repository is cloned over ssh as a pod does it: a Secret's key, and nobody else's trust."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from artificer.errors import Unauthorized
from artificer.sources.git import Git, checkout
from artificer.sources.git_reference import GitReference
from artificer.sources.git_secret import read_git_secret
from artificer.stop import Stop
from artificer.store.blobs import open_store
from tests.parts.commands import found
from tests.parts.git_server import commit
from tests.parts.ports import free_port
from tests.parts.waiting import wait_until

_ENVIRON = {"PATH": os.environ["PATH"]}
_NOBODY = 54_321


class SshServer(NamedTuple):
    """Where sshd listens, and the Secret with which it lets people in."""

    port: int
    root: Path
    secret: Path

    def url(self, name: str) -> str:
        return f"ssh://{_user()}@127.0.0.1:{self.port}{self.root}/{name}"


def _user() -> str:
    return subprocess.run(["id", "-un"], check=True, capture_output=True, text=True).stdout.strip()


def _key(path: Path) -> str:
    words = ["-q", "-t", "ed25519", "-N", "", "-C", "a", "-f", str(path)]
    subprocess.run([found("ssh-keygen"), *words], check=True)
    return path.with_name(f"{path.name}.pub").read_text()


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False


@pytest.fixture
def server(tmp_path: Path) -> Iterator[SshServer]:
    program, port = found("sshd"), free_port()
    if os.geteuid() == 0:
        os.makedirs("/run/sshd", exist_ok=True)
    host, secret = _key(tmp_path / "host"), tmp_path / "secret"
    secret.mkdir()
    own = _key(tmp_path / "key")
    (tmp_path / "authorized").write_text(own)
    (secret / "ssh-privatekey").write_bytes((tmp_path / "key").read_bytes())
    (secret / "ssh-privatekey").chmod(0o440)  # as Kubernetes mounts it
    (secret / "known_hosts").write_text(f"[127.0.0.1]:{port} {host}")
    options = {
        "AuthorizedKeysFile": tmp_path / "authorized",
        "HostKey": tmp_path / "host",
        "ListenAddress": "127.0.0.1",
        "PasswordAuthentication": "no",
        "PermitRootLogin": "yes",
        "PidFile": "none",
        "StrictModes": "no",
        "UsePAM": "no",
    }
    words = [word for key, value in options.items() for word in ("-o", f"{key}={value}")]
    command = [program, "-D", "-e", "-f", "/dev/null", "-p", str(port), *words]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            wait_until(lambda: _answers(port), "sshd does not answer")
            yield SshServer(port, tmp_path / "served", secret)
        finally:
            process.terminate()


def _tool(folder: Path, secret: Path) -> Git:
    home = folder / "home"
    home.mkdir()
    given = read_git_secret(str(secret), str(home)).environ
    store = open_store(str(folder / "store"))
    return Git(store, lambda _: None, Stop(), {**_ENVIRON, **given})


def test_a_commit_is_cloned_with_the_key_of_a_secret(server: SshServer, tmp_path: Path) -> None:
    expected = commit(server.root / "app", {"a": "1"})

    tree = checkout(GitReference(server.url("app"), expected), _tool(tmp_path, server.secret))

    assert tree.commit == expected


def test_a_host_that_the_secret_does_not_know_is_refused(
    server: SshServer, tmp_path: Path
) -> None:
    commit(server.root / "app", {"a": "1"})
    other = _key(tmp_path / "other")
    (server.secret / "known_hosts").write_text(f"[127.0.0.1]:{server.port} {other}")

    with pytest.raises(Unauthorized, match="Host key verification failed"):
        checkout(GitReference(server.url("app")), _tool(tmp_path, server.secret))


def test_a_key_that_the_server_does_not_know_is_refused(server: SshServer, tmp_path: Path) -> None:
    commit(server.root / "app", {"a": "1"})
    (server.secret / "ssh-privatekey").unlink()
    _key(tmp_path / "stranger")
    (server.secret / "ssh-privatekey").write_bytes((tmp_path / "stranger").read_bytes())

    with pytest.raises(Unauthorized, match="Permission denied"):
        checkout(GitReference(server.url("app")), _tool(tmp_path, server.secret))


def test_a_user_without_a_name_is_told_the_way_out(tmp_path: Path) -> None:
    # ssh itself refuses to run: what a random uid of OpenShift sees.
    words = ["source", "fetch", "--git", "ssh://git@127.0.0.1:1/app", "--into", "src"]
    done = subprocess.run(
        [
            *(found("unshare"), "--user", f"--map-user={_NOBODY}", "--"),
            *(sys.executable, "-m", "artificer", *words),
        ],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={**_ENVIRON, "HOME": str(tmp_path)},
    )

    assert done.returncode == 1
    assert f"ssh does not run for user {_NOBODY}, who is not in /etc/passwd" in done.stderr
    assert "hint: clone by https" in done.stderr
