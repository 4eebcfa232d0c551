"""``registries.conf`` (version 2) and its drop-ins, as podman, buildah and skopeo read them.

`unqualified-search-registries`, `short-name-mode` and `aliases` say how to complete a name without
a registry. They have no effect: a name means the same image on every machine, so one without a
registry is Docker Hub's, as with docker.
"""

import tomllib
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from artificer.errors import Misused, reason
from artificer.events import Report, Warned
from artificer.registry.routes import ALL, DIGEST_ONLY, TAG_ONLY, Mirror, Rule

_TOP = frozenset(
    (
        "additional-layer-store-auth-helper",
        "aliases",
        "credential-helpers",
        "registry",
        "short-name-mode",
        "unqualified-search-registries",
    )
)
_REGISTRY = frozenset(
    ("blocked", "insecure", "location", "mirror", "mirror-by-digest-only", "prefix")
)
_MIRROR = frozenset(("insecure", "location", "pull-from-mirror"))


class InvalidConfiguration(Misused):
    """A ``registries.conf`` does not say what it must."""


class Configuration(NamedTuple):
    """What the files say: the rules of routes, and the credential helpers to ask, in order.

    Without *credential_helpers* nobody named any.
    """

    rules: tuple[Rule, ...] = ()
    credential_helpers: tuple[str, ...] = ()


def configuration_of(paths: Iterable[str], *, report: Report) -> Configuration:
    """What the files *paths* say together: a later ``[[registry]]`` replaces one of its prefix.

    Keys that nobody knows are told as warnings; what is known and wrong is an error.
    """
    rules: dict[str, Rule] = {}
    helpers: tuple[str, ...] = ()
    for path in paths:
        table = _Table(path, "", _document(path))
        table.warn_of_others(_TOP, report)
        rules |= _rules(table, report)
        helpers = table.strings("credential-helpers") or helpers
    _check_agreement(rules.values())
    return Configuration(tuple(rules.values()), helpers)


class _Table:
    """A table of a file, asked by key and type; *where* says which for a message."""

    def __init__(self, path: str, where: str, table: Mapping[str, Any]) -> None:
        self._path = path
        self._where = where
        self._table = table

    def wrong(self, what: str) -> InvalidConfiguration:
        return InvalidConfiguration(f"{self._path}: {self._where}{what}")

    def text(self, key: str) -> str:
        value = self._table.get(key, "")
        if not isinstance(value, str):
            raise self.wrong(f"{key} is not a text")
        return value

    def flag(self, key: str) -> bool:
        value = self._table.get(key, False)
        if not isinstance(value, bool):
            raise self.wrong(f"{key} is neither true nor false")
        return value

    def strings(self, key: str) -> tuple[str, ...]:
        value = self._table.get(key, [])
        if not isinstance(value, list) or not all(isinstance(word, str) for word in value):
            raise self.wrong(f"{key} is not a list of texts")
        return tuple(value)

    def tables(self, key: str) -> list["_Table"]:
        value = self._table.get(key, [])
        if not isinstance(value, list) or not all(isinstance(table, dict) for table in value):
            raise self.wrong(f"write [[{self._where and 'registry.'}{key}]]")
        return [
            _Table(self._path, f"{self._where}{key} {number}: ", table)
            for number, table in enumerate(value, 1)
        ]

    def warn_of_others(self, known: frozenset[str], report: Report) -> None:
        for key in sorted(set(self._table) - known):
            report(Warned(f"{self._path}: {self._where}nobody knows the key {key!r}"))


def _document(path: str) -> dict[str, Any]:
    try:
        with open(path, "rb") as file:
            document = tomllib.load(file)
    except OSError as error:
        raise InvalidConfiguration(f"cannot read {path}: {reason(error)}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidConfiguration(f"{path}: {error}") from error
    if "registries" in document:
        raise InvalidConfiguration(
            f"{path}: [registries] is version 1 of the format, which is not supported",
            hint="write [[registry]] with prefix, location, insecure, blocked",
        )
    return document


def _rules(table: _Table, report: Report) -> dict[str, Rule]:
    rules: dict[str, Rule] = {}
    for registry in table.tables("registry"):
        registry.warn_of_others(_REGISTRY, report)
        rule = _rule(registry, report)
        if rule.prefix in rules:
            raise registry.wrong(f"prefix {rule.prefix!r} stands there twice")
        rules[rule.prefix] = rule
    return rules


def _rule(table: _Table, report: Report) -> Rule:
    location = _location(table)
    prefix = table.text("prefix").rstrip("/") or location
    if not prefix:
        raise table.wrong("has neither prefix nor location")
    if prefix.startswith("*."):
        _check_name(table, "prefix", prefix[2:])
    else:
        _check_name(table, "prefix", prefix)
        location = location or prefix
    only = DIGEST_ONLY if table.flag("mirror-by-digest-only") else ""
    return Rule(
        prefix,
        location,
        insecure=table.flag("insecure"),
        blocked=table.flag("blocked"),
        mirrors=tuple(_mirror(mirror, only, report) for mirror in table.tables("mirror")),
    )


def _mirror(table: _Table, only: str, report: Report) -> Mirror:
    table.warn_of_others(_MIRROR, report)
    location = _location(table)
    pull = table.text("pull-from-mirror")
    if not location:
        raise table.wrong("has no location")
    if pull not in ("", ALL, DIGEST_ONLY, TAG_ONLY):
        raise table.wrong(f"pull-from-mirror is {ALL}, {DIGEST_ONLY} or {TAG_ONLY}, not {pull!r}")
    if pull and only:
        raise table.wrong("pull-from-mirror excludes the registry's mirror-by-digest-only")
    return Mirror(location, table.flag("insecure"), pull or only or ALL)


def _location(table: _Table) -> str:
    location = table.text("location").rstrip("/")
    if location:
        _check_name(table, "location", location)
    return location


def _check_name(table: _Table, key: str, name: str) -> None:
    if "://" in name:
        raise table.wrong(f"{key} {name!r} has a scheme: say only HOST[:PORT][/PATH]")
    host, _, path = name.partition("/")
    # A tag or digest can stand only in the path; the colon of a host is its port's.
    if not host or "*" in name or "@" in name or ":" in path or name.split() != [name]:
        raise table.wrong(f"{key} {name!r} is not HOST[:PORT][/PATH]")


def _check_agreement(rules: Iterable[Rule]) -> None:
    """Refuse two rules of one location of which only one is insecure, or blocked."""
    first: dict[str, Rule] = {}
    for rule in rules:
        if not rule.location:
            continue
        other = first.setdefault(rule.location, rule)
        if (other.insecure, other.blocked) != (rule.insecure, rule.blocked):
            raise InvalidConfiguration(
                f"registries.conf: {other.prefix!r} and {rule.prefix!r} have the location "
                f"{rule.location!r}, but not the same insecure and blocked"
            )
