"""The example of a cluster: its commands, on a cluster that replays what a real server told."""

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from tests.docs.blocks import blocks_of, matches
from tests.kubernetes.recordings import Fake, each, fake_kubectl
from tests.kubernetes.server_rules import problems, restricted

EXAMPLES = Path(__file__).parents[2] / "examples"
README = EXAMPLES / "kubernetes" / "README.md"
RECORDED, SHOWN = "registry.example/rec@INDEX@", "registry.example.com/examples/nginx:1.22"
AUTHS = {"auths": {"registry.example.com": {"auth": "bWU6c2VjcmV0"}}}


@pytest.fixture
def fake(tmp_path: Path) -> Fake:
    """A cluster where a Job makes what the page shows."""
    made = fake_kubectl(tmp_path / "kubectl")
    made.plan(**json.loads(json.dumps(each()).replace(RECORDED, SHOWN)))
    return made


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The examples, and a home with a login."""
    for name in ("WORKSPACE", "nginx", "kubernetes"):
        copy = shutil.copy if (EXAMPLES / name).is_file() else shutil.copytree
        (tmp_path / "examples").mkdir(exist_ok=True)
        copy(EXAMPLES / name, tmp_path / "examples" / name)
    (tmp_path / "home" / ".docker").mkdir(parents=True)
    (tmp_path / "home" / ".docker" / "config.json").write_text(json.dumps(AUTHS))
    return tmp_path / "examples"


def _run(script: str, folder: Path, fake: Fake) -> str:
    """What *script* prints, errors included, as somebody in *folder* sees it."""
    path = f"{fake.folder}:{Path(sys.executable).parent}:/usr/bin:/bin"
    done = subprocess.run(
        ["sh", "-eu", "-c", script],
        cwd=folder,
        env={"HOME": str(folder.parent / "home"), "PATH": path, "LC_ALL": "C.UTF-8"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_the_three_commands_print_what_is_shown(folder: Path, fake: Fake) -> None:
    for block in blocks_of(README):
        if block.why:
            continue
        printed = _run(block.script, folder, fake)
        for expected in block.output:
            lines = printed.splitlines()
            assert any(matches(expected, line) for line in lines), f"{expected}\n{printed}"


def test_the_document_is_what_is_rendered(folder: Path, fake: Fake) -> None:
    script = next(one.script for one in blocks_of(README) if "job submit" in one.script)
    words = shlex.split(script.partition(" > ")[0].replace("\\\n", " "))
    rendered = [word if word != "submit" else "render" for word in words if word != "--detach"]

    printed = _run(shlex.join(rendered), folder, fake)

    assert printed == (EXAMPLES / "kubernetes" / "job.yaml").read_text()


def test_a_cluster_takes_all_documents() -> None:
    for name in ("builds.yaml", "job.yaml"):
        for document in yaml.safe_load_all((EXAMPLES / "kubernetes" / name).read_text()):
            kubernetes_validate.validate(document, "1.36", strict=True)


def test_the_job_runs_in_the_namespace() -> None:
    documents = yaml.safe_load_all((EXAMPLES / "kubernetes" / "builds.yaml").read_text())
    labels = next(documents)["metadata"]["labels"]
    job = yaml.safe_load((EXAMPLES / "kubernetes" / "job.yaml").read_text())

    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    assert restricted(job) == []
    assert problems(job) == []


def test_who_submits_has_the_rights_of_the_guide() -> None:
    guide = (EXAMPLES.parent / "docs" / "guides" / "kubernetes.md").read_text()
    shown = yaml.safe_load(re.findall(r"```yaml\n(.*?)```", guide, re.S)[2])
    documents = list(yaml.safe_load_all((EXAMPLES / "kubernetes" / "builds.yaml").read_text()))

    role = next(one for one in documents if one["kind"] == "Role")
    assert role["rules"] == shown["rules"]
