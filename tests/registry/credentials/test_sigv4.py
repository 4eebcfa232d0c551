import datetime
from importlib import import_module

from hypothesis import given
from hypothesis import strategies as st

from artificer.registry.clouds.sigv4 import Keys, Scope, signed

MOMENT = datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)
TARGET = "AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken"
WORD = st.text("abcdefghijklmnopqrstuvwxyz0123456789/+=", min_size=1, max_size=40)


def ours(keys: Keys, body: bytes = b"{}") -> dict[str, str]:
    return signed(
        "https://api.ecr.eu-west-1.amazonaws.com",
        {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": TARGET},
        body,
        keys=keys,
        scope=Scope("eu-west-1", "ecr"),
        now=MOMENT.timestamp(),
    )


def botocores(keys: Keys, body: bytes) -> str:
    auth = import_module("botocore.auth")
    request = import_module("botocore.awsrequest").AWSRequest(
        "POST",
        "https://api.ecr.eu-west-1.amazonaws.com/",
        headers={"content-type": "application/x-amz-json-1.1", "x-amz-target": TARGET},
        data=body,
    )
    credentials = import_module("botocore.credentials").Credentials(*keys)
    signer = auth.SigV4Auth(credentials, "ecr", "eu-west-1")
    # What `add_auth` does, at a moment of ours.
    request.context["timestamp"] = MOMENT.strftime("%Y%m%dT%H%M%SZ")
    signer._modify_request_before_signing(request)
    text = signer.string_to_sign(request, signer.canonical_request(request))
    return str(signer.signature(text, request))


def test_a_signature_is_the_recorded_one() -> None:
    headers = ours(Keys("AK", "SK", "TOK"))

    assert headers["x-amz-date"] == "20260102T030405Z"
    assert headers["authorization"] == (
        "AWS4-HMAC-SHA256 Credential=AK/20260102/eu-west-1/ecr/aws4_request, "
        "SignedHeaders=content-type;host;x-amz-date;x-amz-security-token;x-amz-target, "
        "Signature=b9f75bef66899854b7edd635a66b3d5b252ca2a2e323f51b023a8cb7ce02af14"
    )


@given(WORD, WORD, st.just("") | WORD, st.binary(max_size=100))
def test_a_signature_is_botocore_s(access: str, secret: str, token: str, body: bytes) -> None:
    keys = Keys(access, secret, token)

    assert ours(keys, body)["authorization"].endswith(f"Signature={botocores(keys, body)}")
