"""The example of a Dockerfile comes to one digest, whoever builds it with whatever is allowed."""

import os
import pwd
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import mkdtemp

import pytest

from tests.parts.commands import Command
from tests.parts.images import tools_layout
from tests.sandbox import roots

EXAMPLE = Path(__file__).parents[2] / "examples" / "dockerfile"
IMAGES = ("gcc:13", "golang:1.22", "python:3.12-slim")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A folder that every user can get to, with the project and a base that has all tools."""
    made = Path(mkdtemp(prefix="artificer-example-"))
    made.chmod(0o755)
    shutil.copytree(EXAMPLE, made / "project")
    (made / "licence.txt").write_text("the key of our licence")
    tools_layout(made / "tools")
    subprocess.run(["chmod", "-R", "a+rX", made], check=True)
    yield made
    subprocess.run(["rm", "-rf", made], check=False)


def artificer(folder: Path, rung: str, *words: str) -> subprocess.CompletedProcess[str]:
    """What the command says and prints for whoever has *rung*."""
    store = folder / f"store-{rung}"
    store.mkdir(exist_ok=True)
    user = roots.USERS.get(rung)
    if user:
        owner = pwd.getpwnam(user)
        os.chown(store, owner.pw_uid, owner.pw_gid)
    return subprocess.run(
        [*roots.launcher(rung), sys.executable, "-P", "-m", "artificer", *words],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(store), "ARTIFICER_STORE": str(store)},
        capture_output=True,
        text=True,
        check=False,
    )


def built(folder: Path, rung: str) -> subprocess.CompletedProcess[str]:
    """What the README's build comes to for whoever has *rung*."""
    base = f"oci-layout://{folder}/tools:1"
    contexts = [word for name in IMAGES for word in ("--build-context", f"{name}={base}")]
    secret = ("--secret", "id=licence,src=licence.txt")
    words = ("build", "project", *secret, "-t", "example", "--rung", rung, *contexts)
    return artificer(folder, rung, *words)


@pytest.fixture(scope="module")
def digest(folder: Path) -> str:
    """What root's build comes to."""
    roots.add_users()
    done = built(folder, "root")
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("rung", ["range-map", "single-map", "chroot", "proot"])
def test_every_way_comes_to_the_same_digest(folder: Path, digest: str, rung: str) -> None:
    done = built(folder, rung)

    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == digest

    pruned = artificer(folder, rung, "cache", "prune", "--all")

    assert pruned.returncode == 0, pruned.stderr
    assert "left 0 B" in pruned.stdout
    state = folder / f"store-{rung}" / "state"
    assert [path for path in state.rglob("*") if path.is_file()] == []


def test_the_image_runs_as_its_user(folder: Path, digest: str, podman: Command) -> None:
    archive = folder / "example.tar"
    words = (sys.executable, "-m", "artificer", "save", "store:example", "-o", str(archive))
    store = {"ARTIFICER_STORE": str(folder / "store-root")}
    subprocess.run(words, check=True, env={**os.environ, **store}, capture_output=True)

    name = podman.output("load", "-q", "-i", str(archive)).strip().rpartition(" ")[2]
    said = podman.output("run", "--rm", "--network=none", name, "you")

    assert said.strip() == "hello, you (2 words, licensed)"
