"""The workspace of examples/, built, tested and pushed; only its addresses are of this machine."""

import functools
import hashlib
import http.server
import json
import re
import shutil
import tarfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cli.outside import Cli, cli, hub, work
from tests.parts.commands import Command
from tests.parts.debs import deb
from tests.parts.images import BaseImage
from tests.parts.ports import free_port
from tests.parts.registries import LockedRegistry, Registry

__all__ = ["cli", "hub", "work"]

EXAMPLES = Path(__file__).parents[2] / "examples"
DEBS = {
    "nginx_deb": "nginx",
    "nginx_common_deb": "nginx-common",
    "libssl3_deb": "libssl3",
    "libpcre2_deb": "libpcre2-8-0",
}
NO_TLS = ("--src-tls-verify=false", "--dest-tls-verify=false")


class _Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves files by their name, whatever is before it, and says nothing."""

    def translate_path(self, path: str) -> str:
        return super().translate_path("/" + path.rpartition("/")[2])

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """A folder that is served on loopback, and its address."""
    folder = tmp_path_factory.mktemp("served")
    handler = functools.partial(_Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield folder, f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def port() -> int:
    return free_port()


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _with_debs(text: str, folder: Path) -> str:
    """The table of packages, as this machine's mirror has them today."""
    for name, package in DEBS.items():
        path = deb(package)
        served = folder / f"{package}.deb"
        shutil.copyfile(path, served)
        row = f'"{name}": (\n        "{served.name}",\n        "{_sha256(served)}",'
        text, count = re.subn(rf'"{name}": \(\n.*\n.*', row, text)
        assert count == 1
    return text


@pytest.fixture(scope="module")
def bases(
    debian_base: BaseImage, multi: BaseImage, open_registry: Registry, skopeo: Command
) -> Registry:
    """What is docker.io here: it has debian:bookworm and busybox:1.36."""
    assert debian_base.reference.endswith("library/debian:bookworm")
    busybox = f"docker://{open_registry.host}/library/busybox:1.36"
    skopeo.run("copy", "--all", *NO_TLS, f"docker://{multi.reference}", busybox)
    return open_registry


@pytest.fixture
def examples(hub: Cli, files: tuple[Path, str], port: int, bases: Registry) -> Cli:
    """The command in a copy of the examples, whose addresses are those of the fixtures."""
    folder, address = files
    source = folder / "nginx_1.22.1.orig.tar.gz"
    if not source.exists():
        (folder / "README").write_text("nginx's source, as far as a test cares")
        with tarfile.open(source, "w:gz") as tar:
            tar.add(folder / "README", "nginx-1.22.1/README")
    copy = hub.directory / "examples"
    shutil.copytree(EXAMPLES, copy, ignore=shutil.ignore_patterns("artificer-bin", "debian"))
    changes: dict[str, Callable[[str], str]] = {
        "WORKSPACE": lambda text: re.sub(
            r'sha256 = "9ebb\w+"', f'sha256 = "{_sha256(source)}"', text
        ),
        "nginx/debs.bzl": lambda text: _with_debs(text, folder),
        "nginx/nginx.conf": lambda text: text.replace("8080", str(port)),
        "nginx/nginx_test.yaml": lambda text: text.replace("listen 8080", f"listen {port}"),
    }
    for name, change in changes.items():
        text = (copy / name).read_text().replace("https://debian.example.com", address)
        (copy / name).write_text(change(text))
    for path in copy.glob("*/BUILD"):
        path.write_text(path.read_text().replace("localhost:5000", bases.host))
    return Cli(hub.environ, copy)


@pytest.mark.slow
def test_all_of_the_examples_is_built_tested_and_pushed(
    examples: Cli,
    open_registry: Registry,
    htpasswd_registry: LockedRegistry,
    podman: Command,
    port: int,
) -> None:
    built = examples("build", "//...")
    tested = examples("test", "//...")
    again = examples("build", "//...")
    pushed = examples("run", "//nginx:push_nginx")

    digests = dict(line.split()[:2] for line in built.stdout.splitlines())
    assert again.stdout == built.stdout
    assert "FAILED" not in tested.stdout
    assert tested.stdout.count("PASSED") == 3
    assert pushed.stdout.strip() == (
        f"{open_registry.host}/examples/nginx@{digests['//nginx:push_nginx']}"
    )

    elsewhere = f"{htpasswd_registry.host}/examples/nginx:1.22"
    login = f"{htpasswd_registry.user}:{htpasswd_registry.password}"
    words = ("--cacert", htpasswd_registry.ca_file, "--creds", login)
    examples("run", "//nginx:push_nginx", *words, "--", f"--dst={elsewhere}")
    pull = ("--creds", login, "--cert-dir", str(htpasswd_registry.cert_dir))
    podman.run("pull", *pull, elsewhere)
    answer = _answer_of(podman, elsewhere, port)
    assert answer == "Hello from an image that artificer built.\n"


def _answer_of(podman: Command, image: str, port: int) -> str:
    container = podman.output("run", "--detach", "--network=host", image).strip()
    try:
        for _ in range(1000):
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as response:
                    text: str = response.read().decode()
                    return text
            except OSError:
                time.sleep(0.1)
        pytest.fail(podman.run("logs", container, check=False).stderr, False)
    finally:
        podman.run("rm", "--force", "--time=0", container)


@pytest.mark.slow
def test_the_c_program_is_run_by_podman_as_run_loads_it(examples: Cli, podman: Command) -> None:
    examples.environ.update(podman.environ)
    examples.environ["DOCKER_HOST"] = "unix:///nowhere"

    done = examples("run", "--engine=podman", "//hello-c:image")

    words = done.stdout.split()
    assert words[:2] == ["podman", "run"]
    assert done.stderr.rstrip().endswith("It is started by:")
    assert re.search(r"podman:bazel/hello-c:image is \w+: .* of .* sent", done.stderr)
    assert podman.output(*words[1:]).strip() == "Hello from a C program in an image of its own."


def test_the_index_has_an_image_for_each_platform(
    examples: Cli, open_registry: Registry, skopeo: Command
) -> None:
    done = examples("run", "//multi-platform:push")

    name = done.stdout.strip()
    raw = skopeo.output("inspect", "--raw", "--tls-verify=false", f"docker://{name}")
    members = json.loads(raw)["manifests"]
    assert [one["platform"]["architecture"] for one in members] == ["amd64", "arm64"]
    assert name.startswith(f"{open_registry.host}/examples/multi-platform@sha256:")


def test_a_changed_package_is_refused_with_both_hashes(
    examples: Cli, files: tuple[Path, str]
) -> None:
    table = examples.directory / "nginx" / "debs.bzl"
    wrong = "0" * 64
    table.write_text(re.sub(r'"[0-9a-f]{64}"', f'"{wrong}"', table.read_text(), count=1))

    done = examples("build", "//nginx:nginx", code=1)

    right = _sha256(files[0] / "nginx.deb")
    assert wrong in done.stderr
    assert right in done.stderr
    assert "nginx/debs.bzl" in done.stderr or "WORKSPACE:" in done.stderr
