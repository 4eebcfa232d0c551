"""rules_pkg: tars, and what goes where in them."""

import tarfile

import pytest

from tests.frontends.buildfile.rules.debs import deb_of
from tests.frontends.buildfile.rules.workspaces import Workspace, content_of, members_of
from tests.images.made import tar_of

TAR = 'load("@rules_pkg//pkg:tar.bzl", "pkg_tar")\n'
OLD = 'load("@bazel_tools//tools/build_defs/pkg:pkg.bzl", "pkg_tar")\n'
ALL = (
    'load("@rules_pkg//pkg:mappings.bzl", "pkg_attributes", "pkg_filegroup", "pkg_files",'
    ' "pkg_mkdirs", "pkg_mklink", "strip_prefix", "REMOVE_BASE_DIRECTORY")\n' + TAR
)
FILES = {"a/x.txt": "x", "a/b/y.txt": "y", "run.sh": "#!/bin/sh\n"}


def _members(workspace: Workspace, text: str, label: str = "//:tar") -> dict[str, tarfile.TarInfo]:
    workspace.write({**FILES, "BUILD": text})
    (tar,) = workspace.files(label).values()
    return members_of(tar)


def _tar(workspace: Workspace, given: str, load: str = TAR) -> dict[str, tarfile.TarInfo]:
    found = _members(workspace, f'{load}pkg_tar(name = "tar", {given})\n')
    return {path: info for path, info in found.items() if not info.isdir()}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("", {"opt/x.txt", "opt/y.txt"}),
        ('strip_prefix = "."', {"opt/a/x.txt", "opt/a/b/y.txt"}),
        ('strip_prefix = "a"', {"opt/x.txt", "opt/b/y.txt"}),
        ('strip_prefix = "/"', {"opt/a/x.txt", "opt/a/b/y.txt"}),
    ],
)
def test_files_are_put_by_name_or_without_a_prefix(
    workspace: Workspace, given: str, expected: set[str]
) -> None:
    sources = 'srcs = ["a/x.txt", "a/b/y.txt"], package_dir = "/opt"'

    assert _tar(workspace, f"{sources}, {given}").keys() == expected


def test_files_may_be_a_list_as_in_2017_or_say_where_they_go(workspace: Workspace) -> None:
    assert _tar(workspace, 'files = ["a/x.txt"]', OLD).keys() == {"x.txt"}
    given = 'files = {"a/x.txt": "etc/conf"}, package_dir = "opt"'
    assert _tar(workspace, given).keys() == {"opt/etc/conf"}


def test_whatever_has_a_path_is_below_the_directory_but_not_in_2017(workspace: Workspace) -> None:
    given = 'package_dir = "opt", symlinks = {"l": "x"}, empty_files = ["e"], srcs = ["run.sh"]'

    assert _tar(workspace, given).keys() == {"opt/l", "opt/e", "opt/run.sh"}
    assert _tar(workspace, given, OLD).keys() == {"l", "e", "opt/run.sh"}


def test_modes_and_owners_are_of_all_or_of_one_path(workspace: Workspace) -> None:
    given = (
        'srcs = ["a/x.txt", "run.sh"], mode = "0644", modes = {"run.sh": "0755"}, '
        'owner = "1.2", owners = {"x.txt": "3.4"}, package_dir = "opt"'
    )

    found = _tar(workspace, given)

    rows = {path: (info.mode, info.uid, info.gid) for path, info in found.items()}
    assert rows == {"opt/x.txt": (0o644, 3, 4), "opt/run.sh": (0o755, 1, 2)}


def test_a_mode_is_0555_unless_those_of_here_are_kept(workspace: Workspace) -> None:
    sources = 'srcs = ["a/x.txt", "run.sh"]'

    usual = _tar(workspace, sources)
    kept = _tar(workspace, f"{sources}, preserve_mode = True")

    assert {info.mode for info in usual.values()} == {0o555}
    assert (kept["x.txt"].mode, kept["run.sh"].mode) == (0o644, 0o755)


def test_an_owner_that_is_a_name_is_an_error(workspace: Workspace) -> None:
    error = workspace.wrong(f'{TAR}pkg_tar(name = "tar", owner = "root.root")\n', "//:tar")

    assert "not an owner: 'root.root'" in error.message


@pytest.mark.parametrize(
    ("given", "expected"),
    [("", 0), ("mtime = 7", 7), ("portable_mtime = True", 946684800)],
)
def test_times_are_one(workspace: Workspace, given: str, expected: int) -> None:
    assert _tar(workspace, f'srcs = ["run.sh"], {given}')["run.sh"].mtime == expected


def test_tars_and_packages_are_merged_below_the_directory(workspace: Workspace) -> None:
    workspace.write({"t.tar": tar_of(("t", b"t")), "p.deb": deb_of("tool")})

    found = _tar(workspace, 'deps = ["t.tar"], debs = ["p.deb"], package_dir = "opt"')

    assert {"opt/t", "opt/usr/share/tool"} <= found.keys()


@pytest.mark.parametrize(
    ("extension", "magic"),
    [
        ("tar", b""),
        ("tar.gz", b"\x1f\x8b"),
        ("tgz", b"\x1f\x8b"),
        ("tar.bz2", b"BZh"),
        ("tar.xz", b"\xfd7zXZ"),
        ("tar.zst", b"\x28\xb5\x2f\xfd"),
    ],
)
def test_an_extension_names_the_file_and_says_how_it_is_compressed(
    workspace: Workspace, extension: str, magic: bytes
) -> None:
    build = f'{TAR}pkg_tar(name = "tar", srcs = ["run.sh"], extension = "{extension}")\n'
    workspace.write({**FILES, "BUILD": build})

    ((name, data),) = workspace.files(f"//:tar.{extension}").items()

    assert name == f"tar.{extension}"
    assert data.startswith(magic)


def test_an_extension_that_is_none_is_an_error(workspace: Workspace) -> None:
    error = workspace.wrong(f'{TAR}pkg_tar(name = "tar", extension = "zip")\n', "//:tar")

    assert "no tar is called .zip" in error.message


@pytest.mark.parametrize("given", ['out = "own.tgz"', 'package_file_name = "own.tgz"'])
def test_a_file_may_have_a_name_of_its_own(workspace: Workspace, given: str) -> None:
    given = f'srcs = ["run.sh"], extension = "tgz", {given}'
    workspace.write({**FILES, "BUILD": f'{TAR}pkg_tar(name = "tar", {given})\n'})

    assert workspace.files("//:tar").keys() == {"own.tgz"}


@pytest.mark.parametrize(
    ("strip", "expected"),
    [
        ("", {"usr/x.txt", "usr/y.txt"}),
        ("strip_prefix = strip_prefix.files_only(),", {"usr/x.txt", "usr/y.txt"}),
        ("strip_prefix = strip_prefix.from_pkg(),", {"usr/sub/x.txt", "usr/sub/b/y.txt"}),
        ('strip_prefix = strip_prefix.from_pkg("sub"),', {"usr/x.txt", "usr/b/y.txt"}),
        ('strip_prefix = strip_prefix.from_root("p"),', {"usr/sub/x.txt", "usr/sub/b/y.txt"}),
        ("strip_prefix = strip_prefix.from_root(),", {"usr/p/sub/x.txt", "usr/p/sub/b/y.txt"}),
    ],
)
def test_sets_of_files_say_where_they_go_also_from_another_package(
    workspace: Workspace, strip: str, expected: set[str]
) -> None:
    files = 'srcs = ["sub/x.txt", "sub/b/y.txt"], visibility = ["//visibility:public"]'
    text = f'{ALL}pkg_files(name = "files", prefix = "usr", {strip} {files})\n'
    workspace.write({"p/sub/x.txt": "x", "p/sub/b/y.txt": "y", "p/BUILD": text})

    found = _tar(workspace, 'srcs = ["//p:files"]')

    assert found.keys() == expected
    assert {info.mode for info in found.values()} == {0o644}


def test_files_of_a_set_are_renamed_left_out_and_given_attributes(workspace: Workspace) -> None:
    text = f"""{ALL}pkg_files(
    name = "files",
    srcs = ["a/x.txt", "a/b/y.txt", "run.sh"],
    prefix = "/etc",
    renames = {{"a/x.txt": "conf/z"}},
    excludes = ["a/b/y.txt"],
    attributes = pkg_attributes(mode = "0600", uid = 5, gid = 6, user = "root"),
)
pkg_tar(name = "tar", srcs = [":files"], package_dir = "opt")
"""
    found = _members(workspace, text)

    rows = {path: (one.mode, one.uid, one.gid) for path, one in found.items() if one.isfile()}
    assert rows == {"opt/etc/conf/z": (0o600, 5, 6), "opt/etc/run.sh": (0o600, 5, 6)}


def test_what_is_renamed_and_not_there_is_an_error(workspace: Workspace) -> None:
    text = f'{ALL}pkg_files(name = "files", srcs = ["run.sh"], renames = {{"a/x.txt": "z"}})\n'
    workspace.write(FILES)

    error = workspace.wrong(f'{text}pkg_tar(name = "tar", srcs = [":files"])\n', "//:tar")

    assert "what is renamed is not among the sources" in error.message


def test_links_directories_and_groups_of_them_are_placed(workspace: Workspace) -> None:
    text = f"""{ALL}pkg_mklink(name = "link", link_name = "bin/sh", target = "busybox")
pkg_mkdirs(name = "dirs", dirs = ["var/log"], attributes = pkg_attributes(mode = "0700", uid = 7))
pkg_mkdirs(name = "plain", dirs = ["srv"])
pkg_files(name = "files", srcs = ["run.sh"], prefix = "lib")
pkg_filegroup(name = "inner", srcs = [":link", ":dirs", ":files"], prefix = "inner")
pkg_filegroup(name = "outer", srcs = [":inner", ":plain"], prefix = "outer")
pkg_tar(name = "tar", srcs = [":outer"], mode = "0644", package_dir = "/opt")
"""
    found = _members(workspace, text)

    assert found["opt/outer/inner/bin/sh"].linkname == "busybox"
    log = found["opt/outer/inner/var/log"]
    assert (log.isdir(), log.mode, log.uid) == (True, 0o700, 7)
    assert found["opt/outer/srv"].mode == 0o755
    assert found["opt/outer/inner/lib/run.sh"].isfile()


def test_a_tar_is_put_into_an_image_of_either_kind(workspace: Workspace) -> None:
    text = (
        f'{TAR}pkg_tar(name = "tar", srcs = ["run.sh"], mode = "0755", owner = "9.9")\n'
        'load("@io_bazel_rules_docker//container:container.bzl", "container_image")\n'
        'load("@rules_oci//oci:defs.bzl", "oci_image")\n'
        'container_image(name = "docker", tars = [":tar.tar"])\n'
        'oci_image(name = "oci", os = "linux", architecture = "amd64", tars = [":tar"])\n'
    )
    workspace.write({**FILES, "BUILD": text})

    for label in ("//:docker", "//:oci"):
        found = workspace.members(label)["run.sh"]
        assert (found.mode, found.uid) == (0o755, 9)


def test_what_other_targets_make_is_packed(workspace: Workspace) -> None:
    text = 'genrule(name = "gen", outs = ["made.txt"], cmd = "echo hi > $@")\n'
    text += f'{TAR}pkg_tar(name = "tar", srcs = [":gen"])\n'
    workspace.write({"BUILD": text})

    (tar,) = workspace.files("//:tar").values()

    assert content_of(tar, "made.txt") == b"hi\n"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ('remap_paths = {"/a": "/b"}', "use `files`"),
        ('package_dir_file = "f"', "a path that is only known later"),
        ("include_runfiles = True", "name the files"),
    ],
)
def test_what_a_tar_cannot_do_is_an_error(workspace: Workspace, given: str, message: str) -> None:
    error = workspace.wrong(f'{TAR}pkg_tar(name = "tar", {given})\n', "//:tar")

    assert message in error.message
