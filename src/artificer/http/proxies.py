"""Which proxy a request takes: HTTP(S)_PROXY, ALL_PROXY and NO_PROXY, as Go reads them."""

import base64
from collections.abc import Mapping
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from artificer.errors import Misused
from artificer.events import Report, Warned
from artificer.http.request import Authority


class InvalidProxy(Misused):
    """A proxy variable does not hold a proxy."""


class Proxy(NamedTuple):
    """A proxy and what it is told about us; *authorization* is secret."""

    scheme: str
    host: str
    port: int
    authorization: str | None = None

    def __repr__(self) -> str:
        """Without the password."""
        return f"Proxy({self})"

    def __str__(self) -> str:
        """As a URL without the password."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"


class _Direct(NamedTuple):
    """One word of NO_PROXY: a network, or an ending of names (if *whole*, the name itself too)."""

    network: IPv4Network | IPv6Network | None = None
    suffix: str = ""
    whole: bool = False
    port: int | None = None

    def covers(self, target: Authority) -> bool:
        if self.port not in (None, target.port):
            return False
        if self.network is not None:
            address = _address(target.host)
            return address is not None and address in self.network
        return target.host.endswith(self.suffix) or (self.whole and target.host == self.suffix[1:])


class Proxies(NamedTuple):
    """The proxies for http and https, and who is spoken to directly."""

    http: Proxy | None = None
    https: Proxy | None = None
    direct: tuple[_Direct, ...] = ()

    def of(self, target: Authority) -> Proxy | None:
        """The proxy on the way to *target*; none for loopback, whatever the variables say."""
        proxy = self.https if target.scheme == "https" else self.http
        if proxy is None or is_loopback(target.host):
            return None
        return None if any(rule.covers(target) for rule in self.direct) else proxy


NO_PROXIES = Proxies()


def is_loopback(host: str) -> bool:
    """Whether *host* can only be this machine: ``localhost``, ``127.0.0.0/8`` or ``::1``."""
    address = _address(host)
    return host == "localhost" if address is None else address.is_loopback


def proxies_of(environ: Mapping[str, str], report: Report) -> Proxies:
    """The proxies that *environ* names; of two cases that differ, the upper wins, with a warning.

    Go reads the upper case first, curl and Python the lower: who sets both means one thing.
    """
    every = _variable(environ, "ALL_PROXY", report)
    return Proxies(
        _proxy("HTTP_PROXY", _variable(environ, "HTTP_PROXY", report) or every),
        _proxy("HTTPS_PROXY", _variable(environ, "HTTPS_PROXY", report) or every),
        direct_rules(_variable(environ, "NO_PROXY", report)),
    )


def _variable(environ: Mapping[str, str], name: str, report: Report) -> str:
    upper = environ.get(name, "").strip()
    lower = environ.get(name.lower(), "").strip()
    if upper and lower and upper != lower:
        report(
            Warned(
                f"{name} and {name.lower()} differ: {name} is taken",
                hint=f"unset one of {name} and {name.lower()}, or set both to the same",
            )
        )
    return upper or lower


def _proxy(name: str, text: str) -> Proxy | None:
    if not text:
        return None
    wrong = InvalidProxy(f"{name} is not a proxy", hint=f"{name}=http://[USER:PASSWORD@]HOST:PORT")
    try:
        parts = urlsplit(text if "://" in text else f"http://{text}")
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise wrong from error
    if not host:
        raise wrong
    authorization = None
    if parts.username is not None:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        authorization = "Basic " + base64.b64encode(pair.encode()).decode()
    return Proxy(
        parts.scheme, host, port or (443 if parts.scheme == "https" else 80), authorization
    )


def direct_rules(text: str) -> tuple[_Direct, ...]:
    """What the words of a NO_PROXY mean; a word that means nothing is passed over, as Go does."""
    words = text.lower().replace(",", " ").split()
    rules = (_rule(word) for word in words)
    return tuple(rule for rule in rules if rule is not None)


def _rule(word: str) -> _Direct | None:
    if word == "*":
        return _Direct(suffix="")
    network = _network(word)
    if network is not None:
        return _Direct(network=network)
    host, port = _host_and_port(word)
    network = _network(host)
    if network is not None and "/" not in host:
        return _Direct(network=network, port=port)
    host = host.removeprefix("*")
    if not host.strip("."):
        return None
    if host.startswith("."):
        return _Direct(suffix=host, port=port)
    return _Direct(suffix=f".{host}", whole=True, port=port)


def _host_and_port(word: str) -> tuple[str, int | None]:
    host, colon, port = word.rpartition(":")
    if colon and port.isdecimal() and (":" not in host or host.startswith("[")):
        return host.strip("[]"), int(port)
    return word.strip("[]"), None


def _network(text: str) -> IPv4Network | IPv6Network | None:
    try:
        return ip_network(text, strict=False)
    except ValueError:
        return None


def _address(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None
