import json
import os
import stat
from pathlib import Path

import pytest

from artificer.oci.reference import Repository
from artificer.registry.authfile import AuthFile, InvalidAuthFile
from artificer.registry.credential import ANONYMOUS, Basic, Credential, IdentityToken
from artificer.registry.credentials import from_files
from artificer.registry.login import Kept, NotKept, Safe, erase, login_file, store


def no_put(name: str, server: str, credential: Credential) -> None:
    raise AssertionError(name)


def no_erase(name: str, server: str) -> None:
    raise AssertionError(name)


NO_HELPER = Safe(no_put, no_erase)


def found(path: Path, registry: str) -> Credential:
    ask = from_files([AuthFile(str(path), "x")], helper=lambda name, server: ANONYMOUS)
    return ask(Repository(registry, "a/b")).credential


@pytest.mark.parametrize("credential", [Basic("me", "a:b"), IdentityToken("T", "me")])
def test_a_login_that_is_kept_is_found(tmp_path: Path, credential: Basic | IdentityToken) -> None:
    path = tmp_path / "new" / "config.json"

    assert store("ghcr.io", credential, str(path), safe=NO_HELPER) == Kept(str(path), True)
    assert found(path, "ghcr.io") == credential


def test_the_file_is_private_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text("{}")
    path.chmod(0o644)

    store("ghcr.io", Basic("me", "pw"), str(path), safe=NO_HELPER)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert os.listdir(tmp_path) == ["config.json"]


def test_what_else_stands_in_the_file_stays(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    others = {"psFormat": "x", "plugins": {"a": [1, 2.5]}, "auths": {"quay.io": {"email": "e"}}}
    path.write_text(json.dumps(others))

    store("ghcr.io", Basic("me", "pw"), str(path), safe=NO_HELPER)
    erase("ghcr.io", str(path), safe=NO_HELPER)

    assert json.loads(path.read_text()) == others


def test_docker_hub_is_kept_under_its_old_key(tmp_path: Path) -> None:
    path = tmp_path / "config.json"

    store("docker.io", Basic("me", "pw"), str(path), safe=NO_HELPER)

    assert list(json.loads(path.read_text())["auths"]) == ["https://index.docker.io/v1/"]
    assert found(path, "docker.io") == Basic("me", "pw")


def test_a_second_login_takes_the_place_of_every_spelling(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text('{"auths": {"https://ghcr.io/v1/": {"auth": "YTpi"}, "ghcr.io/org": {}}}')

    store("ghcr.io", Basic("me", "pw"), str(path), safe=NO_HELPER)

    assert list(json.loads(path.read_text())["auths"]) == ["ghcr.io/org", "ghcr.io"]


def test_a_link_to_the_file_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    link = tmp_path / "config.json"
    link.symlink_to(tmp_path / "real" / "config.json")

    store("ghcr.io", Basic("me", "pw"), str(link), safe=NO_HELPER)

    assert link.is_symlink()
    assert found(tmp_path / "real" / "config.json", "ghcr.io") == Basic("me", "pw")


@pytest.mark.parametrize(
    ("config", "helper"),
    [
        ({"credsStore": "desktop"}, "desktop"),
        ({"credsStore": "desktop", "credHelpers": {"ghcr.io": "mine"}}, "mine"),
    ],
)
def test_a_helper_keeps_and_forgets_what_the_file_says_it_does(
    tmp_path: Path, config: dict[str, object], helper: str
) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps(config))
    kept: dict[tuple[str, str], Credential] = {}

    def put(name: str, server: str, credential: Credential) -> None:
        kept[name, server] = credential

    def forget(name: str, server: str) -> None:
        del kept[name, server]

    safe = Safe(put, forget)

    place = store("ghcr.io", Basic("me", "hunter2"), str(path), safe=safe)

    assert place == Kept(f"docker-credential-{helper}", False)
    assert kept == {(helper, "ghcr.io"): Basic("me", "hunter2")}
    assert json.loads(path.read_text()) == {**config, "auths": {"ghcr.io": {}}}
    assert erase("ghcr.io", str(path), safe=safe)
    assert not kept
    assert json.loads(path.read_text()) == {**config, "auths": {}}


def test_forgetting_what_is_not_known_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "config.json"

    assert not erase("ghcr.io", str(path), safe=NO_HELPER)
    assert not path.exists()


def test_a_malformed_file_is_not_written_over(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text('{"auths": oops}')

    with pytest.raises(InvalidAuthFile, match=":1: not valid JSON"):
        store("ghcr.io", Basic("me", "pw"), str(path), safe=NO_HELPER)

    assert path.read_text() == '{"auths": oops}'


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(NotKept, match="cannot be written"):
        store("ghcr.io", Basic("me", "pw"), str(tmp_path / "file" / "c.json"), safe=NO_HELPER)


def test_a_login_is_kept_in_the_file_that_is_searched_first() -> None:
    assert login_file({}, home="/h") == "/h/.docker/config.json"
    assert login_file({"DOCKER_CONFIG": "/d"}, home="/h") == "/d/config.json"
    assert login_file({"DOCKER_CONFIG": "/d", "REGISTRY_AUTH_FILE": "/a"}, home="/h") == "/a"


def test_a_file_that_is_no_text_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_bytes(b"\xff")

    with pytest.raises(InvalidAuthFile, match="not UTF-8"):
        store("ghcr.io", Basic("me", "pw"), str(tmp_path / "config.json"), safe=NO_HELPER)


def test_a_file_that_cannot_be_read_is_not_written_over(tmp_path: Path) -> None:
    with pytest.raises(NotKept, match="cannot be read: is a directory"):
        store("ghcr.io", Basic("me", "pw"), str(tmp_path), safe=NO_HELPER)
