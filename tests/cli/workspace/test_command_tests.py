"""commandTests of container_test: commands run in the image, without an engine."""

from pathlib import Path

import pytest

from tests.cli.outside import Cli
from tests.parts.images import BaseImage

BUILD = """\
load("@io_bazel_rules_docker//contrib:test.bzl", "container_test")
docker_build(
    name = "image",
    base = "@base//image",
    env = {"GREETING": "hello", "PATH": "/opt:$PATH"},
    files = ["say"],
    directory = "/opt",
    workdir = "/tmp",
)
docker_build(name = "bare", files = ["say"])
container_test(name = "test", configs = ["test.yaml"], image = ":image")
container_test(name = "on_bare", configs = ["bare.yaml"], image = ":bare", tags = ["manual"])
"""
SAY = '#!/bin/sh\necho "out $1"; echo "err $2" >&2; pwd; printf partial; exit "${CODE:-0}"\n'
FINE = """\
schemaVersion: 2.0.0
globalEnvVars: [{key: CODE, value: "3"}, {key: WHOLE, value: "$GREETING-${GREETING}"}]
commandTests:
  - name: both streams
    command: say
    args: ["a b", c]
    exitCode: 3
    expectedOutput: ["^out a b$", "^/tmp$", "partial"]
    excludedOutput: ["err"]
    expectedError: ["^err c$"]
    excludedError: ["out"]
  - name: prepared
    setup: [["/bin/sh", "-c", "echo ready > /opt/state"]]
    teardown: [["rm", "/opt/state"]]
    command: cat
    args: ["/opt/state"]
    expectedOutput: ["ready"]
  - name: nothing is left of others, and variables are expanded
    command: sh
    args: ["-c", "test ! -e /opt/state && echo $WHOLE $X"]
    envVars: [{key: X, value: "x:$CODE"}]
    expectedOutput: ["^hello-hello x:3$"]
  - command: ["sh", "-c", "kill -9 $$"]
    exitCode: 137
"""


@pytest.fixture
def site(cli: Cli, work: Path, alpine: BaseImage) -> Cli:
    """A workspace with tests of an image of busybox."""
    name, _, digest = alpine.reference.partition("@")
    registry, _, rest = name.partition("/")
    repository, _, tag = rest.partition(":")
    (work / "WORKSPACE").write_text(
        f'docker_pull(name = "base", registry = "{registry}", repository = "{repository}", '
        f'tag = "{tag or "latest"}", digest = "{digest}")\n'
    )
    (work / "BUILD").write_text(BUILD)
    (work / "say").write_text(SAY)
    (work / "say").chmod(0o755)
    (work / "test.yaml").write_text(FINE)
    (work / "bare.yaml").write_text('commandTests: [{command: /say, expectedError: ["x"]}]\n')
    return cli


def test_commands_are_run_in_the_image_and_what_passed_is_not_run_again(site: Cli) -> None:
    first, second = site("test", "//:test"), site("test", "//:test")

    assert "//:test  PASSED" in first.stdout
    assert "(cached) PASSED" in second.stdout


@pytest.mark.parametrize(
    ("test", "told"),
    [
        ("{command: sh, args: [-c, exit 4]}", "sh: ended with exit code 4, not 0"),
        ("{command: sh, args: [-c, 'kill -9 $$']}", "137, not 0"),
        ("{command: echo, args: [x], expectedOutput: ['^y']}", "the output lacks '^y'"),
        ("{command: echo, args: [x], excludedOutput: [x]}", "the output has 'x'"),
        ("{command: ls, args: [/x], exitCode: 1, excludedError: [x]}", "the error output has 'x'"),
        ("{command: ls, setup: [['false']]}", "setup false ended with exit code 1"),
        ("{command: ls, teardown: [['false']]}", "teardown false ended with exit code 1"),
        ("{command: not-there}", "ended with exit code 127"),
    ],
)
def test_every_difference_is_a_line(site: Cli, work: Path, test: str, told: str) -> None:
    (work / "test.yaml").write_text(f"commandTests: [{test}]\n")

    done = site("test", "//:test", code=3)

    assert told in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ("commandTests: [{cmd: x}]", "unknown in a command test: cmd"),
        ("commandTests: [{name: x}]", "without a command"),
        ("commandTests: [{command: ls, setup: [x]}]", "setup is not a list of commands"),
        ("commandTests: [{command: ls, expectedOutput: ['(']}]", "not a pattern"),
        ("commandTests: [{command: ls, envVars: [x]}]", "not a list of key and value"),
        ("commandTests: x", "not a list of tests"),
        ("containerRunOptions: {privileged: true}", "privileged: commands are run without"),
        ("licenseTests: [{debian: true}]", "licences of packages are not judged"),
    ],
)
def test_what_cannot_be_read_is_an_error(site: Cli, work: Path, config: str, told: str) -> None:
    (work / "test.yaml").write_text(f"{config}\n")

    assert told in site("test", "//:test", code=1).error


def test_without_a_shell_in_the_image_errors_are_not_told_apart(site: Cli) -> None:
    assert "the image has no /bin/sh" in site("test", "//:on_bare", code=1).error
