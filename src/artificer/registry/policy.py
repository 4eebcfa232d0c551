"""``policy.json``: which images may be used at all (containers-policy.json(5))."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from artificer.errors import ArtificerError, Misused, reason
from artificer.oci.reference import Named

_ACCEPT, _REJECT = "insecureAcceptAnything", "reject"
_SIGNATURES = ("signedBy", "signedBaseLayer", "sigstoreSigned")


class InvalidPolicy(Misused):
    """A ``policy.json`` does not say what it must."""


class Rejected(ArtificerError):
    """The policy forbids the image, or asks for a signature that cannot be checked."""


class Policy(NamedTuple):
    """What is required of an image, by transport and scope: the names of requirements."""

    path: str
    default: tuple[str, ...]
    transports: Mapping[str, Mapping[str, tuple[str, ...]]]

    def check(self, transport: str, scopes: Sequence[str]) -> None:
        """Raise `Rejected` unless an image may be used; *scopes* name it, the narrowest first."""
        scope = self._scope(transport, scopes)
        subject = scopes[0] if scopes else transport
        where = "default" if scope is None else f"transports.{transport}[{scope!r}]"
        for requirement in self.required(transport, scopes):
            if requirement == _REJECT:
                raise Rejected(
                    f"{subject}: rejected by the policy of this machine",
                    hint=f"{where} in {self.path} says `reject`",
                )
            if requirement != _ACCEPT:
                raise Rejected(
                    f"{subject}: the policy of this machine wants it signed ({requirement}), "
                    "and signatures cannot be checked yet",
                    hint=f"{where} in {self.path} asks for it",
                )

    def check_named(self, name: Named) -> None:
        """Raise `Rejected` unless the image *name* of a registry may be used."""
        self.check("docker", docker_scopes(name))

    def check_target(self, name: Named) -> None:
        """Raise `Rejected` if nothing may be written to *name*.

        What asks for a signature does not: images are signed once they are there.
        """
        if _REJECT in self.required("docker", docker_scopes(name)):
            self.check_named(name)

    def required(self, transport: str, scopes: Sequence[str]) -> tuple[str, ...]:
        """What the narrowest of *scopes* that the policy speaks of asks for."""
        scope = self._scope(transport, scopes)
        return self.default if scope is None else self.transports[transport][scope]

    def _scope(self, transport: str, scopes: Sequence[str]) -> str | None:
        by_scope = self.transports.get(transport, {})
        return next((scope for scope in (*scopes, "") if scope in by_scope), None)


def docker_scopes(name: Named) -> tuple[str, ...]:
    """What may speak of *name*: itself, its repository, each namespace, the host, its domains."""
    full = str(name.repository)
    pinned = f"{full}@{name.digest}" if name.digest else f"{full}:{name.identifier}"
    parts = full.split("/")
    spaces = ["/".join(parts[:count]) for count in range(len(parts), 0, -1)]
    labels = name.repository.registry.partition(":")[0].split(".")
    domains = [f"*.{'.'.join(labels[count:])}" for count in range(1, len(labels))]
    return (pinned, *spaces, *domains)


def policy_of(path: str) -> Policy:
    """The policy of the file *path*. As it guards, it must be understood whole: all else fails."""
    try:
        with open(path, "rb") as file:
            document = json.loads(file.read(), object_pairs_hook=_object)
    except OSError as error:
        raise InvalidPolicy(f"cannot read {path}: {reason(error)}") from error
    except (ValueError, RecursionError) as error:
        raise InvalidPolicy(f"{path}: {error}") from error
    try:
        return _policy(path, document)
    except _Wrong as error:
        raise InvalidPolicy(f"{path}: {error}") from error


class _Wrong(Exception):
    """What is wrong, without the file's name."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        twice = next(key for key in found if [k for k, _ in pairs].count(key) > 1)
        raise ValueError(f"the key {twice!r} stands there twice")
    return found


def _policy(path: str, document: object) -> Policy:
    top = _keys(document, "the policy", {"default", "transports"})
    if "default" not in top:
        raise _Wrong("there is no default")
    transports = _table(top.get("transports", {}), "transports")
    return Policy(
        path,
        _requirements(top["default"], "default"),
        {
            transport: {
                scope: _requirements(found, f"transports.{transport}[{scope!r}]")
                for scope, found in _table(scopes, f"transports.{transport}").items()
            }
            for transport, scopes in transports.items()
        },
    )


def _requirements(found: object, where: str) -> tuple[str, ...]:
    if not isinstance(found, list) or not found:
        raise _Wrong(f"{where} is not a list with at least one requirement")
    return tuple(_requirement(one, f"{where}, requirement {n}") for n, one in enumerate(found, 1))


def _requirement(found: object, where: str) -> str:
    kind = _table(found, where).get("type")
    if kind in (_ACCEPT, _REJECT):
        _keys(found, where, {"type"})
        return str(kind)
    # What these ask for is of no matter as long as they are refused by name.
    if kind in _SIGNATURES:
        return str(kind)
    raise _Wrong(f"{where}: nobody knows the type {kind!r}")


def _keys(found: object, where: str, known: set[str]) -> Mapping[str, Any]:
    table = _table(found, where)
    for key in sorted(set(table) - known):
        raise _Wrong(f"{where}: nobody knows the key {key!r}")
    return table


def _table(found: object, where: str) -> Mapping[str, Any]:
    if not isinstance(found, dict):
        raise _Wrong(f"{where} is not an object")
    return found
