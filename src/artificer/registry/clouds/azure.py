"""Azure's registries: an Entra token of a pod, a principal or a machine, exchanged for a login."""

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple
from urllib.parse import urlencode

from artificer.http.request import Request
from artificer.registry.clouds.exchange import (
    Granted,
    NotHere,
    Reach,
    answer,
    document,
    file_text,
    lasting,
    post_form,
    text_of,
)
from artificer.registry.credential import CredentialProblem, Found, IdentityToken

_HOST = re.compile(r"(?:[a-z0-9-]+\.)+azurecr\.(io|cn|us)")
_USER = "00000000-0000-0000-0000-000000000000"
_LASTS = 3600.0
"""The login lasts for three hours; an hour of them is used."""
_INSTANCE = "http://169.254.169.254/metadata/identity/oauth2/token"
_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


class _Part(NamedTuple):
    """One of Azure's separate clouds: who signs people in, and for what a token is asked."""

    authority: str
    audience: str


_PARTS = {
    "io": _Part("https://login.microsoftonline.com", "https://containerregistry.azure.net"),
    "cn": _Part("https://login.chinacloudapi.cn", "https://management.chinacloudapi.cn"),
    "us": _Part("https://login.microsoftonline.us", "https://management.usgovcloudapi.net"),
}


class Token(NamedTuple):
    """An Entra access token, and where it is from."""

    token: str
    source: str
    tenant: str = ""

    def __repr__(self) -> str:
        return f"Token(…, {self.source!r})"


class Hosts(NamedTuple):
    """How a registry and the machine's metadata server are reached (tests have their own)."""

    registry: Callable[[str], str] = "https://{}".format
    instance: str = _INSTANCE


_HOSTS = Hosts()


def azure(
    reach: Reach, environ: Mapping[str, str], *, hosts: Hosts = _HOSTS
) -> Callable[[str], Found | None]:
    """A `credentials.Cloud` for Azure Container Registry."""

    def ask(host: str) -> Granted:
        part = part_of(host)
        if part is None:
            raise NotHere(host)
        return Granted(_exchanged(reach, hosts, host, _token(reach, environ, hosts, part)), _LASTS)

    kept = lasting("Azure", ask, reach.clock)

    def find(host: str) -> Found | None:
        host = host.removesuffix(":443")
        return kept(host) if part_of(host) else None

    return find


def part_of(host: str) -> _Part | None:
    """Which of Azure's clouds the registry *host* is in; None for others, and for look-alikes."""
    match = _HOST.fullmatch(host)
    return _PARTS[match[1]] if match else None


def _token(reach: Reach, environ: Mapping[str, str], hosts: Hosts, part: _Part) -> Token:
    missing: list[str] = []
    for place in (_federated, _secret, _service, _instance):
        try:
            return place(reach, environ, hosts, part)
        except NotHere as reason:
            missing.append(str(reason))
    raise NotHere("; ".join(missing))


def _federated(reach: Reach, environ: Mapping[str, str], _: Hosts, part: _Part) -> Token:
    """Workload Identity: the pod's token is the proof."""
    path = environ.get("AZURE_FEDERATED_TOKEN_FILE")
    if not path:
        raise NotHere("AZURE_FEDERATED_TOKEN_FILE is not set")
    who = "AZURE_FEDERATED_TOKEN_FILE"
    proof = file_text(path, who).strip()
    fields = {"client_assertion_type": _ASSERTION, "client_assertion": proof}
    return _principal(reach, environ, part, fields, who)


def _secret(reach: Reach, environ: Mapping[str, str], _: Hosts, part: _Part) -> Token:
    secret = environ.get("AZURE_CLIENT_SECRET")
    if not secret:
        raise NotHere("AZURE_CLIENT_SECRET is not set")
    return _principal(reach, environ, part, {"client_secret": secret}, "AZURE_CLIENT_SECRET")


def _principal(
    reach: Reach, environ: Mapping[str, str], part: _Part, proof: Mapping[str, str], who: str
) -> Token:
    client, tenant = environ.get("AZURE_CLIENT_ID"), environ.get("AZURE_TENANT_ID")
    if not client or not tenant or not re.fullmatch(r"[\w.-]+", tenant):
        raise CredentialProblem(f"{who}: AZURE_CLIENT_ID and AZURE_TENANT_ID have to be set too")
    authority = (environ.get("AZURE_AUTHORITY_HOST") or part.authority).rstrip("/")
    fields = {
        "grant_type": "client_credentials",
        "client_id": client,
        "scope": f"{part.audience}/.default",
        **proof,
    }
    request = post_form(f"{authority}/{tenant}/oauth2/v2.0/token", fields)
    data = answer(reach.send, request, who, secrets=tuple(proof.values()))
    return Token(text_of(document(data, who), "access_token", who), who, tenant)


def _service(reach: Reach, environ: Mapping[str, str], _: Hosts, part: _Part) -> Token:
    """The managed identity of App Service and Container Apps."""
    base, proof = environ.get("IDENTITY_ENDPOINT"), environ.get("IDENTITY_HEADER")
    if not base or not proof:
        raise NotHere("IDENTITY_ENDPOINT is not set")
    who = "IDENTITY_ENDPOINT"
    query = _query("2019-08-01", environ, part)
    request = Request("GET", f"{base}?{query}", {"X-IDENTITY-HEADER": proof})
    data = answer(reach.metadata, request, who, secrets=(proof,))
    return Token(text_of(document(data, who), "access_token", who), who)


def _instance(reach: Reach, environ: Mapping[str, str], hosts: Hosts, part: _Part) -> Token:
    """The managed identity of the machine."""
    # Hyper-V says the same of every machine: one more hop to nowhere at worst. A sandbox round
    # a pod may hide the firmware.
    named = hosts.instance != _INSTANCE or "KUBERNETES_SERVICE_HOST" in environ
    if not named and "microsoft" not in reach.vendor().lower():
        raise NotHere("not a machine of Azure's")
    who = "Azure managed identity"
    query = _query("2018-02-01", environ, part)
    request = Request("GET", f"{hosts.instance}?{query}", {"Metadata": "true"})
    try:
        data = answer(reach.metadata, request, who)
    except CredentialProblem as problem:
        raise NotHere(problem.message) from problem
    return Token(text_of(document(data, who), "access_token", who), who)


def _query(version: str, environ: Mapping[str, str], part: _Part) -> str:
    fields = {"api-version": version, "resource": part.audience}
    if client := environ.get("AZURE_CLIENT_ID"):
        fields["client_id"] = client
    return urlencode(fields)


def _exchanged(reach: Reach, hosts: Hosts, host: str, given: Token) -> Found:
    """The registry's own refresh token for an Entra token."""
    who = f"ACR ({given.source})"
    fields = {"grant_type": "access_token", "service": host, "access_token": given.token}
    if given.tenant:
        fields["tenant"] = given.tenant
    request = post_form(f"{hosts.registry(host)}/oauth2/exchange", fields)
    data = answer(reach.send, request, who, secrets=(given.token,))
    return Found(IdentityToken(text_of(document(data, who), "refresh_token", who), _USER), who)
