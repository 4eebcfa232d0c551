"""Google's registries: key files, refresh tokens, the metadata server, gcloud."""

import os
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

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
    seconds_of,
    text_of,
)
from artificer.registry.credential import Basic, CredentialProblem, Found

TOKEN_URL = "https://oauth2.googleapis.com/token"  # noqa: S105 - where tokens are asked for

_HOST = re.compile(r"(?:[a-z0-9-]+\.)?gcr\.io|(?:[a-z0-9-]+\.)+pkg\.dev")
_USER = "oauth2accesstoken"
_LASTS = 3600.0
_GCLOUD_LASTS = 600.0
_HINT = "`gcloud auth configure-docker` sets up a helper that works"


class Accounts(NamedTuple):
    """Where Google's tools keep who we are, and *gcloud*, which runs its config helper."""

    environ: Mapping[str, str]
    home: str
    gcloud: Callable[[], str] | None = None
    token_url: str = TOKEN_URL

    def __repr__(self) -> str:
        return "Accounts(…)"


def google(reach: Reach, accounts: Accounts) -> Callable[[str], Found | None]:
    """A `credentials.Cloud` for Container Registry and Artifact Registry."""

    def ask(_: str) -> Granted:
        missing: list[str] = []
        for place in (_named_file, _default_file, _metadata, _gcloud):
            try:
                return place(reach, accounts)
            except NotHere as reason:
                missing.append(str(reason))
        raise NotHere("; ".join(missing))

    kept = lasting("Google", ask, reach.clock)

    def find(host: str) -> Found | None:
        host = host.removesuffix(":443")
        # All of Google's registries take the same credential: it is asked for once.
        return kept("google") if is_google(host) else None

    return find


def is_google(host: str) -> bool:
    """Whether *host* is a registry of Google's, and no look-alike."""
    return _HOST.fullmatch(host) is not None


def _named_file(reach: Reach, accounts: Accounts) -> Granted:
    who = "GOOGLE_APPLICATION_CREDENTIALS"
    path = accounts.environ.get(who)
    if not path:
        raise NotHere(f"{who} is not set")
    return _of_file(reach, accounts, path, who)


def _default_file(reach: Reach, accounts: Accounts) -> Granted:
    """What ``gcloud auth application-default login`` leaves."""
    default = os.path.join(accounts.home, ".config", "gcloud")
    directory = accounts.environ.get("CLOUDSDK_CONFIG") or default
    path = os.path.join(directory, "application_default_credentials.json")
    if not os.path.isfile(path):
        raise NotHere("no application default credentials")
    return _of_file(reach, accounts, path, "application default credentials")


def _of_file(reach: Reach, accounts: Accounts, path: str, who: str) -> Granted:
    text = file_text(path, who)
    found = document(text.encode(), f"{who}: {path}")
    match found.get("type"):
        case "service_account":
            # Both registries take a whole key file as a password, so nothing has to be signed.
            return Granted(Found(Basic("_json_key", text), who), _LASTS)
        case "authorized_user":
            return _refreshed(reach, accounts, found, who)
        case kind:
            shown = kind if isinstance(kind, str) and kind.isidentifier() else "no known type"
            raise CredentialProblem(f"{who}: {shown} is not supported; {_HINT}")


def _refreshed(reach: Reach, accounts: Accounts, found: dict[str, Any], who: str) -> Granted:
    names = ("client_id", "client_secret", "refresh_token")
    fields = {name: text_of(found, name, who) for name in names}
    # The file's own token_uri is not asked: whoever wrote the file would get the secrets.
    request = post_form(accounts.token_url, {"grant_type": "refresh_token", **fields})
    secrets = (fields["client_secret"], fields["refresh_token"])
    return _access(answer(reach.send, request, who, secrets=secrets), who)


def _metadata(reach: Reach, accounts: Accounts) -> Granted:
    """The service account of the machine, or of the pod (Workload Identity)."""
    host = accounts.environ.get("GCE_METADATA_HOST")
    if not host and not _on_google(reach, accounts):
        raise NotHere("not a machine of Google's")
    who = "Google metadata server"
    base = f"http://{host or 'metadata.google.internal'}/computeMetadata/v1"
    url = f"{base}/instance/service-accounts/default/token"
    request = Request("GET", url, {"Metadata-Flavor": "Google"})
    try:
        return _access(answer(reach.metadata, request, who), who)
    except CredentialProblem as problem:
        raise NotHere(problem.message) from problem


def _on_google(reach: Reach, accounts: Accounts) -> bool:
    # A sandbox round a pod may hide the firmware.
    return "google" in reach.vendor().lower() or "KUBERNETES_SERVICE_HOST" in accounts.environ


def _gcloud(reach: Reach, accounts: Accounts) -> Granted:
    """What ``gcloud auth login`` gave, by gcloud's config helper."""
    if accounts.gcloud is None:
        raise NotHere("gcloud is not asked")
    try:
        text = accounts.gcloud()
    except CredentialProblem as problem:
        raise NotHere(problem.message) from problem
    who = "gcloud"
    found = document(text.encode(), who).get("credential")
    if not isinstance(found, dict):
        raise CredentialProblem(f"{who}: answered without credential")
    token = text_of(found, "access_token", who)
    return Granted(Found(Basic(_USER, token), who), _seconds_left(reach, found))


def _seconds_left(reach: Reach, found: dict[str, Any]) -> float:
    """Until ``token_expiry``; little when it cannot be read."""
    try:
        until = datetime.fromisoformat(text_of(found, "token_expiry", "gcloud"))
        return until.timestamp() - reach.clock()
    except (ValueError, CredentialProblem):
        return _GCLOUD_LASTS


def _access(data: bytes, who: str) -> Granted:
    found = document(data, who)
    token = text_of(found, "access_token", who)
    return Granted(Found(Basic(_USER, token), who), seconds_of(found, "expires_in", _LASTS))
