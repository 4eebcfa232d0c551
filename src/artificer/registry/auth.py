"""Requests that prove who we are: challenges answered, tokens fetched, kept and renewed."""

import threading
import time
from collections.abc import Callable
from typing import NamedTuple, Self

from artificer.http.request import Authority, Request, Response, Send, authority
from artificer.oci.reference import Repository
from artificer.registry.challenge import Challenge, challenges, preferred
from artificer.registry.credential import (
    ANONYMOUS,
    Basic,
    Bearer,
    Found,
    IdentityToken,
    Keychain,
)
from artificer.registry.routes import Endpoint
from artificer.registry.tokens import Asked, Token, basic, fetch_token, granted

RESENT = 4 * 1024 * 1024
"""A body up to this size is sent again after a 401; who sends a larger one asks how far it got."""

_MARGIN = 10
"""Seconds before its end at which a token is renewed (a sixth of its life when that is less)."""


class Access(NamedTuple):
    """What a request needs: at which endpoint, and the scopes, the wanted one first.

    Some registries look at the first scope only.
    """

    endpoint: Endpoint
    scopes: tuple[str, ...]

    def and_also(self, words: str) -> Self:
        """The same with those scopes of a challenge, *words*, that it does not cover."""
        covered = _covered(self.scopes)
        more = [scope for scope in words.split() if not _covered((scope,)) <= covered]
        return self._replace(scopes=(*self.scopes, *more))


def pulling(endpoint: Endpoint) -> Access:
    """To read from the endpoint's repository."""
    return Access(endpoint, (f"repository:{endpoint.repository.path}:pull",))


def pushing(endpoint: Endpoint, source: Repository | None = None) -> Access:
    """To write to it, and, to mount a blob, to read from *source* too."""
    scopes = [f"repository:{endpoint.repository.path}:pull,push"]
    if source is not None and source.path != endpoint.repository.path:
        scopes.append(f"repository:{source.path}:pull")
    return Access(endpoint, tuple(scopes))


def deleting(endpoint: Endpoint) -> Access:
    """To delete from it."""
    return Access(endpoint, (f"repository:{endpoint.repository.path}:delete",))


def listing(endpoint: Endpoint) -> Access:
    """To list the repositories of its registry."""
    return Access(endpoint, ("registry:catalog:*",))


class Explanation(NamedTuple):
    """How we come in, for `artificer doctor auth`: no secret is in it."""

    repository: Repository
    source: str
    searched: tuple[str, ...]
    problem: str
    kind: str
    """``basic``, ``identity token``, ``bearer token`` or ``anonymous``."""
    scheme: str
    """What the registry asks for: ``bearer``, ``basic`` or ``none``."""
    realm: str
    service: str
    asked: tuple[str, ...]
    granted: tuple[str, ...] | None
    """None when the token does not show it."""
    seconds: int | None
    """How long the token is good for."""
    status: int
    """What the registry's ``/v2/`` finally answered."""


class _Held(NamedTuple):
    token: Token
    covers: frozenset[tuple[str, str]]
    until: float


class _Door:
    """What is known of one registry: its challenge and the tokens it takes."""

    __slots__ = ("challenge", "held", "lock", "party", "refresh")

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.challenge: Challenge | None = None
        self.party: Authority | None = None
        self.held: list[_Held] = []
        self.refresh: dict[Repository, IdentityToken] = {}


class Authorized:
    """A handle: `send` with what the registry asks for. Safe in many threads.

    *direct* must follow no redirects: it asks the token services, and where those send us is
    checked first. Credentials go to the endpoint's own host and to its token service only.
    """

    __slots__ = ("_clock", "_direct", "_doors", "_found", "_keychain", "_lock", "_send")

    def __init__(
        self,
        send: Send,
        keychain: Keychain,
        *,
        direct: Send,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._send = send
        self._direct = direct
        self._keychain = keychain
        self._clock = clock
        self._lock = threading.Lock()
        self._doors: dict[Authority, _Door] = {}
        self._found: dict[Repository, Found] = {}

    def __call__(self, request: Request, access: Access) -> Response:
        """Send *request*; a 401 that can be mended is answered, any other is the answer.

        A body larger than `RESENT` is not sent twice: its 401 is given back, and what was wrong
        is renewed at the next request.
        """
        base = authority(access.endpoint.base)
        there = authority(request.url)
        if not same_place(there, base) or (there.scheme, base.scheme) == ("http", "https"):
            return self._send(request)
        door = self._door(base)
        headers = self._headers(door, access)
        response = self._send(request.having(headers))
        # The answer's URL tells where redirects led, and whether a plain registry spoke TLS.
        spoken = authority(response.url) if response.url else there
        if response.status != 401 or not same_place(spoken, base):
            return response
        challenge = _learn(door, response, spoken, headers)
        if challenge is None or (request.body is not None and request.body.size > RESENT):
            return response
        try:
            renewed = self._headers(door, access.and_also(challenge.scope))
        except BaseException:
            response.close()
            raise
        if renewed == headers:
            return response
        response.close()
        return self._send(request.having(renewed))

    def found(self, repository: Repository) -> Found:
        """The credential for *repository*; the keychain is asked once."""
        with self._lock:
            if repository not in self._found:
                self._found[repository] = self._keychain(repository)
            return self._found[repository]

    def explain(self, access: Access) -> Explanation:
        """Knock, and tell what was asked and granted."""
        found = self.found(access.endpoint.repository)
        with self(Request("GET", f"{access.endpoint.base}/v2/"), access) as response:
            status = response.status
        door = self._door(authority(access.endpoint.base))
        challenge = door.challenge or Challenge("none")
        held = self._held(door, access) if challenge.scheme == "bearer" else None
        return Explanation(
            repository=access.endpoint.repository,
            source=found.source,
            searched=found.searched,
            problem=found.problem,
            kind=_KINDS[type(found.credential)],
            scheme=challenge.scheme,
            realm=authority(challenge.realm).netloc if challenge.scheme == "bearer" else "",
            service=challenge.service,
            asked=access.scopes if challenge.scheme == "bearer" else (),
            granted=granted(held.token.value) if held else None,
            seconds=held.token.seconds if held else None,
            status=status,
        )

    def _door(self, registry: Authority) -> _Door:
        with self._lock:
            return self._doors.setdefault(registry, _Door())

    def _headers(self, door: _Door, access: Access) -> dict[str, str]:
        found = self.found(access.endpoint.repository)
        headers = dict(found.headers)
        credential = found.credential
        scheme = door.challenge.scheme if door.challenge else ""
        if isinstance(credential, Bearer):
            headers["Authorization"] = f"Bearer {credential.token}"
        elif scheme == "bearer":
            headers["Authorization"] = f"Bearer {self._token(door, access).value}"
        elif scheme == "basic" and isinstance(credential, Basic):
            headers["Authorization"] = basic(credential)
        return headers

    def _token(self, door: _Door, access: Access) -> Token:
        # One thread asks, the others wait for what it gets.
        with door.lock:
            if held := self._held(door, access):
                return held.token
            repository = access.endpoint.repository
            found = self.found(repository)
            if repository in door.refresh:
                found = found._replace(credential=door.refresh[repository])
            challenge = door.challenge or Challenge("none")
            party = door.party or authority(access.endpoint.base)
            asked = Asked(challenge, party, repository, access.scopes, found)
            token = fetch_token(self._direct, asked)
            if token.refresh and isinstance(found.credential, IdentityToken):
                door.refresh[repository] = found.credential._replace(token=token.refresh)
            margin = min(_MARGIN, token.seconds / 6)
            until = self._clock() + token.seconds - margin
            door.held.append(_Held(token, _covered(access.scopes), until))
            return token

    def _held(self, door: _Door, access: Access) -> _Held | None:
        now = self._clock()
        wanted = _covered(access.scopes)
        with door.lock:
            door.held = [held for held in door.held if held.until > now]
            return next((held for held in door.held if wanted <= held.covers), None)


def _learn(
    door: _Door, response: Response, party: Authority, sent: dict[str, str]
) -> Challenge | None:
    """Take in what the 401 of *party* asks for; None when nothing can be answered."""
    challenge = preferred(challenges(response.headers.all("www-authenticate")))
    if challenge is None or (challenge.scheme == "bearer" and not challenge.realm):
        return None
    refused = sent.get("Authorization", "").removeprefix("Bearer ")
    with door.lock:
        door.challenge, door.party = challenge, party
        door.held = [held for held in door.held if held.token.value != refused]
    return challenge


def same_place(one: Authority, other: Authority) -> bool:
    """Whether both are one server, be it by http or by https."""
    standard = (80, 443)
    same_port = one.port == other.port or (one.port in standard and other.port in standard)
    return one.host == other.host and same_port


_KINDS = {
    Basic: "basic",
    IdentityToken: "identity token",
    Bearer: "bearer token",
    type(ANONYMOUS): "anonymous",
}


def _covered(scopes: tuple[str, ...]) -> frozenset[tuple[str, str]]:
    """Each scope as pairs of what and action, so that a token for more serves for less."""
    pairs: set[tuple[str, str]] = set()
    for scope in scopes:
        resource, _, actions = scope.rpartition(":")
        pairs.update((resource, action) for action in actions.split(","))
    return frozenset(pairs)
