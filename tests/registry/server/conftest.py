"""A served store, and somebody who asks it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from artificer.registry.server.serving import Server, serve
from artificer.store.blobs import Store, open_store
from tests.registry.server.asking import Asking


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(str(tmp_path / "store"))


@pytest.fixture
def server(store: Store) -> Iterator[Server]:
    with serve(store) as server:
        server.start()
        yield server


@pytest.fixture
def ask(server: Server) -> Iterator[Asking]:
    asking = Asking(server.address)
    yield asking
    asking.close()
