"""Tars of tar.bzl and aspect_bazel_lib, as rules_oci's examples make them."""

import io
import tarfile
import zlib

import pytest

from tests.frontends.buildfile.rules.workspaces import Workspace

LOAD = (
    'load("@aspect_bazel_lib//lib:tar.bzl", "mtree_mutate", "mtree_spec", "tar")\n'
    'load("@aspect_bazel_lib//lib:transitions.bzl", "platform_transition_filegroup")\n'
    'load("@aspect_bazel_lib//lib:write_file.bzl", "write_file")\n'
    'load("@rules_oci//oci:defs.bzl", "oci_image", "oci_image_index")\n'
    'load("@tar.bzl", "mutate", new_tar = "tar")\n'
)


def members(workspace: Workspace, text: str, label: str = "//app:t") -> dict[str, tarfile.TarInfo]:
    workspace.write({"WORKSPACE": "", "app/BUILD": LOAD + text, "app/run.sh": "#!/bin/sh\n"})
    (data,) = workspace.files(label).values()
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        return {member.name: member for member in archive}


def test_sources_keep_their_paths_below_the_workspace(workspace: Workspace) -> None:
    found = members(workspace, 'tar(name = "t", srcs = ["run.sh"])\n')

    assert list(found) == ["app", "app/run.sh"]
    assert (found["app/run.sh"].mode, found["app/run.sh"].mtime) == (0o755, 1672560000)


@pytest.mark.parametrize(
    "text",
    [
        'new_tar(name = "t", srcs = ["run.sh"], mutate = mutate(strip_prefix = "app",'
        ' package_dir = "usr/bin", owner = "7", mtime = "5"))\n',
        'mtree_spec(name = "s", srcs = ["run.sh"])\n'
        'mtree_mutate(name = "m", mtree = ":s", strip_prefix = "app", package_dir = "usr/bin",'
        ' owner = "7", mtime = 5)\n'
        'tar(name = "t", srcs = ["run.sh"], mtree = ":m")\n',
    ],
    ids=["mutate", "mtree_mutate"],
)
def test_what_an_mtree_changes_is_changed(workspace: Workspace, text: str) -> None:
    found = members(workspace, text)

    (file,) = (member for member in found.values() if member.isfile())
    assert (file.name, file.uid, file.gid, file.mtime) == ("usr/bin/run.sh", 7, 0, 5)
    assert [root.label for root in workspace.load("//app:all").roots] == ["//app:t"]


def test_the_lines_of_an_mtree_say_everything(workspace: Workspace) -> None:
    found = members(
        workspace,
        'write_file(name = "w", out = "made.txt", content = ["made"])\n'
        'tar(name = "t", srcs = ["run.sh", ":w"], mtree = [\n'
        '    "./opt uid=5 gid=6 mode=0700 type=dir",\n'
        '    "./opt/run uid=0 gid=0 mode=0644 type=file content=app/run.sh",\n'
        '    "opt/made type=file content=$(BINDIR)/app/made.txt",\n'
        '    "opt/link type=link link=run",\n'
        "])\n",
    )

    directory, file, link = found["opt"], found["opt/run"], found["opt/link"]
    assert (directory.mode, directory.uid, directory.gid) == (0o700, 5, 6)
    assert (file.mode, link.linkname, found["opt/made"].size) == (0o644, "run", 4)


def test_a_tar_may_be_empty_and_compressed(workspace: Workspace) -> None:
    workspace.write(
        {"WORKSPACE": "", "BUILD": LOAD + 'tar(name = "t", srcs = [], compress = "gzip")\n'}
    )

    assert zlib.decompress(workspace.files("//:t")["t.tar.gz"], 31) == bytes(1024)


def test_the_layers_of_an_image_may_be_such_tars(workspace: Workspace) -> None:
    text = (
        'platform(name = "arm", constraint_values = ["@platforms//os:linux",'
        ' "@platforms//cpu:arm64"])\n'
        'tar(name = "t", srcs = ["run.sh"])\n'
        'oci_image(name = "i", os = "linux", architecture = "arm64", tars = [":t"])\n'
        'platform_transition_filegroup(name = "p", srcs = [":i"], target_platform = ":arm")\n'
        'oci_image_index(name = "image", images = [":i"])\n'
    )
    workspace.write({"WORKSPACE": "", "BUILD": LOAD + text, "run.sh": "#!/bin/sh\n"})

    assert workspace.product("//:image").descriptors[0].platform is not None
    assert list(workspace.members("//:i")) == ["run.sh"]
    assert workspace.product("//:p") == workspace.product("//:i")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ('mtree = ":run.sh"', "write its lines as a list"),
        ('mtree = ["x type=block"]', "no files of type block"),
        ('mtree = ["x uid=me"]', "uid=me is no number"),
        ('mtree = ["x type=dir time=1", "y type=dir time=2"]', "files of several times: 1, 2"),
        ('mtree = ["x content=y"]', "no file of `srcs` is y"),
        ('mtree = ["../x type=dir"]', "goes upwards"),
        ('mutate = {"awk_script": "x"}', "mutate(`awk_script`) is not supported"),
        ('args = ["--options=x"]', "the encoder is fixed"),
        ('compress = "lzma"', "one of"),
    ],
)
def test_what_a_tar_cannot_have_is_an_error(
    workspace: Workspace, given: str, message: str
) -> None:
    text = f'{LOAD}tar(name = "t", srcs = ["run.sh"], {given})\n'
    workspace.write({"WORKSPACE": "", "BUILD": text, "run.sh": ""})

    assert message in workspace.error("//:t").message
