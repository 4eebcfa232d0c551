"""What goes wrong is told: what, why, and what to do; nothing is half done, no secret is shown."""

import base64
import hashlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.cli.outside import Cli, Done, Seen
from tests.parts.images import BaseImage, Layout, busybox_tar, layer_of
from tests.parts.registries import LockedRegistry, Registry, TokenRegistry, registry
from tests.parts.waiting import PATIENCE

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
SECRET = "s3cr3t-w0rd"


@pytest.fixture
def app(work: Path) -> tuple[str, ...]:
    (work / "app").write_text("app\n")
    return ("-b", "scratch", "-f", "app")


def clean(cli: Cli) -> None:
    """Whatever went wrong, the store is whole and holds nothing that is half done."""
    if cli.store.exists():
        assert list((cli.store / "tmp").iterdir()) == []
        cli("cache", "verify")


def untouched(registry: Registry, repository: str) -> None:
    """Nothing was tagged in *repository*."""
    name = repository.partition("/")[2]
    tagged = [
        line
        for line in registry.requests()
        if line.startswith(f"PUT /v2/{name}/manifests/") and line.endswith(" 201")
    ]
    assert tagged == []


# Words.


@pytest.mark.parametrize(
    ("words", "error", "hint"),
    [
        (
            ("--target", "--files", "x"),
            "argument -t/--target: expected one argument",
            "another option",
        ),
        (("-t", "-f", "x"), "argument -t/--target: expected one argument", "another option"),
        (
            ("-f", "-t", "x"),
            "argument -f/--files: expected at least one argument",
            "another option",
        ),
        (
            ("-b", "-f", "x"),
            "argument -b/--baseimage/--base: expected one argument",
            "another option",
        ),
        (("-e",), "argument -e/--env: expected one argument", "another option"),
        (("--targ", "x"), "unrecognized arguments: --targ x", "did you mean --tar?"),
        (("--nope",), "unrecognized arguments: --nope", "--help"),
        (("-t", "x", "stray"), "unrecognized arguments: stray", "--help"),
        (("-b", "a", "-b", "b"), "-b is given twice", "--help"),
        (("-f", "x"), "no base image", "`-b scratch`"),
        (("-b", "scratch"), "no target", "`-t oci:DIR`"),
        (("--timeout", "60", "--timeout", "5"), "--timeout is given twice", ""),
        (("--pull", "always", "--pull", "always"), "--pull is given twice", ""),
        (("--timeout", "x"), "argument --timeout: not a number of seconds: 'x'", "--help"),
        (("--timeout", "0"), "argument --timeout: not a number", ""),
        (("--timeout=-1",), "argument --timeout: not a number", ""),
        (("--timeout", "nan"), "argument --timeout: not a number", ""),
        (("--max-upload", "lots"), "--max-upload: not a size: 'lots'", "50MB"),
        (("--progress", "loud"), "invalid choice: 'loud'", "--help"),
        (("--password-stdin", "-b", "scratch", "-t", "x"), "needs the user", "--username USER"),
        (("--username", "u", "-b", "scratch", "-t", "store:x"), "without --password-stdin", ""),
        (
            ("--dest-creds", "u:p", "-b", "scratch", "-t", "store:x"),
            "--dest-creds, but no target is in a registry",
            "`--creds`",
        ),
        (
            (
                "--username",
                "u",
                "--password-stdin",
                "--tar",
                "-",
                "-b",
                "scratch",
                "-t",
                "store:x",
            ),
            "standard input cannot be a password and an archive",
            "artificer login",
        ),
        (("--arch-tags", "-b", "scratch", "-t", "store:x"), "no target is in a registry", "leave"),
        (
            ("--chown", "1:1", "-b", "scratch", "--copy-from", "a:/b", "-t", "store:x"),
            "--chown, but no file is added",
            "--copy-from",
        ),
        (
            ("--ignore-file", "x", "-b", "scratch", "-t", "store:x"),
            "--ignore-file, but no file is added",
            "`-f`",
        ),
        (
            ("--healthcheck", "x", "--health-start-period", "5", "-b", "scratch", "-t", "store:x"),
            "--health-start-period: not a duration: '5'",
            "30s",
        ),
        (("--creds", "nobody", "-b", "scratch", "-t", "x"), "not USER:PASSWORD", "a colon"),
        (("--client-key", "k", "-b", "scratch", "-t", "x"), "go together", ""),
        (("--registry-mirror", "=x", "-b", "scratch", "-t", "x"), "not a mirror", "HOST=MIRROR"),
    ],
)
def test_words_that_make_no_sense_are_misuse(
    words: tuple[str, ...], error: str, hint: str, cli: Cli
) -> None:
    done = cli.process(*words, code=2)

    assert error in done.error
    assert hint in done.hint
    assert done.stdout == ""


def test_help_may_be_asked_for_before_the_command_or_behind_it(cli: Cli) -> None:
    assert cli("help", "push").stdout == cli("push", "--help").stdout
    assert cli("help", "cache", "prune").stdout == cli("cache", "prune", "--help").stdout
    assert cli("help").stdout == cli("--help").stdout


def test_a_word_that_is_no_command_says_what_is_near(cli: Cli) -> None:
    near, far = cli("plam", "-b", "x", code=2), cli("alpine:3.7", code=2)

    assert near.error == "no such command: plam"
    assert near.hint == "did you mean `artificer plan`?"
    assert "a build begins with an option" in far.hint


# Files.


@needs_root
def test_an_unreadable_file_or_directory_is_named(
    cli: Cli, app: tuple[str, ...], work: Path
) -> None:
    (work / "tree/locked").mkdir(parents=True)
    (work / "tree/file").write_text("x")
    (work / "tree/file").chmod(0)
    without = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", sys.executable]

    for name, mode in (("tree/file", 0o755), ("tree", 0o755), ("tree", 0)):
        (work / "tree/locked").chmod(mode)
        done = subprocess.run(
            [*without, "-m", "artificer", *app, "-f", name, "-t", "store:x"],
            check=False,
            cwd=work,
            env=cli.environ,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 1, done.stderr
        named = "tree/file" if mode else "tree/locked"
        assert f"{named}: permission denied" in done.stderr
        assert "hint: make it readable for this user" in done.stderr
    clean(cli)


@contextmanager
def always_changing(path: Path) -> Iterator[None]:
    stop = threading.Event()

    def change() -> None:
        with path.open("r+b") as file:
            while not stop.is_set():
                file.seek(0)
                file.write(os.urandom(8))
                file.flush()

    thread = threading.Thread(target=change)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def test_a_file_that_changes_all_the_time_is_named_after_a_second_look(
    cli: Cli, app: tuple[str, ...], work: Path
) -> None:
    (work / "log").write_bytes(bytes(30_000_000))

    with always_changing(work / "log"):
        done = cli.process(*app, "-f", "log", "-t", "store:x", code=1)

    assert "log changed while it was read: reading again" in done.lines
    assert done.error == "log changed while it was read"
    assert "--exclude" in done.hint
    clean(cli)


def test_a_tilde_that_no_shell_expanded_is_explained(cli: Cli, app: tuple[str, ...]) -> None:
    done = cli(*app, "--files=~/x", "-t", "store:x", code=1)
    again = cli(*app, "--tar", "~/x.tar", "-t", "store:x", code=1)

    assert done.error == "~/x: no such file or directory"
    assert "the shell expands `~` only at the start of a word" in done.hint
    assert "the shell expands `~` only at the start of a word" in again.hint


def test_more_layers_than_can_be_mounted_are_refused(
    cli: Cli, app: tuple[str, ...], tmp_path: Path
) -> None:
    layout, layer = Layout(tmp_path / "deep"), layer_of(busybox_tar())
    named = layout.image(layer)
    manifest = json.loads((layout.path / "blobs" / named["digest"].replace(":", "/")).read_text())
    path = layout.path / "blobs" / manifest["config"]["digest"].replace(":", "/")
    config = json.loads(path.read_text())
    config["rootfs"]["diff_ids"] *= 127
    manifest["layers"] *= 127
    manifest["config"] = layout.document(config, manifest["config"]["mediaType"])
    layout.name(layout.document(manifest, manifest["mediaType"]), "it")

    cli("-b", f"oci:{layout.path}:it", "-c", "x", "-t", "store:fits")
    done = cli("-b", f"oci:{layout.path}:it", *app[2:], "-t", "store:x", code=1)

    assert "128 layers" in done.error
    assert "artificer flatten" in done.hint


# Registries that say no.


def words_of(locked: LockedRegistry, name: str) -> tuple[str, ...]:
    return ("--cacert", str(locked.ca_file), "-t", f"{locked.host}/bad/{name}")


def test_without_credentials_it_says_where_they_were_looked_for(
    cli: Cli, app: tuple[str, ...], htpasswd_registry: LockedRegistry
) -> None:
    folder = Path(cli.environ["HOME"]) / ".docker"
    folder.mkdir()
    (folder / "config.json").write_text(
        json.dumps({"auths": {"other.example": {"auth": _basic("u", SECRET)}}})
    )

    done = cli(*app, *words_of(htpasswd_registry, "anonymous"), code=77)

    told = done.error + done.hint
    assert htpasswd_registry.host in done.error
    assert "~/.docker/config.json" in told
    assert "artificer login" in told
    assert SECRET not in done.stderr
    untouched(htpasswd_registry.registry, f"{htpasswd_registry.host}/bad/anonymous")
    clean(cli)


def _basic(user: str, password: str) -> str:
    return base64.b64encode(f"{user}:{password}".encode()).decode()


def _from_flag(cli: Cli, host: str, path: Path) -> tuple[str, ...]:
    return ("--creds", f"alice:{SECRET}")


def _from_target_flag(cli: Cli, host: str, path: Path) -> tuple[str, ...]:
    return ("--dest-creds", f"alice:{SECRET}")


def _from_authfile(cli: Cli, host: str, path: Path) -> tuple[str, ...]:
    path.write_text(json.dumps({"auths": {host: {"auth": _basic("alice", SECRET)}}}))
    return ("--authfile", str(path))


def _from_home(cli: Cli, host: str, path: Path) -> tuple[str, ...]:
    folder = Path(cli.environ["HOME"]) / ".docker"
    folder.mkdir()
    _from_authfile(cli, host, folder / "config.json")
    return ()


def _from_environment(cli: Cli, host: str, path: Path) -> tuple[str, ...]:
    entry = {"auths": {host: {"username": "alice", "password": SECRET}}}
    cli.environ["DOCKER_AUTH_CONFIG"] = json.dumps(entry)
    return ()


def _from_netrc(cli: Cli, host: str, path: Path) -> tuple[str, ...]:
    netrc = Path(cli.environ["HOME"]) / ".netrc"
    netrc.write_text(f"machine {host.partition(':')[0]} login alice password {SECRET}\n")
    netrc.chmod(0o600)
    return ()


@pytest.mark.parametrize(
    ("give", "source"),
    [
        (_from_flag, "--creds"),
        (_from_target_flag, "--dest-creds"),
        (_from_authfile, "--authfile"),
        (_from_home, ".docker/config.json"),
        (_from_environment, "DOCKER_AUTH_CONFIG"),
        (_from_netrc, ".netrc"),
    ],
)
@pytest.mark.parametrize("progress", ["plain", "json"])
def test_wrong_credentials_are_told_by_their_source_and_never_shown(
    give: Callable[[Cli, str, Path], tuple[str, ...]],
    source: str,
    progress: str,
    *,
    cli: Cli,
    app: tuple[str, ...],
    htpasswd_registry: LockedRegistry,
    tmp_path: Path,
) -> None:
    words = give(cli, htpasswd_registry.host, tmp_path / "auth.json")
    words += words_of(htpasswd_registry, "wrong")

    done = cli.process(*app, *words, "--progress", progress, code=77)

    assert source in done.stderr
    shown = done.stdout + done.stderr
    for secret in (SECRET, _basic("alice", SECRET), _basic("alice", SECRET).rstrip("=")):
        assert secret not in shown
    untouched(htpasswd_registry.registry, f"{htpasswd_registry.host}/bad/wrong")


def test_a_wrong_password_from_standard_input_is_never_shown(
    cli: Cli, app: tuple[str, ...], htpasswd_registry: LockedRegistry
) -> None:
    words = ("--username", "alice", "--password-stdin", *words_of(htpasswd_registry, "stdin"))

    done = cli.process(*app, *words, stdin=f"{SECRET}\n".encode(), code=77)

    assert "--password-stdin" in done.stderr
    assert SECRET not in done.stderr


def test_a_repository_that_may_only_be_read_is_not_pushed_to(
    cli: Cli, app: tuple[str, ...], token_registry: TokenRegistry
) -> None:
    target = f"{token_registry.host}/team/readonly:1"
    creds = f"{token_registry.reader}:{token_registry.reader_password}"

    done = cli(*app, "--creds", creds, "-t", target, code=77)

    assert target.rpartition(":")[0] in done.error
    assert "--creds" in done.error + done.hint
    assert token_registry.reader_password not in done.stderr
    untouched(token_registry.registry, target)


def test_an_untrusted_certificate_says_how_to_trust_it(
    cli: Cli, app: tuple[str, ...], htpasswd_registry: LockedRegistry
) -> None:
    done = cli(*app, "-t", f"{htpasswd_registry.host}/bad/tls", code=69)

    assert "certificate" in done.error
    assert "--cacert" in done.hint


def test_a_registry_that_is_not_there_is_named(cli: Cli, app: tuple[str, ...]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        host = f"127.0.0.1:{server.getsockname()[1]}"

    done = cli(*app, "-t", f"{host}/app", code=69)
    base = cli("-b", f"{host}/base", *app[2:], "-t", "store:x", code=69)

    assert host in done.error
    assert host in base.error
    clean(cli)


# Registries that answer nonsense.

Answers = dict[str, tuple[int, str, bytes]]


@pytest.fixture
def answering() -> Iterator[tuple[str, Answers]]:
    """HOST of a server, and what it answers to a path's end: status, media type, body."""
    answers: Answers = {"/v2/": (200, "application/json", b"{}")}

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            found = [answer for end, answer in answers.items() if self.path.endswith(end)]
            status, media_type, body = found[-1] if found else (404, "text/plain", b"")
            self.send_response(status)
            self.send_header("Content-Type", media_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_HEAD = do_GET  # noqa: N815

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_port}", answers
        server.shutdown()


OCI = "application/vnd.oci.image.manifest.v1+json"
SCHEMA_1 = "application/vnd.docker.distribution.manifest.v1+prettyjws"
HELM = {
    "schemaVersion": 2,
    "mediaType": OCI,
    "config": {
        "mediaType": "application/vnd.cncf.helm.config.v1+json",
        "digest": "sha256:" + "0" * 64,
        "size": 2,
    },
    "layers": [],
}


@pytest.mark.parametrize(
    ("media_type", "body", "error"),
    [
        (SCHEMA_1, b'{"schemaVersion": 1, "name": "old", "fsLayers": []}', "schema 1"),
        (OCI, json.dumps(HELM).encode(), "is not a container image"),
        ("text/html", b"<html>Please log in to this network</html>", "is a web page"),
        (OCI, b"{", "manifest"),
        (OCI, b"[]", "manifest"),
        (OCI, b'{"schemaVersion": 2}', "manifest"),
        (OCI, b'{"schemaVersion": 2, "config": {"digest": "x", "size": -1}}', ""),
        (OCI, b'{"a":' * 300 + b"1" + b"}" * 300, "nested"),
    ],
)
def test_a_manifest_that_is_none_is_refused(
    media_type: str,
    body: bytes,
    error: str,
    *,
    answering: tuple[str, Answers],
    cli: Cli,
    app: tuple[str, ...],
) -> None:
    host, answers = answering
    answers["/manifests/1"] = (200, media_type, body)
    digest = hashlib.sha256(body).hexdigest()
    answers[f"/manifests/sha256:{digest}"] = (200, media_type, body)

    done = cli("-b", f"{host}/strange:1", *app[2:], "-t", "store:x", code=1)

    assert error in done.error
    assert f"{host}/strange" in done.error
    assert "Traceback" not in done.stderr
    clean(cli)


def test_a_manifest_may_not_be_larger_than_four_mebibytes(
    answering: tuple[str, Answers], cli: Cli, app: tuple[str, ...]
) -> None:
    host, answers = answering
    answers["/manifests/1"] = (200, OCI, b" " * (4 * 1024 * 1024 + 1))

    done = cli("-b", f"{host}/strange:1", *app[2:], "-t", "store:x", code=69)

    assert "longer than 4194304 bytes" in done.error


def damaged(base: BaseImage, data: Path, which: str) -> None:
    """Let the registry answer other bytes of the same length for a blob of *base*."""
    manifest = json.loads(_bytes(base, base.digest))
    digest = {
        "manifest": base.digest,
        "config": manifest["config"]["digest"],
        "layer": manifest["layers"][0]["digest"],
    }[which]
    path = data / f"docker/registry/v2/blobs/sha256/{digest[7:9]}/{digest[7:]}/data"
    content = path.read_bytes()
    path.write_bytes(content[:-40] + bytes(b ^ 1 for b in content[-40:-30]) + content[-30:])


def _bytes(base: BaseImage, digest: str) -> bytes:
    return (base.layout / "blobs" / digest.replace(":", "/")).read_bytes()


@pytest.mark.parametrize("which", ["manifest", "config", "layer"])
def test_bytes_that_are_not_those_of_their_digest_are_refused(
    which: str,
    *,
    cli: Cli,
    app: tuple[str, ...],
    alpine: BaseImage,
    fresh_repository: str,
    open_registry: Registry,
    seen: Seen,
    tmp_path: Path,
) -> None:
    with registry(tmp_path / "damaged") as broken:
        name = f"{broken.host}/base:1"
        seen.skopeo.run(
            *("copy", "--dest-tls-verify=false", f"oci:{alpine.layout}:3.7", f"docker://{name}")
        )
        damaged(alpine, broken.data, which)

        done = cli("-b", name, *app[2:], "-t", fresh_repository, code=1)

    assert "sha256:" in done.error
    assert broken.host in done.error
    untouched(open_registry, fresh_repository)
    clean(cli)


# Disks.


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of two megabytes."""
    path = tmp_path / "small"
    path.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(path)]
    done = subprocess.run(words, check=False, capture_output=True)
    if done.returncode:
        pytest.skip(f"nothing can be mounted here: {done.stderr.decode()}")
    yield path
    subprocess.run(["umount", path], check=True)


@needs_root
def test_a_full_disk_below_the_store_is_told_and_left_clean(
    cli: Cli, app: tuple[str, ...], work: Path, small_disk: Path
) -> None:
    (work / "large").write_bytes(os.urandom(8_000_000))
    cli.environ["ARTIFICER_STORE"] = str(small_disk / "store")

    done = cli(*app, "-f", "large", "-t", "store:x", code=1)

    assert f"no space left on the disk of the store {small_disk}" in done.error
    assert "artificer cache prune" in done.hint
    clean(cli)
    cli(*app, "-t", "store:x")


@needs_root
@pytest.mark.parametrize("kind", ["oci", "oci-archive", "docker-archive", "rootfs"])
def test_a_full_disk_below_a_target_is_told(
    kind: str, cli: Cli, app: tuple[str, ...], work: Path, small_disk: Path
) -> None:
    (work / "large").write_bytes(os.urandom(8_000_000))

    done = cli(*app, "-f", "large", "-t", f"{kind}:{small_disk}/it", code=1)

    assert "no space left on device" in done.error
    assert done.hint
    assert done.stdout == ""
    left = [path for path in small_disk.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in left) < 1000, left
    clean(cli)


def test_a_store_that_cannot_be_used_is_told(
    cli: Cli, app: tuple[str, ...], tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "other").mkdir()
    (tmp_path / "other/thesis.txt").touch()
    for place in ("file", "file/below", "other", "/proc/store"):
        done = cli(*app, "--store", str(tmp_path / place), "-t", "store:x", code=1)
        assert str(tmp_path / place) in done.error
        assert done.hint
    assert [path.name for path in (tmp_path / "other").iterdir()] == ["thesis.txt"]


# Interruptions.


@contextmanager
def stalling() -> Iterator[tuple[str, threading.Event]]:
    """HOST of a registry that takes an upload and never answers it; set once it has begun."""
    begun = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self, status: int, **headers: str) -> None:
            self.send_response(status)
            for name, value in {"Content-Length": "0", **headers}.items():
                self.send_header(name, value)
            self.end_headers()

        def do_GET(self) -> None:
            self._answer(200 if self.path == "/v2/" else 404)

        do_HEAD = do_GET  # noqa: N815

        def do_POST(self) -> None:
            self._answer(202, Location="/v2/x/blobs/uploads/1", Range="0-0")

        def do_PATCH(self) -> None:
            begun.set()
            time.sleep(1000)

        do_PUT = do_PATCH  # noqa: N815

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        server.block_on_close = False
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_port}", begun
        server.shutdown()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_a_build_at_once_and_leaves_nothing_half_done(
    number: int, code: int, cli: Cli, app: tuple[str, ...]
) -> None:
    with stalling() as (host, begun):
        words = [sys.executable, "-m", "artificer", *app, "-t", f"{host}/x:1"]
        process = subprocess.Popen(
            words,
            cwd=cli.directory,
            env=cli.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert begun.wait(PATIENCE)
        process.send_signal(number)
        out, err = process.communicate(timeout=PATIENCE)

    assert process.returncode == code, err
    assert out == ""
    assert "error: cancelled" in err
    assert "Traceback" not in err
    clean(cli)


def test_a_registry_that_falls_silent_is_given_up_after_the_timeout(
    cli: Cli, app: tuple[str, ...]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        host = f"127.0.0.1:{server.getsockname()[1]}"
        started = time.monotonic()
        done = cli.process("-b", f"{host}/x", "-t", "store:x", "--timeout", "0.2", code=75)

    assert time.monotonic() - started < 40
    assert done.error.startswith(f"{host}: no answer in time")
    assert "--timeout" in done.hint


def test_a_build_that_is_killed_leaves_a_store_that_works(
    cli: Cli, app: tuple[str, ...], work: Path
) -> None:
    (work / "large").write_bytes(os.urandom(30_000_000))
    words = [sys.executable, "-m", "artificer", *app, "-f", "large", "-t", "store:x"]
    for pause in (0.1, 0.2, 0.3, 0.5):
        process = subprocess.Popen(
            words, cwd=work, env=cli.environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        time.sleep(pause)
        process.kill()
        process.wait()

    done: Done = cli(*app, "-f", "large", "-t", "store:x")

    assert re.search("store:x:latest@sha256:", done.stdout)
    cli("cache", "verify")
