"""Others' clients push to the embedded registry and pull from it."""

import json
from pathlib import Path

from artificer.registry.server.serving import Server
from artificer.store.blobs import Store
from artificer.store.verify import verify
from tests.parts.commands import Command
from tests.parts.engines import DockerDaemon
from tests.parts.images import Layout, multi_layout
from tests.registry.server.asking import Asking

INSECURE = ("--src-tls-verify=false", "--dest-tls-verify=false")


def test_skopeo_copies_an_index_there_and_back(
    server: Server, store: Store, skopeo: Command, tmp_path: Path
) -> None:
    layout = multi_layout(tmp_path / "multi")
    image = f"docker://{server.address}/team/multi:1"

    skopeo.run("copy", "--all", *INSECURE, f"oci:{layout.path}:1", image)
    skopeo.run("copy", "--all", *INSECURE, image, f"oci:{tmp_path / 'back'}:1")

    there = json.loads((layout.path / "index.json").read_text())["manifests"][0]["digest"]
    back = json.loads((tmp_path / "back" / "index.json").read_text())["manifests"][0]["digest"]
    assert there == back
    assert verify(store).faults == ()


def test_skopeo_copies_from_repository_to_repository(
    server: Server, ask: Asking, skopeo: Command, base_layout: Layout
) -> None:
    first, second = (f"docker://{server.address}/{name}:1" for name in ("one", "team/two"))

    skopeo.run("copy", *INSECURE, f"oci:{base_layout.path}:3.7", first)
    skopeo.run("copy", *INSECURE, first, second)

    assert ask("GET", "/v2/_catalog").json["repositories"] == ["one", "team/two"]
    listed = skopeo.output("list-tags", "--tls-verify=false", second.rpartition(":")[0])
    assert json.loads(listed)["Tags"] == ["1"]


def test_skopeo_deletes_an_image(
    server: Server, ask: Asking, skopeo: Command, base_layout: Layout
) -> None:
    image = f"docker://{server.address}/app:1"
    skopeo.run("copy", *INSECURE, f"oci:{base_layout.path}:3.7", image)

    skopeo.run("delete", "--tls-verify=false", image)

    assert ask("GET", "/v2/app/manifests/1").status == 404


def test_docker_pushes_and_pulls(
    server: Server,
    ask: Asking,
    skopeo: Command,
    docker_daemon: DockerDaemon,
    base_layout: Layout,
    tmp_path: Path,
) -> None:
    image = f"{server.address}/team/app:1"
    archive = f"docker-archive:{tmp_path / 'app.tar'}:{image}"
    skopeo.run("copy", f"oci:{base_layout.path}:3.7", archive)
    docker_daemon.run("load", "-i", str(tmp_path / "app.tar"))

    docker_daemon.run("push", image)
    docker_daemon.run("rmi", image)
    docker_daemon.run("pull", image)
    done = docker_daemon.run("run", "--rm", "--network", "none", image, "echo", "pulled")

    assert done.stdout.strip() == "pulled"
    assert ask("GET", "/v2/team/app/tags/list").json["tags"] == ["1"]
    docker_daemon.run("rmi", image)


def test_podman_pushes_and_pulls(
    server: Server, ask: Asking, podman: Command, base_layout: Layout
) -> None:
    image = f"{server.address}/podmans/app:1"
    loaded = podman.output("pull", "-q", f"oci:{base_layout.path}:3.7").splitlines()[-1]

    podman.run("push", "--tls-verify=false", loaded, f"docker://{image}")
    pulled = podman.output("pull", "-q", "--tls-verify=false", image).splitlines()[-1]

    assert pulled == loaded
    assert ask("GET", "/v2/podmans/app/tags/list").json["tags"] == ["1"]
    podman.run("rmi", image)
