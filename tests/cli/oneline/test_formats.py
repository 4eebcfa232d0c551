"""Formats and places that are not the registry's: converted, or told about."""

import json
from pathlib import Path

from tests.cli.outside import Cli, Seen
from tests.parts.commands import Command
from tests.parts.engines import DockerDaemon
from tests.parts.images import BaseImage


def test_docker_archives_are_compressed_on_their_way_to_a_registry(
    cli: Cli, alpine: BaseImage, tmp_path: Path, fresh_repository: str, skopeo: Command
) -> None:
    archive = f"docker-archive:{tmp_path}/a.tar"
    skopeo.run("copy", f"oci:{alpine.layout}:{alpine.tag}", f"{archive}:a:b")

    cli("copy", archive, f"{fresh_repository}:1")

    raw = skopeo.output("inspect", "--raw", f"docker://{fresh_repository}:1")
    assert [one["mediaType"] for one in json.loads(raw)["layers"]] == [
        "application/vnd.docker.image.rootfs.diff.tar.gzip"
    ]


def test_a_daemon_is_a_place_like_any_other(
    cli: Cli, alpine: BaseImage, docker_daemon: DockerDaemon, layout: Path, seen: Seen
) -> None:
    cli.environ["DOCKER_HOST"] = f"unix://{docker_daemon.socket}"

    cli("copy", alpine.reference, "docker-daemon:copied/there:1")
    cli("copy", "docker-daemon:copied/there:1", f"oci:{layout}:it")

    listed = docker_daemon.run("images", "--quiet", "copied/there:1").stdout.split()
    assert len(listed) == 1
    there = seen.config(f"docker://{alpine.reference}")
    assert seen.config(f"oci:{layout}:it")["rootfs"] == there["rootfs"]


def test_without_a_daemon_it_is_said_what_to_do(cli: Cli, alpine: BaseImage) -> None:
    cli.environ["DOCKER_HOST"] = "unix:///nothing.sock"

    done = cli("copy", alpine.reference, "docker-daemon:x:1", code=69)

    assert done.error == "there is no docker engine: /nothing.sock does not exist"
    assert "or write docker-archive:FILE and load it there" in done.hint


def test_a_copy_is_converted_when_asked_and_skopeo_reads_it(
    cli: Cli, alpine_docker: BaseImage, layout: Path, seen: Seen
) -> None:
    warned = cli("copy", alpine_docker.reference, f"oci:{layout}:as-it-is")

    cli("copy", alpine_docker.reference, f"oci:{layout}:it", "--format", "oci")

    assert "which skopeo and umoci do not read there" in warned.stderr
    assert "hint: convert it with `artificer copy --format oci`" in warned.stderr
    assert seen.raw(f"oci:{layout}:it")["mediaType"].startswith("application/vnd.oci.")
    assert (seen.unpacked(layout) / "bin/busybox").exists()
    back = cli("copy", f"oci:{layout}:it", "store:back", "--format", "docker")
    assert back.stdout.rpartition("@")[2].strip() == alpine_docker.digest


def test_every_image_of_an_index_is_converted(
    cli: Cli, multi: BaseImage, fresh_repository: str, seen: Seen
) -> None:
    done = cli("copy", multi.reference, f"{fresh_repository}:1", "--format", "docker")

    raw = seen.raw(f"docker://{fresh_repository}:1")
    assert raw["mediaType"] == "application/vnd.docker.distribution.manifest.list.v2+json"
    assert {one["mediaType"] for one in raw["manifests"]} == {
        "application/vnd.docker.distribution.manifest.v2+json"
    }
    assert [one["platform"]["architecture"] for one in raw["manifests"]] == ["amd64", "arm64"]
    assert "attestations are left out" in done.stderr
    cli("inspect", "--check", f"{fresh_repository}:1")
