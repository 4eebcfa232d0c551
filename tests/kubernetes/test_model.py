"""The tests of a real cluster, against a model of one, through the real `kubectl`.

It proves what these tests say of a cluster, not the cluster: what a server and its nodes do in
truth is in the recordings.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.kubernetes.model.server import model

ROOT = Path(__file__).parents[2]
WORDS = ("-q", "-n", "2", "-p", "no:cacheprovider", "tests/kubernetes/test_cluster.py")


@pytest.mark.slow
def test_what_is_tried_on_a_cluster_passes_on_a_model_of_one(tmp_path: Path) -> None:
    image = "registry.example/busybox:1"
    with model(tmp_path, image) as config:
        environ = {
            **os.environ,
            "HOME": str(tmp_path),  # kubectl keeps there what it learns of servers
            "ARTIFICER_TEST_KUBECONFIG": str(config),
            "ARTIFICER_TEST_IMAGE": image,
            "ARTIFICER_TEST_SPEED": "5",
            "GOGC": "off",  # each kubectl lives for a moment
        }
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *WORDS],
            cwd=ROOT,
            env=environ,
            capture_output=True,
            text=True,
            check=False,
        )

    assert done.returncode == 0, done.stdout
    assert "skipped" not in done.stdout
