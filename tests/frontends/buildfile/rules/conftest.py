"""A workspace of its own for each test; what compilers keep is shared."""

from pathlib import Path

import pytest

from tests.frontends.buildfile.rules.workspaces import Workspace


@pytest.fixture(scope="session")
def _state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("state")


@pytest.fixture
def workspace(tmp_path: Path, _state: Path) -> Workspace:
    """An empty workspace."""
    return Workspace(tmp_path, _state)
