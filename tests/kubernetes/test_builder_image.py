"""The builder's own image, made by this repository's BUILD files, is what a pod needs."""

import json
import os
from pathlib import Path

import pytest

from tests.cli.outside import Cli, cli, work
from tests.kubernetes.containers import PROJECT, Image, Pod
from tests.parts.commands import Command
from tests.parts.git_server import commit, serving_git
from tests.parts.machine_archive import machine_mirrors
from tests.parts.registries import Registry

__all__ = ["cli", "work"]

pytestmark = [
    pytest.mark.archive,
    pytest.mark.slow,
    pytest.mark.skipif(os.geteuid() != 0, reason="podman drops what root has"),
]
MOST = 40_000_000
"""Bytes of its layers, as they are pulled."""


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The image as docker saves it."""
    folder = tmp_path_factory.mktemp("builder")
    keeping = ("--symlink-prefix", "/", "--output-base", f"{folder}/out")
    environ = {"PATH": os.environ["PATH"], "HOME": str(folder), "ARTIFICER_STORE": f"{folder}/s"}
    environ |= machine_mirrors()
    # Packages are loaded, unpacked and compiled: 15 s of a processor, which may be busy.
    Cli(environ, PROJECT).process("build", "//images/builder:image.tar", *keeping, seconds=1200)
    return folder / "out/bin/images/builder/image.tar"


@pytest.fixture(scope="module")
def image(archive: Path, podman: Command) -> Image:
    """The same, in podman."""
    said = podman.output("load", "--quiet", "--input", str(archive))
    return Image(said.strip().rpartition(" ")[2].removeprefix("sha256:"))


def test_it_is_small_and_nobody_is_root_in_it(
    image: Image, archive: Path, podman: Command
) -> None:
    found = json.loads(podman.output("image", "inspect", image.name))[0]

    assert archive.stat().st_size < MOST
    assert found["Config"]["User"] == "1000:1000"
    assert found["Config"]["Entrypoint"] == ["/usr/bin/artificer"]


def test_it_starts_as_anybody_without_a_home_and_is_called_bazel_too(
    image: Image, podman: Command
) -> None:
    run = ("run", "--rm", "--read-only", "--user=1000680000:0", "--cap-drop=all", "--network=none")
    version = podman.output(*run, image.name, "version")
    bazel = podman.output(*run, "--entrypoint=bazel", image.name, "version")

    assert version.startswith("artificer ")
    assert bazel


@pytest.mark.parametrize("user", ["1000", "any"])
def test_its_pod_clones_builds_and_pushes(
    cli: Cli, image: Image, podman: Command, open_registry: Registry, tmp_path: Path, user: str
) -> None:
    build_file = (
        'load("@io_bazel_rules_docker//container:container.bzl", "container_image", '
        '"container_push")\n'
        'container_image(name = "app", files = ["file"], cmd = ["/file"])\n'
        'container_push(name = "push", image = ":app", format = "OCI", '
        f'registry = "{open_registry.host}", repository = "pods/own-{user}", tag = "1")\n'
    )
    files = {"WORKSPACE": "", "BUILD": build_file, "file": "of the commit"}
    (tmp_path / "here").mkdir()
    for name, text in files.items():
        (tmp_path / "here" / name).write_text(text)
    here = Cli(cli.environ, tmp_path / "here")
    revision = commit(tmp_path / "served" / "app", files)
    with serving_git(tmp_path / "served") as server:
        words = ("--image", "builder", "--git", f"{server.url('app')}#{revision}", "--user", user)
        build = ("run", "//:push", "--cache-repo", f"{open_registry.host}/pods/cache-{user}")
        rendered = here("job", "render", *words, "--", *build)
        pod = Pod(rendered.stdout, image, podman, tmp_path / "pod")
        pod.user = 1000680000
        ended = pod.run()
    done = ended[-1]

    assert [one.code for one in ended] == [0, 0], done.said
    assert done.result["digest"] == here("build", "//:push").stdout.split()[1]
