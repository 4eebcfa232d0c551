"""Credentials for git are read as Secrets of Kubernetes are mounted, whoever wrote them."""

import base64
import stat
from pathlib import Path

import pytest

from artificer.errors import Misused, Unauthorized
from artificer.sources.git_secret import GitSecret, read_git_secret


def read(folder: Path, **keys: str) -> GitSecret:
    mounted, home = folder / "mounted", folder / "home"
    mounted.mkdir()
    home.mkdir()
    for name, text in keys.items():
        (mounted / name.replace("_", "-").replace("known-hosts", "known_hosts")).write_text(text)
    return read_git_secret(str(mounted), str(home))


def header(words: str) -> str:
    return f"Basic {base64.b64encode(words.encode()).decode()}"


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"username": "a", "password": "p"}, "a:p"),
        ({"username": "a\n", "password": "p \n"}, "a:p "),
        ({"token": "t\n"}, "x-access-token:t"),
        ({"bearerToken": "t"}, "x-access-token:t"),
        ({"username": "robot", "token": "t"}, "robot:t"),
    ],
)
def test_users_and_tokens_become_a_header(
    tmp_path: Path, keys: dict[str, str], words: str
) -> None:
    assert read(tmp_path, **keys).authorization == header(words)


@pytest.mark.parametrize("name", ["ssh_privatekey", "identity"])
def test_a_key_is_copied_to_where_only_we_may_read_it(tmp_path: Path, name: str) -> None:
    found = read(tmp_path, **{name: "a key", "known_hosts": "host ssh-ed25519 AAAA"})

    key = Path(found.environ["SSH_IDENTITY_FILE"])
    assert key.read_text() == "a key\n"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert Path(found.environ["SSH_KNOWN_HOSTS"]).read_text() == "host ssh-ed25519 AAAA"


def test_a_key_without_known_hosts_trusts_nobody(tmp_path: Path) -> None:
    with pytest.raises(Unauthorized, match="no known_hosts"):
        read(tmp_path, ssh_privatekey="a key")


def test_an_authority_alone_is_enough_for_a_public_repository(tmp_path: Path) -> None:
    (tmp_path / "mounted").mkdir()
    (tmp_path / "mounted" / "ca.crt").write_text("a certificate")
    found = read_git_secret(str(tmp_path / "mounted"), str(tmp_path))

    assert found == GitSecret("", {"SSL_CERT_FILE": str(tmp_path / "mounted" / "ca.crt")})


def test_what_is_not_mounted_or_empty_is_named(tmp_path: Path) -> None:
    with pytest.raises(Misused, match="there is no directory"):
        read_git_secret(str(tmp_path / "absent"), str(tmp_path))
    with pytest.raises(Unauthorized, match="has no credentials"):
        read(tmp_path, password="")


def test_no_secret_is_shown(tmp_path: Path) -> None:
    assert "p4ss" not in repr(read(tmp_path, username="a", password="p4ss"))
