import base64
import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artificer.limits import AUTH_FILE_BYTES
from artificer.oci.reference import Repository
from artificer.registry.authfile import (
    Absent,
    AuthFile,
    Config,
    InvalidAuthFile,
    keys_of,
    load,
    normal_key,
)
from artificer.registry.credential import Basic, Bearer, IdentityToken


def auth(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def config(**document: Any) -> Config:
    return Config(json.dumps(document, indent=1), "config.json")


def test_the_keys_of_a_repository_go_from_the_most_specific_to_the_host() -> None:
    assert keys_of(Repository("quay.io", "a/b/c")) == (
        "quay.io/a/b/c",
        "quay.io/a/b",
        "quay.io/a",
        "quay.io",
    )


@pytest.mark.parametrize(
    ("key", "normal"),
    [
        ("ghcr.io", "ghcr.io"),
        ("https://ghcr.io", "ghcr.io"),
        ("http://GHCR.io/", "ghcr.io"),
        ("https://gcr.io/v2/", "gcr.io"),
        ("quay.io/v1", "quay.io"),
        ("quay.io/v2/app", "quay.io/v2/app"),
        ("https://quay.io/v2/app", "quay.io/app"),
        ("localhost:5000/", "localhost:5000"),
        ("https://index.docker.io/v1/", "docker.io"),
        ("index.docker.io", "docker.io"),
        ("registry-1.docker.io", "docker.io"),
        ("docker.io/library", "docker.io/library"),
    ],
)
def test_a_key_is_compared_without_scheme_version_and_slash(key: str, normal: str) -> None:
    assert normal_key(key) == normal


def test_a_password_may_hold_a_colon_and_loses_its_nuls() -> None:
    found, _ = config(auths={"r.io": {"auth": auth("me:a:b\0\0")}}).credential("r.io")

    assert found == Basic("me", "a:b")


def test_a_user_and_a_password_may_stand_apart() -> None:
    found, _ = config(auths={"r.io": {"username": "me", "password": "pw"}}).credential("r.io")

    assert found == Basic("me", "pw")


def test_an_identity_token_wins_over_a_password() -> None:
    entry = {"auth": auth("me:"), "identitytoken": "T"}

    assert config(auths={"r.io": entry}).credential("r.io") == (IdentityToken("T", "me"), "r.io")


def test_a_registry_token_is_a_bearer_token() -> None:
    assert config(auths={"r.io": {"registrytoken": "T"}}).credential("r.io")[0] == Bearer("T")


def test_of_two_spellings_of_a_host_the_one_that_says_something_counts() -> None:
    auths = {"https://r.io": {}, "r.io": {"auth": auth("a:b")}, "http://r.io/": {}}

    assert config(auths=auths).credential("r.io") == (Basic("a", "b"), "r.io")


def test_an_empty_file_says_nothing() -> None:
    assert not Config("\n", "config.json").credential("r.io")[0]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{\n "auths": {\n  "a": {,}\n }\n}', "config.json:3: not valid JSON: "),
        ("[]", "config.json:1: not a JSON object"),
        ('{\n\n"auths": []}', 'config.json:3: "auths" is not an object'),
        ('{"auths":\n {"r.io": "x"}}', 'config.json:2: auths["r.io"] is not an object'),
        (
            '{"auths":\n {"r.io": {"auth": 5}}}',
            'config.json:2: auths["r.io"] auth is not a string',
        ),
        ('{"auths":\n {"r.io": {"auth": "!!secret"}}}', 'config.json:2: auths["r.io"]: "auth"'),
        ('{"auths":\n {"r.io": {"auth": "c2VjcmV0"}}}', 'config.json:2: auths["r.io"]: "auth"'),
        ('{"auths": {"r.io": {"password": "\\ud800"}}}', "password is not a string"),
        ('{"credsStore": 1}', "config.json:1: credsStore is not a string"),
        ('{"credHelpers":\n{"r.io": null}}', "config.json:2: credHelpers r.io is not a string"),
        ('{"HttpHeaders": {"X-A": "1\\r\\nX-B: 2"}}', "HttpHeaders 'X-A' is not a header"),
        ("[" * 100_000, "config.json:1: nested too deep"),
    ],
)
def test_what_is_no_credentials_file_is_named_with_its_line(text: str, said: str) -> None:
    with pytest.raises(InvalidAuthFile) as caught:
        Config(text, "config.json").credential("r.io")

    assert said in caught.value.message
    assert "secret" not in caught.value.message
    assert "c2VjcmV0" not in caught.value.message
    assert caught.value.__cause__ is None


def test_headers_are_kept_but_for_those_that_are_ours() -> None:
    headers = {"User-Agent": "Docker-Client/19", "X-Meta": "a b", "Authorization": "Basic x"}

    assert config(HttpHeaders=headers).headers == (("X-Meta", "a b"),)


def test_a_file_that_is_not_there_is_absent(tmp_path: Path) -> None:
    gone = load(AuthFile(str(tmp_path / "no" / "config.json"), "~/config.json"))

    assert gone == Absent("no such file")


def test_a_file_that_somebody_named_has_to_be_there(tmp_path: Path) -> None:
    with pytest.raises(InvalidAuthFile, match=r"x\.json: no such file"):
        load(AuthFile(str(tmp_path / "x.json"), "x.json", required=True))


def test_a_directory_in_place_of_a_file_is_unreadable(tmp_path: Path) -> None:
    found = load(AuthFile(str(tmp_path), "x"))

    assert isinstance(found, Absent)
    assert found.unreadable


@pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() == 0, reason="root reads everything")
def test_a_forbidden_file_is_unreadable(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text("{}")
    path.chmod(0)

    assert load(AuthFile(str(path), "x")) == Absent("cannot be read: permission denied", True)


@pytest.mark.parametrize(("more", "fits"), [(0, True), (1, False)])
def test_a_file_is_read_up_to_its_limit(tmp_path: Path, more: int, fits: bool) -> None:
    path = tmp_path / "config.json"
    path.write_bytes(b"{}" + b" " * (AUTH_FILE_BYTES - 2 + more))

    if fits:
        assert isinstance(load(AuthFile(str(path), "x")), Config)
    else:
        with pytest.raises(InvalidAuthFile, match="larger than"):
            load(AuthFile(str(path), "x"))


def test_bytes_that_are_no_text_are_named_with_their_line(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_bytes(b'{\n"a": "\xff"}')

    with pytest.raises(InvalidAuthFile, match="x:2: not UTF-8"):
        load(AuthFile(str(path), "x"))


def test_a_dockercfg_has_its_registries_at_the_top(tmp_path: Path) -> None:
    path = tmp_path / ".dockercfg"
    path.write_text(json.dumps({"https://r.io": {"auth": auth("a:b"), "email": ""}}))

    found = load(AuthFile(str(path), "x", legacy=True))

    assert isinstance(found, Config)
    assert found.credential("r.io")[0] == Basic("a", "b")


def complaint(text: str) -> str | None:
    try:
        Config(text, "config.json").credential("r.io")
    except InvalidAuthFile as error:
        return error.message
    return None


@given(st.text())
def test_any_text_is_a_config_or_a_named_error(text: str) -> None:
    said = complaint(text)

    assert said is None or said.startswith("config.json:")
