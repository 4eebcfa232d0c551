import base64
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from artificer.errors import Misused
from artificer.events import Event, Warned
from artificer.limits import AUTH_FILE_BYTES
from artificer.oci.reference import Repository
from artificer.registry.authfile import AuthFile, AuthText, InvalidAuthFile
from artificer.registry.credential import (
    ANONYMOUS,
    Basic,
    Credential,
    CredentialProblem,
    Found,
    IdentityToken,
)
from artificer.registry.credentials import (
    Cloud,
    Login,
    chained,
    explicit,
    from_clouds,
    from_files,
    from_helper,
    keychain,
    login_of,
    named_file,
    standard_files,
)

APP = Repository("ghcr.io", "org/app")


def auth(text: str) -> dict[str, str]:
    return {"auth": base64.b64encode(text.encode()).decode()}


def write(path: Path, **document: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document))


def no_helper(name: str, server: str) -> Credential:
    raise AssertionError(f"docker-credential-{name} should not be asked for {server}")


def find(
    home: Path,
    repository: Repository = APP,
    environ: Mapping[str, str] | None = None,
    clouds: Sequence[Cloud] = (),
) -> Found:
    variables = {} if environ is None else environ
    files = standard_files(variables, home=str(home))
    ask = keychain(files, variables, home=str(home), helper=no_helper, clouds=clouds)
    return ask(repository)


def inline(**document: Any) -> AuthText:
    return AuthText(json.dumps(document), "conf")


def test_the_standard_files_are_searched_in_docker_s_and_podman_s_order() -> None:
    environ = {
        "REGISTRY_AUTH_FILE": "/r/auth.json",
        "DOCKER_AUTH_CONFIG": "{}",
        "DOCKER_CONFIG": "/d",
        "XDG_RUNTIME_DIR": "/run/user/1",
        "XDG_CONFIG_HOME": "/home/me/conf",
    }

    assert [file.shown for file in standard_files(environ, home="/home/me")] == [
        "/r/auth.json (REGISTRY_AUTH_FILE)",
        "DOCKER_AUTH_CONFIG",
        "/d/config.json",
        "/d/.dockerconfigjson",
        "~/.docker/config.json",
        "/run/user/1/containers/auth.json",
        "~/conf/containers/auth.json",
        "~/.dockercfg",
    ]


def test_a_file_that_two_variables_name_is_searched_once() -> None:
    files = standard_files({"DOCKER_CONFIG": "/home/me/.docker"}, home="/home/me", uid=7)

    assert [file.shown for file in files] == [
        "~/.docker/config.json",
        "~/.docker/.dockerconfigjson",
        "/run/containers/7/auth.json",
        "~/.config/containers/auth.json",
        "~/.dockercfg",
    ]


def test_every_file_is_searched_until_one_has_an_entry(tmp_path: Path) -> None:
    write(tmp_path / ".docker/config.json", auths={"quay.io": auth("a:b")})
    write(tmp_path / ".config/containers/auth.json", auths={"ghcr.io": auth("me:pw")})

    found = find(tmp_path)

    assert found.credential == Basic("me", "pw")
    assert found.source == '~/.config/containers/auth.json (auths["ghcr.io"])'
    assert found.searched == ("~/.docker/config.json: no entry for ghcr.io",)


def test_without_any_credential_every_place_is_told(tmp_path: Path) -> None:
    found = find(tmp_path)

    assert (found.credential, found.source) == (ANONYMOUS, "anonymous")
    assert found.searched == (
        "~/.docker/config.json: no such file",
        "~/.config/containers/auth.json: no such file",
        "~/.dockercfg: no such file",
        "~/.netrc: no such file",
        "CI variables: none for ghcr.io",
    )
    assert found.problem == ""


def test_a_secret_mounted_as_docker_s_directory_is_read(tmp_path: Path) -> None:
    write(tmp_path / "secret/.dockerconfigjson", auths={"ghcr.io": auth("me:pw")})

    found = find(tmp_path, environ={"DOCKER_CONFIG": str(tmp_path / "secret")})

    assert found.credential == Basic("me", "pw")


def test_the_inline_config_wins_over_files(tmp_path: Path) -> None:
    write(tmp_path / ".docker/config.json", auths={"ghcr.io": auth("file:x")})
    environ = {"DOCKER_AUTH_CONFIG": json.dumps({"auths": {"ghcr.io": auth("inline:x")}})}

    assert find(tmp_path, environ=environ).credential == Basic("inline", "x")


def test_the_most_specific_key_wins() -> None:
    auths = {
        "ghcr.io": auth("host:x"),
        "ghcr.io/org": auth("org:x"),
        "ghcr.io/org/other": auth("other:x"),
    }
    ask = from_files([inline(auths=auths)], helper=no_helper)

    assert ask(APP).credential == Basic("org", "x")
    assert ask(Repository("ghcr.io", "org/other/deep")).credential == Basic("other", "x")
    assert ask(Repository("ghcr.io", "organic/app")).credential == Basic("host", "x")


def test_docker_hub_is_known_by_its_old_key() -> None:
    file = inline(auths={"https://index.docker.io/v1/": auth("me:pw")})

    found = from_files([file], helper=no_helper)(Repository("docker.io", "library/alpine"))

    assert found.credential == Basic("me", "pw")


def test_a_helper_of_the_host_wins_over_the_store_and_the_entry() -> None:
    asked: list[tuple[str, str]] = []

    def helper(name: str, server: str) -> Credential:
        asked.append((name, server))
        return IdentityToken("T")

    file = inline(
        auths={"ghcr.io": auth("me:pw")}, credsStore="store", credHelpers={"ghcr.io": "mine"}
    )
    ask = from_files([file], helper=helper)

    assert ask(APP).credential == IdentityToken("T")
    assert ask(APP).source == "docker-credential-mine (conf)"
    ask(Repository("docker.io", "library/alpine"))
    assert asked[0] == ("mine", "ghcr.io")
    assert asked[-1] == ("store", "https://index.docker.io/v1/")


def test_a_helper_that_knows_nothing_leaves_the_entry() -> None:
    file = inline(auths={"ghcr.io": auth("me:pw")}, credsStore="store")

    found = from_files([file], helper=lambda name, server: ANONYMOUS)(APP)

    assert found.credential == Basic("me", "pw")
    assert found.searched == ("docker-credential-store (conf): no entry for ghcr.io",)


def test_an_empty_helper_switches_the_store_off() -> None:
    file = inline(
        auths={"ghcr.io": auth("me:pw")}, credsStore="store", credHelpers={"ghcr.io": ""}
    )

    assert from_files([file], helper=no_helper)(APP).credential == Basic("me", "pw")


def test_a_failing_helper_leaves_an_anonymous_pull_and_a_reason() -> None:
    def helper(name: str, server: str) -> Credential:
        raise CredentialProblem(f"helper docker-credential-{name} failed (get): no bus")

    found = from_files([inline(credsStore="secretservice")], helper=helper)(APP)

    assert found.credential == ANONYMOUS
    assert found.problem == "helper docker-credential-secretservice failed (get): no bus"


def test_headers_come_with_a_credential_and_without() -> None:
    first = inline(HttpHeaders={"X-A": "1", "X-B": "2"})
    second = inline(HttpHeaders={"x-a": "9", "X-C": "3"}, auths={"ghcr.io": auth("me:pw")})
    ask = from_files([first, second._replace(shown="two")], helper=no_helper)

    assert ask(APP).headers == (("X-A", "1"), ("X-B", "2"), ("X-C", "3"))
    assert ask(Repository("quay.io", "a")).headers == (("X-A", "1"), ("X-B", "2"), ("X-C", "3"))


def test_an_unreadable_file_is_warned_of_once_and_passed_over(tmp_path: Path) -> None:
    events: list[Event] = []
    ask = from_files([AuthFile(str(tmp_path), "x")], helper=no_helper, report=events.append)

    found = [ask(APP), ask(APP)][1]

    assert events == [Warned("x: cannot be read: is a directory")]
    assert found.problem == "x: cannot be read: is a directory"
    assert found.credential == ANONYMOUS


def test_a_malformed_file_stops_the_search(tmp_path: Path) -> None:
    (tmp_path / ".docker").mkdir()
    (tmp_path / ".docker/config.json").write_text('{\n"auths": {"ghcr.io": }}')

    with pytest.raises(InvalidAuthFile, match=r"~/\.docker/config\.json:2: not valid JSON"):
        find(tmp_path)


def test_an_authfile_goes_first_and_has_to_be_there(tmp_path: Path) -> None:
    write(tmp_path / "a.json", auths={"ghcr.io": auth("me:pw")})
    file = named_file(str(tmp_path / "a.json"), "--authfile", home=str(tmp_path))
    gone = named_file("/nowhere/a.json", "--authfile", home=str(tmp_path))

    assert from_files([file], helper=no_helper)(APP).source == (
        '~/a.json (--authfile) (auths["ghcr.io"])'
    )
    with pytest.raises(InvalidAuthFile, match=r"/nowhere/a\.json \(--authfile\): no such file"):
        from_files([gone], helper=no_helper)(APP)


def test_what_somebody_gave_wins_and_nothing_else_is_read() -> None:
    def unasked(repository: Repository) -> Found:
        raise AssertionError

    ask = chained(explicit(Login(Basic("me", "pw"), "--creds")), unasked)

    assert ask(APP) == Found(Basic("me", "pw"), "--creds")


def test_what_somebody_gave_for_a_registry_goes_to_no_other() -> None:
    ask = explicit(Login(Basic("me", "pw"), "--creds", ("docker.io",)))

    assert ask(Repository("index.docker.io", "a")).credential == Basic("me", "pw")
    assert ask(APP).credential == ANONYMOUS
    assert ask(APP).searched == ("--creds: not for ghcr.io",)


def test_credentials_on_the_command_line_are_a_user_a_colon_and_a_password() -> None:
    assert login_of("me:a:b", "--creds") == Basic("me", "a:b")


@pytest.mark.parametrize("text", ["hunter2", ":hunter2", ""])
def test_credentials_without_a_user_are_misused_and_not_repeated(text: str) -> None:
    with pytest.raises(Misused) as caught:
        login_of(text, "--creds")

    assert "hunter2" not in f"{caught.value.message} {caught.value.hint}"


@pytest.mark.parametrize(
    ("environ", "registry", "credential", "source"),
    [
        (
            {
                "CI_REGISTRY": "reg.example:5050",
                "CI_REGISTRY_USER": "u",
                "CI_REGISTRY_PASSWORD": "p",
                "CI_JOB_TOKEN": "j",
            },
            "reg.example:5050",
            Basic("u", "p"),
            "CI_REGISTRY_PASSWORD",
        ),
        (
            {"CI_REGISTRY": "reg.example", "CI_JOB_TOKEN": "j"},
            "reg.example:443",
            Basic("gitlab-ci-token", "j"),
            "CI_JOB_TOKEN",
        ),
        (
            {
                "CI_DEPENDENCY_PROXY_SERVER": "gitlab.example:443",
                "CI_DEPENDENCY_PROXY_USER": "u",
                "CI_DEPENDENCY_PROXY_PASSWORD": "p",
            },
            "gitlab.example",
            Basic("u", "p"),
            "CI_DEPENDENCY_PROXY_PASSWORD",
        ),
        (
            {"GITHUB_TOKEN": "t", "GITHUB_ACTOR": "octo"},
            "ghcr.io",
            Basic("octo", "t"),
            "GITHUB_TOKEN",
        ),
        ({"GITHUB_TOKEN": "t"}, "ghcr.io", Basic("token", "t"), "GITHUB_TOKEN"),
    ],
)
def test_what_ci_tells_its_jobs_is_used(
    tmp_path: Path,
    environ: dict[str, str],
    registry: str,
    credential: Credential,
    source: str,
) -> None:
    found = find(tmp_path, Repository(registry, "a/b"), environ)

    assert (found.credential, found.source) == (credential, source)


@pytest.mark.parametrize("registry", ["reg.example.evil.com", "evil-ghcr.io", "reg.example:5000"])
def test_what_ci_tells_goes_to_its_own_registry_only(tmp_path: Path, registry: str) -> None:
    environ = {"CI_REGISTRY": "reg.example", "CI_JOB_TOKEN": "j", "GITHUB_TOKEN": "t"}

    assert find(tmp_path, Repository(registry, "a"), environ).credential == ANONYMOUS


def test_no_variable_but_the_needed_ones_is_read(tmp_path: Path) -> None:
    class Watched(dict[str, str]):
        read: set[str] = set()  # noqa: RUF012

        def get(self, key: str, default: Any = None) -> Any:
            self.read.add(key)
            return super().get(key, default)

    find(tmp_path, Repository("quay.io", "a"), Watched())

    assert Watched.read == {
        "CI_DEPENDENCY_PROXY_SERVER",
        "CI_DEPENDENCY_PROXY_USER",
        "CI_REGISTRY",
        "CI_REGISTRY_USER",
        "DOCKER_AUTH_CONFIG",
        "DOCKER_CONFIG",
        "GITHUB_ACTOR",
        "NETRC",
        "REGISTRY_AUTH_FILE",
        "XDG_CONFIG_HOME",
        "XDG_RUNTIME_DIR",
    }


def test_a_cloud_is_asked_last_and_only_for_hosts_that_may_be_its_own(tmp_path: Path) -> None:
    asked: list[str] = []

    def cloud(host: str) -> Found | None:
        asked.append(host)
        return Found(Basic("cloud", "T"), "the cloud")

    for registry in ("ghcr.io", "gcr.io.evil.com", "localhost:5000", "EU.gcr.io"):
        find(tmp_path, Repository(registry, "a"), clouds=[cloud])

    assert asked == ["eu.gcr.io"]


def test_a_cloud_that_fails_leaves_an_anonymous_pull_and_a_reason() -> None:
    def cloud(host: str) -> Found | None:
        raise CredentialProblem("AWS: no role")

    found = from_clouds([cloud])(Repository("public.ecr.aws", "a"))

    assert (found.credential, found.problem) == (ANONYMOUS, "AWS: no role")


def test_a_netrc_gives_a_login_for_its_machine(tmp_path: Path) -> None:
    (tmp_path / ".netrc").write_text("machine ghcr.io login me password pw\n")

    found = find(tmp_path)

    assert (found.credential, found.source) == (Basic("me", "pw"), "~/.netrc (machine ghcr.io)")


def test_a_netrc_may_lie_elsewhere_and_know_the_port(tmp_path: Path) -> None:
    path = tmp_path / "my"
    path.write_text(
        "machine reg.example login any password x\nmachine reg.example:5000 login me password pw\n"
    )
    environ = {"NETRC": str(path)}

    assert find(tmp_path, Repository("reg.example:5000", "a"), environ).credential == (
        Basic("me", "pw")
    )
    assert find(tmp_path, Repository("reg.example:5001", "a"), environ).credential == (
        Basic("any", "x")
    )


def test_the_default_of_a_netrc_is_for_no_registry(tmp_path: Path) -> None:
    (tmp_path / ".netrc").write_text("default login me password pw\n")

    assert find(tmp_path).credential == ANONYMOUS
    assert find(tmp_path, Repository("default", "a")).credential == ANONYMOUS


def test_a_malformed_netrc_is_named_with_its_line_and_not_cited(tmp_path: Path) -> None:
    (tmp_path / ".netrc").write_text("machine ghcr.io login me\n  hunter2 x\n")

    with pytest.raises(InvalidAuthFile, match=r"~/\.netrc:\d: not a netrc file") as caught:
        find(tmp_path)

    assert "hunter2" not in caught.value.message


def test_a_netrc_that_cannot_be_read_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / ".netrc").mkdir()

    found = find(tmp_path)

    assert found.credential == ANONYMOUS
    assert found.problem == "~/.netrc: cannot be read: is a directory"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"machine \xff", "~/.netrc:1: not UTF-8 text"),
        (b"#" * (AUTH_FILE_BYTES + 1), f"~/.netrc: larger than {AUTH_FILE_BYTES} bytes"),
    ],
)
def test_what_is_no_netrc_is_named(tmp_path: Path, data: bytes, said: str) -> None:
    (tmp_path / ".netrc").write_bytes(data)

    with pytest.raises(InvalidAuthFile) as caught:
        find(tmp_path)

    assert caught.value.message == said


def test_looking_for_credentials_loads_nothing_that_is_rarely_needed() -> None:
    program = (
        "import sys, artificer.registry.credentials\n"
        "print([name for name in ('subprocess', 'configparser', 'dataclasses', 'pathlib',"
        " 'tempfile', 'datetime', 'artificer.registry.clouds', 'artificer.registry.helpers')"
        " if name in sys.modules])"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)

    assert done.stdout == b"[]\n"


def test_a_helper_of_registries_conf_is_asked_and_may_fail() -> None:
    def helper(name: str, server: str) -> Credential:
        if name == "broken":
            raise CredentialProblem("docker-credential-broken failed")
        return Basic("me", "pw") if server == "ghcr.io" else ANONYMOUS

    found = from_helper("store", helper)(Repository("ghcr.io", "a/b"))
    nothing = from_helper("store", helper)(Repository("quay.io", "a/b"))
    failed = from_helper("broken", helper)(Repository("ghcr.io", "a/b"))

    assert (found.credential, found.source) == (
        Basic("me", "pw"),
        "docker-credential-store (registries.conf)",
    )
    assert not nothing.credential
    assert "no entry for quay.io" in nothing.searched[0]
    assert failed.problem == "docker-credential-broken failed"
