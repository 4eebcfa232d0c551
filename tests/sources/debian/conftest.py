"""What the tests of installing share."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.sources.debian.workbench import Bench


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """A folder in which packages are made and read."""
    with ExitStack() as spools:
        yield Bench(tmp_path, spools)
