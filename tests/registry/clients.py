"""A client as a command puts it together, with a clock and pauses that cost no time."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from artificer.http.connection import Connections
from artificer.http.dial import Network
from artificer.http.redirect import redirecting
from artificer.http.request import Request, Response
from artificer.http.retry import Patience, retrying
from artificer.http.scheme import choosing
from artificer.oci.reference import Repository
from artificer.registry.auth import Authorized
from artificer.registry.client import Registry
from artificer.registry.credential import ANONYMOUS, Credential, Found
from artificer.registry.routes import Routes
from artificer.registry.upload import Uploads
from artificer.stop import Stop

if TYPE_CHECKING:
    from artificer.events import Event


class Client:
    """A `Registry` over real connections, and what it did."""

    def __init__(
        self,
        *,
        credential: Credential = ANONYMOUS,
        routes: Routes | None = None,
        uploads: Callable[[Uploads], Uploads] = lambda uploads: uploads,
        problem: str = "",
    ) -> None:
        self.events: list[Event] = []
        self.paused: list[float] = []
        self.now = 1000.0
        self.found = Found(credential, "the test", problem, ("here", "there"))
        routes = routes or Routes()
        patience = Patience(self._sleep, pauses=(1, 2, 4), jitter=lambda: 0.0)
        self.connections = Connections(Network(Stop(), trust=routes.trust, timeout=10))
        plain = choosing(self.connections.send, routes.schemes)
        direct = retrying(plain, patience, report=self.events.append)
        self.auth = Authorized(
            redirecting(direct, plain=routes.plain),
            self._keychain,
            direct=direct,
            clock=lambda: self.now,
        )
        settings = uploads(Uploads(patience))
        self.registry = Registry(self.auth, routes, settings, report=self.events.append)

    def close(self) -> None:
        self.connections.close()

    def _sleep(self, seconds: float) -> bool:
        self.paused.append(seconds)
        return False

    def _keychain(self, repository: Repository) -> Found:
        return self.found


Connect = Callable[..., Client]


def script(*answers: Response) -> tuple[Callable[[Request], Response], list[Request]]:
    """A sender that gives *answers* in turn, and the requests that it got."""
    waiting, asked = list(answers), []

    def send(request: Request) -> Response:
        asked.append(request)
        return waiting.pop(0)

    return send, asked
