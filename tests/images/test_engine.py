"""Engines are sent only what they lack, and have the whole image afterwards."""

import json
import os
import random
from pathlib import Path

import pytest

from artificer.events import EngineLoaded, Event
from artificer.images.engine import Containerd, Docker, Engine, Nerdctl, Podman, kind_nodes, load
from artificer.images.program import NoProgram, Program, ProgramFailed
from artificer.images.reach import Reach
from artificer.oci.digest import Digest
from artificer.oci.image import Image
from artificer.oci.platform import LINUX_AMD64
from artificer.oci.reference import parse_name
from tests.images.made import image_of, reach_of, tar_of
from tests.parts.commands import SEARCH, Command
from tests.parts.engines import Containerd as ContainerdPart
from tests.parts.engines import DockerDaemon

LARGE = 200_000


class Heard(list[Event]):
    """What was reported."""

    @property
    def sent(self) -> list[int]:
        return [event.sent for event in self if isinstance(event, EngineLoaded)]


def listening(path: Path) -> tuple[Reach, Heard]:
    reach, _ = reach_of(str(path))
    heard = Heard()
    return reach._replace(report=heard.append), heard


def images_of_two_versions(reach: Reach, seed: int) -> tuple[Image, Image]:
    """Two images with a large layer in common, and a small one that differs."""
    large = tar_of(("large", random.Random(seed).randbytes(LARGE)))
    name = f"line-{seed}"
    first = image_of(reach.store, large, tar_of((name, b"one")))
    return first, image_of(reach.store, large, tar_of((name, b"two")))


def load_twice(engine: Engine, path: Path, seed: int) -> tuple[Image, Heard]:
    reach, heard = listening(path)
    name = parse_name(f"bazel/engine:{seed}")
    first, second = images_of_two_versions(reach, seed)

    load(first, name, engine, reach, LINUX_AMD64)
    load(second, name, engine, reach, LINUX_AMD64)
    load(second, name, engine, reach, LINUX_AMD64)

    assert heard.sent[0] > LARGE
    assert heard.sent[1] < LARGE / 10
    assert heard.sent[2] < LARGE / 10
    return second, heard


def test_docker_is_sent_the_changed_layer_alone(
    tmp_path: Path, docker_daemon: DockerDaemon
) -> None:
    image, heard = load_twice(Docker(docker_daemon.url), tmp_path / "store", 1)

    shown = json.loads(docker_daemon.run("image", "inspect", "bazel/engine:1").stdout)[0]
    assert shown["Id"] == image.config_descriptor.digest
    assert heard.sent[2] < heard.sent[1]


def test_podman_is_sent_the_changed_layer_alone(tmp_path: Path, podman: Command) -> None:
    program = Program(("podman",), podman.environ)

    image, _ = load_twice(Podman(program), tmp_path / "store", 2)

    shown = json.loads(podman.output("image", "inspect", "bazel/engine:2"))[0]
    assert f"sha256:{shown['Id']}" == image.config_descriptor.digest
    assert shown["RootFS"]["Layers"] == [layer.diff_id for layer in image.layers]
    assert not any("artificer-load" in name for name in shown["RepoTags"])


def test_containerd_is_sent_the_changed_layer_alone(
    tmp_path: Path, containerd: ContainerdPart
) -> None:
    program = Program(("ctr", "--address", str(containerd.socket)), {"PATH": SEARCH})

    image, _ = load_twice(Containerd(program), tmp_path / "store", 3)

    listed = containerd.run("images", "ls", "name==docker.io/bazel/engine:3").stdout
    assert image.digest in listed


def _script(folder: Path, name: str, text: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def test_each_node_of_kind_is_loaded(tmp_path: Path, containerd: ContainerdPart) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    _script(tools, "kind", f'echo "$@" >>{tmp_path}/asked; echo one; echo two')
    # docker exec -i NODE ctr --namespace k8s.io …
    _script(tools, "docker", f'shift 4; exec ctr --address {containerd.socket} "$@"')
    kind = Program(("kind",), {"PATH": f"{tools}{os.pathsep}{SEARCH}"})

    nodes = kind_nodes(kind, "test")
    load_twice(nodes[1], tmp_path / "store", 4)

    assert len(nodes) == 2
    assert (tmp_path / "asked").read_text().strip() == "get nodes --name test"
    listed = containerd.run("--namespace", "k8s.io", "images", "ls").stdout
    assert "docker.io/bazel/engine:4" in listed


def test_nerdctl_is_sent_everything_and_that_is_told(tmp_path: Path) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    _script(tools, "nerdctl", f'[ "$1" = load ] && cat >{tmp_path}/loaded')
    program = Program(("nerdctl",), {"PATH": f"{tools}{os.pathsep}{SEARCH}"})
    reach, heard = listening(tmp_path / "store")
    image, _ = images_of_two_versions(reach, 5)

    load(image, parse_name("a:1"), Nerdctl(program), reach, LINUX_AMD64)

    assert heard.sent == [(tmp_path / "loaded").stat().st_size]


def test_a_program_that_fails_is_quoted_and_one_that_is_not_there_is_named(tmp_path: Path) -> None:
    reach, _ = listening(tmp_path / "store")
    image, _ = images_of_two_versions(reach, 6)
    tools = tmp_path / "tools"
    tools.mkdir()
    _script(tools, "nerdctl", "echo no space left >&2; exit 3")
    environ = {"PATH": str(tools)}

    with pytest.raises(ProgramFailed, match="`nerdctl load` failed: no space left"):
        load(image, parse_name("a"), Nerdctl(Program(("nerdctl",), environ)), reach, LINUX_AMD64)
    with pytest.raises(NoProgram, match="no podman on PATH"):
        load(image, parse_name("a"), Podman(Program(("podman",), environ)), reach, LINUX_AMD64)
    assert reach.store.has(Digest(image.layers[0].blob.digest)) is not None
