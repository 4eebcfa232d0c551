import json
from pathlib import Path
from typing import Any

import pytest

from artificer.http.failure import ConnectionLost
from artificer.http.request import Request, Response
from artificer.registry.clouds.google import Accounts, google
from artificer.registry.credential import ANONYMOUS, Basic, CredentialProblem, Found
from tests.registry.credentials.fakes import Service, fields, reach, reply, unreachable

USER = {
    "type": "authorized_user",
    "client_id": "id",
    "client_secret": "hunter2",
    "refresh_token": "hunter3",
    "token_uri": "https://evil.example/token",
}


def token(request: Request) -> Response:
    return reply({"access_token": "T", "expires_in": 3599})


def named(path: Path, document: Any) -> dict[str, str]:
    path.write_text(json.dumps(document))
    return {"GOOGLE_APPLICATION_CREDENTIALS": str(path)}


def ask(accounts: Accounts, host: str = "gcr.io", **others: Any) -> Found | None:
    return google(reach(**others), accounts)(host)


@pytest.mark.parametrize(
    "host", ["gcr.io", "eu.gcr.io", "europe-docker.pkg.dev", "gcr.io:443", "us-docker.pkg.dev"]
)
def test_google_s_registries_get_the_machine_s_token(host: str) -> None:
    service = Service(token)

    found = ask(Accounts({}, "/h"), host, metadata=service, vendor="Google Google Compute Engine")

    assert found == Found(Basic("oauth2accesstoken", "T"), "Google metadata server")
    assert service.seen[0].headers["Metadata-Flavor"] == "Google"
    assert service.urls == [
        "http://metadata.google.internal/computeMetadata/v1/instance/service-accounts/default/token"
    ]


@pytest.mark.parametrize(
    "host",
    [
        "evilgcr.io",
        "gcr.io.evil.com",
        "a.b.gcr.io",
        "pkg.dev",
        "evilpkg.dev",
        "docker.pkg.dev.evil.com",
        "gcr.io:5000",
        "gcr.io\n",
        "ghcr.io",
    ],
)
def test_a_look_alike_of_google_is_nobody_s(host: str) -> None:
    assert ask(Accounts({}, "/h"), host, vendor="Google") is None


def test_all_of_google_s_hosts_share_one_token() -> None:
    service = Service(token)
    find = google(reach(metadata=service, vendor="Google"), Accounts({}, "/h"))

    assert find("gcr.io") == find("us-docker.pkg.dev")
    assert len(service.seen) == 1


def test_a_key_file_is_the_password(tmp_path: Path) -> None:
    environ = named(tmp_path / "key.json", {"type": "service_account", "private_key": "hunter2"})

    found = ask(Accounts(environ, "/h"))

    assert found is not None
    assert found.source == "GOOGLE_APPLICATION_CREDENTIALS"
    assert found.credential == Basic("_json_key", (tmp_path / "key.json").read_text())


def test_a_user_s_refresh_token_goes_to_google_only(tmp_path: Path) -> None:
    service = Service(token)

    found = ask(Accounts(named(tmp_path / "user.json", USER), "/h"), send=service)

    assert found is not None
    assert found.credential == Basic("oauth2accesstoken", "T")
    assert service.urls == ["https://oauth2.googleapis.com/token"]
    assert fields(service.seen[0])["refresh_token"] == "hunter3"


def test_what_gcloud_left_is_used(tmp_path: Path) -> None:
    path = tmp_path / ".config/gcloud/application_default_credentials.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(USER))

    found = ask(Accounts({}, str(tmp_path)), send=token)

    assert found is not None
    assert found.source == "application default credentials"


def test_a_refused_refresh_token_is_told_without_it(tmp_path: Path) -> None:
    def refuse(request: Request) -> Response:
        return reply({"error": "invalid_grant", "error_description": "hunter3 expired\nx"}, 400)

    found = ask(Accounts(named(tmp_path / "user.json", USER), "/h"), send=refuse)

    assert found is not None
    assert found.credential == ANONYMOUS
    assert found.problem == ("GOOGLE_APPLICATION_CREDENTIALS: HTTP 400: invalid_grant: … expired")


@pytest.mark.parametrize("kind", ["external_account", "impersonated_service_account"])
def test_an_external_account_is_refused_with_a_way_out(tmp_path: Path, kind: str) -> None:
    found = ask(Accounts(named(tmp_path / "a.json", {"type": kind}), "/h"))

    assert found is not None
    assert found.problem == (
        f"GOOGLE_APPLICATION_CREDENTIALS: {kind} is not supported; "
        "`gcloud auth configure-docker` sets up a helper that works"
    )


def test_a_named_file_that_is_not_there_is_a_problem() -> None:
    found = ask(Accounts({"GOOGLE_APPLICATION_CREDENTIALS": "/nowhere/k.json"}, "/h"))

    assert found is not None
    assert found.problem == (
        "GOOGLE_APPLICATION_CREDENTIALS: /nowhere/k.json: no such file or directory"
    )


def test_gcloud_is_asked_when_nothing_else_answers() -> None:
    credential = {"access_token": "T", "token_expiry": "1970-01-01T01:00:00Z"}

    def gone(request: Request) -> Response:
        raise ConnectionLost("metadata.google.internal: no such host")

    accounts = Accounts(
        {"GCE_METADATA_HOST": "127.0.0.1:1"},
        "/h",
        gcloud=lambda: json.dumps({"credential": credential}),
    )

    assert ask(accounts, metadata=gone) == Found(Basic("oauth2accesstoken", "T"), "gcloud")


@pytest.mark.parametrize("said", ["{}", '{"credential": {}}', "hunter2"])
def test_a_strange_gcloud_is_a_problem(said: str) -> None:
    found = ask(Accounts({}, "/h", gcloud=lambda: said))

    assert found is not None
    assert found.problem.startswith("gcloud: ")
    assert "hunter2" not in found.problem


def test_without_anything_every_place_is_told_and_no_metadata_server_asked() -> None:
    def no_gcloud() -> str:
        raise CredentialProblem("helper gcloud: not found on PATH")

    found = ask(Accounts({}, "/h", gcloud=no_gcloud), send=unreachable, metadata=unreachable)

    assert found == Found(
        ANONYMOUS,
        "",
        "",
        (
            "Google: GOOGLE_APPLICATION_CREDENTIALS is not set; no application default "
            "credentials; not a machine of Google's; helper gcloud: not found on PATH",
        ),
    )


def test_a_token_of_gcloud_without_a_readable_expiry_is_kept_for_minutes_only() -> None:
    asked: list[int] = []
    now = [0.0]

    def gcloud() -> str:
        asked.append(1)
        return '{"credential": {"access_token": "T", "token_expiry": "soon"}}'

    find = google(reach(clock=lambda: now[0]), Accounts({}, "/h", gcloud=gcloud))
    for moment in (0.0, 300.0, 700.0):
        now[0] = moment
        find("gcr.io")

    assert len(asked) == 2
