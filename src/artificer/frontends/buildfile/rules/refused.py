"""Rules that are known and not done (yet): they load, and are refused when they are needed."""

from collections.abc import Mapping

from artificer.builder.targets import Refused, Target
from artificer.frontends.buildfile.rules.values import rules_of
from artificer.frontends.buildfile.schema import (
    Call,
    Context,
    Nothing,
    Repository,
    Rule,
    Synthetic,
)

_LATER = "use a `command` with declared inputs and outputs, and put what it makes into the image"
_RUN = "it runs commands in a container, which is not done yet"
_PACKAGES = "packages are not resolved and configured yet"

REASONS: Mapping[str, tuple[str, str]] = {
    **dict.fromkeys(
        (
            "container_run_and_commit",
            "container_run_and_extract",
            "container_run_and_commit_layer",
        ),
        (_RUN, "make the files with a `command` or genrule, and add them with `files`"),
    ),
    "dockerfile_image": (
        "Dockerfiles are not built from BUILD files yet",
        "build it apart, and pull or import the image",
    ),
    **dict.fromkeys(
        ("download_pkgs", "install_pkgs", "add_apt_key", "dpkg_list", "dpkg_src", "apt"),
        (_PACKAGES, "fetch the .deb files with http_file, and add them with `debs`"),
    ),
    **dict.fromkeys(
        ("toolchain_container", "language_tool_layer"),
        ("it prepares images for remote execution", "use container_image and container_layer"),
    ),
    "security_check": ("it asks a vendor's scanner", "scan the pushed image by its digest"),
    **dict.fromkeys(
        (
            *("py_image", "py3_image", "py_layer", "py_binary", "py_library", "py_test"),
            *("java_image", "war_image", "java_layer", "java_binary", "java_library"),
            *("java_test", "java_import", "scala_image", "groovy_image", "kt_jvm_image"),
            *("nodejs_image", "rust_image", "d_image", "rust_binary", "rust_library"),
            *("nodejs_binary", "go_test", "cc_test", "cc_import", "proto_library"),
            *("scala_binary", "scala_library", "kt_jvm_library", "kt_jvm_binary", "d_binary"),
            *("py_image_layer", "js_image_layer", "js_binary", "py_wheel", "py_venv"),
        ),
        ("programs of this language are not built here", _LATER),
    ),
    **dict.fromkeys(
        ("cosign_sign", "cosign_attest"),
        ("images are not signed here yet", "run cosign with the digest that is printed"),
    ),
    **dict.fromkeys(
        ("pkg_zip", "pkg_deb", "pkg_rpm", "pkg_install"),
        ("only tars are made", "use pkg_tar, or a `command` that makes it"),
    ),
    **dict.fromkeys(
        ("container_layer_from_tar", "rename_image", "container_release_rule"),
        ("this helper is not done", "use container_image, container_push or container_bundle"),
    ),
}
REPOSITORIES = (
    "maven_jar",
    "maven_server",
    "pip_import",
    "pip_parse",
    "npm_install",
    "go_repository",
)
NO_OPS = (
    *("container_repositories", "repositories", "deps", "container_deps", "py_deps"),
    *("docker_repositories", "rules_docker_dependencies", "docker_toolchain_configure"),
    *("rules_oci_dependencies", "oci_register_toolchains", "rules_pkg_dependencies"),
    *("go_rules_dependencies", "go_register_toolchains", "gazelle_dependencies"),
    *("bazel_skylib_workspace", "rules_proto_dependencies", "rules_proto_toolchains"),
    *("aspect_bazel_lib_dependencies", "aspect_bazel_lib_register_toolchains"),
    *("container_structure_test_register_toolchain", "package_manager_repositories"),
    *("register_toolchains", "register_execution_platforms", "pip_repositories"),
    *("pip_install", "py_repositories", "python_register_toolchains", "distroless_repositories"),
    *("platforms_dependencies", "rules_cc_dependencies", "rules_cc_toolchains"),
    *("rules_java_dependencies", "rules_java_toolchains", "maven_install"),
)
"""Functions of WORKSPACE files that fetch or register what a rule set of ours does not need."""


def _refused(call: Call, context: Context) -> Target:
    reason, hint = REASONS[call.rule.name]
    return Refused(call.rule.name, reason, hint)


def _refused_repository(call: Call, context: Context) -> Mapping[str, Repository]:
    target = Refused(
        call.rule.name,
        f"@{call.name} would be fetched by {call.rule.name}, which is not done",
        "fetch the files with http_file or http_archive, with their sha256",
    )
    names = ("jar:jar", ":requirements.bzl", ":all")
    return {call.name: Synthetic(dict.fromkeys(names, target))}


def _nothing(call: Call, context: Context) -> Mapping[str, Repository]:
    return {call.name: Nothing()}


RULES = rules_of(
    *(Rule(name, {}, _refused, open=True) for name in REASONS),
    *(Rule(name, {}, repository=_refused_repository, open=True) for name in REPOSITORIES),
    *(Rule(name, {}, repository=_nothing, open=True, nameless=True) for name in NO_OPS),
)
