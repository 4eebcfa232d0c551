"""How registries are reached, and as whom: each flag and file, with registries that insist."""

import base64
import json
import re
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from artificer.cli.oneline.grammar import build_parser
from tests.cli.outside import Cli, Seen
from tests.parts.certificates import authority, signed_by
from tests.parts.images import BaseImage
from tests.parts.registries import LockedRegistry, Registry, TokenRegistry


@pytest.fixture
def app(work: Path) -> tuple[str, ...]:
    (work / "app").write_text("app\n")
    return ("-b", "scratch", "-f", "app")


# As whom.


@pytest.fixture
def locked(htpasswd_registry: LockedRegistry, cli: Cli) -> LockedRegistry:
    """The registry that wants a password; its authority is trusted."""
    folder = Path(cli.environ["HOME"]) / ".config/containers/certs.d" / htpasswd_registry.host
    folder.mkdir(parents=True)
    (folder / "ca.crt").write_bytes(htpasswd_registry.ca_file.read_bytes())
    return htpasswd_registry


def auth_of(locked: LockedRegistry) -> dict[str, Any]:
    both = base64.b64encode(f"{locked.user}:{locked.password}".encode()).decode()
    return {"auths": {locked.host: {"auth": both}}}


def test_credentials_may_be_given_on_the_command_line(
    cli: Cli, app: tuple[str, ...], locked: LockedRegistry
) -> None:
    both = f"{locked.user}:{locked.password}"
    for flag in ("--creds", "--dest-creds"):
        cli(*app, flag, both, "-t", f"{locked.host}/as-whom/flag:1")


def test_a_password_may_come_from_standard_input(
    cli: Cli, app: tuple[str, ...], locked: LockedRegistry
) -> None:
    words = ("--username", locked.user, "--password-stdin", "-t", f"{locked.host}/as-whom/stdin:1")

    cli.process(*app, *words, stdin=f"{locked.password}\n".encode())


def test_credentials_for_the_target_are_for_no_other_registry(
    cli: Cli, app: tuple[str, ...], locked: LockedRegistry, token_registry: TokenRegistry
) -> None:
    both = f"{token_registry.user}:{token_registry.password}"
    cli(*app, "--creds", both, "-t", f"{token_registry.host}/team/base:1")
    token_registry.service.clear()

    words = ("-b", f"{token_registry.host}/team/base:1", "-c", "x")
    target = ("-t", f"{locked.host}/as-whom/dest:1")
    refused = cli(*words, "--dest-creds", f"{locked.user}:{locked.password}", *target, code=77)

    assert f"{token_registry.host}/team/base" in refused.error
    assert not any(asked.account for asked in token_registry.service.requests)
    cli(*words, "--creds", both, "--dest-creds", f"{locked.user}:{locked.password}", *target)


@pytest.mark.parametrize("command", ["verify", "lock"])
def test_a_command_that_reads_only_shows_nobody_the_credentials_of_the_target(
    command: str, cli: Cli, token_registry: TokenRegistry, app: tuple[str, ...]
) -> None:
    both = f"{token_registry.user}:{token_registry.password}"
    base = f"{token_registry.host}/team/read-only:1"
    cli(*app, "--creds", both, "-t", base)
    token_registry.service.clear()
    words = ("-b", base, "-c", "x", "-t", "ghcr.io/me/app:1")

    cli(command, *words, "--dest-creds", both, code=77)
    piped = ("--username", token_registry.user, "--password-stdin")
    cli.process(command, *words, *piped, stdin=f"{token_registry.password}\n".encode(), code=77)

    assert not any(asked.account for asked in token_registry.service.requests)
    cli(command, *words, "--creds", both)


def test_an_authfile_is_the_only_file_that_is_read(
    cli: Cli, app: tuple[str, ...], locked: LockedRegistry, tmp_path: Path
) -> None:
    home = Path(cli.environ["HOME"]) / ".docker"
    home.mkdir()
    (home / "config.json").write_text(json.dumps(auth_of(locked)))
    (tmp_path / "empty.json").write_text("{}")
    target = ("-t", f"{locked.host}/as-whom/authfile:1")

    cli(*app, *target)
    done = cli(*app, *target, "--authfile", str(tmp_path / "empty.json"), code=77)
    missing = cli(*app, *target, "--authfile", str(tmp_path / "missing.json"), code=1)

    assert "--authfile" in done.hint + done.error
    assert "missing.json (--authfile): no such file" in missing.error


@pytest.mark.parametrize("variable", ["REGISTRY_AUTH_FILE", "DOCKER_AUTH_CONFIG", "DOCKER_CONFIG"])
def test_variables_of_docker_and_podman_are_obeyed(
    variable: str, cli: Cli, app: tuple[str, ...], locked: LockedRegistry, tmp_path: Path
) -> None:
    text = json.dumps(auth_of(locked))
    (tmp_path / "config.json").write_text(text)
    value = {
        "REGISTRY_AUTH_FILE": str(tmp_path / "config.json"),
        "DOCKER_AUTH_CONFIG": text,
        "DOCKER_CONFIG": str(tmp_path),
    }[variable]

    cli(*app, "-t", f"{locked.host}/as-whom/variable:1", environ={variable: value})


def test_gitlabs_variables_are_enough_for_its_registry(
    cli: Cli, app: tuple[str, ...], locked: LockedRegistry
) -> None:
    environ = {
        "CI_REGISTRY": locked.host,
        "CI_REGISTRY_USER": locked.user,
        "CI_REGISTRY_PASSWORD": locked.password,
    }

    cli(*app, "-t", f"{locked.host}/as-whom/gitlab:1", environ=environ)


# Whom to trust.


class Tls(NamedTuple):
    """A registry that asks for a client's certificate, and what it wants to see."""

    host: str
    ca: str
    certificate: str
    key: str


class _Nothing(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/v2/" else 404)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_HEAD = do_GET  # noqa: N815

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@contextmanager
def _serving(context: ssl.SSLContext | None = None) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Nothing) as server:
        if context is not None:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"localhost:{server.server_port}"
        server.shutdown()


@pytest.fixture
def mutual(tmp_path: Path) -> Iterator[Tls]:
    names = ("ca.crt", "server.crt", "server.key", "client.crt", "client.key")
    ca, server_crt, server_key, client_crt, client_key = (tmp_path / name for name in names)
    issuer = authority("artificer test CA")
    issuer.write(ca, tmp_path / "ca.key")
    signed_by(issuer, "localhost").write(server_crt, server_key)
    signed_by(issuer, "client").write(client_crt, client_key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(server_crt, server_key)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(ca)
    with _serving(context) as host:
        yield Tls(host, str(ca), str(client_crt), str(client_key))


def test_a_client_certificate_is_shown(cli: Cli, mutual: Tls) -> None:
    words = ("-b", f"{mutual.host}/x", "-t", "store:x", "--cacert", mutual.ca)
    client = ("--client-cert", mutual.certificate, "--client-key", mutual.key)

    shown = cli(*words, *client, code=1)
    hidden = cli(*words, code=69)

    assert "there is no such image" in shown.error
    assert mutual.host in hidden.error


def test_an_insecure_registry_needs_no_authority(
    cli: Cli, app: tuple[str, ...], htpasswd_registry: LockedRegistry
) -> None:
    locked = htpasswd_registry
    words = ("--creds", f"{locked.user}:{locked.password}", "-t", f"{locked.host}/trust/any:1")

    cli(*app, *words, code=69)
    cli(*app, *words, "--insecure-registry", "localhost:1", code=69)
    cli(*app, *words, "--insecure-registry", locked.host)


def test_the_systems_roots_may_be_others(
    cli: Cli, app: tuple[str, ...], htpasswd_registry: LockedRegistry
) -> None:
    locked = htpasswd_registry
    words = ("--creds", f"{locked.user}:{locked.password}", "-t", f"{locked.host}/trust/roots:1")

    cli(*app, *words, environ={"SSL_CERT_FILE": str(locked.ca_file)})


# Where to.


def test_a_mirror_is_read_from_and_never_written_to(
    cli: Cli, app: tuple[str, ...], alpine: BaseImage, layout: Path, open_registry: Registry
) -> None:
    mirror = ("--registry-mirror", f"registry.example={open_registry.host}")

    cli(
        "-b",
        f"registry.example/{alpine.short.replace('alpine', 'library/alpine')}",
        *mirror,
        "-e",
        "A=1",
        "-t",
        f"oci:{layout}:it",
    )
    hub = ("--registry-mirror", open_registry.host)
    cli("-b", "alpine:3.7", *hub, "-e", "A=1", "-t", f"oci:{layout}:hub")
    refused = cli(
        *(*app, *mirror, "-t", "registry.example/app:1"),
        environ={"HTTPS_PROXY": "http://127.0.0.1:1", "NO_PROXY": "127.0.0.1"},
        code=69,
    )

    assert "127.0.0.1:1" in refused.error


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ('[[registry]]\nlocation = "{host}"\nblocked = true\n', "blocked"),
        (
            '[[registry]]\nprefix = "{host}/fresh"\nlocation = "{host}/fresh"\nblocked = true\n',
            "blocked",
        ),
        ("[[registry]\n", "registries.conf: Expected"),
    ],
)
def test_registries_conf_is_obeyed_or_named(
    text: str,
    error: str,
    *,
    cli: Cli,
    app: tuple[str, ...],
    fresh_repository: str,
    open_registry: Registry,
    tmp_path: Path,
) -> None:
    path = tmp_path / "registries.conf"
    path.write_text(text.format(host=open_registry.host))
    before = len(open_registry.requests())

    for words in ((*app, "-t", fresh_repository), ("-b", fresh_repository, "-t", "store:x")):
        code = 1 if "]]" in text else 2
        done = cli.process(*words, environ={"CONTAINERS_REGISTRIES_CONF": str(path)}, code=code)
        assert error in done.error
    assert len(open_registry.requests()) == before


def test_a_policy_forbids_images_before_anybody_is_asked(
    cli: Cli, app: tuple[str, ...], alpine: BaseImage, fresh_repository: str, layout: Path
) -> None:
    folder = Path(cli.environ["HOME"]) / ".config/containers"
    folder.mkdir(parents=True)
    allowed = {alpine.reference.rpartition(":")[0]: [{"type": "insecureAcceptAnything"}]}
    policy = {"default": [{"type": "reject"}], "transports": {"docker": allowed}}
    (folder / "policy.json").write_text(json.dumps(policy))

    cli("-b", alpine.reference, "-c", "x", "-t", f"oci:{layout}:it")
    done = cli("-b", f"{fresh_repository}:1", "-c", "x", "-t", f"oci:{layout}:it", code=1)

    assert "policy" in done.error + done.hint
    assert fresh_repository in done.error


def test_only_what_a_lock_pins_is_used_with_locked(
    cli: Cli, alpine: BaseImage, layout: Path, seen: Seen
) -> None:
    words = ("-b", alpine.reference, "-c", "x", "-t", f"oci:{layout}:it")

    unlocked = cli(*words, "--locked", code=1)
    cli("lock", *words)
    cli(*words, "--locked")

    assert "there is no artificer.lock" in unlocked.error
    assert "`artificer lock …` writes it" in unlocked.hint
    assert (
        seen.raw(f"oci:{layout}:it")["annotations"]["org.opencontainers.image.base.digest"]
        == alpine.digest
    )


# All of them.


def test_every_flag_is_tried_from_the_command_line() -> None:
    paths = Path(__file__).parent.rglob("test_*.py")
    words = {
        word
        for path in paths
        for word in re.findall(r"(?<![\w-])--?[a-z][a-z-]*", path.read_text())
    }
    names = {name for one in build_parser("artificer")._actions for name in one.option_strings}

    assert names - words == set()
