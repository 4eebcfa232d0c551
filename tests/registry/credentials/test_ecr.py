import base64
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from artificer.http.connection import Connections
from artificer.http.dial import Network
from artificer.http.failure import ConnectionLost
from artificer.http.request import Request, Response
from artificer.registry.clouds.ecr import ecr, registry_of
from artificer.registry.credential import ANONYMOUS, Basic, Found
from artificer.stop import Stop
from tests.registry.credentials.fakes import Service, fields, reach, reply

HOST = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"
KEYS = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "hunter2"}
GRANT = {"authorizationData": [{"authorizationToken": base64.b64encode(b"AWS:pass").decode()}]}
GIVEN = {"AccessKeyId": "AK", "SecretAccessKey": "hunter2", "Token": "T"}


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    """The URL of a server that plays AWS."""
    server = import_module("moto.server").ThreadedMotoServer(
        ip_address="127.0.0.1", port=0, verbose=False
    )
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def connections() -> Iterator[Connections]:
    connections = Connections(Network(Stop()))
    yield connections
    connections.close()


def login(
    service: Service, environ: Mapping[str, str], host: str = HOST, **others: Any
) -> Found | None:
    return ecr(reach(service, **others), environ, home="/nowhere")(host)


@pytest.mark.parametrize(
    ("host", "url"),
    [
        (HOST, "https://api.ecr.eu-west-1.amazonaws.com"),
        (
            "123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn",
            "https://api.ecr.cn-north-1.amazonaws.com.cn",
        ),
        (
            "123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com",
            "https://ecr-fips.us-gov-west-1.amazonaws.com",
        ),
        ("123456789012.dkr-ecr.us-east-1.on.aws", "https://ecr.us-east-1.api.aws"),
        ("123456789012.dkr-ecr-fips.us-east-1.on.aws", "https://ecr-fips.us-east-1.api.aws"),
        (
            "123456789012.dkr-ecr.cn-north-1.on.amazonwebservices.com.cn",
            "https://ecr.cn-north-1.api.amazonwebservices.com.cn",
        ),
        ("public.ecr.aws", "https://api.ecr-public.us-east-1.amazonaws.com"),
    ],
)
def test_a_host_of_ecr_has_its_service(host: str, url: str) -> None:
    registry = registry_of(host)

    assert registry is not None
    assert registry.url == url


@pytest.mark.parametrize(
    "host",
    [
        "123456789012.dkr.ecr.eu-west-1.amazonaws.com.evil.com",
        "evil.123456789012.dkr.ecr.eu-west-1.amazonaws.com",
        "12345678901.dkr.ecr.eu-west-1.amazonaws.com",
        "123456789012.dkr.ecr.eu-west-1.evil.com/.amazonaws.com",
        "123456789012.dkr.ecr.evil.com.amazonaws.com",
        "123456789012.dkr.ecr.eu-west-1.amazonaws.com\n",
        "123456789012.dkr.ecr.eu-west-1.amazonaws.com:5000",
        "xpublic.ecr.aws",
        "public.ecr.aws.evil.com",
        "ghcr.io",
    ],
)
def test_a_look_alike_of_ecr_is_nobody_s(host: str) -> None:
    assert login(Service(lambda request: reply(GRANT)), KEYS, host) is None


def test_moto_s_ecr_takes_the_signature_and_gives_a_login(
    moto: str, connections: Connections
) -> None:
    environ = {**KEYS, "AWS_ENDPOINT_URL": moto}

    found = ecr(reach(connections.send), environ, home="/nowhere")(HOST)

    assert found is not None
    assert found.source == "ECR (AWS_ACCESS_KEY_ID)"
    assert isinstance(found.credential, Basic)
    assert found.credential.username == "AWS"
    assert found.credential.password


def test_moto_s_sts_gives_a_pod_s_role_its_keys(
    moto: str, connections: Connections, tmp_path: Path
) -> None:
    (tmp_path / "token").write_text("x.y.z\n")
    environ = {
        "AWS_ENDPOINT_URL": moto,
        "AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/builder",
        "AWS_WEB_IDENTITY_TOKEN_FILE": str(tmp_path / "token"),
    }

    found = ecr(reach(connections.send), environ, home="/nowhere")(HOST)

    assert found is not None
    assert found.source == "ECR (AWS_WEB_IDENTITY_TOKEN_FILE)"
    assert isinstance(found.credential, Basic)


def test_a_login_is_asked_for_once_until_most_of_its_hour_is_over() -> None:
    now = [1000.0]
    service = Service(lambda request: reply(GRANT))
    find = ecr(reach(service, clock=lambda: now[0]), KEYS, home="/nowhere")

    for moment in (1000.0, 2000.0, 3900.0):
        now[0] = moment
        assert find(HOST) == Found(Basic("AWS", "pass"), "ECR (AWS_ACCESS_KEY_ID)")

    assert len(service.seen) == 2


def test_ecr_public_gives_an_object_and_lives_in_one_region() -> None:
    service = Service(lambda request: reply({"authorizationData": GRANT["authorizationData"][0]}))

    found = login(service, KEYS, "public.ecr.aws:443")

    assert found is not None
    assert found.credential == Basic("AWS", "pass")
    assert service.urls == ["https://api.ecr-public.us-east-1.amazonaws.com/"]
    headers = service.seen[0].headers
    assert headers["x-amz-target"] == "SpencerFrontendService.GetAuthorizationToken"
    assert "/us-east-1/ecr-public/aws4_request" in headers["authorization"]


def test_without_keys_every_place_is_told_and_no_metadata_server_asked() -> None:
    found = login(Service(lambda request: reply({})), {})

    assert found == Found(
        ANONYMOUS,
        "",
        "",
        (
            "AWS: AWS_ACCESS_KEY_ID is not set; AWS_WEB_IDENTITY_TOKEN_FILE is not set; "
            "no keys in AWS profile default; AWS_CONTAINER_CREDENTIALS_FULL_URI is not set; "
            "not a machine of AWS",
        ),
    )


def test_a_refusal_is_told_in_aws_s_words_without_the_key() -> None:
    refusal = {"__type": "UnrecognizedClientException", "message": "bad token hunter2"}
    service = Service(lambda request: reply(refusal, 400))

    found = login(service, KEYS)
    again = login(service, KEYS)

    assert found == again
    assert found is not None
    assert found.credential == ANONYMOUS
    assert found.problem == (
        "ECR (AWS_ACCESS_KEY_ID): HTTP 400: UnrecognizedClientException: bad token …"
    )


def test_a_profile_s_keys_are_read_from_the_shared_files(tmp_path: Path) -> None:
    (tmp_path / "credentials").write_text(
        "[default]\naws_access_key_id = OTHER\naws_secret_access_key = x\n"
        "[prod]\naws_access_key_id = AKPROD\naws_secret_access_key = y%z\n"
    )
    environ = {
        "AWS_PROFILE": "prod",
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials"),
        "AWS_CONFIG_FILE": str(tmp_path / "none"),
    }
    service = Service(lambda request: reply(GRANT))

    found = login(service, environ)

    assert found is not None
    assert found.source == "ECR (AWS profile prod)"
    assert "Credential=AKPROD/" in service.seen[0].headers["authorization"]


def test_a_profile_that_needs_the_sdk_is_refused_with_a_way_out(tmp_path: Path) -> None:
    (tmp_path / "config").write_text("[profile dev]\nsso_session = corp\n")
    environ = {"AWS_PROFILE": "dev", "AWS_CONFIG_FILE": str(tmp_path / "config")}

    found = login(Service(lambda request: reply({})), environ)

    assert found is not None
    assert found.problem == (
        "AWS profile dev: sso_session is not supported, only keys are; "
        "`aws configure export-credentials --format env` gives variables that work"
    )


def test_a_malformed_profile_is_not_cited(tmp_path: Path) -> None:
    (tmp_path / "credentials").write_text("aws_secret_access_key = hunter2\n")
    environ = {"AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials")}

    found = login(Service(lambda request: reply({})), environ)

    assert found is not None
    assert found.problem.endswith("credentials: not an ini file")


def test_the_token_of_a_pod_identity_is_read_anew_each_time(tmp_path: Path) -> None:
    agent = Service(lambda request: reply(GIVEN))
    environ = {
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://169.254.170.23/v1/credentials",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(tmp_path / "token"),
    }
    now = [0.0]
    find = ecr(
        reach(Service(lambda request: reply(GRANT)), agent, clock=lambda: now[0]),
        environ,
        home="/nowhere",
    )

    for number in (1, 2):
        now[0] += 4000.0
        (tmp_path / "token").write_text(f"pod-{number}\n")
        found = find(HOST)

    assert found is not None
    assert found.source == "ECR (AWS container credentials)"
    assert [request.headers["Authorization"] for request in agent.seen] == ["pod-1", "pod-2"]


def test_a_task_of_ecs_asks_its_agent() -> None:
    agent = Service(lambda request: reply(GIVEN))
    environ = {"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/v2/credentials/x"}

    login(Service(lambda request: reply(GRANT)), environ, metadata=agent)

    assert agent.urls == ["http://169.254.170.2/v2/credentials/x"]


def test_credentials_of_a_container_are_asked_of_no_stranger() -> None:
    environ = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://evil.example/"}

    found = login(Service(lambda request: reply({})), environ)

    assert found is not None
    assert "neither https nor the container's agent: evil.example" in found.problem


def test_a_machine_s_role_is_asked_for_with_a_session_token() -> None:
    def imds(request: Request) -> Response:
        if request.method == "PUT":
            return Response.of(200, {}, b"SESSION")
        assert request.headers["X-aws-ec2-metadata-token"] == "SESSION"
        last = request.url.rpartition("/")[2]
        return reply(GIVEN) if last else Response.of(200, {}, b"builder")

    service = Service(lambda request: reply(GRANT))

    found = login(service, {}, metadata=imds, vendor="Amazon EC2")

    assert found is not None
    assert found.source == "ECR (EC2 instance role builder)"
    assert service.seen[0].headers["x-amz-security-token"] == "T"


def test_a_machine_without_metadata_is_anonymous() -> None:
    def gone(request: Request) -> Response:
        raise ConnectionLost("169.254.169.254: timed out")

    found = login(Service(unasked), {}, metadata=gone, vendor="Amazon EC2")
    forbidden = login(Service(unasked), {"AWS_EC2_METADATA_DISABLED": "true"}, vendor="Amazon EC2")

    assert found is not None
    assert found.problem == ""
    assert "169.254.169.254: timed out" in found.searched[0]
    assert forbidden is not None
    assert "AWS_EC2_METADATA_DISABLED is set" in forbidden.searched[0]


def unasked(request: Request) -> Response:
    raise AssertionError(request.url)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"hunter2", "did not answer in JSON"),
        (b"[]", "did not answer with a JSON object"),
        (b"{}", "answered without authorizationData"),
        (b'{"authorizationData": []}', "answered without authorizationData"),
        (b'{"authorizationData": [{}]}', "answered without authorizationToken"),
        (b'{"authorizationData": [{"authorizationToken": "!"}]}', "not base64"),
        (b'{"authorizationData": [{"authorizationToken": "QVdT"}]}', "without a user"),
        (b" " * (1024 * 1024 + 1), "longer than"),
    ],
)
def test_a_strange_answer_is_a_problem(answer: bytes, said: str) -> None:
    found = login(Service(lambda request: Response.of(200, {}, answer)), KEYS)

    assert found is not None
    assert said in found.problem
    assert "hunter2" not in found.problem


def test_a_web_identity_is_refused_in_sts_s_words(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("hunter2")
    environ = {
        "AWS_ROLE_ARN": "arn:x",
        "AWS_WEB_IDENTITY_TOKEN_FILE": str(tmp_path / "token"),
    }
    xml = b"<ErrorResponse><Error><Code>ExpiredTokenException</Code></Error></ErrorResponse>"
    service = Service(lambda request: Response.of(400, {}, xml))

    found = login(service, environ)

    assert found is not None
    assert found.problem == ("AWS_WEB_IDENTITY_TOKEN_FILE: STS: HTTP 400: ExpiredTokenException")
    assert service.urls == ["https://sts.eu-west-1.amazonaws.com/"]
    assert fields(service.seen[0])["WebIdentityToken"] == "hunter2"
