"""The programs that are compared: what each is told, and how its memory is emptied."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import pytest

from bench.measure import Failed
from tests.parts import engines

Environ = Mapping[str, str]
DOCKERFILE = 'FROM {base}\nCOPY . /\nENV MODE=bench\nCMD ["/server"]\n'

# `names` are the workload's top names in the working directory, `state` is kept between cases.
ARTIFICER = (
    "{artificer} -b {base} -f {names} -e MODE=bench -c /server -t {target} --store {state}/store"
)
MUTATE = "crane mutate {target} --cmd /server --env MODE=bench -t {target}"
CRANE = (
    "tar -cf {state}/layer.tar {names}\ncrane append -b {base} -f {state}/layer.tar -t {target}\n"
)
CRANE_STREAM = "tar -cf - {names} | crane append -b {base} -f - -t {target}\n"
# Not `umoci insert`: it is slower, and gives the source's directories another ctime.
UMOCI = """
[ -e {state}/layout ] || skopeo copy --src-tls-verify=false docker://{base} oci:{state}/layout:base
umoci tag --image {state}/layout:base new
tar -cf {state}/layer.tar {names}
umoci raw add-layer --image {state}/layout:new {state}/layer.tar
umoci config --image {state}/layout:new --config.cmd /server --config.env MODE=bench
skopeo copy --dest-tls-verify=false oci:{state}/layout:new docker://{target}
"""
BUILT = """
{tool} build --layers --tls-verify=false -f {state}/Dockerfile -t {target} .
{tool} push --tls-verify=false {target} docker://{target}
"""
BUILDAH_STEPS = """
made=$(buildah from --tls-verify=false {base})
for name in {names}; do buildah copy -q "$made" "$name" "/$name"; done
buildah config --cmd /server --env MODE=bench "$made"
buildah commit -q --rm "$made" {target}
buildah push --tls-verify=false {target} docker://{target}
"""
DOCKER = """
{docker} build -q -f {state}/Dockerfile -t {target} .
{docker} push -q {target}
"""
DOCKERFILE_BUILD = """
{artificer} build . -q -f {state}/Dockerfile -t {target} --push --store {state}/store
"""
# A daemon that is started and stopped inside, as where none may run.
BUILDKIT = """
mkdir -p {state}/buildkit
target={target}
printf '[registry."%s"]\\n  http = true\\n' "${{target%%/*}}" >{state}/buildkitd.toml
export BUILDKITD_FLAGS="--root {state}/buildkit --config {state}/buildkitd.toml"
buildctl-daemonless.sh build --frontend dockerfile.v0 --local context=. \\
    --local dockerfile={state} --output type=image,name={target},push=true
"""


class Peer(NamedTuple):
    """A program, or two together: *fresh* empties its memory and tells its environment."""

    name: str
    script: str
    needs: tuple[str, ...]
    fresh: Callable[[Path, Environ], dict[str, str]]


def peers(stack: ExitStack) -> dict[str, Peer]:
    """Every peer that can be compared here in principle, ours first; *stack* ends daemons."""
    podman, buildah = BUILT.replace("{tool}", "podman"), BUILT.replace("{tool}", "buildah")
    containers = ("podman", "runc")
    classic = DOCKER.replace("{docker}", "docker")
    buildkit = DOCKER.replace("{docker}", _docker_with_buildkit() or "docker")
    every = (
        Peer("artificer", ARTIFICER, (), emptied),
        Peer("artificer-zstd", f"{ARTIFICER} --compression zstd --format oci", (), emptied),
        Peer("crane-stream", CRANE_STREAM + MUTATE, ("crane", "tar"), emptied),
        Peer("crane", CRANE + MUTATE, ("crane", "tar"), emptied),
        Peer("umoci", UMOCI, ("umoci", "skopeo", "tar"), emptied),
        Peer("buildah", buildah, ("buildah", *containers), storage),
        Peer("buildah-steps", BUILDAH_STEPS, ("buildah", *containers), storage),
        Peer("podman", podman, containers, storage),
        Peer("docker", classic, ("docker", "dockerd"), Docker("0", stack).fresh),
        Peer("docker-bk", buildkit, ("docker", "dockerd"), Docker("1", stack).fresh),
    )
    return {peer.name: peer for peer in every}


def dockerfile_peers(stack: ExitStack) -> dict[str, Peer]:
    """Those that build Dockerfiles. kaniko is not among them: it would unpack bases over `/`."""
    others = peers(stack)
    daemonless = ("buildctl-daemonless.sh", "buildctl", "buildkitd", "runc")
    # Our daemon has no bridge, which RUN would want.
    docker = {
        name: others[name]._replace(
            script=others[name].script.replace(" -q", " -q --network host", 1)
        )
        for name in ("docker", "docker-bk")
    }
    return {
        "artificer": Peer("artificer", DOCKERFILE_BUILD, (), emptied),
        **{name: others[name] for name in ("buildah", "podman")},
        **docker,
        "buildkit": Peer("buildkit", BUILDKIT, daemonless, emptied),
    }


def missing(peer: Peer, search: str) -> str | None:
    """Why the peer cannot run here, if it cannot."""
    absent = [name for name in peer.needs if shutil.which(name, path=search) is None]
    if absent:
        return f"{', '.join(absent)} not found"
    if peer.name == "docker-bk" and _docker_with_buildkit() is None:
        return "no docker client with BuildKit"
    return None


class Words(NamedTuple):
    """What scripts are filled in with."""

    base: str
    target: str
    names: str
    state: Path


def script_of(peer: Peer, words: Words, dockerfile: str = DOCKERFILE) -> str:
    """What the shell is told."""
    (words.state / "Dockerfile").write_text(dockerfile.format(base=words.base))
    return peer.script.format(artificer=artificer_command(), **words._asdict())


def artificer_command() -> str:
    """How ours is called, as it was installed."""
    command = os.path.join(os.path.dirname(sys.executable), "artificer")
    return command if os.path.exists(command) else f"{sys.executable} -m artificer"


def _docker_with_buildkit() -> str | None:
    """A docker client with the plugin, or one from when it was built in."""
    for folder in dict.fromkeys(f"{os.environ.get('PATH', '')}:/usr/bin".split(":")):
        path = os.path.join(folder, "docker")
        if os.access(path, os.X_OK) and (_runs(path, "buildx", "version") or _is_old(path)):
            return path
    return None


def _runs(*words: str) -> bool:
    return subprocess.run(words, check=False, capture_output=True).returncode == 0


def _is_old(path: str) -> bool:
    words = [path, "version", "--format", "{{.Client.Version}}"]
    told = subprocess.run(words, check=False, capture_output=True, text=True).stdout
    major = told.partition(".")[0]
    return major.isdigit() and 19 <= int(major) < 23


def emptied(state: Path, environ: Environ) -> dict[str, str]:
    """Forget everything."""
    shutil.rmtree(state, ignore_errors=True)
    state.mkdir(parents=True)
    return {}


def storage(state: Path, environ: Environ) -> dict[str, str]:
    """A new containers storage, with the driver that works here."""
    emptied(state, environ)
    with engines.storage(state / "engine", environ) as private:
        return {name: value for name, value in private.items() if environ.get(name) != value}


class Docker:
    """A docker daemon, started anew whenever its memory is to be empty."""

    def __init__(self, buildkit: str, stack: ExitStack) -> None:
        self.buildkit = buildkit
        self.running = stack.enter_context(ExitStack())

    def fresh(self, state: Path, environ: Environ) -> dict[str, str]:
        """Another daemon with nothing in it."""
        self.running.close()
        emptied(state, environ)
        try:
            daemon = self.running.enter_context(engines.docker_daemon(state, environ))
        except pytest.skip.Exception as skipped:
            raise Failed(str(skipped.msg).strip().splitlines()[-1]) from None
        return {"DOCKER_HOST": daemon.url, "DOCKER_BUILDKIT": self.buildkit}
