"""The 2018 tool's command line, row by row (docs/reference/artificer-2018.md)."""

import base64
import json
import os
import re
import socket
import threading
import tomllib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.cli.outside import Cli, Seen, described
from tests.parts.commands import Command
from tests.parts.engines import Containerd, DockerDaemon
from tests.parts.images import BaseImage
from tests.parts.registries import LockedRegistry, Registry, TokenRegistry

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs/reference/artificer-2018.md"
DOCKER_GZIP = "application/vnd.docker.image.rootfs.diff.tar.gzip"
OCI_GZIP = "application/vnd.oci.image.layer.v1.tar+gzip"


@pytest.fixture
def post(work: Path, server_binary: Path) -> tuple[str, ...]:
    """The words of the 2018 post, and the files that they name."""
    (work / "server-binary").write_bytes(server_binary.read_bytes())
    (work / "server-binary").chmod(0o755)
    (work / "conf").mkdir()
    (work / "conf/app.ini").write_text("name=app\n")
    line = (
        "--baseimage alpine:3.7 --files server-binary --files conf/ --cmd /server-binary "
        "--env LOGLEVEL=1 --env ENVIRONMENT=prod --target"
    )
    return tuple(line.split())


class Listener:
    """Takes connections, notes their first line, and refuses whatever is asked."""

    def __init__(self) -> None:
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.socket.getsockname()[1]}"
        self.lines: list[str] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            with connection, connection.makefile("rb") as file:
                self.lines.append(file.readline().decode().strip())
                connection.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")

    def close(self) -> None:
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()


@pytest.fixture
def listener() -> Iterator[Listener]:
    with closing(Listener()) as listener:
        yield listener


# The post, typed as it stands there.


def test_the_literal_line_of_the_post_pushes_an_image_that_runs(
    post: tuple[str, ...],
    hub: Cli,
    alpine: BaseImage,
    fresh_repository: str,
    podman: Command,
    seen: Seen,
) -> None:
    target = f"{fresh_repository}:1"

    done = hub.process(*post, target)

    digest = seen.digest(f"docker://{target}")
    assert done.stdout == f"{fresh_repository}@{digest}\n"
    config = seen.config(f"docker://{target}")["config"]
    assert config["Cmd"] == ["/server-binary"]
    assert config["Env"][1:] == ["LOGLEVEL=1", "ENVIRONMENT=prod"]
    said = podman.output("run", "--rm", target)
    assert said == "/server-binary: LOGLEVEL=1 ENVIRONMENT=prod name=app"


def test_umoci_unpacks_the_base_and_our_files_and_nothing_else(
    post: tuple[str, ...],
    hub: Cli,
    alpine: BaseImage,
    fresh_repository: str,
    seen: Seen,
    server_binary: Path,
) -> None:
    hub(*post, f"{fresh_repository}:1")

    built = described(seen.unpacked(seen.copied(f"docker://{fresh_repository}:1")))

    ours: dict[str, tuple[object, ...]] = {
        "server-binary": ("100755", (0, 0), 0, server_binary.read_bytes()),
        "conf": ("40755", (0, 0), 0, None),
        "conf/app.ini": ("100644", (0, 0), 0, b"name=app\n"),
    }
    assert built == {**described(seen.unpacked(alpine.layout, alpine.tag)), **ours}


def test_docker_loads_and_runs_what_the_post_builds(
    post: tuple[str, ...], hub: Cli, alpine: BaseImage, docker_daemon: DockerDaemon, work: Path
) -> None:
    archive = work / "image.tar"

    hub(*post, f"docker-archive:{archive}:the/post:1")

    docker_daemon.run("load", "--input", str(archive))
    run = docker_daemon.run("run", "--rm", "--network", "none", "the/post:1")
    assert run.stdout == "/server-binary: LOGLEVEL=1 ENVIRONMENT=prod name=app\n"


def test_containerd_imports_and_runs_what_the_post_builds(
    post: tuple[str, ...], hub: Cli, alpine: BaseImage, containerd: Containerd, work: Path
) -> None:
    archive, name = work / "image.tar", "docker.io/the/post:2"

    hub(*post, f"oci-archive:{archive}:{name}")

    containerd.run("images", "import", str(archive))
    said = containerd.run("run", "--rm", name, "the-post").stdout
    assert said == "/server-binary: LOGLEVEL=1 ENVIRONMENT=prod name=app\n"


# ART-01 … ART-23.


def test_art_01_a_target_without_registry_is_docker_hubs_and_without_tag_the_latest(
    post: tuple[str, ...],
    hub: Cli,
    alpine: BaseImage,
    fresh_repository: str,
    listener: Listener,
    seen: Seen,
) -> None:
    hub(*post, fresh_repository)
    refused = {"HTTPS_PROXY": listener.url, "NO_PROXY": "127.0.0.1"}
    hub(*post, "my-app", environ=refused, code=69)

    assert seen.digest(f"docker://{fresh_repository}:latest")
    assert listener.lines[0] == "CONNECT registry-1.docker.io:443 HTTP/1.1"


def test_art_02_a_base_is_a_tag_a_digest_or_scratch_and_of_an_index_linux_amd64(
    hub: Cli, alpine: BaseImage, multi: BaseImage, layout: Path, seen: Seen
) -> None:
    hub("-b", f"alpine@{alpine.digest}", "-c", "x", "-t", f"oci:{layout}:digest")
    hub("-b", multi.short, "-c", "x", "-t", f"oci:{layout}:index")
    hub("-b", "scratch", "-c", "x", "-t", f"oci:{layout}:scratch")

    assert len(seen.raw(f"oci:{layout}:digest")["layers"]) == 1
    assert seen.config(f"oci:{layout}:index")["architecture"] == "amd64"
    assert seen.raw(f"oci:{layout}:scratch")["layers"] == []


def test_art_03_files_may_be_given_many_times_and_a_missing_one_is_an_error(
    cli: Cli, work: Path, layout: Path, seen: Seen
) -> None:
    (work / "a").touch()
    (work / "b").touch()

    cli("-b", "scratch", "-f", "a", "--files", "b", "-t", f"oci:{layout}:it")
    missing = cli("-b", "scratch", "-f", "a", "-f", "c", "-t", f"oci:{layout}:no", code=1)

    assert seen.names(layout) == ["a", "b"]
    assert missing.error == "c: no such file or directory"


def test_art_04_a_file_lands_by_its_name_and_a_directory_keeps_its_name(
    cli: Cli, work: Path, layout: Path, seen: Seen
) -> None:
    (work / "a/b").mkdir(parents=True)
    (work / "a/b/server").touch()
    (work / "a/conf/d").mkdir(parents=True)
    (work / "a/conf/d/x.ini").touch()

    words = ("-f", "a/b/server", "-f", "a/conf/")
    cli("-b", "scratch", *words, "-t", f"oci:{layout}:it")

    assert seen.names(layout) == ["conf/", "conf/d/", "conf/d/x.ini", "server"]


def test_art_05_a_dot_puts_contents_at_the_root_and_keeps_leading_dots(
    cli: Cli, work: Path, layout: Path, seen: Seen
) -> None:
    (work / ".env").touch()
    (work / ".git").mkdir()
    (work / ".git/x").touch()

    cli("-b", "scratch", "--files", ".", "-t", f"oci:{layout}:it")

    assert seen.names(layout) == [".env", ".git/", ".git/x"]


@pytest.mark.parametrize("word", ["./conf", "conf", "conf/", "{work}/conf", ".//conf//"])
def test_art_06_however_a_directory_is_written_it_lands_at_its_name(
    word: str, cli: Cli, work: Path, layout: Path, seen: Seen
) -> None:
    (work / "conf").mkdir()
    (work / "conf/a").touch()

    cli("-b", "scratch", "-f", word.format(work=work), "-t", f"oci:{layout}:it")

    assert seen.names(layout) == ["conf/", "conf/a"]


def test_art_07_dot_dot_has_no_name_and_is_refused(cli: Cli, work: Path, layout: Path) -> None:
    (work / "x").touch()

    for word in ("..", "../", "a/.."):
        done = cli("-b", "scratch", "-f", word, "-t", f"oci:{layout}:it", code=2)
        assert "has no name of its own" in done.error
        assert ":/DEST" in done.hint
    assert not layout.exists()


def test_art_08_modes_owners_and_times_do_not_depend_on_the_machine(
    cli: Cli, work: Path, layout: Path, seen: Seen
) -> None:
    (work / "run").touch(0o700)
    (work / "data").touch(0o600)

    cli("-b", "scratch", "-f", "run", "data", "-t", f"oci:{layout}:it")

    found = {entry.name: entry for entry in seen.entries(layout)}
    assert (found["run"].mode, found["data"].mode) == (0o755, 0o644)
    for entry in found.values():
        assert (entry.uid, entry.gid, entry.uname, entry.gname, entry.mtime) == (0, 0, "", "", 0)


def test_art_08_what_is_on_disk_is_kept_when_asked_for(
    cli: Cli, work: Path, layout: Path, seen: Seen
) -> None:
    (work / "run").touch()
    (work / "run").chmod(0o2710)

    rules = ("--chmod", "preserve", "--chown", "preserve", "--mtime", "preserve")
    cli("-b", "scratch", "-f", "run", *rules, "-t", f"oci:{layout}:it")

    (entry,), status = seen.entries(layout), (work / "run").stat()
    assert entry.mode == 0o2710
    assert (entry.uid, entry.gid, entry.mtime) == (
        *(status.st_uid, status.st_gid),
        int(status.st_mtime),
    )


def test_art_09_a_named_link_is_followed_and_one_inside_a_directory_is_kept(
    cli: Cli, work: Path, layout: Path, seen: Seen
) -> None:
    (work / "tree").mkdir()
    (work / "tree/file").write_text("bytes")
    (work / "tree/link").symlink_to("file")
    (work / "named").symlink_to("tree/file")

    cli("-b", "scratch", "-f", "named", "tree", "-t", f"oci:{layout}:it")

    root = seen.unpacked(layout)
    assert not (root / "named").is_symlink()
    assert (root / "named").read_text() == "bytes"
    assert (root / "tree/link").readlink() == Path("file")


def test_art_10_fifos_are_kept_sockets_are_skipped_and_hard_links_are_links(
    cli: Cli, work: Path, layout: Path, seen: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    (work / "t").mkdir()
    os.mkfifo(work / "t/fifo")
    (work / "t/one").write_text("bytes")
    (work / "t/two").hardlink_to(work / "t/one")
    monkeypatch.chdir(work / "t")
    with closing(socket.socket(socket.AF_UNIX)) as server:
        server.bind("socket")
        done = cli("-b", "scratch", "-f", "t", "-t", f"oci:{layout}:it")

    kinds = {entry.name: entry for entry in seen.entries(layout)}
    assert sorted(kinds) == ["t", "t/fifo", "t/one", "t/two"]
    assert kinds["t/fifo"].isfifo()
    assert kinds["t/two"].islnk()
    assert kinds["t/two"].linkname == "t/one"
    assert "warning: t/socket is a socket, which no image can hold: skipped" in done.lines


def test_art_11_the_order_of_flags_does_not_matter_and_duplicates_must_agree(
    cli: Cli, work: Path, layout: Path, seen: Seen
) -> None:
    for folder in ("one", "two"):
        (work / folder / "app").mkdir(parents=True)
        (work / folder / "app/same").touch()
    (work / "two/app/other").touch()

    words = ("-f", "two/app", "one/app")
    one = cli("-b", "scratch", *words, "-t", f"oci:{layout}:it")
    other = cli("-b", "scratch", *words[:1], *words[:0:-1], "-t", f"oci:{layout}:it")
    (work / "one/app/same").write_text("but different")
    done = cli("-b", "scratch", *words, "-t", f"oci:{layout}:no", code=1)

    assert seen.names(layout) == ["app/", "app/other", "app/same"]
    assert one.stdout == other.stdout
    assert "app/same" in done.error
    assert "one/app" in done.error
    assert "two/app" in done.error


def test_art_12_without_files_there_is_no_layer(
    hub: Cli, alpine: BaseImage, layout: Path, seen: Seen
) -> None:
    hub("-b", "alpine:3.7", "-e", "A=1", "-t", f"oci:{layout}:it")

    mine, base = seen.raw(f"oci:{layout}:it"), seen.raw(f"docker://{alpine.reference}")
    assert mine["layers"] == base["layers"]


def test_art_13_env_adds_to_the_bases_in_order_and_clear_env_drops_it(
    hub: Cli, alpine: BaseImage, layout: Path, seen: Seen
) -> None:
    words = ("-e", "B=2", "-e", "A=$B-${HOME:-home}", "-e", "PATH=/opt/bin:$PATH")
    hub("-b", "alpine:3.7", *words, "-t", f"oci:{layout}:merged")
    hub("-b", "alpine:3.7", "--clear-env", "-e", "B=2", "-t", f"oci:{layout}:cleared")

    base = seen.config(f"docker://{alpine.reference}")["config"]["Env"]
    assert len(base) == 1
    merged = seen.config(f"oci:{layout}:merged")["config"]["Env"]
    assert merged == [base[0].replace("=", "=/opt/bin:", 1), "B=2", "A=2-home"]
    assert seen.config(f"oci:{layout}:cleared")["config"]["Env"] == ["B=2"]


def test_art_14_cmd_is_split_into_words_and_without_it_the_bases_stays(
    post: tuple[str, ...],
    hub: Cli,
    alpine: BaseImage,
    fresh_repository: str,
    podman: Command,
    seen: Seen,
) -> None:
    words = ("-b", "alpine:3.7", "-f", "server-binary", "-t")
    hub(*words, f"{fresh_repository}:split", "-c", "/server-binary --params 'two words'")
    hub(*words, f"{fresh_repository}:kept")

    said = podman.output("run", "--rm", f"{fresh_repository}:split").splitlines()
    assert said[-1].endswith("<--params><two words>")
    kept = seen.config(f"docker://{fresh_repository}:kept")["config"]
    assert kept["Cmd"] == ["/bin/sh"]


def test_art_15_what_the_base_says_about_containers_is_kept_and_can_be_set(
    hub: Cli, alpine: BaseImage, layout: Path, seen: Seen
) -> None:
    words = (
        *("--entrypoint", "/bin/echo", "-w", "/srv", "-u", "65534", "-l", "a=1", "-p", "80"),
        *("--volume", "/data", "--stop-signal", "SIGINT", "--healthcheck", "true"),
    )
    hub("-b", "alpine:3.7", *words, "-t", f"oci:{layout}:base")

    hub("-b", f"oci:{layout}:base", "-c", "said", "-t", f"oci:{layout}:it")

    base = seen.config(f"oci:{layout}:base")["config"]
    assert len(base) == 10
    assert seen.config(f"oci:{layout}:it")["config"] == {**base, "Cmd": ["said"]}


def test_art_16_the_platform_is_the_bases_or_the_one_that_is_asked_for(
    hub: Cli, multi: BaseImage, layout: Path, seen: Seen
) -> None:
    words = ("-b", multi.short, "-c", "x")
    hub(*words, "-t", f"oci:{layout}:usual")
    hub(*words, "--platform", "linux/arm64", "-t", f"oci:{layout}:arm")

    assert seen.config(f"oci:{layout}:usual")["architecture"] == "amd64"
    assert seen.config(f"oci:{layout}:arm")["architecture"] == "arm64"


def test_art_17_a_plan_pushes_nothing_a_layout_needs_no_registry_and_digests_are_printed(
    post: tuple[str, ...],
    hub: Cli,
    alpine: BaseImage,
    fresh_repository: str,
    layout: Path,
    open_registry: Registry,
) -> None:
    planned = hub("plan", *post, fresh_repository)
    done = hub(*post, f"oci:{layout}:it")

    assert "build and upload" in planned.stdout
    assert re.fullmatch(rf"oci:{layout}:it@sha256:[0-9a-f]{{64}}\n", done.stdout)
    name = fresh_repository.removeprefix(open_registry.host)
    asked = [line for line in open_registry.requests() if name in line]
    assert not [line for line in asked if line.startswith(("PUT", "POST", "PATCH"))]


def test_art_18_plain_http_is_for_loopback_and_proxies_are_obeyed(
    post: tuple[str, ...], hub: Cli, alpine: BaseImage, fresh_repository: str, listener: Listener
) -> None:
    proxies = {"HTTP_PROXY": listener.url, "HTTPS_PROXY": listener.url}

    hub(*post, f"{fresh_repository}:1")
    for host in ("10.1.2.3", "registry.local", "192.168.1.2:5000"):
        hub(*post, f"{host}/app", environ={**proxies, "NO_PROXY": "127.0.0.0/8"}, code=69)

    assert listener.lines
    assert all(line.startswith("CONNECT ") for line in listener.lines), listener.lines


def _docker_config(locked: LockedRegistry, kind: str, programs: Path) -> str:
    both = base64.b64encode(f"{locked.user}:{locked.password}".encode()).decode()
    entries = {
        "auth": {"auths": {locked.host: {"auth": both}}},
        "password": {
            "auths": {locked.host: {"username": locked.user, "password": locked.password}}
        },
        "credHelpers": {"credHelpers": {locked.host: "art19"}},
        "credsStore": {"credsStore": "art19"},
    }
    answer = {"ServerURL": locked.host, "Username": locked.user, "Secret": locked.password}
    helper = programs / "docker-credential-art19"
    helper.write_text(f"#!/bin/sh\ncat >/dev/null\ncat <<'EOF'\n{json.dumps(answer)}\nEOF\n")
    helper.chmod(0o755)
    return json.dumps(entries[kind])


@pytest.mark.parametrize("kind", ["auth", "password", "credHelpers", "credsStore"])
def test_art_19_credentials_are_found_where_docker_keeps_them(
    kind: str,
    post: tuple[str, ...],
    hub: Cli,
    alpine: BaseImage,
    htpasswd_registry: LockedRegistry,
    tmp_path: Path,
) -> None:
    text = _docker_config(htpasswd_registry, kind, tmp_path)
    home, chosen = Path(hub.environ["HOME"]) / ".docker", tmp_path / "chosen"
    for folder in (home, chosen):
        folder.mkdir()
    path = {"PATH": f"{tmp_path}:{hub.environ['PATH']}"}
    target = f"{htpasswd_registry.host}/art-19/{kind.lower()}:1"
    trust = ("--cacert", str(htpasswd_registry.ca_file))

    hub(*post, target, *trust, environ=path, code=77)
    (chosen / "config.json").write_text(text)
    hub(*post, target, *trust, environ={**path, "DOCKER_CONFIG": str(chosen)})
    (home / "config.json").write_text(text)
    hub(*post, target, *trust, environ=path)


def test_art_19_an_identity_token_is_exchanged(
    post: tuple[str, ...], hub: Cli, alpine: BaseImage, token_registry: TokenRegistry
) -> None:
    token = token_registry.service.refresh_token(token_registry.user)
    folder = Path(hub.environ["HOME"]) / ".docker"
    folder.mkdir()
    entry = {"auths": {token_registry.host: {"identitytoken": token}}}
    (folder / "config.json").write_text(json.dumps(entry))

    done = hub(*post, f"{token_registry.host}/team/art-19:1")

    assert {asked.grant for asked in token_registry.service.requests} == {"refresh_token"}
    assert token not in done.stdout + done.stderr


def test_art_20_what_the_registry_has_is_skipped_and_the_base_is_mounted(
    post: tuple[str, ...],
    hub: Cli,
    alpine: BaseImage,
    fresh_repository: str,
    open_registry: Registry,
) -> None:
    words = ("-b", alpine.reference, *post[2:])

    done = hub(*words, f"{fresh_repository}:1")
    before = len(open_registry.requests())
    hub(*words, f"{fresh_repository}:2")

    source = alpine.reference.rpartition(":")[0]
    assert any(line.endswith(f"mounted from {source}") for line in done.lines)
    methods = {line.split()[0] for line in open_registry.requests()[before:]}
    tagged = [line for line in open_registry.requests()[before:] if line.startswith("PUT")]
    assert methods <= {"HEAD", "GET", "PUT"}
    assert [line.split()[1].rpartition("/")[2] for line in tagged] == ["2"]


def test_art_21_the_four_lines_are_said_in_order_on_standard_error(
    post: tuple[str, ...], hub: Cli, alpine: BaseImage, fresh_repository: str
) -> None:
    done = hub(*post, f"{fresh_repository}:1")

    four = ["Checking base image...", "Building new image...", "Pushing...", "Done."]
    assert [line for line in done.lines if line in four] == four
    assert len(done.stdout.splitlines()) == 1


def test_art_22_help_is_on_standard_output_and_errors_are_not(cli: Cli, layout: Path) -> None:
    target = ("-t", f"oci:{layout}:it")

    asked: tuple[tuple[str, ...], ...] = (("-h",), ("--help",), ("-b", "x", *target, "--help"))
    wrong: tuple[tuple[tuple[str, ...], int], ...] = (
        (("--nonsense",), 2),
        (("-b", "scratch"), 2),
        (target, 2),
        (("-b", "scratch", "-f", "missing", *target), 1),
    )

    for words in asked:
        done = cli.process(*words)
        assert "--baseimage" in done.stdout or "artificer" in done.stdout
        assert done.stderr == ""
    for words, code in wrong:
        done = cli.process(*words, code=code)
        assert done.stdout == ""
        assert done.error
        assert done.stderr.endswith("\n")


def test_art_23_the_package_brings_the_command_and_a_quoted_tilde_is_explained(
    cli: Cli, layout: Path
) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    words = ("-b", "scratch", "-f", "~/go/bin/myprogram", "-c", "/myprogram")
    done = cli(*words, "-t", f"oci:{layout}:it", code=1)

    assert list(project["scripts"]) == ["artificer"]
    assert done.error == "~/go/bin/myprogram: no such file or directory"
    assert "the shell expands `~`" in done.hint


# Beside the rows: the bytes, and the page about them.


def test_a_layer_has_the_media_type_of_the_bases_format(
    post: tuple[str, ...],
    hub: Cli,
    alpine: BaseImage,
    alpine_docker: BaseImage,
    fresh_repository: str,
    seen: Seen,
) -> None:
    hub(*post, f"{fresh_repository}:oci")
    hub("-b", alpine_docker.short, *post[2:], f"{fresh_repository}:docker")

    for tag, media_type in (("oci", OCI_GZIP), ("docker", DOCKER_GZIP)):
        layers = seen.raw(f"docker://{fresh_repository}:{tag}")["layers"]
        assert [layer["mediaType"] for layer in layers] == [media_type, media_type]


def test_the_page_has_each_row_once_and_names_tests_that_exist() -> None:
    rows = re.findall(r"^\| (ART-\d\d) \|.*\| (.+) \|$", PAGE.read_text(), re.MULTILINE)
    written = set(re.findall(r"^def (test_\w+)", Path(__file__).read_text(), re.MULTILINE))

    assert [row for row, _ in rows] == [f"ART-{number:02}" for number in range(1, 24)]
    for row, cell in rows:
        named = re.findall(r"`(test_\w+)`", cell)
        assert named, row
        assert set(named) <= written, row
