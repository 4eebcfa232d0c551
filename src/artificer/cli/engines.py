"""Which container engine images are loaded into: asked for, or the first that is there."""

import os
import shutil
from argparse import Namespace
from typing import Protocol

from artificer.cli.session import Session
from artificer.errors import Misused, Unavailable
from artificer.images.daemon import socket_path
from artificer.images.engine import (
    Containerd,
    Docker,
    Engine,
    Nerdctl,
    Podman,
    kind_nodes,
    load,
)
from artificer.images.program import Program
from artificer.images.reach import Reach
from artificer.oci.image import Image, Index
from artificer.oci.platform import Platform
from artificer.oci.reference import Named

_PROGRAMS = ("podman", "nerdctl")


class NoEngine(Unavailable):
    """There is no container engine to load into."""


class Build(Protocol):
    """What was built, and how: a workspace, or a Dockerfile's build."""

    @property
    def args(self) -> Namespace:
        """Its options, ``engine`` and what goes with it among them."""

    @property
    def session(self) -> Session:
        """The run of the command."""

    @property
    def reach(self) -> Reach:
        """The store and the registries."""

    @property
    def host(self) -> Platform:
        """This machine's platform."""


class Engines:
    """The engine, or the nodes of a cluster, that images go to. *program* starts containers."""

    def __init__(self, build: Build, *, program: str | None = None) -> None:
        self._build = build
        self._environ = build.session.environ
        self.kind = self._kind(program)
        self.program = {"containerd": "nerdctl", "kind": "docker"}.get(self.kind, self.kind)
        self._engines = self._opened(program)

    def load(self, content: Image | Index, name: Named) -> None:
        """Load *content* as *name* wherever it goes."""
        for engine in self._engines:
            load(content, name, engine, self._build.reach, self._build.host)

    def _kind(self, program: str | None) -> str:
        """The engine that was asked for: by option, by the loader of a rule, or whichever is."""
        if self._build.args.engine:
            return str(self._build.args.engine)
        if program is not None:
            name = os.path.basename(program)
            if name in {"docker", *_PROGRAMS}:
                return name
            raise Misused(
                f"a loader called {name} is not known",
                hint="it is docker, podman or nerdctl; `--engine` chooses another",
            )
        if os.path.exists(socket_path(self._environ.get("DOCKER_HOST"))):
            return "docker"
        for name in _PROGRAMS:
            if shutil.which(name, path=self._environ.get("PATH")):
                return name
        raise NoEngine(
            "there is no container engine: no docker socket, no podman, no nerdctl",
            hint="push the image instead, or build NAME.tar and load it where there is one; "
            "`--engine containerd` and `--engine kind` are not guessed",
        )

    def _opened(self, program: str | None) -> tuple[Engine, ...]:
        args = self._build.args
        match self.kind:
            case "docker":
                return (Docker(self._environ.get("DOCKER_HOST")),)
            case "podman":
                return (Podman(Program((program or "podman",), self._environ)),)
            case "nerdctl":
                return (Nerdctl(Program((program or "nerdctl",), self._environ)),)
            case "kind":
                return kind_nodes(Program(("kind",), self._environ), args.cluster)
            case _:
                address = self._environ.get("CONTAINERD_ADDRESS")
                words = ("ctr", *(("--address", address) if address else ()))
                words = (*words, "--namespace", args.namespace)
                return (Containerd(Program(words, self._environ)),)
