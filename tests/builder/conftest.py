"""A store of its own for each test, and registries that nobody may ask."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from artificer.events import Event
from artificer.images.reach import Reach
from artificer.stop import Stop
from artificer.store.blobs import open_store


class Offline:
    """Stands where registries are reached: any use of it fails the test."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"a registry was asked: {name}")


@pytest.fixture
def heard() -> list[Event]:
    return []


@pytest.fixture
def make_reach(tmp_path: Path, heard: list[Event]) -> Callable[[str], Reach]:
    def make(name: str) -> Reach:
        offline: Any = Offline()
        return Reach(open_store(str(tmp_path / name)), offline, heard.append, Stop())

    return make


@pytest.fixture
def reach(make_reach: Callable[[str], Reach]) -> Reach:
    return make_reach("store")
