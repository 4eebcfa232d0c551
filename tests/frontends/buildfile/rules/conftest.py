"""A workspace of its own for each test."""

from pathlib import Path

import pytest

from tests.frontends.buildfile.rules.workspaces import Workspace


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """An empty workspace."""
    return Workspace(tmp_path)
