"""`artificer job secret`: the logins of one build, and no others."""

import base64
import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cli.outside import Cli

KUBECTL = """\
#!/bin/sh
echo "$@" > {folder}/words
cat > {folder}/document
if [ -e {folder}/refuses ]; then cat {folder}/refuses >&2; exit 1; fi
"""
SECRETS = ("for-ghcr", "for-base", "for-other", "for-hub")


def _encoded(password: str) -> dict[str, str]:
    return {"auth": base64.b64encode(f"me:{password}".encode()).decode()}


@pytest.fixture
def site(cli: Cli, work: Path, tmp_path: Path) -> Cli:
    """Somebody with four logins, and a `kubectl` that keeps what it is given."""
    auths = {
        "ghcr.io": _encoded("for-ghcr"),
        "base.example": _encoded("for-base"),
        "other.example": _encoded("for-other"),
        "https://index.docker.io/v1/": _encoded("for-hub"),
    }
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"auths": auths}))
    program = folder / "kubectl"
    program.write_text(KUBECTL.format(folder=folder))
    program.chmod(0o755)
    path = f"{folder}:{cli.environ.get('PATH', os.defpath)}"
    return Cli({**cli.environ, "DOCKER_CONFIG": str(folder), "PATH": path}, work)


def _hosts(document: dict[str, Any]) -> list[str]:
    return sorted(json.loads(base64.b64decode(document["data"][".dockerconfigjson"]))["auths"])


def _rendered(site: Cli, *words: str) -> list[str]:
    return _hosts(yaml.safe_load(site("job", "secret", "--render", *words).stdout))


def test_it_holds_the_logins_of_one_line(site: Cli) -> None:
    words = ("--", "-b", "base.example/os:1", "-f", "x", "-t", "ghcr.io/team/app:v1")

    assert _rendered(site, *words) == ["base.example", "ghcr.io"]


def test_it_holds_the_login_of_the_cache(site: Cli) -> None:
    words = ("--cache-repo", "other.example/cache", "ghcr.io")

    assert _rendered(site, *words) == ["ghcr.io", "other.example"]


def test_it_holds_the_logins_of_a_dockerfile(site: Cli) -> None:
    (site.directory / "Dockerfile").write_text(
        "ARG V=1\nFROM base.example/os:$V AS a\nFROM a\nCOPY --from=docker.io/library/x / /\n"
    )
    words = ("--", "build", ".", "-t", "ghcr.io/team/app", "--push")

    assert _rendered(site, *words) == ["base.example", "ghcr.io", "https://index.docker.io/v1/"]


def test_it_holds_the_logins_of_targets(site: Cli) -> None:
    (site.directory / "WORKSPACE").write_text(
        'load("@rules_oci//oci:pull.bzl", "oci_pull")\n'
        'oci_pull(name = "base", image = "base.example/os", tag = "1")\n'
    )
    (site.directory / "BUILD").write_text(
        'load("@rules_oci//oci:defs.bzl", "oci_image", "oci_push")\n'
        'oci_image(name = "image", base = "@base")\n'
        'oci_push(name = "push", image = ":image", repository = "ghcr.io/team/app")\n'
    )

    assert _rendered(site, "//:push") == ["base.example", "ghcr.io"]


def test_it_is_applied_and_named(site: Cli) -> None:
    done = site("job", "secret", "--name", "login", "-n", "builds", "ghcr.io")

    folder = Path(site.environ["DOCKER_CONFIG"])
    assert done.stdout == "login\n"
    words = (folder / "words").read_text().split()
    # Client-side, all of it would be in an annotation, too.
    assert {"apply", "--server-side", "--namespace", "builds"} <= set(words)
    assert _hosts(json.loads((folder / "document").read_text())) == ["ghcr.io"]


def test_nothing_secret_is_told(site: Cli) -> None:
    done = site("job", "secret", "ghcr.io", "base.example")
    words = (Path(site.environ["DOCKER_CONFIG"]) / "words").read_text()

    told = done.stdout + done.stderr + words
    assert "ghcr.io: the login of" in done.stderr
    assert not [text for text in SECRETS if text in told or _encoded(text)["auth"] in told]


def test_what_the_cluster_refuses_is_told(site: Cli) -> None:
    (Path(site.environ["DOCKER_CONFIG"]) / "refuses").write_text(
        'Error from server (Forbidden): secrets is forbidden: User "me" cannot patch resource '
        '"secrets" in API group "" in the namespace "builds"\n'
    )

    done = site("job", "secret", "ghcr.io", code=77)
    assert "secrets" in done.error
    assert done.hint


def test_a_registry_without_a_login_is_named(site: Cli) -> None:
    assert "quay.io: no login" in site("job", "secret", "--render", "ghcr.io", "quay.io").stderr


def test_a_secret_of_nothing_is_refused(site: Cli) -> None:
    done = site("job", "secret", "--render", "quay.io", code=77)

    assert done.error == "you have no login for quay.io: a Secret would hold nothing"
    assert "artificer login" in done.hint


def test_a_login_that_ends_soon_has_a_better_way(site: Cli) -> None:
    host = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"
    text = json.dumps({"auths": {host: _encoded("x")}})
    (Path(site.environ["DOCKER_CONFIG"]) / "config.json").write_text(text)

    done = site("job", "secret", "--render", host)
    assert "this login ends after 12 hours" in done.stderr
    assert "ServiceAccount" in done.hint


def test_a_dockerfile_elsewhere_is_not_guessed_at(site: Cli) -> None:
    words = ("--", "build", "https://git.example/a.git", "-t", "ghcr.io/team/app", "--push")
    done = site("job", "secret", "--render", *words)

    assert "what it builds upon is not known here" in done.stderr


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "a Secret for which registries?"),
        (("ghcr",), "no registry: ghcr"),
        (("A B",), "no registry: A B"),
        (("--name", "A", "ghcr.io"), "--name A: no name of a Secret"),
        (("//a:b", "--", "build", "."), "//a:b before `--` and a command line behind it"),
    ],
)
def test_what_makes_no_sense_is_named(site: Cli, words: tuple[str, ...], told: str) -> None:
    assert site("job", "secret", *words, code=2).error == told
