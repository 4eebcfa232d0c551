"""From a network and routes to the handle of all registries: the wrappers, in their order."""

from typing import NamedTuple

from artificer.events import Report
from artificer.http.connection import Connections
from artificer.http.dial import Network
from artificer.http.redirect import redirecting
from artificer.http.request import Send
from artificer.http.retry import Patience, retrying
from artificer.http.scheme import choosing
from artificer.registry.auth import Authorized
from artificer.registry.client import Registry
from artificer.registry.credential import Keychain
from artificer.registry.routes import Routes
from artificer.registry.upload import Uploads
from artificer.store.blobs import Store


class Wire(NamedTuple):
    """How requests reach registries: *send* follows redirects, *direct* none.

    Whoever wired it closes *connections*.
    """

    connections: Connections
    send: Send
    direct: Send
    routes: Routes
    patience: Patience


def wired(network: Network, routes: Routes, *, report: Report) -> Wire:
    """Make ready for requests, not yet with any credential; no connection is made."""
    connections = Connections(network)
    patience = Patience(network.stop.wait)
    direct = retrying(choosing(connections.send, routes.schemes), patience, report=report)
    return Wire(connections, redirecting(direct, plain=routes.plain), direct, routes, patience)


def registry_over(wire: Wire, keychain: Keychain, store: Store, *, report: Report) -> Registry:
    """The registries over *wire*; unfinished uploads are remembered in *store*."""
    uploads = Uploads(
        wire.patience,
        take=lambda key: store.take_record("upload", key),
        put=lambda key, data: store.set_record("upload", key, data),
    )
    auth = Authorized(wire.send, keychain, direct=wire.direct)
    return Registry(auth, wire.routes, uploads, report=report)
