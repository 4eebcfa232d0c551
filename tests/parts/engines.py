"""What runs images: podman and buildah with a storage of their own, dockerd and containerd."""

import os
import pwd
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.parts.commands import Command, command, found, missing
from tests.parts.servers import NotStarted, serving

# crun fails where cgroups are hybrid, so runc it is; an inherited limit may be too low to raise.
CONTAINERS_CONF = """[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
netns = "host"
[engine]
runtime = "{runc}"
cgroup_manager = "cgroupfs"
events_logger = "none"
[engine.runtimes]
{runc} = ["{path}"]
"""


@contextmanager
def storage(folder: Path, environ: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """The environment in which podman and buildah keep everything below *folder*."""
    folder.mkdir(parents=True, exist_ok=True)
    config, place = folder / "containers.conf", folder / "storage.conf"
    config.write_text(CONTAINERS_CONF.format(runc="runc", path=found("runc")))
    private = {
        **environ,
        "CONTAINERS_CONF": str(config),
        "CONTAINERS_STORAGE_CONF": str(place),
        "BUILDAH_RUNTIME": found("runc"),
        "TMPDIR": str(folder),
    }
    for driver in ("overlay", "vfs"):
        place.write_text(
            f'[storage]\ndriver = "{driver}"\nrunroot = "{folder}/run"\n'
            f'graphroot = "{folder}/{driver}"\n'
        )
        info = command("podman", environ=private).run("info", check=False)
        if info.returncode == 0:
            break
    else:
        missing(f"podman has no storage driver here: {info.stderr}")
    try:
        yield private
    finally:
        _unmount(folder)


def _unmount(folder: Path) -> None:
    """Let go of what podman's overlay driver keeps mounted below *folder*."""
    lines = Path("/proc/self/mounts").read_text().splitlines()
    points = [line.split()[1] for line in lines]
    for point in sorted((p for p in points if p.startswith(f"{folder}/")), reverse=True):
        subprocess.run(["umount", "-l", point], check=False, capture_output=True)


def needs_ids() -> None:
    """Stop a plain user's test where the machine gave the user no ids to build with."""
    ranges = Path("/etc/subuid")
    name = pwd.getpwuid(os.geteuid()).pw_name
    if os.geteuid() != 0 and not (ranges.exists() and f"{name}:" in ranges.read_text()):
        missing(f"buildah's RUN needs subordinate ids: no {name} in {ranges}")


class DockerDaemon(NamedTuple):
    """A dockerd of our own, and the docker command that speaks to it."""

    socket: Path
    docker: Command

    @property
    def url(self) -> str:
        """What DOCKER_HOST would be."""
        return f"unix://{self.socket}"

    def run(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return self.docker.run(*words, check=check)


class Containerd(NamedTuple):
    """A containerd of our own, and the ctr command that speaks to it."""

    socket: Path
    ctr: Command

    def run(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return self.ctr.run(*words, check=check)


@contextmanager
def docker_daemon(folder: Path, environ: Mapping[str, str]) -> Iterator[DockerDaemon]:
    """Start dockerd without network, on a private socket; CI fails where it does not start."""
    _needs_root("dockerd")
    socket = folder / "docker.sock"
    words = [
        *(found("dockerd"), "--host", f"unix://{socket}", "--data-root", f"{folder}/data"),
        *("--exec-root", f"{folder}/exec", "--pidfile", f"{folder}/docker.pid"),
        *("--iptables=false", "--ip6tables=false", "--bridge=none"),
    ]
    private = {**environ, "DOCKER_CONFIG": str(folder)}
    docker = command("docker", "--host", f"unix://{socket}", environ=private)
    try:
        with serving(words, folder / "dockerd.log", environ) as server:
            server.wait_until(lambda: docker.run("version", check=False).returncode == 0)
            yield DockerDaemon(socket, docker)
    except NotStarted as error:
        missing(f"dockerd does not start on this machine: {error}")
    finally:
        _unmount(folder)


@contextmanager
def containerd(folder: Path, environ: Mapping[str, str]) -> Iterator[Containerd]:
    """Start containerd on a private socket; CI fails where it does not start."""
    _needs_root("containerd")
    socket, config = folder / "containerd.sock", folder / "config.toml"
    config.write_text(
        f'version = 2\nroot = "{folder}/root"\nstate = "{folder}/state"\n'
        'disabled_plugins = ["io.containerd.grpc.v1.cri"]\n'
        f'[grpc]\naddress = "{socket}"\n[ttrpc]\naddress = "{socket}.ttrpc"\n'
        # It collects what nothing refers to soon after its start, even what is being imported.
        '[plugins."io.containerd.gc.v1.scheduler"]\nstartup_delay = "1h"\nschedule_delay = "1h"\n'
    )
    ctr = command("ctr", "--address", str(socket), environ=environ)
    words = [found("containerd"), "--config", str(config)]
    try:
        with serving(words, folder / "containerd.log", environ) as server:
            server.wait_until(lambda: ctr.run("version", check=False).returncode == 0)
            yield Containerd(socket, ctr)
    except NotStarted as error:
        missing(f"containerd does not start on this machine: {error}")
    finally:
        _unmount(folder)


def _needs_root(name: str) -> None:
    if os.geteuid() != 0:
        pytest.skip(f"{name} needs root")
