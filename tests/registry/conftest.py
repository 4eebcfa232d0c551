"""The faulty registry, and a client whose pauses take no time."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.registry.clients import Client, Connect
from tests.registry.faulty import Faulty, faulty_registry


@pytest.fixture
def faulty() -> Iterator[Faulty]:
    with faulty_registry() as registry:
        yield registry


@pytest.fixture
def other() -> Iterator[Faulty]:
    """A second registry."""
    with faulty_registry() as registry:
        yield registry


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Makes clients, and closes them."""
    clients: list[Client] = []

    def connected(**settings: Any) -> Client:
        clients.append(Client(**settings))
        return clients[-1]

    yield connected
    for client in clients:
        client.close()


@pytest.fixture
def client(connect: Connect) -> Client:
    return connect()
