"""`artificer job render`: a case file is a command line and the documents that it prints.

`UPDATE_CASES=1 pytest tests/cli/job/test_render.py` writes them anew: read the difference.
"""

import os
import re
import shlex
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from tests.cli.outside import Cli
from tests.kubernetes.server_rules import problems, restricted
from tests.parts.registries import Registry

CASES = Path(__file__).parents[2] / "cases" / "kubernetes" / "manifests"
PROMPT = "# $ artificer "
COMMIT = "8f3e6d2c1b0a99887766554433221100ffeeddcc"
WORKSPACE = """\
load("@rules_oci//oci:pull.bzl", "oci_pull")
oci_pull(name = "base", image = "registry.example/base", tag = "1", platforms = ["linux/amd64"])
"""
BUILD = """\
load("@rules_oci//oci:defs.bzl", "oci_image", "oci_image_index", "oci_push")
oci_image(name = "image", base = "@base", entrypoint = ["/srv"])
oci_image(name = "lonely", base = "@base", cmd = ["/srv"])
oci_image_index(name = "index", images = [":image"], platforms = ["linux/amd64", "linux/arm64"])
oci_push(name = "push", image = ":image", repository = "ghcr.io/team/web", remote_tags = ["v1"])
sh_test(name = "t", srcs = ["t.sh"])
"""


@pytest.fixture
def site(cli: Cli, work: Path) -> Cli:
    """A workspace with the package //web."""
    (work / "WORKSPACE").write_text(WORKSPACE)
    (work / "web").mkdir()
    (work / "web" / "BUILD").write_text(BUILD)
    (work / "web" / "t.sh").write_text("#!/bin/sh\n")
    (work / "Dockerfile").write_text("FROM registry.example/base:1\nCOPY . /app\n")
    return cli


@pytest.mark.parametrize("path", sorted(CASES.glob("*.yaml")), ids=lambda path: path.stem)
def test_a_command_line_renders_its_case(site: Cli, path: Path) -> None:
    first, _, expected = path.read_text().partition("\n")

    printed = site(*shlex.split(first.removeprefix(PROMPT))).stdout
    if os.environ.get("UPDATE_CASES"):
        path.write_text(f"{first}\n{printed}")
        expected = printed

    assert printed == expected
    for document in yaml.safe_load_all(printed):
        kubernetes_validate.validate(document, "1.36", strict=True)
        assert problems(document) == []


def test_all_cases_but_those_with_commands_are_restricted() -> None:
    found = {
        path.stem
        for path in CASES.glob("*.yaml")
        for document in yaml.safe_load_all(path.read_text())
        if document["kind"] == "Job" and restricted(document)
    }

    assert found == {"commands-chroot", "commands-namespaces"}


LINE = ("--", "-b", "alpine:3.7", "-t", "ghcr.io/team/app:v1")
JOB = ("job", "render", "--image", "registry.example/builder:1")
GIT = ("--git", f"https://git.example/app.git#{COMMIT}")


def test_what_is_built_is_in_the_name(site: Cli) -> None:
    names = [
        _name(site(*JOB, *GIT, *words).stdout)
        for words in (LINE, LINE, (*LINE, "-e", "A=B"), ("//web:push",))
    ]

    assert names[0] == names[1]
    assert len(set(names)) == 3
    assert names[0].startswith("build-app-v1-")
    assert names[3].startswith("build-web-push-")


def test_a_server_may_choose_the_name(site: Cli) -> None:
    document = yaml.safe_load(site(*JOB, "--generate-name", "web-", *GIT, *LINE).stdout)

    assert document["metadata"]["generateName"] == "web-"
    assert "name" not in document["metadata"]


def test_what_a_controller_keeps_in_a_cluster_is_never_removed(site: Cli) -> None:
    document = yaml.safe_load(site(*JOB, "--keep", "forever", *GIT, *LINE).stdout)

    assert "ttlSecondsAfterFinished" not in document["spec"]


def test_a_build_without_files_needs_no_source(site: Cli) -> None:
    document = yaml.safe_load(site(*JOB, *LINE).stdout)

    assert "initContainers" not in document["spec"]["template"]["spec"]


def test_the_builder_image_may_come_from_the_environment(site: Cli) -> None:
    environ = {"ARTIFICER_JOB_IMAGE": "registry.example/builder:2"}

    assert "registry.example/builder:2" in site("job", "render", *LINE, environ=environ).stdout


def test_a_branch_is_told_to_move(site: Cli) -> None:
    done = site(*JOB, "--git", "https://git.example/app.git#main", *LINE)

    assert "main moves" in done.stderr
    assert "--git URL#COMMIT" in done.hint


def test_a_directory_is_packed_and_pinned(site: Cli, open_registry: Registry) -> None:
    cache = f"{open_registry.host}/render/cache"
    words = (*JOB, "--context", ".", "--cache-repo", cache, "//web:push")

    first, second = site(*words).stdout, site(*words).stdout

    (source,) = yaml.safe_load(first)["spec"]["template"]["spec"]["initContainers"]
    assert source["command"][4].startswith(f"{cache}@sha256:")
    assert first == second


WRONG = {
    "which builder image?": ("job", "render", *LINE),
    "where do the pods get the files from?": (*JOB, "//web:push"),
    "build what?": (*JOB, *GIT),
    "--git and --workspace: a job has one source": (*JOB, *GIT, "--workspace", "/a", *LINE),
    "--git-secret without --git": (*JOB, "--git-secret", "a", *LINE),
    "--git: a password in a URL": (*JOB, "--git", "https://u:p@a.example/a.git", *LINE),
    "--git app: no repository of git": (*JOB, "--git", "app", *LINE),
    "--context is sent to the cache repository": (*JOB, "--context", ".", *LINE),
    "--workspace :/a: which claim?": (*JOB, "--workspace", ":/a", *LINE),
    "--workspace /a:rw: the builder image": (*JOB, "--workspace", "/a:rw", *LINE),
    "--name and --generate-name exclude": (*JOB, "--name", "a", "--generate-name", "b", *LINE),
    "--creds in a job would be seen": (*JOB, *LINE, "--creds", "me:secret"),
    "--password-stdin in a job": (*JOB, *LINE, "--password-stdin"),
    "a job does not run `artificer biuld`": (*JOB, "--", "biuld", "."),
    "a job does not run `artificer login`": (*JOB, "--", "login", "ghcr.io"),
    "nothing would be left of the image": (*JOB, "--", "-b", "alpine", "-t", "oci:out"),
    "nothing would be left of //web:lonely": (*JOB, *GIT, "//web:lonely"),
    "//web:push before `--` and a command": (*JOB, *GIT, "//web:push", *LINE),
    "//web:push for several platforms": (
        *(*JOB, *GIT, "--", "build", "//web:push"),
        *("--platform", "linux/amd64", "--platform", "linux/arm64"),
    ),
    "//web/... -//web/...: no push, or image": (
        *JOB,
        *GIT,
        "--",
        "build",
        "//web/...",
        "--",
        "-//web/...",
    ),
    "--tar -: a pod has no standard input": (*JOB, *GIT, *LINE, "--tar", "-"),
    "--mount disk:/a: no such kind": (*JOB, "--mount", "disk:/a", *LINE),
    "--mount claim:a: where to?": (*JOB, "--mount", "claim:a", *LINE),
    "--mount claim::/a: which claim?": (*JOB, "--mount", "claim::/a", *LINE),
    "--user me: names are the image's": (*JOB, "--user", "me", *LINE),
    "--commands chroot is root's": (*JOB, "--commands", "chroot", "--user", "5", *LINE),
    "--cache-readonly without a --cache-repo": (*JOB, "--cache-readonly", *LINE),
    "--label team is given twice": (*JOB, "--label", "team=a", "--label", "team=b", *LINE),
    "--cpu 1GHz: no amount": (*JOB, "--cpu", "1GHz", *LINE),
}


@pytest.mark.parametrize("told", WRONG)
def test_what_makes_no_sense_is_named(site: Cli, told: str) -> None:
    done = site.ended(*WRONG[told])

    assert done.error.startswith(told)
    assert done.code in {1, 2}
    assert done.stdout == ""


URL = "https://me:hunter2@a.example"


def test_a_refused_password_is_not_repeated(site: Cli) -> None:
    told = [
        site(*JOB, *LINE, "--creds=me:hunter2", code=2).stderr,
        site(*JOB, "--git", "https://me:hunter2@git.example/a.git", *LINE, code=2).stderr,
        site(*JOB, *LINE, "--archive", f"deb {URL} sid main", code=2).stderr,
        site(*JOB, *LINE, f"--archive=[trusted=yes] {URL} ./", code=2).stderr,
        site(*JOB, "--", "build", URL, "-t", "r.example/a:1", "--push", code=2).stderr,
    ]

    assert not any("hunter2" in text for text in told)
    assert all("would be seen by all who see the job" in text for text in told)


@pytest.mark.parametrize("value", ["NPM_TOKEN=s3cr3t", "HTTPS_PROXY=http://u:s3cr3t@proxy:3128"])
def test_a_variable_that_all_could_read_is_warned_of(site: Cli, value: str) -> None:
    done = site(*JOB, "--env", value, *LINE)

    name = value.partition("=")[0]
    assert f"warning: --env {name}: all who see the Job see its value" in done.stderr
    assert "s3cr3t" not in done.stderr


def test_a_typo_has_a_way_out(site: Cli) -> None:
    assert site("job", "rendr", code=2).hint == "did you mean `job render`?"
    assert site(*JOB, "--", "biuld", ".", code=2).hint == "did you mean `build`?"
    assert site(*JOB, "--mount", "clam:a:/b", *LINE, code=2).hint == "did you mean claim?"
    assert site(*JOB, "--paralelism", "3", *LINE, code=2).hint == "did you mean --parallelism?"


def test_help_tells_of_every_part(site: Cli) -> None:
    page = site("job", "--help").stdout

    assert {"render", "secret"} <= set(re.findall(r"usage: artificer job (\w+)", page))


def _name(text: str) -> str:
    return str(yaml.safe_load(text)["metadata"]["name"])
