"""No secret is shown by a value or an error: repr, str, format and message."""

import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artificer.errors import ArtificerError
from artificer.oci.reference import Repository
from artificer.registry.authfile import AuthText, Config
from artificer.registry.clouds.aws import Caller, Identity
from artificer.registry.clouds.azure import Token
from artificer.registry.clouds.exchange import Granted
from artificer.registry.clouds.google import Accounts
from artificer.registry.clouds.sigv4 import Keys
from artificer.registry.credential import Basic, Bearer, Found, IdentityToken
from artificer.registry.credentials import Login, from_files, login_of
from artificer.registry.helpers import Programs
from tests.registry.credentials.fakes import reach

# Letters that no word of ours is made of.
SECRET = st.text("QXZ90", min_size=12, max_size=40)

VALUES: list[Callable[[str], object]] = [
    lambda secret: Basic("me", secret),
    lambda secret: IdentityToken(secret, "me"),
    Bearer,
    lambda secret: Found(Basic("me", secret), "x", headers=(("X-Token", secret),)),
    lambda secret: Login(Bearer(secret), "--creds"),
    lambda secret: AuthText(secret, "DOCKER_AUTH_CONFIG"),
    lambda secret: Config(json.dumps({"auths": {"r.io": {"password": secret}}}), "x"),
    lambda secret: Programs({"TOKEN": secret}),
    lambda secret: Keys("AK", secret, secret),
    lambda secret: Identity(Keys("AK", secret), "x"),
    lambda secret: Caller(reach(), {"AWS_SECRET_ACCESS_KEY": secret}, "/h", "eu-west-1"),
    lambda secret: Accounts({"TOKEN": secret}, "/h"),
    lambda secret: Token(secret, "x"),
    lambda secret: Granted(Found(Bearer(secret), "x"), 1.0),
]


@pytest.mark.parametrize("value_of", VALUES)
@given(secret=SECRET)
def test_no_value_shows_its_secret(value_of: Callable[[str], object], secret: str) -> None:
    value = value_of(secret)

    assert secret not in f"{value} {value!r} {[value]!r} { ({'x': value}) }"


BROKEN: list[Callable[[str], str]] = [
    lambda secret: f'{{"auths": {{"r.io": {{"auth": "{secret}:"}}}}}}',
    lambda secret: f'{{"auths": {{"r.io": {{"auth": {{"{secret}": 1}}}}}}}}',
    lambda secret: f'{{"auths": {{"r.io": {{"password": "{secret}", }}}}}}',
    lambda secret: f'{{"auths": {{"r.io": "{secret}"}}}}',
    lambda secret: f'{{"auths": {{"r.io": {{"password": ["{secret}"]}}}}}}',
    lambda secret: f'{{"HttpHeaders": {{"X-Token": "{secret}\\u0000"}}}}',
    lambda secret: f'"{secret}"',
    lambda secret: secret,
]


def complaint(action: Callable[[], object]) -> str:
    """What is told of an error, with everything that a traceback would print."""
    said = []
    try:
        action()
    except ArtificerError as error:
        cause: BaseException | None = error
        while cause is not None:
            said += [str(cause), repr(cause), getattr(cause, "hint", None) or ""]
            cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)
    return " ".join(said)


@pytest.mark.parametrize("text_of", BROKEN)
@given(secret=SECRET)
def test_no_error_of_a_malformed_file_shows_what_stands_in_it(
    text_of: Callable[[str], str], secret: str
) -> None:
    file = AuthText(text_of(secret), "conf")

    said = complaint(
        lambda: from_files([file], helper=lambda name, server: Bearer(""))(Repository("r.io", "a"))
    )

    assert "conf:1" in said
    assert secret not in said


@given(SECRET)
def test_no_error_of_the_command_line_repeats_it(secret: str) -> None:
    said = complaint(lambda: login_of(secret, "--creds"))

    assert "--creds" in said
    assert secret not in said
