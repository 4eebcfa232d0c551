"""Rows of the rules' own manuals that only show at the command line, or are refused there."""

import json
import os
from pathlib import Path

import pytest

from tests.cli.outside import Cli
from tests.parts.commands import SEARCH, Command

CONTAINER = 'load("@io_bazel_rules_docker//container:container.bzl", "container_image")\n'
OCI = 'load("@rules_oci//oci:defs.bzl", "oci_image", "oci_load", "oci_image_index")\n'
TAR = 'load("@rules_pkg//:pkg.bzl", "pkg_tar")\npkg_tar(name = "tar", srcs = ["f"])\n'
ROWS = {
    "RD-79": ("@io_bazel_rules_docker//python:image.bzl", "py_image"),
    "RD-83": ("@io_bazel_rules_docker//lang:image.bzl", "py_layer"),
    "RD-84": ("@io_bazel_rules_docker//java:image.bzl", "java_image"),
    "RD-85": ("@io_bazel_rules_docker//java:image.bzl", "war_image"),
    "RD-93": ("@io_bazel_rules_docker//docker/toolchain_container:x.bzl", "toolchain_container"),
    "RD-97": ("@io_bazel_rules_docker//contrib:security_check.bzl", "security_check"),
    "RD-98": ("@io_bazel_rules_docker//contrib:rename_image.bzl", "rename_image"),
    "RO-14": ("@rules_oci//cosign:defs.bzl", "cosign_sign"),
}


@pytest.fixture
def site(cli: Cli, work: Path) -> Cli:
    """A workspace with a file."""
    (work / "WORKSPACE").write_text("")
    (work / "f").write_text("f\n")
    return cli


@pytest.fixture
def docker_run(site: Cli, tmp_path: Path, podman: Command) -> Path:
    """podman, and a file with the words of each `podman run`, which starts nothing."""
    tools = tmp_path / "tools"
    tools.mkdir()
    script = tools / "podman"
    asked = tmp_path / "asked"
    script.write_text(
        f'#!/bin/sh\n[ "$1" = run ] || exec {podman.path} "$@"\necho "$@" >>{asked}\n'
    )
    script.chmod(0o755)
    site.environ.update(podman.environ)
    site.environ["PATH"] = f"{tools}{os.pathsep}{SEARCH}"
    site.environ["DOCKER_HOST"] = "unix:///nowhere"
    return asked


@pytest.mark.parametrize("row", ROWS)
def test_a_rule_that_is_not_done_loads_and_is_refused_when_it_is_needed(
    site: Cli, work: Path, row: str
) -> None:
    module, rule = ROWS[row]
    text = f'load("{module}", "{rule}")\n{rule}(name = "x", image = "f", any = "thing")\n'
    (work / "BUILD").write_text(f'{text}filegroup(name = "fine", srcs = ["f"])\n')

    site("build", "//:fine")
    done = site("build", "//:x", code=1)

    assert "BUILD:2" in done.error
    assert rule in done.error
    assert done.hint


@pytest.mark.parametrize(
    ("attributes", "name"),
    [
        ("", "bazel/a:image"),
        ('repository = "me/app", ', "me/app/a:image"),
        ('tag_name = "v1", ', "bazel/a:v1"),
        ("legacy_repository_naming = True, ", "bazel/a:image"),
    ],
)
def test_an_image_is_loaded_by_the_name_that_its_rule_says(
    site: Cli, work: Path, docker_run: Path, attributes: str, name: str
) -> None:
    (work / "a").mkdir()
    text = f'{CONTAINER}container_image(name = "image", {attributes}empty_files = ["/x"])\n'
    (work / "a" / "BUILD").write_text(text)

    done = site.process("run", "//a:image")

    assert done.stdout == f"podman run -i --rm --network=host {name}\n"
    assert not docker_run.exists()


def test_flags_and_arguments_are_those_of_docker_and_of_the_container(
    site: Cli, work: Path, docker_run: Path
) -> None:
    text = (
        'container_image(name = "base", docker_run_flags = "-t", empty_files = ["/x"])\n'
        'container_image(name = "image", base = ":base", legacy_run_behavior = False)\n'
    )
    (work / "BUILD").write_text(CONTAINER + text)

    site.process("run", "//:image")
    site.process("run", "//:image", "--", "--norun")
    site.process("run", "//:base", "--", "-p", "80:80", "--", "word")

    assert docker_run.read_text().splitlines() == [
        "run -t bazel:image",
        "run -t -p 80:80 bazel:base word",
    ]


def test_outputs_of_an_oci_image_are_those_of_any_image(site: Cli, work: Path) -> None:
    text = 'oci_image(name = "i", os = "linux", architecture = "amd64", cmd = ["/x"])\n'
    (work / "BUILD").write_text(OCI + text)

    digest = site("build", "//:i", "//:i.tar").stdout.split()[1]

    out = work / "artificer-bin"
    assert (out / "i.digest").read_text() == digest
    assert json.loads((out / "i.json").read_text())["config"]["Cmd"] == ["/x"]
    assert {path.name for path in out.iterdir()} == {"i", "i.digest", "i.json", "i.tar"}


def test_oci_load_loads_under_its_tags(site: Cli, work: Path, podman: Command) -> None:
    text = (
        'oci_image(name = "i", os = "linux", architecture = "amd64", tars = [":tar"])\n'
        'oci_load(name = "load", image = ":i", repo_tags = ["rows/load:1", "rows/load:2"])\n'
        'oci_load(name = "none", image = ":i")\n'
    )
    (work / "BUILD").write_text(OCI + TAR + text)
    site.environ.update(podman.environ)

    site("run", "--engine", "podman", "//:load")
    done = site("run", "--engine", "podman", "//:none", code=1)

    listed = podman.output("images", "--format", "{{.Repository}}:{{.Tag}}").split()
    assert {"localhost/rows/load:1", "localhost/rows/load:2"} <= set(listed)
    assert "repo_tags" in done.hint


@pytest.mark.parametrize(
    ("attributes", "told"),
    [
        ("", "without a base, os and architecture are needed"),
        ('base = ":i", os = "linux"', "a base says its own platform"),
    ],
)
def test_an_oci_image_says_its_platform_or_has_a_base(
    site: Cli, work: Path, attributes: str, told: str
) -> None:
    text = 'oci_image(name = "i", os = "linux", architecture = "amd64")\n'
    (work / "BUILD").write_text(f'{OCI}{text}oci_image(name = "x", {attributes})\n')

    assert told in site("build", "//:x", code=1).error


def test_attributes_of_an_oci_image_may_be_files(site: Cli, work: Path) -> None:
    files = {
        "cmd": "one\ntwo words\n",
        "env": "A=1\nB=${A}2\nC=$NO\n",
        "ports": "80,443/udp",
        "labels": "a=b\n",
    }
    for name, text in files.items():
        (work / f"{name}.txt").write_text(text)
    (work / "BUILD").write_text(
        f'{OCI}oci_image(name = "i", os = "linux", architecture = "arm64", variant = "v8", '
        'cmd = "cmd.txt", env = "env.txt", exposed_ports = "ports.txt", labels = "labels.txt", '
        'user = "1", workdir = "/w", volumes = ["/v"], annotations = {"x": "y"})\n'
    )

    site("build", "//:i")

    found = json.loads((work / "artificer-bin" / "i.json").read_text())
    config = found["config"]
    assert config["Cmd"] == ["one", "two words"]
    assert [text for text in config["Env"] if not text.startswith("PATH=")] == [
        "A=1",
        "B=12",
        "C=",
    ]
    assert set(config["ExposedPorts"]) == {"80", "443/udp"}
    assert config["Labels"] == {"a": "b"}
    assert (config["User"], config["WorkingDir"]) == ("1", "/w")
    assert found["architecture"] == "arm64"


def test_users_and_groups_are_files_of_the_image(site: Cli, work: Path) -> None:
    users = '"@io_bazel_rules_docker//contrib:passwd.bzl", "passwd_entry", "passwd_file"'
    groups = '"@io_bazel_rules_docker//contrib:group.bzl", "group_entry", "group_file"'
    (work / "BUILD").write_text(
        f"load({users})\nload({groups})\n"
        'passwd_entry(name = "me", username = "me", uid = 5, info = "I", home = "/me")\n'
        'passwd_file(name = "passwd", entries = [":me"])\n'
        'group_entry(name = "we", groupname = "we", gid = 6, users = ["me"])\n'
        'group_file(name = "group", entries = [":we"])\n'
    )

    site("build", "//:passwd", "//:group")

    out = work / "artificer-bin"
    assert (out / "passwd").read_text() == "me:x:5:1000:I:/me:/bin/bash\n"
    assert (out / "group").read_text() == "we:x:6:me\n"
