"""All rules, and which file of which rule set gives them."""

from artificer.frontends.buildfile.rules import (
    apt_install,
    cc,
    debian,
    debian_lists,
    distroless,
    distroless_files,
    docker,
    docker_transfer,
    generic,
    http,
    languages,
    mapping,
    oci,
    pkg,
    refused,
    run_in_image,
    tar_bzl,
    tests,
    users,
)
from artificer.frontends.buildfile.schema import Rulebook

RULES = {
    **refused.RULES,
    **generic.RULES,
    **http.RULES,
    **docker.RULES,
    docker.WITH_TAG.name: docker.WITH_TAG,
    **docker_transfer.RULES,
    **oci.RULES,
    **pkg.RULES,
    **mapping.RULES,
    **users.RULES,
    **cc.RULES,
    **languages.RULES,
    **run_in_image.RULES,
    **tests.RULES,
    **tar_bzl.RULES,
    **debian.RULES,
    **debian_lists.RULES,
    **apt_install.RULES,
    **distroless.RULES,
    **distroless_files.RULES,
}

_NATIVE = frozenset(
    {
        *("filegroup", "alias", "test_suite", "genrule", "sh_binary", "sh_test", "sh_library"),
        *("cc_binary", "cc_library", "cc_test", "cc_import", "proto_library"),
        *("java_binary", "java_library", "java_test", "java_import"),
        *("py_binary", "py_library", "py_test"),
        # Ours need no load.
        *(
            "apt",
            "debs",
            "command",
            "pkg_tar",
            *(name for name in docker.RULES if name.startswith("docker_")),
        ),
        *("docker_push", "docker_import"),
    }
)
_WORKSPACE = frozenset(
    {
        *("git_repository", "new_git_repository", "http_file", "http_jar", "http_archive"),
        *("new_http_archive", "local_repository", "new_local_repository", "bind"),
        *("maven_jar", "maven_server", "register_toolchains", "register_execution_platforms"),
        *("docker_pull", "docker_load"),
    }
)

_DOCKER = {
    name: name
    for name in (*docker.RULES, *docker_transfer.RULES, *users.RULES)
    if name not in {"docker_oci_push", "container_push_all"}
}
_DOCKER["oci_push"] = "docker_oci_push"
_DOCKER["repositories"] = "repositories"
_PUSHES = {"container_push": "container_push_all", "docker_push": "container_push_all"}
_PUSH_FILES = ("contrib:push-all.bzl", "docker/contrib:push-all.bzl")
_WITH_TAG = dict.fromkeys(
    ("container_image", "docker_image", "docker_build", "oci_image"), docker.WITH_TAG.name
)
_REPO_RULES = {name: name for name in http.RULES}
_OCI = {name: name for name in oci.RULES}
_PKG = {"pkg_tar": "pkg_tar", **{name: name for name in mapping.RULES}}
_PKG_OF_2017 = {"pkg_tar": "pkg_tar_of_2017", "pkg_deb": "pkg_deb"}
_TARS = {name: name for name in tar_bzl.RULES}
_GO = {name: name for name in ("go_binary", "go_library", "go_source", "go_test")}

_MODULES = {
    "@io_bazel_rules_docker": _DOCKER,
    **{f"@io_bazel_rules_docker//{file}": _PUSHES for file in _PUSH_FILES},
    "@io_bazel_rules_docker//contrib:with-tag.bzl": _WITH_TAG,
    "@rules_docker": _DOCKER,
    "@rules_docker//contrib:with-tag.bzl": _WITH_TAG,
    **{f"@rules_docker//{file}": _PUSHES for file in _PUSH_FILES},
    "@rules_oci": _OCI,
    "@rules_pkg": _PKG,
    "@bazel_tools//tools/build_defs/pkg:pkg.bzl": _PKG_OF_2017,
    "@bazel_tools//tools/build_defs/docker:docker.bzl": _DOCKER,
    "@bazel_tools//tools/build_defs/repo:http.bzl": _REPO_RULES,
    "@bazel_tools//tools/build_defs/repo:git.bzl": _REPO_RULES,
    "@bazel_tools//tools/build_defs/repo:maven_rules.bzl": {"maven_jar": "maven_jar"},
    "@bazel_skylib": {
        "write_file": "write_file",
        "copy_file": "copy_file",
        "native_binary": "native_binary",
        "native_test": "native_test",
    },
    "@rules_cc": {"cc_binary": "cc_binary", "cc_library": "cc_library", "cc_test": "cc_test"},
    "@rules_shell": {name: name for name in ("sh_binary", "sh_library", "sh_test")},
    "@io_bazel_rules_go": _GO,
    "@rules_go": _GO,
    "@bazel_gazelle": {"go_repository": "go_repository"},
    "@container_structure_test": {"container_structure_test": "container_structure_test"},
    "@distroless_rules": {},
    "@distroless": {},
    "@rules_distroless": distroless_files.NAMES,
    "@rules_distroless//apt:apt.bzl": {"apt": "install=apt_install"},
    "@rules_distroless//apt:index.bzl": {"deb_index": "apt_install"},
    "@io_bazel_rules_python": {},
    "@rules_python": {},
    "@rules_java": {},
    "@aspect_bazel_lib": _TARS | {"write_file": "write_file", "copy_file": "copy_file"},
    "@bazel_lib": {"write_file": "write_file", "copy_file": "copy_file"},
    "@tar.bzl": _TARS,
    "@aspect_rules_py": {},
    "@aspect_rules_js": {},
    "@platforms": {},
    "@base_images_docker": {},
    "@artificer": {name: name for name in ("command", "apt", "debs")},
}

BOOK = Rulebook(
    rules=RULES,
    native=_NATIVE,
    workspace=_WORKSPACE,
    modules=_MODULES,
    extensions={
        "@rules_oci//oci:extensions.bzl%oci": {"pull": "oci_pull", "toolchains": ""},
        "@rules_go//go:extensions.bzl%go_sdk": {},
        "@rules_distroless//apt:extensions.bzl%apt": {"install": "apt_install"},
    },
)
"""What the loader is given."""
