"""Pods of a rendered Job, run by podman with all that Kubernetes would forbid them forbidden.

The builder image is this machine's own Python with the project, in a root that cannot be written.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from tests.parts.commands import Command
from tests.parts.registries import LockedRegistry

Document = dict[str, Any]
Secrets = Mapping[str, Mapping[str, bytes]]

PROJECT = Path(__file__).parents[2]
_OF_THE_MACHINE = ("/usr", "/lib", "/lib64", "/bin", "/sbin", "/etc/ssl", "/etc/alternatives")
_PLACES = ("proc", "sys", "dev", "tmp", "run", "etc", "home/artificer", "workspace")
_START = """\
#!/bin/sh
exec {python} -P -c 'import sys; sys.argv[0] = "artificer"
from artificer.cli.main import command
command()' "$@"
"""


class Ended(NamedTuple):
    """How a container ended: what it said, and its last words."""

    name: str
    code: int
    said: str
    message: str
    seconds: float

    @property
    def result(self) -> Document:
        """The last words as the document that they are."""
        document: Document = json.loads(self.message)
        return document


class Root(NamedTuple):
    """The builder image: a directory, and what of the machine is mounted in it."""

    path: Path
    mounts: tuple[str, ...]

    @property
    def words(self) -> tuple[str, ...]:
        """What podman is told of it."""
        return (
            *("--env=PATH=/opt/artificer:/usr/bin:/bin", "--env=PYTHONPATH=/opt/src"),
            *(f"--volume={place}:{place}:ro" for place in self.mounts),
            *("--rootfs", str(self.path)),
        )


class Image(NamedTuple):
    """A builder image that podman has."""

    name: str

    @property
    def words(self) -> tuple[str, ...]:
        """What podman is told of it: the manifest says what it runs."""
        return ("--entrypoint=", self.name)


def builder_root(folder: Path, registry: LockedRegistry, hub: str) -> Root:
    """A builder image that trusts *registry*, and for which docker.io is at *hub*."""
    for place in _PLACES:
        (folder / place).mkdir(parents=True)
    program = folder / "opt/artificer"
    program.mkdir(parents=True)
    (program / "artificer").write_text(_START.format(python=sys.executable))
    (program / "artificer").chmod(0o755)
    source = folder / "opt/src"
    shutil.copytree(PROJECT / "src", source, ignore=shutil.ignore_patterns("*.pyc"))
    authority = folder / "etc/containers/certs.d" / registry.host
    authority.mkdir(parents=True)
    shutil.copy(registry.ca_file, authority / "ca.crt")
    conf = f'[[registry]]\nprefix = "docker.io"\nlocation = "{hub}"\ninsecure = true\n'
    (folder / "etc/containers/registries.conf").write_text(conf)
    (folder / "etc/hosts").write_text("127.0.0.1 localhost\n")
    shutil.copy("/etc/ld.so.cache", folder / "etc/ld.so.cache")
    own = {sys.base_prefix, sys.prefix, *_OF_THE_MACHINE} - {"/usr/local"}
    found = tuple(sorted(place for place in own if os.path.isdir(place)))
    for place in found:
        (folder / place.lstrip("/")).mkdir(parents=True, exist_ok=True)
    _readable(folder)
    return Root(folder, found)


def _readable(folder: Path) -> None:
    """A plain user has to get at all of it, whatever this process's umask."""
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode | (0o555 if path.is_dir() else 0o444))


class Pod:
    """One pod of the Job of a manifest: its volumes, and what runs its containers."""

    def __init__(self, manifest: str, root: Root | Image, podman: Command, folder: Path) -> None:
        documents = list(yaml.safe_load_all(manifest))
        self.maps = {one["metadata"]["name"]: one["data"] for one in documents[:-1]}
        self.spec: Document = documents[-1]["spec"]["template"]["spec"]
        self.root = root
        self.podman = podman
        self.folder = folder
        folder.mkdir(parents=True)
        self.secrets: Secrets = {}
        self.index = 0
        self.user: int | None = None
        """Whom the cluster chose, where the manifest leaves that to it."""

    def run(self) -> list[Ended]:
        """Run the containers one after the other, until one fails."""
        volumes = {one["name"]: self._volume(one) for one in self.spec["volumes"]}
        ended: list[Ended] = []
        for container in (*self.spec.get("initContainers", ()), *self.spec["containers"]):
            ended.append(self._ended(container, volumes))
            if ended[-1].code:
                break
        return ended

    def started(self, container: Document) -> "subprocess.Popen[str]":
        """Start one container alone; whoever asked ends it."""
        volumes = {one["name"]: self._volume(one) for one in self.spec["volumes"]}
        words = ["podman", *self._words(container, volumes)]
        return subprocess.Popen(
            words,
            env=dict(self.podman.environ),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def _ended(self, container: Document, volumes: Mapping[str, Path]) -> Ended:
        began = time.monotonic()
        done = self.podman.run(*self._words(container, volumes), check=False)
        message = (self.folder / f"{container['name']}.message").read_text()
        seconds = time.monotonic() - began
        said = done.stdout + done.stderr
        return Ended(container["name"], done.returncode, said, message, seconds)

    def _words(self, container: Document, volumes: Mapping[str, Path]) -> Sequence[str]:
        security, own = self.spec["securityContext"], container["securityContext"]
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}  # podman's default, too
        assert own["readOnlyRootFilesystem"] is True
        assert own["allowPrivilegeEscalation"] is False
        user, group = security.get("runAsUser", self.user), security.get("runAsGroup", 0)
        last = self.folder / f"{container['name']}.message"
        last.touch()
        last.chmod(0o666)
        environ = {one["name"]: _expanded(one["value"]) for one in container["env"]}
        environ["JOB_COMPLETION_INDEX"] = str(self.index)
        mounts = [(str(last), "/dev/termination-log", "")]
        for one in container["volumeMounts"]:
            only = ":ro" if one.get("readOnly") else ""
            mounts.append((str(volumes[one["name"]]), one["mountPath"], only))
        return (
            *("run", "--rm", "--network=host", "--passwd=false", "--read-only"),
            *(
                "--read-only-tmpfs=false",
                "--security-opt=no-new-privileges",
                "--image-volume=ignore",
            ),
            *(f"--cap-drop={one}" for one in own["capabilities"]["drop"]),
            *(f"--cap-add={one}" for one in own["capabilities"].get("add", ())),
            f"--user={user}:{group}",
            *([f"--group-add={security['fsGroup']}"] if "fsGroup" in security else []),
            *(f"--env={name}={value}" for name, value in environ.items()),
            *(f"--volume={source}:{place}{only}" for source, place, only in mounts),
            f"--workdir={container.get('workingDir', '/')}",
            *self.root.words,
            *map(_expanded, container["command"]),
        )

    def _volume(self, volume: Document) -> Path:
        """What the kubelet would mount: a directory of the pod's group."""
        path: Path = self.folder / "volumes" / volume["name"]
        if path.exists():
            return path
        path.mkdir(parents=True)
        group = self.spec["securityContext"].get("fsGroup", 0)
        for name, data, mode in self._contents(volume):
            (path / name).write_bytes(data)
            (path / name).chmod(mode)
            os.chown(path / name, 0, group)
        os.chown(path, 0, group)
        path.chmod(0o2777 if "emptyDir" in volume else 0o755)
        return path

    def _contents(self, volume: Document) -> list[tuple[str, bytes, int]]:
        if "secret" in volume:
            found, mode = self.secrets[volume["secret"]["secretName"]], volume["secret"]
            return [(name, data, mode["defaultMode"]) for name, data in found.items()]
        if "configMap" in volume:
            data = self.maps[volume["configMap"]["name"]]
            return [(name, text.encode(), 0o644) for name, text in data.items()]
        contents = []
        for source in volume.get("projected", {}).get("sources", ()):
            found = self.secrets[source["secret"]["name"]]
            for item in source["secret"]["items"]:
                mode = volume["projected"]["defaultMode"]
                contents.append((item["path"], found[item["key"]], mode))
        return contents


def _expanded(text: str) -> str:
    """A word as the kubelet gives it to the container, where it has no variables."""
    assert "$(" not in text.replace("$$", "")
    return text.replace("$$", "$")
