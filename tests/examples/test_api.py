"""The examples of the Python API are run as they are written."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.parts.commands import Command
from tests.parts.images import BaseImage
from tests.parts.registries import LockedRegistry

EXAMPLES = Path(__file__).parents[2] / "examples" / "api"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    (folder / "conf").mkdir(parents=True)
    (folder / "conf" / "server.toml").write_text("port = 8080\n")
    (folder / "server").write_text("#!/bin/sh\n")
    return folder


def run(
    example: str, *words: str, folder: Path, **variables: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, EXAMPLES / example, *words],
        cwd=folder,
        env={"PATH": os.defpath, **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def test_build_keeps_an_image_as_a_layout(project: Path, alpine: BaseImage) -> None:
    done = run("build.py", alpine.reference, "image", folder=project)

    assert done.returncode == 0, done.stderr
    (entry,) = json.loads((project / "image" / "index.json").read_text())["manifests"]
    assert done.stdout.strip() == entry["digest"]


def test_build_tells_what_to_do_when_it_fails(project: Path) -> None:
    (project / "server").unlink()

    done = run("build.py", "scratch", "image", folder=project)

    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert "\nhint: " in done.stderr


def test_push_logs_in_and_writes_both_tags(
    project: Path, htpasswd_registry: LockedRegistry, skopeo: Command
) -> None:
    name = f"{htpasswd_registry.host}/examples/api"
    user, password = htpasswd_registry.user, htpasswd_registry.password
    authority = str(htpasswd_registry.ca_file)
    done = run(
        "push.py", name, folder=project, USERNAME=user, PASSWORD=password, CA_FILE=authority
    )

    assert done.returncode == 0, done.stderr
    assert "bytes sent" in done.stderr
    words = ("--cert-dir", str(htpasswd_registry.cert_dir), "--creds", f"{user}:{password}")
    for tag in ("v1", "latest"):
        raw = skopeo.output("inspect", "--raw", *words, f"docker://{name}:{tag}")
        assert len(json.loads(raw)["manifests"]) == 2


def test_pull_shows_an_image_and_unpacks_it(project: Path, alpine: BaseImage) -> None:
    done = run("pull.py", alpine.reference, "root", folder=project)

    assert done.returncode == 0, done.stderr
    assert f"is {alpine.digest} for linux/amd64" in done.stdout
    assert "starts ['/bin/sh']" in done.stdout
    assert (project / "root" / "etc" / "os-release").is_file()
