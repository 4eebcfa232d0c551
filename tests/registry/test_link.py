"""Where an answer says to go on is found, also behind a proxy that forgets its own name."""

import pytest

from artificer.events import unheard
from artificer.http.request import Response
from artificer.oci.reference import Repository
from artificer.registry.auth import Authorized
from artificer.registry.credential import ANONYMOUS, Found
from artificer.registry.link import Link
from artificer.registry.routes import Endpoint
from tests.registry.clients import script

SEND, _ = script()
LINK = Link(
    Authorized(SEND, lambda _: Found(ANONYMOUS, ""), direct=SEND),
    Endpoint("https://reg.example", Repository("reg.example", "a")),
    unheard,
)


@pytest.mark.parametrize(
    ("asked", "location", "expected"),
    [
        ("https://reg.example/v2/", "", "https://reg.example/v2/"),
        ("https://reg.example/v2/", "/up?x=1", "https://reg.example/up?x=1"),
        ("https://reg.example/v2/", "up", "https://reg.example/v2/up"),
        ("https://reg.example/v2/", "https://s3.example/up", "https://s3.example/up"),
        # TLS ends at a proxy, and the registry behind it calls itself http.
        ("https://reg.example/v2/", "http://reg.example/up?x=1", "https://reg.example/up?x=1"),
        ("https://reg.example:5000/", "http://reg.example:5000/up", "https://reg.example:5000/up"),
        ("https://reg.example/v2/", "http://reg.example:81/up", "http://reg.example:81/up"),
        ("https://reg.example/v2/", "http://other.example/up", "http://other.example/up"),
        ("http://reg.example/v2/", "https://reg.example/up", "https://reg.example/up"),
    ],
)
def test_a_location_is_followed(asked: str, location: str, expected: str) -> None:
    response = Response.of(202, {"Location": location} if location else {})

    assert LINK.location(response, asked) == expected
