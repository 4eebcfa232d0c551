"""Tests of images (RD-94 … RD-96)."""

import pytest

from tests.frontends.buildfile.rules.workspaces import DOCKER, Workspace

LOAD = (
    'load("@io_bazel_rules_docker//contrib:test.bzl", "container_test")\n'
    'load("@io_bazel_rules_docker//contrib:compare_ids_test.bzl", "compare_ids_test")\n'
    'load("@io_bazel_rules_docker//contrib:repro_test.bzl", "container_repro_test")\n'
)
IMAGES = f"""{DOCKER}container_image(name = "image", files = ["f"], cmd = ["c"], ports = ["80"])
container_image(name = "same", files = ["f"], cmd = ["c"], ports = ["80"])
container_image(name = "other", files = ["f"], cmd = ["d"])
"""
GOOD = """
schemaVersion: 2.0.0
fileExistenceTests:
  - {name: there, path: /f, shouldExist: true, permissions: "-r-xr-xr-x", uid: 0}
  - {name: not there, path: /g, shouldExist: false}
fileContentTests:
  - {name: content, path: /f, expectedContents: ["he.*o"], excludedContents: [bye]}
metadataTest: {cmd: [c], exposedPorts: ["80"]}
"""


def _test(workspace: Workspace, text: str) -> str:
    """``passed``, or what the test ``//:test`` says was wrong."""
    workspace.write(
        {
            "f": "hello\n",
            "good.yaml": GOOD,
            "bad.yaml": GOOD.replace("he.*o", "bye").replace("cmd: [c]", "cmd: [x]"),
            "good.json": '{"schemaVersion": "2.0.0", "metadataTest": {"cmd": ["c"]}}',
            "run.yaml": "commandTests: [{name: x, command: ls}]\n",
            "BUILD": LOAD + IMAGES + text,
        }
    )
    passed = workspace.test("//:test")
    return "passed" if passed.passed else passed.output


@pytest.mark.parametrize(
    "given",
    [
        'image = ":image", configs = ["good.yaml", "good.json"]',
        'image_tar = ":image.tar", configs = ["good.yaml"], driver = "tar"',
        'image_config = ":image.json", configs = ["good.json"], driver = "host"',
    ],
)
def test_an_image_is_as_its_configurations_say(workspace: Workspace, given: str) -> None:
    assert _test(workspace, f'container_test(name = "test", {given})\n') == "passed"


def test_every_difference_is_a_line(workspace: Workspace) -> None:
    given = 'image = ":image", configs = ["bad.yaml"], verbose = True, loaded_name = "x"'

    said = _test(workspace, f'container_test(name = "test", {given})\n')

    assert said.splitlines() == [
        "content: /f lacks 'bye'",
        "metadata: the cmd is ['c'], not ['x']",
    ]


def test_the_same_rule_is_there_under_its_new_name(workspace: Workspace) -> None:
    load = (
        'load("@container_structure_test//:defs.bzl", "container_structure_test")\n'
        'container_structure_test(name = "test", image = ":image", configs = ["good.yaml"])\n'
    )

    assert _test(workspace, load) == "passed"


def test_the_tar_that_is_loaded_is_tested_as_its_image(workspace: Workspace) -> None:
    load = (
        'load("@rules_oci//oci:defs.bzl", "oci_tarball")\n'
        'oci_tarball(name = "tar", image = ":image", repo_tags = ["a:1"])\n'
        'container_test(name = "test", image = ":tar", configs = ["good.yaml"], driver = "tar")\n'
    )

    assert _test(workspace, load) == "passed"


@pytest.mark.parametrize("given", ["", 'image = ":image", image_tar = ":image.tar"'])
def test_exactly_one_image_is_tested(workspace: Workspace, given: str) -> None:
    error = workspace.wrong(f'{LOAD}{IMAGES}container_test(name = "test", {given})\n', "//:test")

    assert "exactly one of image, image_tar and image_config" in error.message


def test_a_file_whose_image_is_not_known_is_refused(workspace: Workspace) -> None:
    text = f'{LOAD}container_test(name = "test", image_tar = "x.tar", configs = ["good.yaml"])\n'
    workspace.write({"x.tar": "x", "good.yaml": GOOD, "BUILD": text})

    error = workspace.error("//:test", tests=True)

    assert "image_tar is a file whose image is not known" in error.message
    assert "container_import" in str(error.hint)


def test_commands_in_containers_need_a_sandbox(workspace: Workspace) -> None:
    text = 'container_test(name = "test", image = ":image", configs = ["run.yaml"])\n'
    workspace.write({"f": "hello\n", "run.yaml": "commandTests: [{name: x, command: ls}]\n"})
    workspace.write({"BUILD": LOAD + IMAGES + text})

    assert "need a sandbox" in workspace.error("//:test", tests=True).message


def test_images_with_one_id_are_one(workspace: Workspace) -> None:
    same = 'compare_ids_test(name = "test", images = [":image", ":same.tar"])\n'
    other = 'compare_ids_test(name = "test", images = [":image", ":other"])\n'

    assert _test(workspace, same) == "passed"
    assert "//:other" in _test(workspace, other)


def test_one_image_is_compared_with_an_id(workspace: Workspace) -> None:
    workspace.write({"f": "hello\n", "BUILD": IMAGES})
    id_ = workspace.image().config_descriptor.digest.hex

    rule = 'compare_ids_test(name = "test", images = [":image"], id = "{}")\n'
    assert _test(workspace, rule.format(id_)) == "passed"
    assert _test(workspace, rule.format("0" * 64)) != "passed"
    alone = 'compare_ids_test(name = "test", images = [":image"])\n'
    error = workspace.wrong(LOAD + IMAGES + alone, "//:test")
    assert "one image alone is compared with an id" in error.message


def test_an_image_that_comes_out_the_same_is_reproducible(workspace: Workspace) -> None:
    given = 'image = ":image", container_diff_args = ["history"], workspace_file = "//:WORKSPACE"'

    assert _test(workspace, f'container_repro_test(name = "test", {given})\n') == "passed"


def test_an_image_that_does_not_is_not(workspace: Workspace) -> None:
    text = (
        'genrule(name = "now", outs = ["now.txt"], cmd = "cat /proc/sys/kernel/random/uuid >$@")\n'
        'container_image(name = "random", files = [":now"])\n'
        'container_repro_test(name = "test", image = ":random")\n'
    )

    assert "is not the same again" in _test(workspace, text)
