"""Machines to build on."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.risks.machines import Machine


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A machine with nothing on it."""
    return Machine(tmp_path / "machine")


@pytest.fixture
def make_machine(tmp_path: Path) -> Callable[[str], Machine]:
    """Machines by name."""
    return lambda name: Machine(tmp_path / name)
