"""What the doctor says of a machine and of a registry's door, and that it keeps secrets."""

import base64
import json
import re
from pathlib import Path

import pytest

from tests.cli.outside import Cli, Done
from tests.parts.images import BaseImage
from tests.parts.registries import LockedRegistry, Registry, TokenRegistry


def rows(done: Done) -> dict[str, list[str]]:
    """The page, by topic."""
    found: dict[str, list[str]] = {}
    topic = ""
    for line in done.stdout.splitlines():
        head, text = re.split(r" {2,}", line, maxsplit=1)
        topic = head or topic
        found.setdefault(topic, []).append(text)
    return found


def know(cli: Cli, host: str, user: str, password: str) -> None:
    """Let the home's docker config have a login."""
    path = Path(cli.environ["HOME"]) / ".docker/config.json"
    path.parent.mkdir(exist_ok=True)
    auth = base64.b64encode(f"{user}:{password}".encode()).decode()
    path.write_text(json.dumps({"auths": {host: {"auth": auth}}}))


def ask(cli: Cli, image: str, *words: str, code: int = 0) -> Done:
    return cli("doctor", "auth", image, *words, code=code)


def test_an_open_registry_asks_for_nothing(
    cli: Cli, open_registry: Registry, alpine: BaseImage
) -> None:
    page = rows(ask(cli, alpine.reference))

    assert page["registry"] == [f"{open_registry.host} at http://{open_registry.host}"]
    assert page["credentials"] == ["none: anonymous"]
    assert page["challenge"] == ["none"]
    assert page["pull"] == [f"allowed; it is {alpine.digest}"]


def test_an_image_that_is_not_there_may_be_pulled_all_the_same(
    cli: Cli, fresh_repository: str
) -> None:
    assert rows(ask(cli, fresh_repository))["pull"] == ["allowed; there is no such image"]


def test_a_token_service_is_told_with_what_was_asked_and_granted(
    cli: Cli, token_registry: TokenRegistry
) -> None:
    know(cli, token_registry.host, token_registry.user, token_registry.password)
    done = ask(cli, f"{token_registry.host}/team/app:1", "--push")
    page = rows(done)

    assert page["credentials"] == [f'of ~/.docker/config.json (auths["{token_registry.host}"])']
    assert page["sent as"] == ["basic"]
    assert page["challenge"][0].startswith("bearer, tokens of localhost:")
    assert page["challenge"][0].endswith('service "test-registry"')
    assert page["asked"] == ["repository:team/app:pull,push"]
    assert page["granted"] == ["repository:team/app:pull,push"]
    assert page["expires"] == ["in 300 s"]
    assert page["answer"] == ["200"]
    assert page["push"] == ["allowed"]
    assert token_registry.password not in done.stdout + done.stderr
    assert not re.search(r"eyJ|Bearer [A-Za-z0-9]", done.stdout + done.stderr)


def test_a_reader_is_told_that_it_may_not_push(cli: Cli, token_registry: TokenRegistry) -> None:
    know(cli, token_registry.host, token_registry.reader, token_registry.reader_password)
    image = f"{token_registry.host}/team/app:1"
    reads = rows(ask(cli, image))
    done = ask(cli, image, "--push", code=77)
    page = rows(done)

    assert reads["pull"] == ["allowed; there is no such image"]
    assert page["asked"] == ["repository:team/app:pull,push"]
    assert page["granted"] == ["repository:team/app:pull"]
    assert "push" not in page
    assert "a push is not allowed" in done.error


def test_a_wrong_password_still_shows_where_it_is_from(
    cli: Cli, token_registry: TokenRegistry
) -> None:
    know(cli, token_registry.host, "alice", "an old one")
    done = ask(cli, f"{token_registry.host}/team/app:1", code=77)

    assert rows(done)["credentials"][0].startswith("of ~/.docker/config.json")
    assert "gives no token" in done.error
    assert "an old one" not in done.stdout + done.stderr


def test_every_place_that_was_searched_is_named(
    cli: Cli, htpasswd_registry: LockedRegistry
) -> None:
    image = f"{htpasswd_registry.host}/app:1"
    done = ask(cli, image, "--cacert", str(htpasswd_registry.ca_file), code=77)
    page = rows(done)

    assert "~/.docker/config.json: no such file" in page["searched"]
    assert "~/.netrc: no such file" in page["searched"]
    assert page["challenge"] == ["basic"]
    assert page["answer"] == ["401"]
    assert done.error.endswith("nobody is let in like this (401)")
    assert f"`artificer login {htpasswd_registry.host}`" in done.hint


@pytest.mark.parametrize("push", [(), ("--push",)])
def test_a_basic_password_that_is_right_is_let_in(
    cli: Cli, htpasswd_registry: LockedRegistry, push: tuple[str, ...]
) -> None:
    image = f"{htpasswd_registry.host}/app:1"
    creds = f"{htpasswd_registry.user}:{htpasswd_registry.password}"
    done = ask(cli, image, "--cacert", str(htpasswd_registry.ca_file), "--creds", creds, *push)

    assert rows(done)["credentials"] == ["of --creds"]
    assert rows(done)["push" if push else "pull"][0].startswith("allowed")
    assert htpasswd_registry.password not in done.stdout + done.stderr


def test_a_helper_that_fails_is_a_problem_that_blocks_nothing(
    cli: Cli, open_registry: Registry
) -> None:
    config = Path(cli.environ["HOME"]) / ".docker/config.json"
    config.parent.mkdir()
    config.write_text('{"credsStore": "nowhere"}')
    page = rows(ask(cli, f"{open_registry.host}/app"))

    assert page["credentials"][0] == "none: anonymous"
    assert page["credentials"][1].startswith(
        "problem: helper docker-credential-nowhere: not found"
    )


def test_a_mirror_is_named(cli: Cli, open_registry: Registry, alpine: BaseImage) -> None:
    mirror = f"{open_registry.host}=127.0.0.1:1/proxy"
    page = rows(ask(cli, alpine.reference, "--registry-mirror", mirror))

    assert page["mirror"] == ["http://127.0.0.1:1/proxy/library/alpine is read first"]


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (("auth",), "the following arguments are required: IMAGE"),
        (("auth", "ghcr.io"), "ghcr.io is read as an image of Docker Hub"),
        (("auth", "oci:dir"), "oci:dir is in no registry"),
        (("me",), "no such command: doctor me"),
    ],
)
def test_what_makes_no_sense_is_refused(cli: Cli, words: tuple[str, ...], error: str) -> None:
    assert error in cli("doctor", *words, code=2).error


def test_a_host_that_does_not_answer_is_unavailable(cli: Cli) -> None:
    done = ask(cli, "127.0.0.1:1/app", code=69)

    assert rows(done)["credentials"] == ["none: anonymous"]
    assert "127.0.0.1:1" in done.error


def test_the_machine_is_examined_without_changing_it(cli: Cli) -> None:
    page = rows(cli("doctor"))

    assert page["store"][0] == f"{cli.store} is not there yet: the first build makes it"
    assert page["proxies"] == ["none"]
    assert page["credentials"] == ["no file; `artificer login HOST` makes one"]
    assert page["encoders"][0].startswith("gzip-libdeflate-1-1m")
    assert not cli.store.exists()


def test_the_machine_shows_what_is_configured_but_no_secret(cli: Cli, tmp_path: Path) -> None:
    know(cli, "ghcr.io", "me", "config-secret")
    config = Path(cli.environ["HOME"]) / ".docker/config.json"
    document = json.loads(config.read_text())
    config.write_text(json.dumps({**document, "credHelpers": {"gcr.io": "gcloud"}}))
    conf = tmp_path / "registries.conf"
    conf.write_text('[[registry]]\nprefix = "docker.io"\nlocation = "mirror.example/hub"\n')
    proxied = {
        "ARTIFICER_STORE_LIMIT": "5GB",
        "CONTAINERS_REGISTRIES_CONF": str(conf),
        "HTTPS_PROXY": "http://me:proxy-secret@proxy.example:3128",
        "NO_PROXY": "10.0.0.0/8",
    }
    done = cli("doctor", environ=proxied)
    page = rows(done)

    assert "limit 5.0 GB" in page["store"]
    assert page["proxies"] == [
        "https through http://proxy.example:3128 with a password",
        "none for 10.0.0.0/8",
    ]
    assert page["credentials"] == ["~/.docker/config.json, asks docker-credential-gcloud"]
    assert page["registries"][0] == str(conf)
    assert page["registries"][-1] == "docker.io: at mirror.example/hub"
    assert "secret" not in done.stdout + done.stderr


def test_what_is_wrong_on_the_machine_is_marked_and_the_rest_is_shown(cli: Cli) -> None:
    config = Path(cli.environ["HOME"]) / ".docker/config.json"
    config.parent.mkdir()
    config.write_text('{"auths": ')
    done = cli("doctor", code=1, environ={"HTTP_PROXY": "http://"})
    page = rows(done)

    assert page["credentials"][0].startswith("problem: ~/.docker/config.json:1: not valid JSON")
    assert page["proxies"][0].startswith("problem: HTTP_PROXY is not a proxy")
    assert "docker" in page
    assert done.error == "2 problems found, see above"


def test_a_store_certificates_and_an_engine_are_shown_where_they_are(
    cli: Cli, work: Path, tmp_path: Path
) -> None:
    (work / "file").write_text("x")
    cli("-b", "scratch", "-f", "file", "-t", "store:x")
    certificates = Path(cli.environ["HOME"]) / ".config/containers/certs.d"
    (certificates / "registry.example:5000").mkdir(parents=True)
    (tmp_path / "docker.sock").touch()
    words = {"DOCKER_HOST": f"unix://{tmp_path / 'docker.sock'}", "ARTIFICER_STORE_LIMIT": "none"}
    page = rows(cli("doctor", environ=words))
    remote = rows(cli("doctor", environ={"DOCKER_HOST": "tcp://127.0.0.1:2375"}))

    assert re.fullmatch(rf"{cli.store}, .* in \d+ files", page["store"][0])
    assert page["store"][1] == "no limit"
    assert f"{certificates}: registry.example:5000" in page["certificates"]
    assert page["docker"] == [str(tmp_path / "docker.sock")]
    assert remote["docker"] == ["DOCKER_HOST is tcp://…: only a unix socket will do"]


def test_a_folder_that_is_no_store_is_a_problem(cli: Cli, work: Path) -> None:
    (work / "file").write_text("x")
    page = rows(cli("doctor", "--store", str(work), code=1))

    assert page["store"][0].startswith(f"problem: {work} is not a store, and not empty")


def test_help_tells_of_both(cli: Cli) -> None:
    done = cli("doctor", "--help")

    assert "usage: artificer doctor [options]" in done.stdout
    assert "usage: artificer doctor auth IMAGE" in done.stdout


def test_every_way_to_run_commands_is_tried_and_told(cli: Cli) -> None:
    lines = cli.process("doctor", "run").stdout.splitlines()

    assert lines[0].split() == ["way", "here", "owners", "what", "it", "needs"]
    ways = {line.split()[0]: line.split()[1:3] for line in lines[1:] if line[0] != " "}
    assert {"root", "range-map", "single-map", "chroot", "proot"} <= ways.keys()
    assert all(here in {"yes", "no"} for here, _ in ways.values())
    # What cannot be used says why, below what it needs.
    assert sum(line.lstrip().startswith("but: ") for line in lines) == sum(
        here == "no" for here, _ in ways.values()
    )


def test_where_no_command_can_be_run_the_doctor_says_so(cli: Cli, tmp_path: Path) -> None:
    store = tmp_path / "store"
    store.mkdir()
    (store / "state").write_text("in the way")

    done = cli("doctor", "run", "--store", store, code=1)

    assert "error: " in done.stderr
