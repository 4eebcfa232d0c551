from collections.abc import Iterator

import pytest

from artificer.http.connection import Connections
from artificer.http.dial import Network
from artificer.stop import Stop


@pytest.fixture
def connections() -> Iterator[Connections]:
    """Connections that wait for five seconds."""
    made = Connections(Network(Stop(), timeout=5))
    yield made
    made.close()
