"""What a registry asks for with its 401 (RFC 9110, section 11.6.1), and whom it sends us to."""

import re
from collections.abc import Iterable
from typing import NamedTuple
from urllib.parse import urlsplit

from artificer.errors import Unauthorized
from artificer.http.inside import NUMBER, address_of
from artificer.http.request import Authority, InvalidUrl, authority

_SCHEME = re.compile(r"[\s,]*([A-Za-z][A-Za-z0-9-]*)(?=\s|,|$)")
_PARAMETER = re.compile(r'[\s,]*([\w!#$%&*+.^`|~-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))')
_ESCAPE = re.compile(r"\\(.)")


class UntrustedRealm(Unauthorized):
    """A registry sends us for a token to a place where no credential of ours may go."""


class Challenge(NamedTuple):
    """One way in: ``bearer`` with where to get a token, or ``basic``."""

    scheme: str
    realm: str = ""
    service: str = ""
    scope: str = ""
    error: str = ""


def challenges(headers: Iterable[str]) -> list[Challenge]:
    """Every challenge of some ``WWW-Authenticate`` headers, in order; nonsense ends its header."""
    return [challenge for header in headers for challenge in _challenges(header)]


def preferred(found: list[Challenge]) -> Challenge | None:
    """The challenge to answer: a token keeps the password away from the registry, so it wins."""
    for scheme in ("bearer", "basic"):
        for challenge in found:
            if challenge.scheme == scheme:
                return challenge
    return None


def check_realm(realm: str, registry: Authority) -> Authority:
    """Raise `UntrustedRealm` unless the token service at *realm* may be asked.

    A registry chooses the realm, so a hostile one could make us call (and give the password to)
    something that only we can reach. It has to be https, unless the registry itself is plain
    http, and no bare address that is loopback, private or link-local, unless it is the registry
    itself. A registry on loopback may have its token service there, too.
    """
    try:
        service = authority(realm)
    except InvalidUrl as error:
        raise _untrusted(registry, "its address is not valid") from error
    if "@" in urlsplit(realm).netloc:
        raise _untrusted(registry, "its address holds a user name")
    if service.scheme != "https" and registry.scheme == "https":
        raise _untrusted(registry, f"{service.netloc} would be spoken to without TLS")
    same = (service.host, service.port) == (registry.host, registry.port)
    if not same and _is_inside(service.host) and not _both_loopback(service, registry):
        raise _untrusted(registry, f"{service.netloc} is an address inside a network")
    return service


def _challenges(header: str) -> list[Challenge]:
    found = []
    at = 0
    while scheme := _SCHEME.match(header, at):
        at = scheme.end()
        given: dict[str, str] = {}
        while parameter := _PARAMETER.match(header, at):
            at = parameter.end()
            name, quoted, plain = parameter.groups()
            given[name.lower()] = plain if quoted is None else _ESCAPE.sub(r"\1", quoted)
        known = {key: given[key] for key in Challenge._fields[1:] if key in given}
        found.append(Challenge(scheme[1].lower(), **known))
    return found


def _both_loopback(one: Authority, other: Authority) -> bool:
    return _is_loopback(one.host) and _is_loopback(other.host)


def _is_loopback(host: str) -> bool:
    address = address_of(host)
    return address.is_loopback if address is not None else _last_part(host) == "localhost"


def _last_part(host: str) -> str:
    return host.rstrip(".").rpartition(".")[2]


def _is_inside(host: str) -> bool:
    address = address_of(host)
    if address is None:
        return _is_loopback(host) or bool(NUMBER.fullmatch(_last_part(host)))
    return not address.is_global


def _untrusted(registry: Authority, why: str) -> UntrustedRealm:
    return UntrustedRealm(
        f"{registry.netloc} sends us to a token service that is not to be trusted: {why}",
        hint="the registry's configuration (its realm) is wrong, or it is not the registry "
        "that it seems to be",
    )
