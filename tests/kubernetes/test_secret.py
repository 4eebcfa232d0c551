"""Logins as a Secret."""

import base64
import json
from typing import Any

import kubernetes_validate
import pytest

from artificer.kubernetes.check import InvalidJob
from artificer.kubernetes.secret import Entry, gathered, lifetime, secret
from artificer.oci.reference import Repository
from artificer.registry.credential import (
    ANONYMOUS,
    Basic,
    Bearer,
    Credential,
    Found,
    IdentityToken,
)

ME, YOU = Basic("me", "mine"), Basic("you", "yours")
TOKEN_USER = "00000000-0000-0000-0000-000000000000"


def _auths(document: dict[str, Any]) -> dict[str, Any]:
    found = json.loads(base64.b64decode(document["data"][".dockerconfigjson"]))
    assert list(found) == ["auths"]
    auths: dict[str, Any] = found["auths"]
    return auths


def _keychain(repository: Repository) -> Found:
    hosts = {"ghcr.io": ME, "docker.io": ME}
    paths = {Repository("split.example", "a/x"): ME, Repository("split.example", "b/y"): YOU}
    credential = hosts.get(repository.registry) or paths.get(repository) or ANONYMOUS
    problem = "a helper failed" if repository.registry == "broken.example" else ""
    return Found(credential, "a file" if credential else "anonymous", problem)


def test_a_host_has_one_entry_whatever_its_repositories() -> None:
    found = gathered([Repository("ghcr.io", "a"), Repository("ghcr.io", "b")], _keychain)

    assert [entry.key for entry in found.entries] == ["ghcr.io"]


def test_repositories_with_logins_of_their_own_have_entries_of_their_own() -> None:
    paths = ("a/x", "b/y", "c/z")
    found = gathered([Repository("split.example", path) for path in paths], _keychain)

    assert [(one.key, one.credential) for one in found.entries] == [
        ("split.example/a/x", ME),
        ("split.example/b/y", YOU),
    ]
    assert found.nobody == ()


def test_who_has_no_login_is_nobody_there() -> None:
    found = gathered([Repository("quay.io", "a"), Repository("broken.example", "a")], _keychain)

    assert found.entries == ()
    assert found.nobody == ("broken.example", "quay.io")
    assert found.problems == ("a helper failed",)


def test_the_hub_has_the_key_that_docker_gave_it() -> None:
    found = gathered([Repository("docker.io", "library/alpine")], _keychain)

    assert list(_auths(secret("a", "", found.entries))) == ["https://index.docker.io/v1/"]


def test_a_server_takes_the_secret() -> None:
    document = secret("registry-login", "builds", [Entry("ghcr.io", ME, "a file")])

    kubernetes_validate.validate(document, "1.36", strict=True)
    assert document["type"] == "kubernetes.io/dockerconfigjson"
    assert base64.b64decode(_auths(document)["ghcr.io"]["auth"]) == b"me:mine"


@pytest.mark.parametrize(
    ("credential", "auth"),
    [
        (IdentityToken("refresh", "me"), {"auth": "bWU6", "identitytoken": "refresh"}),
        (Bearer("token"), {"registrytoken": "token"}),
    ],
)
def test_tokens_are_kept_as_what_they_are(credential: Credential, auth: dict[str, str]) -> None:
    assert _auths(secret("a", "", [Entry("a.example", credential, "")])) == {"a.example": auth}


@pytest.mark.parametrize(
    ("key", "credential", "source", "ends"),
    [
        ("1.dkr.ecr.eu-west-1.amazonaws.com", Basic("AWS", "x"), "a helper", "after 12 hours"),
        ("public.ecr.aws", Basic("AWS", "x"), "a helper", "after 12 hours"),
        ("eu.gcr.io", Basic("oauth2accesstoken", "x"), "gcloud", "after an hour"),
        ("europe-docker.pkg.dev/a/b", Basic("_token", "x"), "gcloud", "after an hour"),
        ("gcr.io", Basic("_json_key", "x"), "a file", ""),
        ("a.azurecr.io", IdentityToken("x", TOKEN_USER), "az", "after 3 hours"),
        ("a.azurecr.io", Basic("robot", "x"), "a file", ""),
        ("registry.example", Basic("u", "x"), "CI_JOB_TOKEN", "when this CI job ends"),
        ("registry.example", Bearer("x"), "a file", "within minutes"),
        ("ghcr.io", ME, "a file", ""),
    ],
)
def test_a_login_that_ends_soon_says_so(
    key: str, credential: Credential, source: str, ends: str
) -> None:
    assert lifetime(Entry(key, credential, source)) == ends


def test_an_entry_does_not_show_its_secret() -> None:
    assert "mine" not in repr(Entry("ghcr.io", ME, "a file"))


@pytest.mark.parametrize(("name", "namespace"), [("A", ""), ("a", "b.c"), ("", "")])
def test_a_name_that_no_server_takes_is_refused(name: str, namespace: str) -> None:
    with pytest.raises(InvalidJob):
        secret(name, namespace, [])
