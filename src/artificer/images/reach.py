"""What moving images needs: the store, the registries, whom to tell, and when to stop."""

from typing import NamedTuple

from artificer.events import Report
from artificer.registry.client import Registry
from artificer.stop import Stop
from artificer.store.blobs import Store


class Reach(NamedTuple):
    """The handles that a command opens once and everything here uses."""

    store: Store
    registry: Registry
    report: Report
    stop: Stop
