"""Who we are to AWS: keys from the environment, profiles, roles of pods, tasks and machines."""

import configparser
import os
import re
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import urlsplit

from artificer.http.request import Request, body_of
from artificer.registry.clouds.exchange import (
    NotHere,
    Reach,
    answer,
    document,
    file_text,
    form,
    text_of,
)
from artificer.registry.clouds.sigv4 import Keys
from artificer.registry.credential import CredentialProblem

_TASK_HOST = "http://169.254.170.2"
_TASK_HOSTS = frozenset(("169.254.170.2", "169.254.170.23", "fd00:ec2::23"))
_LOOPBACK = frozenset(("127.0.0.1", "::1", "localhost"))
_INSTANCE = "http://169.254.169.254"
_HINT = "`aws configure export-credentials --format env` gives variables that work"


class Identity(NamedTuple):
    """Keys, and where they are from."""

    keys: Keys
    source: str


class Caller(NamedTuple):
    """What the search for keys needs: the world, the variables, the home, the region."""

    reach: Reach
    environ: Mapping[str, str]
    home: str
    region: str

    def __repr__(self) -> str:
        return f"Caller(…, {self.region!r})"


def identity(caller: Caller) -> Identity:
    """The first place that has keys, in the order of AWS's own tools.

    `NotHere` tells all the places; a place that is there but fails is a `CredentialProblem`.
    """
    missing: list[str] = []
    for place in (_variables, _web_identity, _profile, _container, _instance):
        try:
            return place(caller)
        except NotHere as reason:
            missing.append(str(reason))
    raise NotHere("; ".join(missing))


def endpoint(environ: Mapping[str, str], service: str, otherwise: str) -> str:
    """The URL of *service*, which `AWS_ENDPOINT_URL[_SERVICE]` may move."""
    name = f"AWS_ENDPOINT_URL_{service.upper().replace('-', '_')}"
    return (environ.get(name) or environ.get("AWS_ENDPOINT_URL") or otherwise).rstrip("/")


def domain(region: str) -> str:
    """The domain of AWS that *region* belongs to."""
    return "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"


def _variables(caller: Caller) -> Identity:
    access = caller.environ.get("AWS_ACCESS_KEY_ID", "")
    secret = caller.environ.get("AWS_SECRET_ACCESS_KEY", "")
    if not access or not secret:
        raise NotHere("AWS_ACCESS_KEY_ID is not set")
    token = caller.environ.get("AWS_SESSION_TOKEN", "")
    return Identity(Keys(access, secret, token), "AWS_ACCESS_KEY_ID")


def _web_identity(caller: Caller) -> Identity:
    """IRSA: a pod's token, exchanged for keys of a role."""
    path = caller.environ.get("AWS_WEB_IDENTITY_TOKEN_FILE", "")
    role = caller.environ.get("AWS_ROLE_ARN", "")
    if not path or not role:
        raise NotHere("AWS_WEB_IDENTITY_TOKEN_FILE is not set")
    who = "AWS_WEB_IDENTITY_TOKEN_FILE"
    token = file_text(path, who).strip()
    fields = {
        "Action": "AssumeRoleWithWebIdentity",
        "Version": "2011-06-15",
        "RoleArn": role,
        "RoleSessionName": caller.environ.get("AWS_ROLE_SESSION_NAME") or "artificer",
        "WebIdentityToken": token,
    }
    region = caller.region
    url = endpoint(caller.environ, "sts", f"https://sts.{region}.{domain(region)}")
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    request = Request("POST", f"{url}/", headers, body_of(form(fields)))
    text = answer(caller.reach.send, request, f"{who}: STS", secrets=(token,)).decode()
    names = ("AccessKeyId", "SecretAccessKey", "SessionToken")
    return Identity(Keys(*(_element(text, name, who) for name in names)), who)


def _profile(caller: Caller) -> Identity:
    """Static keys of a profile in the files that AWS's tools share."""
    environ, home = caller.environ, caller.home
    profile = environ.get("AWS_PROFILE") or environ.get("AWS_DEFAULT_PROFILE") or "default"
    credentials = environ.get("AWS_SHARED_CREDENTIALS_FILE") or f"{home}/.aws/credentials"
    config = environ.get("AWS_CONFIG_FILE") or f"{home}/.aws/config"
    section = "default" if profile == "default" else f"profile {profile}"
    settings = _section(config, section) | _section(credentials, profile)
    access = settings.get("aws_access_key_id", "")
    secret = settings.get("aws_secret_access_key", "")
    if access and secret:
        keys = Keys(access, secret, settings.get("aws_session_token", ""))
        return Identity(keys, f"AWS profile {profile}")
    for key in ("sso_session", "sso_start_url", "credential_process", "role_arn", "login_session"):
        if key in settings:
            raise CredentialProblem(
                f"AWS profile {profile}: {key} is not supported, only keys are; {_HINT}"
            )
    raise NotHere(f"no keys in AWS profile {profile}")


def _container(caller: Caller) -> Identity:
    """ECS tasks and EKS Pod Identity: an agent beside the container. Its token file rotates."""
    environ = caller.environ
    relative = environ.get("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "")
    url = _TASK_HOST + relative if relative else environ.get("AWS_CONTAINER_CREDENTIALS_FULL_URI")
    if not url:
        raise NotHere("AWS_CONTAINER_CREDENTIALS_FULL_URI is not set")
    who = "AWS container credentials"
    parts = urlsplit(url)
    if parts.scheme != "https" and parts.hostname not in _TASK_HOSTS | _LOOPBACK:
        raise CredentialProblem(
            f"{who}: neither https nor the container's agent: {parts.hostname}"
        )
    token = environ.get("AWS_CONTAINER_AUTHORIZATION_TOKEN", "")
    if path := environ.get("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"):
        token = file_text(path, who).strip()
    headers = {"Authorization": token} if token else {}
    data = answer(caller.reach.metadata, Request("GET", url, headers), who, secrets=(token,))
    return Identity(_given(data, who), who)


def _instance(caller: Caller) -> Identity:
    """IMDSv2: the role of the machine."""
    environ = caller.environ
    base = environ.get("AWS_EC2_METADATA_SERVICE_ENDPOINT", "").rstrip("/")
    if environ.get("AWS_EC2_METADATA_DISABLED", "").lower() == "true":
        raise NotHere("AWS_EC2_METADATA_DISABLED is set")
    if not base and not _on_aws(caller):
        raise NotHere("not a machine of AWS")
    who = "EC2 instance role"
    send, base = caller.reach.metadata, base or _INSTANCE
    lifetime = {"X-aws-ec2-metadata-token-ttl-seconds": "300"}
    request = Request("PUT", f"{base}/latest/api/token", lifetime, body_of(b""))
    try:
        token = answer(send, request, who).decode()
    except CredentialProblem as problem:
        raise NotHere(problem.message) from problem
    headers = {"X-aws-ec2-metadata-token": token}
    path = f"{base}/latest/meta-data/iam/security-credentials/"
    role = answer(send, Request("GET", path, headers), who, secrets=(token,)).decode().strip()
    if not re.fullmatch(r"[\w+=,.@-]+", role):
        raise NotHere("the EC2 instance has no role")
    data = answer(send, Request("GET", path + role, headers), who, secrets=(token,))
    return Identity(_given(data, who), f"{who} {role}")


def _on_aws(caller: Caller) -> bool:
    vendor = caller.reach.vendor().lower()
    # A sandbox round a pod may hide the firmware.
    return "amazon" in vendor or "ec2" in vendor or "KUBERNETES_SERVICE_HOST" in caller.environ


def _given(data: bytes, who: str) -> Keys:
    found = document(data, who)
    names = ("AccessKeyId", "SecretAccessKey", "Token")
    return Keys(*(text_of(found, name, who) for name in names))


def _element(text: str, name: str, who: str) -> str:
    """The text of an element that stands once in STS's XML, and needs no XML parser."""
    match = re.search(rf"<{name}>\s*([^<&\s]+)\s*</{name}>", text)
    if match is None:
        raise CredentialProblem(f"{who}: STS answered without {name}")
    return match[1]


def _section(path: str, name: str) -> dict[str, str]:
    if not os.path.isfile(path):
        return {}
    parser = configparser.RawConfigParser(strict=False)
    try:
        parser.read_string(file_text(path, "AWS profile"))
    except configparser.Error:
        # Not chained: the cause cites the line, maybe a key's.
        raise CredentialProblem(f"AWS profile: {path}: not an ini file") from None
    return dict(parser[name]) if parser.has_section(name) else {}
