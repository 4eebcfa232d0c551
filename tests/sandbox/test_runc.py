"""Real containers, made by runc as a kubelet would have them made, give the layers of root."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from artificer.sandbox.client import Sandbox
from artificer.sandbox.command import TreeLayer
from tests.parts.commands import found
from tests.sandbox import bundles, pods


@pytest.fixture
def machine(_boxes: dict[str, Sandbox]) -> Sandbox:
    """A sandbox of root of the machine."""
    return _boxes["root"]


@pytest.mark.parametrize(
    ("name", "expected"), [("root", "chroot"), ("root-unconfined", "full-map")]
)
def test_a_container_gives_the_same_layers(
    name: str, expected: str, base: TreeLayer, sandbox_folder: Path, machine: Sandbox
) -> None:
    state = sandbox_folder / f"runc-{name}"
    state.mkdir()
    words = [sys.executable, bundles.__file__, str(state), base.path, str(base.diff_id)]
    folder = bundles.bundle(sandbox_folder / f"bundle-{name}", pods.PODS[name], state, words)

    run = [found("runc"), "run", "--bundle", str(folder), f"artificer-{name}-{os.getpid()}"]
    done = subprocess.run(run, check=False, capture_output=True, text=True, timeout=100)

    assert done.returncode == 0, done.stderr
    rung, tars = json.loads(done.stdout)
    assert rung == expected
    assert tars == bundles.tars(machine, base)
