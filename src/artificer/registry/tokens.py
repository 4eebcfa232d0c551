"""Bearer tokens: asked of a token service by GET, or by OAuth2's POST for an identity token."""

import base64
import json
from typing import Any, NamedTuple
from urllib.parse import urlencode

from artificer import limits
from artificer.errors import Unavailable
from artificer.http.request import Authority, Request, Response, Send, authority, body_of, joined
from artificer.oci.document import InvalidDocument, parse
from artificer.oci.reference import Repository
from artificer.registry.challenge import Challenge, check_realm
from artificer.registry.credential import Basic, Credential, Found, IdentityToken
from artificer.registry.problems import answer_of, denied

_CLIENT = "artificer"
_FORM = {"Content-Type": "application/x-www-form-urlencoded"}
_HOPS = 5
_MOVED = frozenset((301, 302, 303, 307, 308))
_LIFETIME = 60
"""Seconds that a token is good for when its service does not say (Docker's token protocol)."""
_LONGEST = 12 * 3600
_OAUTH_MISSING = frozenset((404, 405))
_NOBODY = "<token>"
"""The user name that stands for "this is an identity token"."""


class TokenRefused(Unavailable):
    """A token service answered, but not with a token."""


class Token(NamedTuple):
    """A bearer token, how long it is good for, and what may replace the credential next time."""

    value: str
    seconds: int
    refresh: str = ""

    def __repr__(self) -> str:
        return f"Token(…, {self.seconds})"


class Asked(NamedTuple):
    """What a token is asked with: of whom, for which registry and scopes, on whose behalf."""

    challenge: Challenge
    registry: Authority
    repository: Repository
    scopes: tuple[str, ...]
    found: Found


def fetch_token(send: Send, asked: Asked) -> Token:
    """Ask the realm of *asked* for a token.

    *send* must follow no redirects: whom the realm sends us to is checked here, like the realm.
    """
    credential = asked.found.credential
    if isinstance(credential, IdentityToken):
        response = _ask(send, asked, _exchange(asked, credential))
        if response.status not in _OAUTH_MISSING:
            return _token(response, asked)
        response.close()
        credential = Basic(credential.username or _NOBODY, credential.token)
    return _token(_ask(send, asked, _query(asked, credential)), asked)


def basic(credential: Basic) -> str:
    """The Authorization header of a user name and a password."""
    pair = f"{credential.username}:{credential.password}".encode()
    return "Basic " + base64.b64encode(pair).decode()


def granted(token: str) -> tuple[str, ...] | None:
    """The scopes that a JSON web token carries; None when it does not show them.

    Nothing is verified: this is for people to read, and decides nothing.
    """
    parts = token.split(".")
    if len(parts) != 3:
        return None
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (ValueError, RecursionError):
        return None
    access = claims.get("access") if isinstance(claims, dict) else None
    if not isinstance(access, list):
        return None
    return tuple(_scope(item) for item in access if isinstance(item, dict))


def _scope(item: dict[str, Any]) -> str:
    actions = item.get("actions")
    words = map(str, actions) if isinstance(actions, list) else ()
    return f"{item.get('type', '')}:{item.get('name', '')}:{','.join(words)}"


def _exchange(asked: Asked, credential: IdentityToken) -> Request:
    form = {
        "grant_type": "refresh_token",
        "service": asked.challenge.service,
        "scope": " ".join(asked.scopes),
        "client_id": _CLIENT,
        "refresh_token": credential.token,
    }
    body = body_of(urlencode(form).encode())
    return Request("POST", asked.challenge.realm, _FORM, body)


def _query(asked: Asked, credential: Credential) -> Request:
    words = [("service", asked.challenge.service)] if asked.challenge.service else []
    words += [("scope", scope) for scope in asked.scopes]
    headers = {}
    if isinstance(credential, Basic):
        words.append(("account", credential.username))
        headers["Authorization"] = basic(credential)
    realm = asked.challenge.realm
    joint = "&" if "?" in realm else "?"
    return Request("GET", f"{realm}{joint}{urlencode(words)}" if words else realm, headers)


def _ask(send: Send, asked: Asked, request: Request) -> Response:
    party = check_realm(request.url, asked.registry)
    for _ in range(_HOPS):
        response = send(request)
        location = response.headers.get("location")
        if response.status not in _MOVED or not location:
            return response
        response.close()
        url = joined(request.url, location)
        # A secret goes to nobody but the realm itself; what is asked anonymously may move.
        if check_realm(url, asked.registry) != party and (request.headers or request.body):
            raise TokenRefused(
                f"the token service {party.netloc} redirects to {authority(url).netloc}; "
                "credentials do not follow"
            )
        request = request._replace(url=url)
    raise TokenRefused(f"the token service {party.netloc} redirects without end")


def _token(response: Response, asked: Asked) -> Token:
    service = authority(asked.challenge.realm).netloc
    if response.status in {401, 403}:
        answer = answer_of(response)
        said = f": {answer.text}" if answer.text else ""
        what = f"the token service {service} gives no token for {' '.join(asked.scopes)}{said}"
        raise denied(f"{asked.repository}: {what}", asked.repository, asked.found)
    if response.status != 200:
        answer = answer_of(response)
        said = f": {answer.text}" if answer.text else ""
        raise TokenRefused(f"the token service {service} failed with {answer.status}{said}")
    with response:
        data = response.read(limits.TOKEN_BYTES)
    what = f"the answer of the token service {service}"
    try:
        document = parse(data, limit=limits.TOKEN_BYTES, what=what)
    except InvalidDocument as error:
        raise TokenRefused(error.message) from error
    return _token_in(document, what)


def _token_in(document: dict[str, Any], what: str) -> Token:
    value = document.get("token") or document.get("access_token")
    if not isinstance(value, str) or not value.isascii() or not value.isprintable():
        raise TokenRefused(f"{what} holds no token")
    try:
        seconds = int(document.get("expires_in") or 0)
    except (TypeError, ValueError):
        seconds = 0
    refresh = document.get("refresh_token")
    return Token(
        value,
        min(seconds, _LONGEST) if seconds > 0 else _LIFETIME,
        refresh if isinstance(refresh, str) else "",
    )
