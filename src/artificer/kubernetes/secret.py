"""Credentials of registries as a Secret: of those alone that a build uses, each from somewhere."""

import base64
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, assert_never

from artificer.kubernetes.check import InvalidJob
from artificer.kubernetes.manifest import MANAGED_BY, MANAGER
from artificer.kubernetes.words import is_label, is_name
from artificer.oci.reference import Repository
from artificer.registry.authfile import normal_host, server_of
from artificer.registry.credential import (
    Anonymous,
    Basic,
    Bearer,
    Credential,
    Found,
    IdentityToken,
    Keychain,
)

TYPE = "kubernetes.io/dockerconfigjson"
_KEY = ".dockerconfigjson"

_ECR = re.compile(r"(?:\.dkr[.-]ecr[.-].*|^public\.ecr\.aws$|^ecr-public\.aws\.com$)")
_GOOGLE = re.compile(r"(?:^|\.)gcr\.io$|\.pkg\.dev$")
_AZURE = re.compile(r"\.azurecr\.(?:io|cn|us)$")
_AZURE_TOKEN = "00000000-0000-0000-0000-000000000000"  # noqa: S105 – the user that tokens have


class Entry(NamedTuple):
    """A login as docker's file has it: *key* is a host, or a repository where these differ."""

    key: str
    credential: Credential
    source: str

    def __repr__(self) -> str:
        return f"Entry({self.key!r}, …, {self.source!r})"


class Gathered(NamedTuple):
    """The logins for some repositories; *nobody* are the registries that there is none for."""

    entries: tuple[Entry, ...]
    nobody: tuple[str, ...]
    problems: tuple[str, ...] = ()
    """What helpers and clouds complained of on the way."""


def gathered(repositories: Sequence[Repository], keychain: Keychain) -> Gathered:
    """Ask *keychain* for each of *repositories*.

    Of one host, repositories with the same login share an entry.
    """
    by_host: dict[str, dict[Repository, Found]] = {}
    for repository in dict.fromkeys(repositories):
        found = keychain(repository)
        by_host.setdefault(normal_host(repository.registry), {})[repository] = found
    entries = [entry for host in sorted(by_host) for entry in _of_host(host, by_host[host])]
    nobody = [
        host
        for host in sorted(by_host)
        if not any(one.credential for one in by_host[host].values())
    ]
    told = (one.problem for each in by_host.values() for one in each.values() if one.problem)
    return Gathered(tuple(entries), tuple(nobody), tuple(dict.fromkeys(told)))


def _of_host(host: str, found: Mapping[Repository, Found]) -> list[Entry]:
    known = {one: answer for one, answer in found.items() if answer.credential}
    distinct = {answer.credential for answer in known.values()}
    if len(distinct) == 1 and len(known) == len(found):
        answer = next(iter(known.values()))
        return [Entry(host, answer.credential, answer.source)]
    return [
        Entry(f"{host}/{one.path}".rstrip("/"), answer.credential, answer.source)
        for one, answer in sorted(known.items())
    ]


def lifetime(entry: Entry) -> str:
    """How soon the login is worthless, for people; empty where that is not known to be soon."""
    host, credential = entry.key.partition("/")[0], entry.credential
    if isinstance(credential, Bearer):
        return "within minutes"
    user = credential.username if isinstance(credential, Basic | IdentityToken) else ""
    if _ECR.search(host):
        return "after 12 hours"
    if _GOOGLE.search(host) and not user.startswith("_json_key"):
        return "after an hour"
    if _AZURE.search(host) and user == _AZURE_TOKEN:
        return "after 3 hours"
    if entry.source in {"CI_JOB_TOKEN", "CI_REGISTRY_PASSWORD", "GITHUB_TOKEN"}:
        return "when this CI job ends"
    return ""


def secret(name: str, namespace: str, entries: Sequence[Entry]) -> dict[str, Any]:
    """The Secret that holds *entries*."""
    if not is_name(name):
        raise InvalidJob(
            f"--name {name}: no name of a Secret", hint="small letters, digits, dashes and dots"
        )
    if namespace and not is_label(namespace):
        raise InvalidJob(f"--namespace {namespace}: no name of a namespace")
    auths = {server_of(entry.key): _auth(entry.credential) for entry in entries}
    text = json.dumps({"auths": auths}, separators=(",", ":"))
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": name,
            **({"namespace": namespace} if namespace else {}),
            "labels": {MANAGED_BY: MANAGER},
        },
        "type": TYPE,
        "data": {_KEY: base64.b64encode(text.encode()).decode()},
    }


def _auth(credential: Credential) -> dict[str, str]:
    match credential:
        case Basic(username, password):
            return {"auth": _encoded(f"{username}:{password}")}
        case IdentityToken(token, username):
            return {"auth": _encoded(f"{username}:"), "identitytoken": token}
        case Bearer(token):
            return {"registrytoken": token}
        case Anonymous():
            return {}
        case _:
            assert_never(credential)


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
