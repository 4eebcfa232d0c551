"""What moving images needs: the store, the registries, whom to tell, and when to stop."""

from collections.abc import Callable
from typing import NamedTuple

from artificer.events import Report
from artificer.oci.reference import Named
from artificer.registry.client import Registry
from artificer.stop import Stop
from artificer.store.blobs import Store

Check = Callable[[Named], None]
"""Raises unless something may be done with a name of a registry."""


def _anything(name: Named) -> None:
    """Allow *name*, whatever it is."""


class Guard(NamedTuple):
    """What the policy of this machine says of images of registries, before they are used."""

    read: Check = _anything
    write: Check = _anything


class Reach(NamedTuple):
    """The handles that a command opens once and everything here uses."""

    store: Store
    registry: Registry
    report: Report
    stop: Stop
    guard: Guard = Guard()
