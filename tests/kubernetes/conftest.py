"""A cluster for tests: a `kubectl` that replays what a real server told."""

from pathlib import Path

import pytest

from tests.kubernetes.recordings import Fake, fake_kubectl


@pytest.fixture
def fake(tmp_path: Path) -> Fake:
    """A `kubectl` of its own, whose cluster does what `fake.plan(…)` says."""
    return fake_kubectl(tmp_path / "kubectl")
