"""Who we are is proved to the registry and its token service, and to nobody else."""

import base64
import json

import pytest

from artificer.errors import Unavailable
from artificer.http.request import Request, Response
from artificer.oci.reference import Repository
from artificer.registry.auth import Access, Authorized, pulling, pushing
from artificer.registry.challenge import (
    UntrustedRealm,
)
from artificer.registry.credential import (
    ANONYMOUS,
    Basic,
    Bearer,
    Credential,
    Found,
    IdentityToken,
)
from artificer.registry.problems import Denied
from artificer.registry.routes import Endpoint
from artificer.registry.tokens import TokenRefused, granted
from tests.registry.clients import script

REPOSITORY = Repository("reg.example", "team/app")
ENDPOINT = Endpoint("https://reg.example", REPOSITORY)
GET = Request("GET", "https://reg.example/v2/team/app/tags/list")
ASKED = {
    "WWW-Authenticate": 'Bearer realm="https://auth.example/token",service="reg",'
    'scope="repository:team/app:pull"'
}


class Talk:
    """A registry and its token service that give their answers in turn."""

    def __init__(
        self,
        credential: Credential,
        *answers: Response,
        tokens: tuple[Response, ...] = (),
        headers: tuple[tuple[str, str], ...] = (),
    ) -> None:
        send, self.asked = script(*answers)
        direct, self.token_asked = script(*tokens)
        self.now = 0.0
        found = Found(credential, "the file", searched=("the file",), headers=headers)
        self.send = Authorized(send, lambda _: found, direct=direct, clock=lambda: self.now)

    def shown(self) -> list[str]:
        return [request.headers.get("Authorization", "") for request in self.asked]


def challenge(header: str = "") -> Response:
    return Response.of(401, {"WWW-Authenticate": header} if header else ASKED, url=GET.url)


def ok() -> Response:
    return Response.of(200, {}, b"{}", url=GET.url)


def token(value: str, **more: object) -> Response:
    return Response.of(200, {}, json.dumps({"token": value, **more}).encode())


# Tokens


def test_no_secret_is_sent_to_an_untrusted_realm() -> None:
    talk = Talk(Basic("me", "secret"), challenge('Bearer realm="https://169.254.169.254/t"'))

    with pytest.raises(UntrustedRealm):
        talk.send(GET, pulling(ENDPOINT))

    assert talk.token_asked == []


def test_a_token_is_asked_with_the_wanted_scope_first_and_kept() -> None:
    talk = Talk(Basic("me", "secret"), challenge(), ok(), ok(), tokens=(token("t1"),))

    for _ in range(2):
        assert talk.send(GET, pushing(ENDPOINT)).status == 200

    assert talk.shown() == ["", "Bearer t1", "Bearer t1"]
    (asked,) = talk.token_asked
    assert asked.url == (
        "https://auth.example/token?service=reg&"
        "scope=repository%3Ateam%2Fapp%3Apull%2Cpush&account=me"
    )
    assert asked.headers["Authorization"] == "Basic bWU6c2VjcmV0"


def test_a_scope_that_only_the_registry_names_is_asked_for_too() -> None:
    other = 'Bearer realm="https://auth.example/t?x=1",scope="repository:other:pull"'
    talk = Talk(ANONYMOUS, challenge(other), ok(), tokens=(token("t1"),))

    talk.send(GET, pulling(ENDPOINT))

    assert talk.token_asked[0].url == (
        "https://auth.example/t?x=1&"
        "scope=repository%3Ateam%2Fapp%3Apull&scope=repository%3Aother%3Apull"
    )


def test_a_token_for_more_serves_for_less() -> None:
    talk = Talk(ANONYMOUS, challenge(), ok(), ok(), tokens=(token("t1"),))

    talk.send(GET, pushing(ENDPOINT))
    talk.send(GET, pulling(ENDPOINT))

    assert len(talk.token_asked) == 1


@pytest.mark.parametrize(
    ("told", "seconds", "fresh"),
    [
        ({"expires_in": 300}, 289, True),
        ({"expires_in": 300}, 291, False),
        ({}, 49, True),
        ({}, 51, False),
        ({"expires_in": 0}, 49, True),
        ({"expires_in": "a while"}, 51, False),
        ({"expires_in": 6}, 4.9, True),
        ({"expires_in": 6}, 5.1, False),
    ],
)
def test_a_token_is_renewed_before_it_ends(
    told: dict[str, object], seconds: float, fresh: bool
) -> None:
    talk = Talk(ANONYMOUS, challenge(), ok(), ok(), tokens=(token("t1", **told), token("t2")))

    talk.send(GET, pulling(ENDPOINT))
    talk.now += seconds
    talk.send(GET, pulling(ENDPOINT))

    assert talk.shown()[-1] == ("Bearer t1" if fresh else "Bearer t2")


def test_a_token_that_the_registry_takes_no_longer_is_renewed() -> None:
    talk = Talk(ANONYMOUS, challenge(), ok(), challenge(), ok(), tokens=(token("t1"), token("t2")))

    talk.send(GET, pulling(ENDPOINT))
    response = talk.send(GET, pulling(ENDPOINT))

    assert response.status == 200
    assert talk.shown() == ["", "Bearer t1", "Bearer t1", "Bearer t2"]


def test_a_refusal_is_asked_about_once() -> None:
    answers = (challenge(), challenge())
    talk = Talk(ANONYMOUS, *answers, tokens=(token("t1"),))

    assert talk.send(GET, pulling(ENDPOINT)).status == 401


def test_an_identity_token_is_exchanged_and_its_successor_kept() -> None:
    talk = Talk(
        IdentityToken("refresh-1"),
        challenge(),
        ok(),
        challenge(),
        ok(),
        tokens=(token("t1", refresh_token="refresh-2"), token("t2")),
    )

    talk.send(GET, pulling(ENDPOINT))
    talk.send(GET, pulling(ENDPOINT))

    forms = [b"".join(one.body.open(0)).decode() for one in talk.token_asked if one.body]
    assert [form.rpartition("=")[2] for form in forms] == ["refresh-1", "refresh-2"]
    assert forms[0] == (
        "grant_type=refresh_token&service=reg&scope=repository%3Ateam%2Fapp%3Apull"
        "&client_id=artificer&refresh_token=refresh-1"
    )


@pytest.mark.parametrize("status", [404, 405])
def test_a_service_without_oauth_is_asked_by_get(status: int) -> None:
    tokens = (Response.of(status), Response.of(200, {}, b'{"access_token":"t1"}'))
    talk = Talk(IdentityToken("refresh"), challenge(), ok(), tokens=tokens)

    assert talk.send(GET, pulling(ENDPOINT)).status == 200

    pair = base64.b64encode(b"<token>:refresh").decode()
    assert talk.token_asked[1].headers["Authorization"] == f"Basic {pair}"


def test_a_bearer_token_goes_to_the_registry_as_it_is() -> None:
    talk = Talk(Bearer("mine"), ok())

    talk.send(GET, pulling(ENDPOINT))

    assert talk.shown() == ["Bearer mine"]


def test_a_password_goes_where_it_is_asked_for_and_then_at_once() -> None:
    talk = Talk(Basic("me", "secret"), challenge("Basic"), ok(), ok())

    for _ in range(2):
        talk.send(GET, pulling(ENDPOINT))

    assert talk.shown() == ["", "Basic bWU6c2VjcmV0", "Basic bWU6c2VjcmV0"]


def test_a_wrong_password_is_not_shown_twice() -> None:
    talk = Talk(Basic("me", "wrong"), challenge("Basic"), challenge("Basic"))

    assert talk.send(GET, pulling(ENDPOINT)).status == 401


@pytest.mark.parametrize("header", ["Negotiate", "Bearer service=x"])
def test_a_challenge_that_nobody_can_answer_is_the_answer(header: str) -> None:
    talk = Talk(Basic("me", "secret"), challenge(header))

    assert talk.send(GET, pulling(ENDPOINT)).status == 401


@pytest.mark.parametrize(
    "answer",
    [
        Response.of(200, {}, b"{}"),
        Response.of(200, {}, b"<html>"),
        Response.of(200, {}, b'{"token":"a\\nb"}'),
        Response.of(200, {}, b'{"token":5}'),
        Response.of(418),
    ],
)
def test_what_is_no_token_is_a_clear_error(answer: Response) -> None:
    talk = Talk(Basic("me", "secret"), challenge(), tokens=(answer,))

    with pytest.raises(TokenRefused, match=r"auth\.example") as caught:
        talk.send(GET, pulling(ENDPOINT))

    assert isinstance(caught.value, Unavailable)
    assert "secret" not in caught.value.message


def test_a_service_that_refuses_names_whose_credentials_they_were() -> None:
    refusal = Response.of(401, {}, b'{"errors":[{"code":"UNAUTHORIZED","message":"no"}]}')
    talk = Talk(Basic("me", "secret"), challenge(), tokens=(refusal,))

    with pytest.raises(Denied, match=r"auth\.example .*UNAUTHORIZED: no.* the file") as caught:
        talk.send(GET, pulling(ENDPOINT))

    assert "artificer login reg.example" in str(caught.value.hint)


def test_a_service_may_move_but_credentials_stay() -> None:
    moved = Response.of(307, {"Location": "https://elsewhere.example/token"})
    anonymous = Talk(ANONYMOUS, challenge(), ok(), tokens=(moved, token("t1")))
    known = Talk(Basic("me", "secret"), challenge(), tokens=(moved,))

    assert anonymous.send(GET, pulling(ENDPOINT)).status == 200
    with pytest.raises(TokenRefused, match="do not follow"):
        known.send(GET, pulling(ENDPOINT))


@pytest.mark.parametrize("location", ["https://169.254.169.254/", "http://auth.example/"])
def test_a_service_may_not_move_inside(location: str) -> None:
    moved = Response.of(302, {"Location": location})
    talk = Talk(ANONYMOUS, challenge(), tokens=(moved,))

    with pytest.raises(UntrustedRealm):
        talk.send(GET, pulling(ENDPOINT))


def test_a_service_that_moves_for_ever_is_an_error() -> None:
    moved = [Response.of(302, {"Location": "/token"}) for _ in range(9)]
    talk = Talk(ANONYMOUS, challenge(), tokens=tuple(moved))

    with pytest.raises(TokenRefused, match="without end"):
        talk.send(GET, pulling(ENDPOINT))


# Who gets what


def test_another_host_gets_nothing() -> None:
    talk = Talk(Basic("me", "secret"), challenge("Basic"), ok(), ok(), headers=(("X-Key", "k"),))
    talk.send(GET, pulling(ENDPOINT))

    talk.send(Request("PUT", "https://storage.example/x"), pulling(ENDPOINT))

    assert dict(talk.asked[1].headers)["X-Key"] == "k"
    assert dict(talk.asked[2].headers) == {}


@pytest.mark.parametrize(
    "url", ["http://reg.example/v2/", "https://reg.example:444/v2/", "http://reg.example:443/v2/"]
)
def test_another_port_and_plain_http_get_nothing(url: str) -> None:
    talk = Talk(Bearer("mine"), ok())

    talk.send(Request("GET", url), pulling(ENDPOINT))

    assert talk.shown() == [""]


def test_the_challenge_of_another_host_is_not_answered() -> None:
    foreign = Response.of(401, ASKED, url="https://storage.example/x")
    talk = Talk(Basic("me", "secret"), foreign)

    assert talk.send(GET, pulling(ENDPOINT)).status == 401
    assert talk.token_asked == []


def test_a_plain_registry_found_under_https_may_have_a_plain_realm() -> None:
    plain = Response.of(
        401,
        {"WWW-Authenticate": 'Bearer realm="http://auth.example/token"'},
        url="http://reg.example:5000/v2/",
    )
    endpoint = Endpoint("https://reg.example:5000", REPOSITORY)
    talk = Talk(ANONYMOUS, plain, ok(), tokens=(token("t1"),))
    request = Request("GET", "https://reg.example:5000/v2/")

    assert talk.send(request, pulling(endpoint)).status == 200


# Explained


def test_an_explanation_tells_all_but_the_secrets() -> None:
    claims = {"access": [{"type": "repository", "name": "team/app", "actions": ["pull"]}]}
    body = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    jwt = f"e30.{body}.c2ln"
    talk = Talk(Basic("me", "secret"), challenge(), ok(), tokens=(token(jwt, expires_in=120),))

    told = talk.send.explain(pushing(ENDPOINT))

    assert told._asdict() == {
        "repository": REPOSITORY,
        "source": "the file",
        "searched": ("the file",),
        "problem": "",
        "kind": "basic",
        "scheme": "bearer",
        "realm": "auth.example",
        "service": "reg",
        "asked": ("repository:team/app:pull,push",),
        "granted": ("repository:team/app:pull",),
        "seconds": 120,
        "status": 200,
    }
    assert "secret" not in repr(told)
    assert jwt not in repr(told)


def test_a_registry_that_asks_for_nothing_is_explained() -> None:
    told = Talk(ANONYMOUS, ok()).send.explain(pulling(ENDPOINT))

    assert (told.scheme, told.kind, told.asked, told.granted) == ("none", "anonymous", (), None)


@pytest.mark.parametrize(
    "text", ["", "a.b", "a.!.c", "e30.e30.x", "a.W10.c", "a.eyJhY2Nlc3MiOjV9.c"]
)
def test_a_token_that_shows_nothing_shows_nothing(text: str) -> None:
    assert granted(text) is None


def test_access_to_a_mount_source_of_the_same_name_is_asked_once() -> None:
    assert pushing(ENDPOINT, REPOSITORY) == Access(ENDPOINT, ("repository:team/app:pull,push",))
