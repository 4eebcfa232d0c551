"""Where a repository is read and written: mirrors, rewritten prefixes, plain http, trust."""

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import NamedTuple

from artificer.errors import ArtificerError, Misused
from artificer.http.proxies import is_loopback
from artificer.http.request import authority
from artificer.http.tls import Trust
from artificer.oci.reference import DOCKER_HUB, Repository
from artificer.registry.certificates import NO_CERTIFICATES, Certificates

_HUB_HOST = "registry-1.docker.io"

ALL, DIGEST_ONLY, TAG_ONLY = "all", "digest-only", "tag-only"
"""What is read from a mirror (``pull-from-mirror``)."""


class Blocked(ArtificerError):
    """The configuration forbids the registry."""


class InvalidRoute(Misused):
    """A mirror or an insecure registry is not named as such."""


class Endpoint(NamedTuple):
    """Where to ask: *base* is ``https://host[:port]``, *repository* how it is named there.

    For a host that may speak http as well, *base* has the scheme to try first, and
    `artificer.http.scheme.choosing` with `Routes.schemes` finds out.
    """

    base: str
    repository: Repository
    mirror: bool = False


class Mirror(NamedTuple):
    """A mirror: *location* takes the place of the prefix."""

    location: str
    insecure: bool = False
    pull: str = ALL

    def serves(self, *, by_digest: bool) -> bool:
        """Whether what is named by digest (or by tag) may be read here."""
        return self.pull == ALL or (self.pull == DIGEST_ONLY) == by_digest


class Rule(NamedTuple):
    """What holds for the repositories under *prefix* (one ``[[registry]]``).

    An empty *location* leaves names as they are.
    """

    prefix: str
    location: str = ""
    insecure: bool = False
    blocked: bool = False
    mirrors: tuple[Mirror, ...] = ()

    def rest(self, name: str) -> str | None:
        """What *name* has behind the prefix; None if the rule is not about it."""
        if self.prefix.startswith("*."):
            host, _, path = name.partition("/")
            suffix, _, below = self.prefix[1:].partition("/")
            if not _ends(host, suffix):
                return None
            return _below(f"/{path}", f"/{below}" if below else "")
        return _below(name, self.prefix)


def _ends(netloc: str, suffix: str) -> bool:
    """Whether the name of ``host[:port]`` ends in *suffix*; without a port it means every port."""
    return netloc.endswith(suffix) or netloc.rpartition(":")[0].endswith(suffix)


def _below(name: str, prefix: str) -> str | None:
    if not name.startswith(prefix):
        return None
    rest = name[len(prefix) :]
    return rest if not rest or rest.startswith("/") else None


class Routes:
    """The ways to every repository. A value: it is asked from many threads.

    Insecure is a matter of a host, as connections are shared: a rule that allows it for a part of
    a registry allows it for the registry at its location.
    """

    __slots__ = ("_certificates", "_insecure", "_networks", "_rules", "_suffixes")

    def __init__(
        self,
        rules: Iterable[Rule] = (),
        *,
        insecure: Iterable[str] = (),
        certificates: Certificates = NO_CERTIFICATES,
    ) -> None:
        # The longest prefix is the first that fits.
        self._rules = tuple(sorted(rules, key=lambda rule: -len(rule.prefix)))
        self._certificates = certificates
        names = [*insecure, *_insecure_locations(self._rules)]
        self._networks = tuple(_network(name) for name in names if "/" in name)
        self._suffixes = tuple(name[1:].lower() for name in names if name.startswith("*."))
        self._insecure = frozenset(_netloc(name) for name in names if "/" not in name)

    def read(self, repository: Repository, *, by_digest: bool) -> tuple[Endpoint, ...]:
        """Where to read *repository*, in order: its mirrors, then its own registry."""
        rule, rest = self._ruled(repository)
        if rule is None:
            return (self._endpoint(repository),)
        mirrors = tuple(
            self._endpoint(_located(mirror.location + rest))._replace(mirror=True)
            for mirror in rule.mirrors
            if mirror.serves(by_digest=by_digest)
        )
        own = _located(rule.location + rest) if rule.location else repository
        return (*mirrors, self._endpoint(own))

    def write(self, repository: Repository) -> Endpoint:
        """Where to write *repository*: itself, never a mirror nor another location.

        containers-registries.conf(5): redirection and mirrors are "processed only when reading".
        """
        self._ruled(repository)
        return self._endpoint(repository)

    def trust(self, netloc: str) -> Trust:
        """What ``host[:port]`` must prove, and what we prove to it."""
        trust = self._certificates.trust(netloc)
        return trust._replace(verify=False) if self._is_insecure(netloc) else trust

    def schemes(self, netloc: str) -> tuple[str, ...]:
        """What ``host[:port]`` may speak, in the order to try.

        Loopback is plain in nine cases of ten and nobody listens there, so http goes first: it
        costs no 20 ms for an SSL context; unless a certificate is kept for the very name. An
        insecure host elsewhere is asked for TLS first, as containers/image does: unverified TLS
        still hides a password from whoever only listens.
        """
        if is_loopback(_host(netloc)):
            only_tls = self._certificates.kept(netloc) and not self._is_insecure(netloc)
            return ("https",) if only_tls else ("http", "https")
        return ("https", "http") if self._is_insecure(netloc) else ("https",)

    def plain(self, netloc: str) -> bool:
        """Whether ``host[:port]`` may be spoken to without TLS."""
        return "http" in self.schemes(netloc)

    def _ruled(self, repository: Repository) -> tuple[Rule | None, str]:
        name = str(repository)
        for rule in self._rules:
            rest = rule.rest(name)
            if rest is not None:
                if rule.blocked:
                    raise Blocked(
                        f"{repository}: {rule.prefix} is blocked by registries.conf",
                        hint="`blocked = true` there says that it must not be used",
                    )
                return rule, rest
        return None, ""

    def _endpoint(self, repository: Repository) -> Endpoint:
        host = _HUB_HOST if repository.registry == DOCKER_HUB else repository.registry
        return Endpoint(f"{self.schemes(_netloc(host))[0]}://{host}", repository)

    def _is_insecure(self, netloc: str) -> bool:
        name = _netloc(netloc)
        if name in self._insecure or any(_ends(name, suffix) for suffix in self._suffixes):
            return True
        return bool(self._networks) and _within(_host(name), self._networks)


def mirrored(rules: Iterable[Rule], words: Sequence[str]) -> tuple[Rule, ...]:
    """*rules* with the mirrors of *words* (``HOST[/PATH]=MIRROR[/PATH]``) asked first, in order.

    A word without ``=`` mirrors Docker Hub, as with kaniko's ``--registry-mirror``.
    """
    found = list(rules)
    for word in reversed(words):
        prefix, equals, location = word.strip().rpartition("=")
        prefix = prefix.rstrip("/") if equals else DOCKER_HUB
        location = location.rstrip("/")
        if not prefix or not location or "://" in word:
            raise InvalidRoute(f"not a mirror: {word!r}", hint="say HOST=MIRROR, without a scheme")
        if all(rule.prefix != prefix for rule in found):
            found.append(_parent(found, prefix))
        found = [_with_mirror(rule, prefix, location) for rule in found]
    return tuple(found)


def _parent(rules: Sequence[Rule], prefix: str) -> Rule:
    """The rule for *prefix* alone, as the shorter one that held for it until now has it."""
    for rule in sorted(rules, key=lambda rule: -len(rule.prefix)):
        rest = rule.rest(prefix)
        if rest is not None:
            mirrors = tuple(m._replace(location=m.location + rest) for m in rule.mirrors)
            location = rule.location + rest if rule.location else ""
            return rule._replace(prefix=prefix, location=location, mirrors=mirrors)
    return Rule(prefix)


def _with_mirror(rule: Rule, prefix: str, location: str) -> Rule:
    rest = _below(rule.prefix, prefix)
    if rest is None:
        return rule
    return rule._replace(mirrors=(Mirror(location + rest), *rule.mirrors))


def _located(name: str) -> Repository:
    registry, _, path = name.partition("/")
    return Repository(registry, path)


def _insecure_locations(rules: Iterable[Rule]) -> Iterable[str]:
    for rule in rules:
        if rule.insecure:
            yield (rule.location or rule.prefix).partition("/")[0]
        yield from (m.location.partition("/")[0] for m in rule.mirrors if m.insecure)


def _netloc(name: str) -> str:
    return name.lower().removesuffix(":443")


def _host(netloc: str) -> str:
    return authority(f"http://{netloc}").host


def _network(text: str) -> IPv4Network | IPv6Network:
    try:
        return ip_network(text, strict=False)
    except ValueError as error:
        raise InvalidRoute(
            f"not an insecure registry: {text!r}",
            hint="say HOST[:PORT] or a network like 10.0.0.0/8",
        ) from error


def _within(host: str, networks: Iterable[IPv4Network | IPv6Network]) -> bool:
    try:
        address = ip_address(host)
    except ValueError:
        return False
    return any(address in network for network in networks)
