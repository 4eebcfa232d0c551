"""Rules by all the names and files that they had from 2017 on, and those that are refused."""

import json

import pytest

from artificer.builder.targets import ImageTarget, LayerTarget, Pull, Push, Refused
from artificer.frontends.buildfile.rules import docker, docker_transfer
from artificer.frontends.buildfile.rules.refused import REASONS
from tests.frontends.buildfile.rules.workspaces import Workspace, content_of

IMAGE = {"container_image", "docker_build", "docker_image"}
FILES = {
    "container:container.bzl": [
        *("container_image", "container_layer", "container_bundle", "container_push"),
        *("container_import", "container_flatten"),
    ],
    "container:image.bzl": ["container_image"],
    "container:layer.bzl": ["container_layer"],
    "container:push.bzl": ["container_push"],
    "container:bundle.bzl": ["container_bundle"],
    "container:flatten.bzl": ["container_flatten"],
    "container:import.bzl": ["container_import"],
    "docker:docker.bzl": [
        *("docker_build", "docker_image", "docker_layer", "docker_bundle", "docker_push"),
        *("docker_import", "docker_flatten", "oci_push"),
    ],
    "docker:build.bzl": ["docker_build"],
    "contrib:passwd.bzl": ["passwd_entry", "passwd_file", "passwd_tar"],
    "contrib:group.bzl": ["group_entry", "group_file"],
    "contrib:test.bzl": ["container_test"],
    "contrib:repro_test.bzl": ["container_repro_test"],
    "contrib:compare_ids_test.bzl": ["compare_ids_test"],
    "contrib:push-all.bzl": ["container_push", "docker_push"],
    "go:image.bzl": ["go_image"],
    "cc:image.bzl": ["cc_image"],
}
WHERE = {
    "@io_bazel_rules_docker": FILES,
    "@rules_docker": FILES,
    "@rules_oci": {
        "oci:defs.bzl": [
            *("oci_image", "oci_image_index", "oci_push", "oci_load", "oci_tarball"),
            "oci_image_digest",
        ]
    },
    "@rules_pkg": {
        ":pkg.bzl": ["pkg_tar"],
        "pkg:pkg.bzl": ["pkg_tar"],
        "pkg:tar.bzl": ["pkg_tar"],
        ":mappings.bzl": ["pkg_files", "pkg_filegroup", "pkg_mklink", "pkg_mkdirs"],
        "pkg:mappings.bzl": ["pkg_files", "pkg_filegroup", "pkg_mklink", "pkg_mkdirs"],
    },
    "@bazel_tools": {
        "tools/build_defs/pkg:pkg.bzl": ["pkg_tar"],
        "tools/build_defs/docker:docker.bzl": ["docker_build"],
    },
    "@io_bazel_rules_go": {"go:def.bzl": ["go_binary", "go_library"]},
    "@rules_cc": {"cc:defs.bzl": ["cc_binary", "cc_library"]},
    "@rules_shell": {"shell:sh_binary.bzl": ["sh_binary"]},
}


@pytest.mark.parametrize(
    ("file", "names"),
    [(f"{repo}//{file}", names) for repo, files in WHERE.items() for file, names in files.items()],
)
def test_every_file_that_a_rule_was_loaded_from_still_gives_it(
    workspace: Workspace, file: str, names: list[str]
) -> None:
    # A misspelt attribute is known to be none only by a rule that is ours.
    for name in names:
        text = f'load("{file}", "{name}")\n{name}(name = "x", no_such_attribute = 1)\n'

        error = workspace.wrong(text)

        # The mandatory ones are looked for later.
        assert "has no attribute `no_such_attribute`" in error.message


@pytest.mark.parametrize("name", ["docker_build", "docker_image", "docker_layer"])
def test_names_of_2017_need_no_load(workspace: Workspace, name: str) -> None:
    workspace.write({"f": "f", "BUILD": f'{name}(name = "x", files = ["f"])\n'})

    assert isinstance(workspace.target("//:x"), ImageTarget | LayerTarget)


def test_every_rule_of_the_docker_rules_has_both_of_its_names() -> None:
    names = {*docker.RULES, *docker_transfer.RULES}

    for name in ("image", "layer", "bundle", "flatten", "import", "load", "pull", "push"):
        assert {f"container_{name}", f"docker_{name}"} <= names


WORKSPACE_2017 = """
workspace(name = "old")
git_repository(
    name = "io_bazel_rules_docker",
    remote = "https://github.com/bazelbuild/rules_docker.git",
    tag = "v0.1.0",
)
load("@io_bazel_rules_docker//docker:docker.bzl", "docker_repositories", "docker_pull")
docker_repositories()
docker_pull(
    name = "base",
    registry = "index.docker.io",
    repository = "library/busybox",
    tag = "latest",
)
new_http_archive(name = "site", url = "http://example.com/x.tar.gz", build_file = "site.BUILD")
maven_jar(name = "guava", artifact = "com.google.guava:guava:18.0")
"""
WORKSPACE_2019 = """
load("@bazel_tools//tools/build_defs/repo:http.bzl", "http_archive", "http_file")
http_archive(
    name = "io_bazel_rules_docker",
    urls = ["https://github.com/bazelbuild/rules_docker/releases/download/v0.14.4/x.tar.gz"],
)
load("@io_bazel_rules_docker//toolchains/docker:toolchain.bzl",
    docker_toolchain_configure = "toolchain_configure")
docker_toolchain_configure(name = "docker_config", client_config = "//:dir")
load("@io_bazel_rules_docker//repositories:repositories.bzl",
    container_repositories = "repositories")
container_repositories()
load("@io_bazel_rules_docker//repositories:deps.bzl", container_deps = "deps")
container_deps()
load("@io_bazel_rules_docker//repositories:pip_repositories.bzl", "pip_deps")
pip_deps()
load("@io_bazel_rules_docker//repositories:go_repositories.bzl", container_go_deps = "go_deps")
container_go_deps()
load("@io_bazel_rules_docker//go:image.bzl", _go_image_repos = "repositories")
_go_image_repos()
load("@io_bazel_rules_docker//container:pull.bzl", "container_pull")
container_pull(name = "base", registry = "gcr.io", repository = "distroless/base")
load("@io_bazel_rules_python//python:pip.bzl", "pip_import", "pip_repositories")
pip_repositories()
pip_import(name = "py_deps", requirements = "//:requirements.txt")
load("@py_deps//:requirements.bzl", "pip_install")
pip_install()
load("@distroless//package_manager:package_manager.bzl",
    "package_manager_repositories", "dpkg_src", "dpkg_list")
package_manager_repositories()
dpkg_src(name = "debian_stretch", arch = "amd64", distro = "stretch", snapshot = "x", url = "u")
dpkg_list(
    name = "package_bundle",
    packages = ["libc6", "libstdc++6"],
    sources = ["@debian_stretch//file:Packages.json"],
)
"""
WORKSPACE_2023 = """
load("@bazel_tools//tools/build_defs/repo:http.bzl", "http_archive")
http_archive(name = "rules_oci", url = "https://github.com/bazel-contrib/rules_oci/x.tar.gz")
load("@rules_oci//oci:dependencies.bzl", "rules_oci_dependencies")
rules_oci_dependencies()
load("@rules_oci//oci:repositories.bzl", "LATEST_CRANE_VERSION", "oci_register_toolchains")
oci_register_toolchains(name = "oci", crane_version = LATEST_CRANE_VERSION)
load("@container_structure_test//:repositories.bzl", "container_structure_test_register_toolchain")
container_structure_test_register_toolchain(name = "cst")
load("@rules_pkg//:deps.bzl", "rules_pkg_dependencies")
rules_pkg_dependencies()
load("@rules_oci//oci:pull.bzl", "oci_pull")
oci_pull(
    name = "base",
    image = "gcr.io/distroless/base",
    digest = "sha256:c62385962234a3dae5c9e9777dedc863d99f676b7202cd073e90b06e46021994",
    platforms = ["linux/amd64", "linux/arm64/v8"],
)
"""


@pytest.mark.parametrize(
    ("text", "label"),
    [
        (WORKSPACE_2017, "@base//image"),
        (WORKSPACE_2019, "@base//image"),
        (WORKSPACE_2023, "@base"),
    ],
)
def test_a_workspace_of_each_time_loads(workspace: Workspace, text: str, label: str) -> None:
    workspace.write({"WORKSPACE": text, "site.BUILD": ""})

    assert isinstance(workspace.target(label), Pull)


def test_a_rule_set_may_have_another_name(workspace: Workspace) -> None:
    workspace.write(
        {
            "MODULE.bazel": 'bazel_dep(name = "rules_oci", version = "1", repo_name = "oci")\n',
            "BUILD": 'load("@oci//oci:defs.bzl", image = "oci_image")\n'
            'image(name = "x", os = "linux", architecture = "amd64")\n',
        }
    )

    assert isinstance(workspace.target("//:x"), ImageTarget)


def test_the_tarball_of_rules_oci_1_is_what_is_loaded_now(workspace: Workspace) -> None:
    text = (
        'load("@rules_oci//oci:defs.bzl", "oci_image", "oci_tarball")\n'
        'oci_image(name = "image", os = "linux", architecture = "amd64")\n'
        'oci_tarball(name = "tarball", image = ":image", repo_tags = ["a:1"], command = "x.sh")\n'
        'filegroup(name = "tar", srcs = [":tarball"], output_group = "tarball")\n'
    )
    workspace.write({"BUILD": text, "x.sh": "#!/bin/sh\n"})

    assert [name for name, _ in workspace.product("//:tarball").images] == ["a:1"]
    (tar,) = workspace.files("//:tar").values()
    assert workspace.files("//:tarball/tarball.tar") == {"tarball/tarball.tar": tar}
    (saved,) = json.loads(content_of(tar, "manifest.json"))
    assert saved["RepoTags"] == ["a:1"]


def test_the_tarball_of_rules_oci_0_has_repotags(workspace: Workspace) -> None:
    text = (
        'load("@rules_oci//oci:defs.bzl", "oci_image", "oci_tarball")\n'
        'oci_image(name = "image", os = "linux", architecture = "amd64")\n'
        'oci_tarball(name = "tarball", image = ":image", repotags = ["a:1"])\n'
    )
    workspace.write({"BUILD": text})

    assert [name for name, _ in workspace.product("//:tarball").images] == ["a:1"]


def test_an_image_with_a_tag_is_a_bundle_of_one(workspace: Workspace) -> None:
    text = (
        'load("@io_bazel_rules_docker//contrib:with-tag.bzl", build = "container_image")\n'
        'build(name = "image", cmd = ["x"], tag = "gcr.io/build/with:tag")\n'
    )
    workspace.write({"BUILD": text})

    ((name, image),) = workspace.product("//:image").images
    assert name == "gcr.io/build/with:tag"
    assert image == workspace.image("//:image-internal")


@pytest.mark.parametrize("name", sorted(REASONS))
def test_a_rule_that_is_not_done_is_refused_with_a_reason_when_it_is_needed(
    workspace: Workspace, name: str
) -> None:
    load = f'load("@io_bazel_rules_docker//x:x.bzl", "{name}")\n'
    text = f'{load}{name}(name = "x", whatever = ["y"], n = 1)\nfilegroup(name = "other")\n'
    workspace.write({"BUILD": text})

    assert workspace.product("//:other").files == ()
    error = workspace.error("//:x")
    assert error.message.startswith("BUILD:2:1: //:x: ")
    assert REASONS[name][0] in error.message
    assert error.hint == REASONS[name][1]


def test_packages_of_a_list_are_looked_up_when_they_are_needed(
    workspace: Workspace,
) -> None:
    build = (
        'load("@package_bundle//file:packages.bzl", "packages")\n'
        'docker_build(name = "image", debs = [packages["libstdc++6"]])\n'
        'docker_build(name = "other")\n'
    )
    workspace.write({"WORKSPACE": WORKSPACE_2019, "BUILD": build})

    assert workspace.image("//:other").layers == ()
    error = workspace.error("//:image")
    assert "not a URL that can be fetched: u/debian/x/dists/stretch" in error.message


def test_requirements_of_python_load_and_are_refused_when_they_are_needed(
    workspace: Workspace,
) -> None:
    build = (
        'load("@py_deps//:requirements.bzl", "requirement")\n'
        'load("@io_bazel_rules_docker//python3:image.bzl", "py3_image")\n'
        'py3_image(name = "app", srcs = ["app.py"], deps = [requirement("flask")])\n'
        'filegroup(name = "data", srcs = [requirement("flask")])\n'
    )
    workspace.write({"WORKSPACE": WORKSPACE_2019, "BUILD": build})

    assert isinstance(workspace.target("//:app"), Refused)
    assert "programs of this language are not built here" in workspace.error("//:app").message
    assert "what pip finds" in workspace.error("//:data").message


def test_what_rule_sets_have_besides_rules_is_refused_by_its_name(workspace: Workspace) -> None:
    text = (
        'load("@io_bazel_rules_docker//lang:image.bzl", "app_layer")\n'
        'app_layer(name = "x", binary = ":y")\n'
    )

    assert "app_layer of @io_bazel_rules_docker//lang:image.bzl" in (
        workspace.wrong(text, "//:x").message
    )


def test_pushes_of_both_rule_sets_live_in_one_file(workspace: Workspace) -> None:
    text = (
        'load("@io_bazel_rules_docker//container:container.bzl", "container_push")\n'
        'load("@rules_oci//oci:defs.bzl", "oci_push")\n'
        'docker_build(name = "i")\n'
        'container_push(name = "a", image = ":i", format = "Docker", registry = "r",'
        ' repository = "x")\n'
        'oci_push(name = "b", image = ":i", repository = "r.com/x")\n'
    )
    workspace.write({"BUILD": text})

    assert isinstance(workspace.target("//:a"), Push)
    assert isinstance(workspace.target("//:b"), Push)
