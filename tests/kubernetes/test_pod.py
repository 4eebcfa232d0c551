"""The pod of a rendered Job, run with the restrictions of the manifest, builds and pushes.

No capability, a root file system that is read-only, a plain or a random user, the runtime's
seccomp profile: what the restricted Pod Security Standard asks for.
"""

import base64
import itertools
import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.outside import Cli, cli, hub, work
from tests.examples.test_workspace import bases, examples, files, port
from tests.kubernetes.containers import Ended, Pod, Root, Secrets, builder_root
from tests.parts.commands import Command
from tests.parts.git_server import commit, serving_git
from tests.parts.registries import LockedRegistry, Registry
from tests.parts.waiting import PATIENCE, opened_fifo

__all__ = ["bases", "cli", "examples", "files", "hub", "port", "work"]

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="podman drops what root has")

SECRET = ("--registry-secret", "regcred")
IMAGE = ("--image", "builder:1")


@pytest.fixture(scope="module")
def root(
    tmp_path_factory: pytest.TempPathFactory,
    htpasswd_registry: LockedRegistry,
    open_registry: Registry,
) -> Root:
    return builder_root(tmp_path_factory.mktemp("builder"), htpasswd_registry, open_registry.host)


@pytest.fixture
def secrets(htpasswd_registry: LockedRegistry) -> Secrets:
    """What `job secret` would make, and nothing else of this machine."""
    login = f"{htpasswd_registry.user}:{htpasswd_registry.password}".encode()
    document = {
        "auths": {htpasswd_registry.host: {"auth": base64.b64encode(login).decode()}},
    }
    return {"regcred": {".dockerconfigjson": json.dumps(document).encode()}}


@pytest.fixture
def logged_in(cli: Cli, htpasswd_registry: LockedRegistry) -> tuple[str, ...]:
    """The words with which this machine gets into the registry."""
    login = f"{htpasswd_registry.user}:{htpasswd_registry.password}"
    return ("--cacert", str(htpasswd_registry.ca_file), "--creds", login)


PodOf = Callable[[str], Pod]


@pytest.fixture
def pod_of(root: Root, podman: Command, secrets: Secrets, tmp_path: Path) -> PodOf:
    """Makes the pod of a manifest, each on a node of its own."""
    numbers = itertools.count()

    def made(manifest: str) -> Pod:
        pod = Pod(manifest, root, podman, tmp_path / f"pod-{next(numbers)}")
        pod.secrets, pod.user = secrets, 1000680000
        return pod

    return made


def checked(ended: list[Ended]) -> Ended:
    assert [one.code for one in ended] == [0] * len(ended), ended[-1].said
    return ended[-1]


@pytest.fixture
def project(work: Path) -> Path:
    folder = work / "project"
    (folder / "conf").mkdir(parents=True)
    (folder / "conf" / "app.ini").write_text("answer = 42\n")
    (folder / "run.sh").write_text("#!/bin/sh\n")
    (folder / "run.sh").chmod(0o755)
    return folder


@pytest.mark.parametrize("user", ["1000", "any"])
def test_a_packed_directory_is_built_and_pushed_with_the_same_digest(
    cli: Cli,
    project: Path,
    pod_of: PodOf,
    htpasswd_registry: LockedRegistry,
    logged_in: tuple[str, ...],
    user: str,
) -> None:
    name = f"{htpasswd_registry.host}/pods/packed-{user}:1"
    build = ("-b", "scratch", "-f", "conf", "-f", "run.sh", "-c", "/run.sh", "-t", name)
    cache = f"{htpasswd_registry.host}/pods/cache-{user}"
    rendered = cli(
        *("job", "render", *IMAGE, *SECRET, "--user", user, "--context", project),
        *("--cache-repo", cache, *logged_in, "--", *build),
    )
    done = checked(pod_of(rendered.stdout).run())
    here = Cli(cli.environ, project)(*build[:-1], f"oci:{project}-layout", *logged_in)

    assert done.result["digest"] == here.stdout.strip().rpartition("@")[2]
    assert done.result["image"] == f"{name.rpartition(':')[0]}@{done.result['digest']}"
    assert done.result["cache"] == "miss"


def test_a_revision_of_git_is_cloned_with_the_secret_and_built(
    cli: Cli,
    pod_of: PodOf,
    secrets: Secrets,
    htpasswd_registry: LockedRegistry,
    tmp_path: Path,
) -> None:
    revision = commit(tmp_path / "served" / "app", {"app/file": "of the first commit"})
    commit(tmp_path / "served" / "app", {"app/file": "later"})
    header = "Basic " + base64.b64encode(b"robot:token").decode()
    name = f"{htpasswd_registry.host}/pods/cloned:1"
    with serving_git(tmp_path / "served", header) as server:
        source = f"{server.url('app')}#{revision}:app"
        words = ("--git", source, "--git-secret", "git", *SECRET, *IMAGE)
        build = ("-b", "scratch", "-f", "file", "-t", name)
        rendered = cli("job", "render", *words, "--", *build)
        pod = pod_of(rendered.stdout)
        pod.secrets = {**secrets, "git": {"username": b"robot", "password": b"token"}}
        done = checked(pod.run())
        wrong = pod_of(rendered.stdout)
        wrong.secrets = {**secrets, "git": {"username": b"robot", "password": b"secret-1"}}
        refused = wrong.run()
    (tmp_path / "file").write_text("of the first commit")
    here = Cli(cli.environ, tmp_path)(*build[:-1], f"oci:{tmp_path}/layout")

    assert done.result["digest"] == here.stdout.strip().rpartition("@")[2]
    assert [(one.name, one.code) for one in refused] == [("source", 77)]
    assert "secret-1" not in refused[0].said


@pytest.mark.slow
def test_the_pod_pushes_examples_nginx_with_the_digest_of_the_local_build(
    examples: Cli,
    pod_of: PodOf,
    htpasswd_registry: LockedRegistry,
    logged_in: tuple[str, ...],
) -> None:
    build = examples.directory / "nginx" / "BUILD"
    build.write_text(
        build.read_text().replace(
            'registry = "' + _registry_in(build), f'registry = "{htpasswd_registry.host}'
        )
    )
    rendered = examples(
        *("job", "render", *IMAGE, *SECRET, "--context", "."),
        *("--cache-repo", f"{htpasswd_registry.host}/pods/cache", *logged_in),
        "//nginx:push_nginx",
    )
    done = checked(pod_of(rendered.stdout).run())
    second = checked(pod_of(rendered.stdout).run())
    here = examples("build", "//nginx:push_nginx")

    assert done.result["digest"] == here.stdout.split()[1]
    assert done.result["image"].startswith(f"{htpasswd_registry.host}/examples/nginx@sha256:")
    assert (done.result["cache"], second.result["cache"]) == ("miss", "hit")


def _registry_in(build: Path) -> str:
    return build.read_text().partition('registry = "')[2].partition('"')[0]


def test_wrong_credentials_end_the_pod_with_77(
    cli: Cli, pod_of: PodOf, htpasswd_registry: LockedRegistry
) -> None:
    build = ("-b", "scratch", "--symlink", "/a=b", "-t", f"{htpasswd_registry.host}/pods/a:1")
    rendered = cli("job", "render", *IMAGE, *SECRET, "--", *build)
    pod = pod_of(rendered.stdout)
    auth = base64.b64encode(b"alice:wrong").decode()
    document = {"auths": {htpasswd_registry.host: {"auth": auth}}}
    pod.secrets = {"regcred": {".dockerconfigjson": json.dumps(document).encode()}}
    ended = pod.run()[-1]

    assert ended.code == 77
    assert ended.message == ""  # so that the kubelet takes the log's end
    assert "error: " in ended.said
    assert auth not in ended.said


def test_sigterm_ends_the_pod_soon_with_143(
    cli: Cli, pod_of: PodOf, open_registry: Registry
) -> None:
    build = ("-b", "scratch", "--tar", "/tmp/never", "-t", f"{open_registry.host}/pods/b:1")
    rendered = cli("job", "render", *IMAGE, "--workspace", "/tmp", "--", *build)
    pod = pod_of(rendered.stdout)
    volume = pod.folder / "volumes" / "tmp"
    container = pod.spec["containers"][0]
    words = pod.started(container)
    os.mkfifo(volume / "never")
    writer = opened_fifo(volume / "never")
    began = time.monotonic()
    words.send_signal(signal.SIGTERM)
    said, _ = words.communicate(timeout=PATIENCE)
    os.close(writer)

    assert words.returncode == 143, said
    # The cluster would wait for half a minute, and then kill.
    assert time.monotonic() - began < 25
