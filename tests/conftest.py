"""The real parts as fixtures: started when a test first asks, once a session, ended with it."""

import itertools
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pytest
from hypothesis import settings

from tests.parts import engines, images, registries
from tests.parts.commands import SEARCH, Command, command
from tests.parts.engines import Containerd, DockerDaemon
from tests.parts.images import BaseImage, Layout
from tests.parts.registries import LockedRegistry, Registry, TokenRegistry

# On two busy cores the time of one example says nothing. In CI the examples are the same each
# time: what is wrong with others is found where one works, and fails nobody else's change.
settings.register_profile(
    "artificer", deadline=None, print_blob=True, derandomize="CI" in os.environ
)
settings.load_profile("artificer")

_NUMBERS = itertools.count(1)
_LONG = ("archive", "slow")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with long tests come first, so that nobody waits for the last one of them alone."""
    long = {item.path for item in items if any(map(item.get_closest_marker, _LONG))}
    items.sort(key=lambda item: item.path not in long)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """What failed at first and then passed (CI tries a test twice) is told whole: it is a bug."""
    for report in terminalreporter.stats.get("rerun", []):
        terminalreporter.section(f"unsteady: {report.nodeid}", sep="_")
        terminalreporter.line(report.longreprtext)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Tests that share what is dear to make are run by one worker."""
    from tests.parts.scheduling import scheduling

    return scheduling(config, log)


@pytest.fixture(scope="session")
def parts_folder() -> Iterator[Path]:
    """A short private path: a socket's name has room for 107 bytes."""
    folder = Path(mkdtemp(prefix="artificer-"))
    yield folder
    # Images hold directories that a plain user may not even empty.
    if os.geteuid():
        subprocess.run(["chmod", "-R", "u+rwX", folder], check=False, capture_output=True)
    subprocess.run(["rm", "-rf", folder], check=False, capture_output=True)


@pytest.fixture(scope="session")
def open_registry(parts_folder: Path) -> Iterator[Registry]:
    """docker-registry by plain http, no credentials, delete allowed: `.host`, `.requests()`."""
    with registries.registry(parts_folder / "open") as registry:
        yield registry


@pytest.fixture(scope="session")
def htpasswd_registry(parts_folder: Path) -> Iterator[LockedRegistry]:
    """docker-registry by TLS: `.host .user .password .ca_file .cert_dir`."""
    with registries.htpasswd_registry(parts_folder / "htpasswd") as registry:
        yield registry


@pytest.fixture(scope="session")
def _token_registry(parts_folder: Path) -> Iterator[TokenRegistry]:
    with registries.token_registry(parts_folder / "token") as registry:
        yield registry


@pytest.fixture
def token_registry(_token_registry: TokenRegistry) -> TokenRegistry:
    """docker-registry behind a token service: `.host .user .password .reader .service`."""
    _token_registry.service.clear()
    return _token_registry


@pytest.fixture
def fresh_repository(open_registry: Registry) -> str:
    """HOST/PATH of a repository in the open registry that nobody used yet."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw")
    return f"{open_registry.host}/fresh/{worker}-{next(_NUMBERS)}"


@pytest.fixture(scope="session")
def registries_conf(parts_folder: Path, open_registry: Registry) -> Path:
    """A registries.conf in which docker.io is the open registry."""
    path = parts_folder / "registries.conf"
    here = f'location = "{open_registry.host}"\ninsecure = true\n'
    path.write_text(
        'unqualified-search-registries = ["docker.io"]\n'
        f'[[registry]]\nprefix = "docker.io"\n{here}[[registry]]\n{here}'
    )
    return path


@pytest.fixture(scope="session")
def parts_environ(parts_folder: Path, registries_conf: Path) -> dict[str, str]:
    """The environment of others' programs: a home without anybody's settings or passwords."""
    home = parts_folder / "home"
    settings_folder = home / ".config" / "containers"
    settings_folder.mkdir(parents=True)
    policy = '{"default": [{"type": "insecureAcceptAnything"}]}'
    (settings_folder / "policy.json").write_text(policy)
    # skopeo looks here only, podman and buildah obey the variable.
    (settings_folder / "registries.conf").symlink_to(registries_conf)
    (home / "run").mkdir(mode=0o700)
    return {
        "CONTAINERS_REGISTRIES_CONF": str(registries_conf),
        "HOME": str(home),
        "LC_ALL": "C.UTF-8",
        "PATH": SEARCH,
        "XDG_RUNTIME_DIR": str(home / "run"),
    }


@pytest.fixture(scope="session")
def skopeo(parts_environ: dict[str, str]) -> Command:
    """skopeo, for which docker.io is the open registry: `.run(…)`, `.output(…)`."""
    return command("skopeo", environ=parts_environ)


@pytest.fixture(scope="session")
def umoci(parts_environ: dict[str, str]) -> Command:
    """umoci: `.run("unpack", "--image", f"{layout}:{tag}", bundle)`."""
    return command("umoci", environ=parts_environ)


@pytest.fixture(scope="session")
def _storage(parts_folder: Path, parts_environ: dict[str, str]) -> Iterator[dict[str, str]]:
    with engines.storage(parts_folder / "storage", parts_environ) as environ:
        yield environ


@pytest.fixture(scope="session")
def podman(_storage: dict[str, str]) -> Command:
    """podman with runc and a storage of its own: `.output("run", "--rm", IMAGE, …)`."""
    return command("podman", environ=_storage)


@pytest.fixture(scope="session")
def buildah(_storage: dict[str, str]) -> Command:
    """buildah with runc, sharing podman's storage."""
    engines.needs_ids()
    return command("buildah", environ=_storage)


@pytest.fixture(scope="session")
def docker_daemon(
    parts_folder: Path, parts_environ: dict[str, str], registries_conf: Path
) -> Iterator[DockerDaemon]:
    """dockerd on `.socket` with `.run("load", …)`; containers get --network host or none."""
    folder = parts_folder / "docker"
    folder.mkdir()
    with engines.docker_daemon(folder, parts_environ) as daemon:
        yield daemon


@pytest.fixture(scope="session")
def containerd(parts_folder: Path, parts_environ: dict[str, str]) -> Iterator[Containerd]:
    """containerd on `.socket` with `.run("images", "import", …)`."""
    folder = parts_folder / "containerd"
    folder.mkdir()
    with engines.containerd(folder, parts_environ) as daemon:
        yield daemon


@pytest.fixture(scope="session")
def base_layout(parts_folder: Path) -> Layout:
    """An OCI layout (`.path`) with a busybox base as `3.7`."""
    return images.base_layout(parts_folder / "base")


def _published(
    layout: Layout, tag: str, reference: str, skopeo: Command, form: str = "--all"
) -> BaseImage:
    name = reference.rpartition("/")[2]
    skopeo.run("copy", form, f"oci:{layout.path}:{tag}", f"docker://{reference}")
    digest = skopeo.output("inspect", "--format", "{{.Digest}}", f"docker://{reference}")
    return BaseImage(reference, name, digest, layout.path, tag)


@pytest.fixture(scope="session")
def alpine(base_layout: Layout, open_registry: Registry, skopeo: Command) -> BaseImage:
    """library/alpine:3.7 in the open registry, an OCI image: `.reference .short .digest`."""
    return _published(base_layout, "3.7", f"{open_registry.host}/library/alpine:3.7", skopeo)


@pytest.fixture(scope="session")
def alpine_docker(base_layout: Layout, open_registry: Registry, skopeo: Command) -> BaseImage:
    """library/alpine:3.7-docker, the same in docker's format (schema 2)."""
    reference = f"{open_registry.host}/library/alpine:3.7-docker"
    return _published(base_layout, "3.7", reference, skopeo, "--format=v2s2")


@pytest.fixture(scope="session")
def multi(parts_folder: Path, open_registry: Registry, skopeo: Command) -> BaseImage:
    """library/multi:1, an index: linux/amd64, linux/arm64/v8 and an attestation."""
    layout = images.multi_layout(parts_folder / "multi")
    return _published(layout, "1", f"{open_registry.host}/library/multi:1", skopeo)


@pytest.fixture(scope="session")
def debian_base(parts_folder: Path, open_registry: Registry, skopeo: Command) -> BaseImage:
    """library/debian:bookworm, a real minbase; 15 s the first time, then from the cache."""
    layout = images.debian_layout(parts_folder / "debian")
    reference = f"{open_registry.host}/library/debian:bookworm"
    return _published(layout, "bookworm", reference, skopeo)
