"""The images that Dockerfiles come to, here and with buildah: the same files, the same config.

A case is a folder: a Dockerfile, ``context.sh``, which makes the context (git keeps no owners,
links or attributes), and ``differs.txt``: what buildah does otherwise, each with the reason.
"""

import hashlib
import json
import os
import stat
import subprocess
from collections import defaultdict
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.cli.outside import Cli, Seen
from tests.parts.commands import Command

CASES = Path(__file__).parents[2] / "cases" / "dockerfile" / "images"
FIELDS = (
    *("User", "ExposedPorts", "Env", "Entrypoint", "Cmd", "Volumes", "WorkingDir", "Labels"),
    *("StopSignal", "Healthcheck", "OnBuild", "Shell"),
)


class File(NamedTuple):
    """What one path of an image is; *names* are those of the same file."""

    kind: int
    mode: str
    owner: tuple[int, int]
    content: str
    device: int
    xattrs: tuple[tuple[str, bytes], ...]
    names: tuple[str, ...]


pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root may unpack whole images")


@pytest.mark.slow
@pytest.mark.usefixtures("alpine")
@pytest.mark.parametrize("name", sorted(path.name for path in CASES.iterdir()))
def test_a_dockerfile_comes_to_the_image_that_buildah_makes(
    name: str, hub: Cli, layout: Path, seen: Seen, buildah: Command
) -> None:
    context, case = hub.directory / "context", CASES / name
    context.mkdir()
    subprocess.run(["sh", "-eu", case / "context.sh"], cwd=context, check=True)
    (context / "Dockerfile").write_bytes((case / "Dockerfile").read_bytes())
    words = ["--build-arg", "GIVEN=given"]
    theirs = layout.with_name("theirs")

    hub("build", *words, "-t", f"oci:{layout}:it", context)
    isolated = ("--isolation", "chroot", "--network", "host", "--format", "docker")
    buildah.run("build", "-q", *isolated, *words, "-t", name, context)
    buildah.run("push", "-q", name, f"oci:{theirs}:it")

    differing = _differing(files_of(seen.unpacked(layout)), files_of(seen.unpacked(theirs)))
    ours = seen.config(f"oci:{layout}:it")["config"]
    differing |= _config_differing(ours, _config(buildah, name))
    expected = _expected(case)
    told = "".join(f"{what}: {how}\n" for what, how in sorted(differing.items()))
    assert sorted(differing) == sorted(expected), told


def files_of(root: Path) -> dict[str, File]:
    """Every path below *root*, and what it is, times excepted."""
    statuses: dict[str, os.stat_result] = {}
    names: dict[tuple[int, int], list[str]] = defaultdict(list)
    for folder, folders, files in os.walk(root):
        for name in (*folders, *files):
            path = os.path.join(folder, name)
            status = statuses[os.path.relpath(path, root)] = os.lstat(path)
            names[status.st_dev, status.st_ino].append(os.path.relpath(path, root))
    return {
        path: _file(os.path.join(root, path), status, names[status.st_dev, status.st_ino])
        for path, status in statuses.items()
    }


def _file(path: str, status: os.stat_result, names: list[str]) -> File:
    kind, content = stat.S_IFMT(status.st_mode), ""
    if kind == stat.S_IFLNK:
        content = os.readlink(path)
    elif kind == stat.S_IFREG:
        data = Path(path).read_bytes()
        content = repr(data) if len(data) < 200 else hashlib.sha256(data).hexdigest()
    keys = sorted(os.listxattr(path, follow_symlinks=False))
    xattrs = tuple((key, os.getxattr(path, key, follow_symlinks=False)) for key in keys)
    mode, owner = oct(stat.S_IMODE(status.st_mode)), (status.st_uid, status.st_gid)
    return File(kind, mode, owner, content, status.st_rdev, xattrs, tuple(sorted(names)))


def _config(buildah: Command, name: str) -> dict[str, Any]:
    image = json.loads(buildah.output("inspect", "--type", "image", name))["Docker"]
    found: dict[str, Any] = image["config"]
    found["Labels"].pop("io.buildah.version")
    return found


def _config_differing(ours: dict[str, Any], theirs: dict[str, Any]) -> dict[str, str]:
    pairs = {field: (ours.get(field) or None, theirs.get(field) or None) for field in FIELDS}
    return {
        f"config {field}": f"{mine} is {other} there"
        for field, (mine, other) in pairs.items()
        if mine != other
    }


def _differing(ours: dict[str, File], theirs: dict[str, File]) -> dict[str, str]:
    differing = {}
    for path in ours.keys() | theirs.keys():
        mine, other = ours.get(path), theirs.get(path)
        if mine != other:
            differing[ascii(path)[1:-1]] = f"{mine} is {other} there"
    return differing


def _expected(case: Path) -> list[str]:
    """What is known to be different; a reason follows each after a colon."""
    file = case / "differs.txt"
    lines = file.read_text().splitlines() if file.exists() else []
    return [line.partition(": ")[0] for line in lines if not line.startswith("#")]
