from pathlib import Path
from typing import Any

import pytest

from artificer.http.failure import ConnectionLost
from artificer.http.request import Request, Response
from artificer.registry.clouds.azure import Hosts, azure
from artificer.registry.clouds.every import every_cloud
from artificer.registry.credential import ANONYMOUS, Found, IdentityToken
from tests.registry.credentials.fakes import Service, fields, reach, reply

HOST = "shop.azurecr.io"
PRINCIPAL = {"AZURE_CLIENT_ID": "app", "AZURE_TENANT_ID": "corp"}
USER = "00000000-0000-0000-0000-000000000000"


def entra(request: Request) -> Response:
    """Microsoft's sign-in, and a registry that takes only its tokens."""
    given = fields(request)
    if request.url.endswith("/oauth2/v2.0/token"):
        return reply({"access_token": "ENTRA", "expires_in": 3600})
    assert given["grant_type"] == "access_token"
    assert given["access_token"] in {"ENTRA", "MACHINE"}
    assert given["service"] in request.url
    return reply({"refresh_token": "REFRESH"})


def machine(request: Request) -> Response:
    return reply({"access_token": "MACHINE", "expires_in": "3600"})


def ask(environ: dict[str, str], host: str = HOST, **others: Any) -> Found | None:
    return azure(reach(**others), environ)(host)


def test_a_pod_s_token_is_exchanged_for_a_login(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("POD\n")
    service = Service(entra)
    environ = {**PRINCIPAL, "AZURE_FEDERATED_TOKEN_FILE": str(tmp_path / "token")}

    found = ask(environ, send=service)

    assert found == Found(IdentityToken("REFRESH", USER), "ACR (AZURE_FEDERATED_TOKEN_FILE)")
    assert service.urls == [
        "https://login.microsoftonline.com/corp/oauth2/v2.0/token",
        "https://shop.azurecr.io/oauth2/exchange",
    ]
    assert fields(service.seen[0]) == {
        "grant_type": "client_credentials",
        "client_id": "app",
        "scope": "https://containerregistry.azure.net/.default",
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": "POD",
    }
    assert fields(service.seen[1])["tenant"] == "corp"


@pytest.mark.parametrize(
    ("host", "authority"),
    [
        ("shop.azurecr.io", "https://login.microsoftonline.com"),
        ("shop.azurecr.cn", "https://login.chinacloudapi.cn"),
        ("shop.azurecr.us", "https://login.microsoftonline.us"),
    ],
)
def test_each_of_azure_s_clouds_signs_its_own_people_in(host: str, authority: str) -> None:
    service = Service(entra)

    found = ask({**PRINCIPAL, "AZURE_CLIENT_SECRET": "hunter2"}, f"{host}:443", send=service)

    assert found is not None
    assert found.source == "ACR (AZURE_CLIENT_SECRET)"
    assert service.urls[0].startswith(f"{authority}/corp/")
    assert service.urls[1] == f"https://{host}/oauth2/exchange"


def test_the_authority_may_be_another() -> None:
    service = Service(entra)
    environ = {
        **PRINCIPAL,
        "AZURE_CLIENT_SECRET": "x",
        "AZURE_AUTHORITY_HOST": "https://login.example/",
    }

    ask(environ, send=service)

    assert service.urls[0] == "https://login.example/corp/oauth2/v2.0/token"


@pytest.mark.parametrize(
    "host",
    [
        "x.azurecr.io.evil.com",
        "xazurecr.io",
        "azurecr.io",
        "shop.azurecr.com",
        "shop.azurecr.io:5000",
        "shop.azurecr.io\n",
        "evil.com/.azurecr.io",
        "ghcr.io",
    ],
)
def test_a_look_alike_of_azure_is_nobody_s(host: str) -> None:
    assert ask({**PRINCIPAL, "AZURE_CLIENT_SECRET": "x"}, host, vendor="Microsoft") is None


def test_a_machine_s_identity_is_asked_for_by_its_client_id() -> None:
    service = Service(machine)

    found = ask(
        {"AZURE_CLIENT_ID": "app"},
        send=entra,
        metadata=service,
        vendor="Microsoft Corporation Virtual Machine",
    )

    assert found == Found(IdentityToken("REFRESH", USER), "ACR (Azure managed identity)")
    assert service.seen[0].headers["Metadata"] == "true"
    assert service.urls == [
        "http://169.254.169.254/metadata/identity/oauth2/token?api-version=2018-02-01"
        "&resource=https%3A%2F%2Fcontainerregistry.azure.net&client_id=app"
    ]


def test_a_container_app_asks_beside_itself() -> None:
    service = Service(machine)
    environ = {"IDENTITY_ENDPOINT": "http://localhost:42/token", "IDENTITY_HEADER": "hunter2"}

    found = ask(environ, send=entra, metadata=service)

    assert found is not None
    assert found.source == "ACR (IDENTITY_ENDPOINT)"
    assert service.seen[0].headers["X-IDENTITY-HEADER"] == "hunter2"


def test_a_principal_without_its_tenant_is_a_problem() -> None:
    found = ask({"AZURE_CLIENT_SECRET": "hunter2"})

    assert found is not None
    assert found.problem == (
        "AZURE_CLIENT_SECRET: AZURE_CLIENT_ID and AZURE_TENANT_ID have to be set too"
    )


def test_a_refused_secret_is_told_without_it() -> None:
    def refuse(request: Request) -> Response:
        said = "AADSTS7000215: Invalid client secret hunter2\r\nTrace ID: 1"
        return reply({"error": "invalid_client", "error_description": said}, 401)

    found = ask({**PRINCIPAL, "AZURE_CLIENT_SECRET": "hunter2"}, send=refuse)

    assert found is not None
    assert found.credential == ANONYMOUS
    assert found.problem == (
        "AZURE_CLIENT_SECRET: HTTP 401: invalid_client: AADSTS7000215: Invalid client secret …"
    )


def test_without_anything_every_place_is_told_and_no_metadata_server_asked() -> None:
    found = ask({})

    assert found is not None
    assert found.searched == (
        "Azure: AZURE_FEDERATED_TOKEN_FILE is not set; AZURE_CLIENT_SECRET is not set; "
        "IDENTITY_ENDPOINT is not set; not a machine of Azure's",
    )


def test_a_machine_that_does_not_answer_is_anonymous() -> None:
    def gone(request: Request) -> Response:
        raise ConnectionLost("169.254.169.254: timed out")

    hosts = Hosts(instance="http://127.0.0.1:1/token")
    found = azure(reach(metadata=gone), {}, hosts=hosts)(HOST)

    assert found is not None
    assert found.problem == ""
    assert "169.254.169.254: timed out" in found.searched[0]


def test_every_cloud_answers_for_its_own_hosts_only() -> None:
    ask_every = every_cloud(reach(), {}, home="/nowhere")
    hosts = ("shop.azurecr.io", "gcr.io", "public.ecr.aws", "ghcr.io", "docker.io")

    places = [
        found.searched[0].partition(":")[0] if (found := ask_every(host)) else None
        for host in hosts
    ]

    assert places == ["Azure", "Google", "AWS", None, None]
