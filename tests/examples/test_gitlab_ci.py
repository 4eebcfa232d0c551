"""The example's job is run as it is written, with GitLab's variables; only Go is a stand-in."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.parts.commands import Command, found
from tests.parts.images import BaseImage
from tests.parts.registries import LockedRegistry

EXAMPLE = Path(__file__).parents[2] / "examples" / "gitlab-ci"
COMMIT = "1a2b3c4d"
# `go test` does nothing; `go build -o NAME` makes a binary that shows its words and settings.
GO = """#!/bin/sh
[ "$1" = build ] || exit 0
cp {busybox} server
"""


def job_lines() -> list[str]:
    """The commands of the job's `script`, folded lines joined."""
    text = (EXAMPLE / ".gitlab-ci.yml").read_text()
    script = text.split("  script:\n")[1].split("  artifacts:\n")[0]
    lines = [line for line in script.splitlines() if not line.lstrip().startswith("#")]
    joined = "\n".join(lines).replace("    - >-\n", "    - ").replace("\n      ", " ")
    return [line.removeprefix("    - ").strip() for line in joined.splitlines()]


@pytest.fixture
def job_environ(
    tmp_path: Path, htpasswd_registry: LockedRegistry, registries_conf: Path
) -> dict[str, str]:
    """What a runner gives the job."""
    tools, home = tmp_path / "tools", tmp_path / "home"
    tools.mkdir()
    go = tools / "go"
    go.write_text(GO.format(busybox=found("busybox")))
    go.chmod(0o755)
    certificates = home / ".config" / "containers" / "certs.d" / htpasswd_registry.host
    shutil.copytree(htpasswd_registry.cert_dir, certificates)
    return {
        "ARTIFICER_STORE": str(tmp_path / "store"),
        "CI_COMMIT_SHORT_SHA": COMMIT,
        "CI_REGISTRY": htpasswd_registry.host,
        "CI_REGISTRY_IMAGE": f"{htpasswd_registry.host}/group/server",
        "CI_REGISTRY_PASSWORD": htpasswd_registry.password,
        "CI_REGISTRY_USER": htpasswd_registry.user,
        "CONTAINERS_REGISTRIES_CONF": str(registries_conf),
        "HOME": str(home),
        "PATH": os.pathsep.join((str(tools), str(Path(sys.executable).parent), os.defpath)),
    }


def _run_job(folder: Path, environ: dict[str, str]) -> None:
    for line in job_lines():
        done = subprocess.run(
            ["sh", "-c", line],
            cwd=folder,
            env=environ,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{line}\n{done.stderr}"
        assert environ["CI_REGISTRY_PASSWORD"] not in done.stdout + done.stderr


def test_the_job_publishes_an_image(
    alpine: BaseImage,
    htpasswd_registry: LockedRegistry,
    job_environ: dict[str, str],
    skopeo: Command,
    tmp_path: Path,
) -> None:
    project = shutil.copytree(EXAMPLE, tmp_path / "project")
    _run_job(project, job_environ)

    user = f"{htpasswd_registry.user}:{htpasswd_registry.password}"
    words = ("inspect", "--cert-dir", str(htpasswd_registry.cert_dir), "--creds", user)
    name = f"docker://{job_environ['CI_REGISTRY_IMAGE']}"
    digest = (project / "image.digest").read_text().strip()
    for tag in (COMMIT, "latest"):
        seen = skopeo.output(*words, "--format", "{{.Digest}}", f"{name}:{tag}")
        assert seen in digest
    config = json.loads(skopeo.output(*words, "--config", f"{name}:latest"))
    assert config["config"]["Cmd"] == ["/server", "--config", "/conf/server.toml"]


def test_the_job_does_nothing_twice(
    alpine: BaseImage,
    htpasswd_registry: LockedRegistry,
    job_environ: dict[str, str],
    tmp_path: Path,
) -> None:
    project = shutil.copytree(EXAMPLE, tmp_path / "project")
    _run_job(project, job_environ)
    before = len(htpasswd_registry.requests())
    _run_job(project, job_environ)

    later = htpasswd_registry.requests()[before:]
    assert [line for line in later if "/blobs/" in line and not line.startswith("HEAD")] == []
