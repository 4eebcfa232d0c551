"""Amazon's registries: an authorisation token for the keys of an AWS identity."""

import binascii
import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

from artificer.http.request import Request, body_of
from artificer.registry.clouds.aws import Caller, Identity, endpoint, identity
from artificer.registry.clouds.exchange import (
    Granted,
    NotHere,
    Reach,
    answer,
    document,
    lasting,
    text_of,
)
from artificer.registry.clouds.sigv4 import Scope, signed
from artificer.registry.credential import Basic, CredentialProblem, Found

_PRIVATE = re.compile(
    r"[0-9]{12}\.dkr[.-]ecr(?P<fips>-fips)?\.(?P<region>[a-z0-9][a-z0-9-]{0,40})\."
    r"(?P<domain>amazonaws\.com(?:\.cn)?|amazonaws\.eu|on\.aws"
    r"|on\.amazonwebservices\.(?:com\.cn|eu))"
)
_PUBLIC = frozenset(("public.ecr.aws", "ecr-public.aws.com"))
_TARGET = "AmazonEC2ContainerRegistry_V20150921"
_LASTS = 3600.0
"""The token lasts for twelve hours, the keys of a role may last for less."""


class Registry(NamedTuple):
    """Which service gives the token for a host, and where it is."""

    service: str
    region: str
    url: str
    target: str


def ecr(reach: Reach, environ: Mapping[str, str], *, home: str) -> Callable[[str], Found | None]:
    """A `credentials.Cloud` for private registries of ECR and for ECR Public."""

    def ask(host: str) -> Granted:
        registry = registry_of(host)
        if registry is None:
            raise NotHere(host)
        caller = Caller(reach, environ, home, registry.region)
        who = identity(caller)
        return Granted(_login(caller, registry, who), _LASTS)

    kept = lasting("AWS", ask, reach.clock)

    def find(host: str) -> Found | None:
        host = host.removesuffix(":443")
        return kept(host) if registry_of(host) else None

    return find


def registry_of(host: str) -> Registry | None:
    """Which registry of Amazon's *host* is; None for every other, and for look-alikes."""
    if host in _PUBLIC:
        url = "https://api.ecr-public.us-east-1.amazonaws.com"
        return Registry("ecr-public", "us-east-1", url, "SpencerFrontendService")
    match = _PRIVATE.fullmatch(host)
    if match is None:
        return None
    region, fips = match["region"], match["fips"] or ""
    return Registry("ecr", region, _url(region, fips, match["domain"]), _TARGET)


def _url(region: str, fips: str, suffix: str) -> str:
    if suffix == "on.aws":
        return f"https://ecr{fips}.{region}.api.aws"
    if suffix.startswith("on."):
        return f"https://ecr{fips}.{region}.api.{suffix.removeprefix('on.')}"
    prefix = "ecr-fips" if fips else "api.ecr"
    return f"https://{prefix}.{region}.{suffix}"


def _login(caller: Caller, registry: Registry, who: Identity) -> Found:
    name = f"ECR ({who.source})"
    url = endpoint(caller.environ, registry.service, registry.url)
    headers = {
        "Content-Type": "application/x-amz-json-1.1",
        "X-Amz-Target": f"{registry.target}.GetAuthorizationToken",
    }
    headers = signed(
        url,
        headers,
        b"{}",
        keys=who.keys,
        scope=Scope(registry.region, registry.service),
        now=caller.reach.clock(),
    )
    del headers["host"]  # the sender says it, from the URL
    request = Request("POST", f"{url}/", headers, body_of(b"{}"))
    secrets = (who.keys.secret_key, who.keys.token)
    found = document(answer(caller.reach.send, request, name, secrets=secrets), name)
    data = found.get("authorizationData")
    if isinstance(data, list):  # of ECR; ECR Public gives the object itself
        data = data[0] if data else None
    if not isinstance(data, dict):
        raise CredentialProblem(f"{name}: answered without authorizationData")
    token = text_of(data, "authorizationToken", name)
    try:
        username, colon, password = (
            binascii.a2b_base64(token, strict_mode=True).decode().partition(":")
        )
    except ValueError:
        raise CredentialProblem(f"{name}: answered with a token that is not base64") from None
    if not colon:
        raise CredentialProblem(f"{name}: answered with a token without a user")
    return Found(Basic(username, password), name)
