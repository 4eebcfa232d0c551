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
_ALL_PYTHON = "requirements:all"

REASONS: Mapping[str, tuple[str, str]] = {
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
REPOSITORIES = ("maven_jar", "maven_server", "npm_install", "go_repository")
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
    *("go_deps", "go_repositories", "pip_deps", "toolchain_configure", "pip_repositories"),
    *("rules_docker_repositories", "rules_distroless_dependencies", "toolchains"),
    *("distroless_register_toolchains", "skydoc_repositories", "buildifier_dependencies"),
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


def _python(call: Call, context: Context) -> Mapping[str, Repository]:
    reason = f"@{call.name} would be made of what pip finds, which is not done yet"
    target = Refused(call.rule.name, reason, _LATER)
    return {call.name: Synthetic({_ALL_PYTHON: target})}


def _requirements_file(call: Call) -> Mapping[str, str]:
    """``requirement("flask")`` is a label, and ``pip_install()`` has nothing to do."""
    lines = (
        f'all_requirements = ["@{call.name}//{_ALL_PYTHON}"]',
        "all_whl_requirements = all_requirements",
        "data_requirements = all_requirements",
        "def requirement(name, *args, **kwargs):",
        "    return all_requirements[0]",
        "whl_requirement = requirement",
        "def pip_install(*args, **kwargs):",
        "    pass",
        "install_deps = pip_install",
    )
    return {":requirements.bzl": "\n".join(lines) + "\n"}


def _nothing(call: Call, context: Context) -> Mapping[str, Repository]:
    return {call.name: Nothing()}


RULES = rules_of(
    *(Rule(name, {}, _refused, open=True) for name in REASONS),
    *(Rule(name, {}, repository=_refused_repository, open=True) for name in REPOSITORIES),
    *(
        Rule(name, {}, repository=_python, open=True, starlark=_requirements_file)
        for name in ("pip_import", "pip3_import", "pip_parse")
    ),
    *(Rule(name, {}, repository=_nothing, open=True, nameless=True) for name in NO_OPS),
)
