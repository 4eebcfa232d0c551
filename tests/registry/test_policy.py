import json
from pathlib import Path
from typing import Any

import pytest

from artificer.oci.reference import Named, parse_name
from artificer.registry.policy import InvalidPolicy, Policy, Rejected, docker_scopes, policy_of

ACCEPT = [{"type": "insecureAcceptAnything"}]
REJECT = [{"type": "reject"}]
SIGNED = [{"type": "signedBy", "keyType": "GPGKeys", "keyPath": "/k"}]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "policy.json"


def read(path: Path, default: Any, **transports: Any) -> Policy:
    path.write_text(json.dumps({"default": default, "transports": transports}))
    return policy_of(str(path))


def name(text: str) -> Named:
    return parse_name(text)


def test_scopes_go_from_the_image_to_its_domains() -> None:
    assert docker_scopes(name("a.b.example:5000/x/y:1")) == (
        "a.b.example:5000/x/y:1",
        "a.b.example:5000/x/y",
        "a.b.example:5000/x",
        "a.b.example:5000",
        "*.b.example",
        "*.example",
    )
    digest = "sha256:" + "0" * 64
    assert docker_scopes(name(f"alpine@{digest}"))[0] == f"docker.io/library/alpine@{digest}"


@pytest.mark.parametrize(
    ("scopes", "allowed"),
    [
        ({}, False),
        ({"": ACCEPT}, True),
        ({"docker.io": ACCEPT}, True),
        ({"docker.io": ACCEPT, "docker.io/library": REJECT}, False),
        ({"docker.io/library": REJECT, "docker.io/library/alpine": ACCEPT}, True),
        ({"docker.io/library/alpine": REJECT, "docker.io/library/alpine:3.7": ACCEPT}, True),
        ({"docker.io/library/alpine:3.8": ACCEPT}, False),
        ({"*.io": ACCEPT}, True),
        ({"*.io": ACCEPT, "docker.io": REJECT}, False),
        ({"docker.io": [*ACCEPT, *REJECT]}, False),
        ({"quay.io": ACCEPT}, False),
    ],
)
def test_the_narrowest_scope_decides(path: Path, scopes: Any, allowed: bool) -> None:
    policy = read(path, REJECT, docker=scopes)
    if allowed:
        policy.check_named(name("alpine:3.7"))
    else:
        with pytest.raises(Rejected, match=r"alpine:3\.7: rejected by the policy"):
            policy.check_named(name("alpine:3.7"))


def test_other_transports_have_their_own_scopes(path: Path) -> None:
    policy = read(path, REJECT, oci={"/good": ACCEPT})

    policy.check("oci", ["/good/image:1", "/good/image", "/good"])
    for transport, scope in (("oci", "/bad"), ("docker-archive", "/good")):
        with pytest.raises(Rejected) as caught:
            policy.check(transport, [scope])
        assert caught.value.hint == f"default in {path} says `reject`"


@pytest.mark.parametrize("kind", ["signedBy", "signedBaseLayer", "sigstoreSigned"])
def test_a_signature_that_cannot_be_checked_is_refused_by_name(path: Path, kind: str) -> None:
    policy = read(path, ACCEPT, docker={"quay.io": [{"type": kind, "keyPath": "/k"}]})

    policy.check_named(name("alpine"))
    with pytest.raises(Rejected, match=rf"wants it signed \({kind}\)") as caught:
        policy.check_named(name("quay.io/a"))
    assert caught.value.hint == f"transports.docker['quay.io'] in {path} asks for it"


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("", "Expecting value"),
        ("[]", "the policy is not an object"),
        ("{}", "there is no default"),
        ('{"default": []}', "default is not a list with at least one requirement"),
        ('{"default": {"type": "reject"}}', "default is not a list"),
        ('{"default": ["reject"]}', "default, requirement 1 is not an object"),
        ('{"default": [{"type": "rejekt"}]}', "nobody knows the type 'rejekt'"),
        ('{"default": [{"type": ["reject"]}]}', "nobody knows the type"),
        ('{"default": [{"type": "reject", "x": 1}]}', "nobody knows the key 'x'"),
        ('{"default": [{"type": "reject"}], "transport": {}}', "nobody knows the key 'transport'"),
        ('{"default": [{"type": "reject"}], "transports": []}', "transports is not an object"),
        (
            '{"default": [{"type": "reject"}], "transports": {"docker": {"a": []}}}',
            "transports.docker['a'] is not a list",
        ),
        ('{"default": [], "default": []}', "the key 'default' stands there twice"),
        ("[" * 100_000, "recursion"),
    ],
)
def test_a_policy_that_is_not_understood_whole_is_an_error(
    path: Path, text: str, wrong: str
) -> None:
    path.write_text(text)
    with pytest.raises(InvalidPolicy) as caught:
        policy_of(str(path))
    assert wrong in caught.value.message
    assert str(path) in caught.value.message


def test_a_policy_that_cannot_be_read_is_an_error(path: Path) -> None:
    with pytest.raises(InvalidPolicy, match="cannot read"):
        policy_of(str(path))


@pytest.mark.parametrize(
    ("requirements", "allowed"), [(ACCEPT, True), (REJECT, False), (SIGNED, True)]
)
def test_a_signature_is_not_asked_of_what_is_about_to_be_written(
    path: Path, requirements: Any, allowed: bool
) -> None:
    policy = read(path, ACCEPT, docker={"a.example": requirements})
    if allowed:
        policy.check_target(name("a.example/x:1"))
    else:
        with pytest.raises(Rejected, match="rejected by the policy"):
            policy.check_target(name("a.example/x:1"))
