"""A refusal says what was refused, to whom, and what to do."""

import pytest

from artificer import limits
from artificer.errors import ArtificerError, Unauthorized
from artificer.http.request import Response
from artificer.oci.reference import Repository
from artificer.registry.credential import ANONYMOUS, Basic, Found
from artificer.registry.problems import (
    Answer,
    BlobMissing,
    Denied,
    Limited,
    NotFound,
    Refused,
    ServerFailed,
    answer_of,
    problem,
)
from tests.registry.clients import Client
from tests.registry.faulty import Fault, Faulty

ECR = Repository("123456789012.dkr.ecr.eu-west-1.amazonaws.com", "app")
PLAIN = Repository("reg.example", "app")
NOBODY = Found(ANONYMOUS, "", searched=("~/.docker/config.json: not there",))


def answer(status: int, *codes: str, text: str = "", **headers: str) -> Answer:
    told = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, frozenset(codes), text, told)


@pytest.mark.parametrize(
    ("repository", "said", "kind", "message", "hint"),
    [
        (ECR, answer(404, "NAME_UNKNOWN"), NotFound, "404", "aws ecr create-repository"),
        (PLAIN, answer(404, "NAME_UNKNOWN"), NotFound, "404", "created first at reg.example"),
        (PLAIN, answer(409, "TAG_INVALID"), Refused, "409", "new tag"),
        (ECR, answer(400, text="ImageTagAlreadyExists: immutable"), Refused, "400", "new tag"),
        (PLAIN, answer(405, "UNSUPPORTED"), Refused, "405", "switched off"),
        (PLAIN, answer(413), Refused, "413", "limits the size"),
        (PLAIN, answer(401), Denied, "not allowed", "config.json: not there"),
        (PLAIN, answer(400, "DENIED", text="no"), Denied, r"400: no", "artificer login reg"),
        (PLAIN, answer(429, retry_after="9"), Limited, "retry-after: 9", "log in"),
        (PLAIN, answer(403, "TOOMANYREQUESTS"), Limited, "403", "wait"),
        (PLAIN, answer(502, text="Bad Gateway"), ServerFailed, "502: Bad Gateway", ""),
        (PLAIN, answer(500, "MANIFEST_BLOB_UNKNOWN"), ServerFailed, "500", ""),
        (PLAIN, answer(400, "MANIFEST_BLOB_UNKNOWN"), BlobMissing, "400", ""),
    ],
)
def test_a_refusal_says_what_to_do(
    repository: Repository, said: Answer, kind: type[ArtificerError], message: str, hint: str
) -> None:
    found = problem("pushing it", repository, said, NOBODY, pushing=True)

    assert type(found) is kind
    assert message in found.message
    assert str(repository) in found.message
    assert hint in (found.hint or "")


def test_a_refusal_names_whose_credentials_they_were() -> None:
    found = problem("pushing it", PLAIN, answer(403), Found(Basic("me", "x"), "~/.netrc"))

    assert "~/.netrc" in found.message
    assert isinstance(found, Unauthorized)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"<html><head><title>502 Bad &amp; Ugly</title></head>x</html>", "502 Bad & Ugly"),
        (b"<style>b{}</style>\n<p>Sorry, <b>no</b></p>\n<p>more</p>", "Sorry,  no"),
        (b"\n plain words \n more", "plain words"),
        (b"\x1b[31mred", "[31mred"),
        (b"x" * 1000, "x" * 300),
        (b'{"errors":"x"}', '{"errors":"x"}'),
        (b'{"errors":[{"code":"A","message":"m","detail":"d"},5,{"code":"B"}]}', "A: m: d; B"),
        (b"", ""),
    ],
)
def test_an_error_page_is_one_line(
    faulty: Faulty, client: Client, body: bytes, expected: str
) -> None:
    faulty.faults += [Fault("GET manifest", status=418, body=body)]

    with pytest.raises(Refused) as caught:
        client.registry.manifest(Repository(faulty.host, "team/app"), "v1")

    assert caught.value.message == (
        f"{faulty.host}/team/app: reading manifest v1 failed with 418"
        + (f": {expected}" if expected else "")
    )


@pytest.mark.parametrize(("extra", "read"), [(0, True), (1, False)])
def test_no_more_than_the_start_of_a_refusal_is_read(extra: int, *, read: bool) -> None:
    start = b'{"errors":[{"code":"DENIED","message":"no"}]'
    body = start + b" " * (limits.ERROR_BYTES - len(start) - 1 + extra) + b"}"

    told = answer_of(Response.of(403, {}, body))

    assert (told.codes == {"DENIED"}) is read
