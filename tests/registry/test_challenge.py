"""Challenges are read as they come, and a realm is trusted only where it may be."""

import pytest

from artificer.http.request import Authority, authority
from artificer.registry.challenge import (
    Challenge,
    UntrustedRealm,
    challenges,
    check_realm,
    preferred,
)

# What a challenge says


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ('Basic realm="x"', [Challenge("basic", "x")]),
        ("basic", [Challenge("basic")]),
        (
            'Bearer realm="https://a/t",service="s",scope="repository:a:pull,push"',
            [Challenge("bearer", "https://a/t", "s", "repository:a:pull,push")],
        ),
        (
            'Negotiate, Bearer realm="https://a/\\"t" , error=invalid_token, Basic realm=y',
            [
                Challenge("negotiate"),
                Challenge("bearer", 'https://a/"t', error="invalid_token"),
                Challenge("basic", "y"),
            ],
        ),
        ("BEARER Realm='x'", [Challenge("bearer", "'x'")]),
        ("", []),
        ("=,=", []),
        ('Bearer realm="unfinished', [Challenge("bearer")]),
    ],
)
def test_challenges_are_read(header: str, expected: list[Challenge]) -> None:
    found = challenges([header])

    assert [one for one in found if one.scheme in ("basic", "bearer", "negotiate")] == expected


def test_a_token_is_preferred_to_showing_the_password() -> None:
    found = challenges(['Basic realm="x"', 'Bearer realm="https://a/t"'])

    assert preferred(found) == Challenge("bearer", "https://a/t")
    assert preferred(challenges(["Negotiate"])) is None


# Where a realm may be


@pytest.mark.parametrize(
    ("realm", "registry"),
    [
        ("https://auth.example/token", "https://reg.example"),
        ("https://8.8.8.8/token", "https://reg.example"),
        ("http://auth.example/token", "http://reg.example:5000"),
        ("https://10.0.0.5/token", "https://10.0.0.5"),
        ("http://127.0.0.1:5001/token", "http://127.0.0.1:5000"),
        ("http://localhost:5001/token", "http://127.0.0.1:5000"),
        ("http://127.0.0.1:5001/token", "http://localhost:5000"),
    ],
)
def test_a_realm_may_be_anywhere_in_public(realm: str, registry: str) -> None:
    assert check_realm(realm, authority(registry)).host in realm


@pytest.mark.parametrize(
    "realm",
    [
        "http://auth.example/token",
        "https://127.0.0.1/token",
        "https://127.1/token",
        "https://localhost/token",
        "https://a.localhost./token",
        "https://2130706433/token",
        "https://0x7f000001/token",
        "https://0x7f.1/token",
        "https://169.254.169.254/latest/meta-data",
        "https://10.0.0.1/token",
        "https://192.168.1.1./token",
        "https://100.64.0.1/token",
        "https://0.0.0.0/token",
        "https://[::1]/token",
        "https://[::ffff:127.0.0.1]/token",
        "https://[fe80::1]/token",
        "https://[fd00::1]/token",
        "https://user@auth.example/token",
        "https://reg.example@169.254.169.254/token",
        "file:///etc/passwd",
        "https://",
        "https://[",
        "token",
        "",
    ],
)
def test_a_realm_inside_a_network_is_refused(realm: str) -> None:
    with pytest.raises(UntrustedRealm):
        check_realm(realm, Authority("https", "reg.example", 443))
