"""The transport against Debian's docker-registry, as people run it."""

from artificer.http.connection import Connections
from artificer.http.dial import Network
from artificer.http.request import Request, Send
from artificer.http.scheme import choosing
from artificer.http.tls import Trust
from artificer.stop import Stop
from tests.parts.registries import LockedRegistry, Registry


def both(connections: Connections) -> Send:
    return choosing(connections.send, lambda _: ("http", "https"))


def test_a_registry_by_plain_http_is_found(
    connections: Connections, open_registry: Registry
) -> None:
    send = both(connections)
    for _ in range(2):
        with send(Request("GET", f"http://{open_registry.host}/v2/")) as response:
            assert (response.status, response.read(100)) == (200, b"{}")
            assert response.headers["Docker-Distribution-API-Version"] == "registry/2.0"


def test_a_registry_by_tls_is_found_on_loopback(htpasswd_registry: LockedRegistry) -> None:
    trust = Trust((str(htpasswd_registry.ca_file),))
    connections = Connections(Network(Stop(), trust=lambda _: trust, timeout=5))
    send = both(connections)
    for method in ("HEAD", "GET"):
        with send(Request(method, f"http://{htpasswd_registry.host}/v2/")) as response:
            assert response.status == 401
            assert response.url == f"https://{htpasswd_registry.host}/v2/"
            assert response.headers["www-authenticate"].startswith("Basic realm=")
    connections.close()
