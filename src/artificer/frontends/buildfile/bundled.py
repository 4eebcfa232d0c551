"""Our own files in Starlark: what every file can call, and what replaces others' helpers."""

import os
from collections.abc import Iterable

from artificer.frontends.buildfile.interpreter import HIDDEN

PRELUDE = f"{HIDDEN}/prelude.bzl"
SKYLIB = f"{HIDDEN}/skylib.bzl"

_HERE = os.path.join(os.path.dirname(__file__), "library")

REPLACED = frozenset(
    {
        "@bazel_skylib//:lib.bzl",
        "@bazel_skylib//lib:collections.bzl",
        "@bazel_skylib//lib:dicts.bzl",
        "@bazel_skylib//lib:partial.bzl",
        "@bazel_skylib//lib:paths.bzl",
        "@bazel_skylib//lib:selects.bzl",
        "@bazel_skylib//lib:shell.bzl",
        "@bazel_skylib//lib:structs.bzl",
        "@bazel_skylib//lib:types.bzl",
        "@bazel_skylib//lib:versions.bzl",
        "@bazel_tools//tools/build_defs/repo:utils.bzl",
    }
)
"""Files of others that `SKYLIB` stands in for."""

HELPERS = {
    "@rules_pkg": ("REMOVE_BASE_DIRECTORY", "pkg_attributes", "strip_prefix"),
    "@tar.bzl": ("mutate",),
}
"""What `SKYLIB` has of files of others that are rules for the rest."""

FUNCTIONS = (
    *("Label", "attr", "config", "depset", "distribs", "environment_group", "existing_rule"),
    *("existing_rules", "exports_files", "glob", "licenses", "macro", "native", "package"),
    *("package_group", "package_name", "package_relative_label", "print", "provider"),
    *("repo_name", "repository_name", "select", "subpackages", "testing"),
    *("module_name", "module_version", "apple_common", "cc_common", "config_common"),
    *("coverage_common", "java_common", "platform_common", "proto_common"),
)
"""What any file may call, by the name that `PRELUDE` has for it."""

_MODULE = (
    *("bazel_dep", "include", "local_path_override", "module", "use_extension", "use_repo"),
    *("archive_override", "git_override", "use_repo_rule"),
)
# What has another name in the prelude: it would hide what the prelude itself uses, or several
# are one.
_OTHERS = {
    "str": "label_text",
    "aspect": "rule",
    "repository_rule": "rule",
    "rule": "rule",
    "module_extension": "rule",
    "materializer_rule": "rule",
    "subrule": "rule",
    "tag_class": "nothing",
    "transition": "nothing",
    "analysis_test_transition": "nothing",
    "exec_group": "nothing",
    "configuration_field": "nothing",
    "repo_metadata": "nothing",
    "cmd_helper": "nothing",
    "visibility": "nothing",
    "register_toolchains": "nothing",
    "register_execution_platforms": "nothing",
    **dict.fromkeys(
        (
            *("AnalysisTestResultInfo", "CcInfo", "CcToolchainConfigInfo", "DebugPackageInfo"),
            *(
                "DefaultInfo",
                "ExecutionInfo",
                "GeneratedExtensionRegistryInfo",
                "InstrumentedFilesInfo",
            ),
            *("JavaInfo", "JavaPluginInfo", "OutputGroupInfo", "PackageSpecificationInfo"),
            *("ProtoInfo", "PyInfo", "PyRuntimeInfo", "RunEnvironmentInfo"),
            *("StarlarkLibraryInfo", "apple_binary", "CcSharedLibraryInfo", "ConstraintValueInfo"),
        ),
        "nothing",
    ),
}
_OVERRIDES = (
    *("multiple_version_override", "single_version_override"),
    *("inject_repo", "override_repo", "flag_alias"),
)

Given = tuple[str, str, str]
"""The file that a name is loaded from, the name, and what that file calls it."""

EVERYWHERE: tuple[Given, ...] = (
    *((PRELUDE, name, name) for name in FUNCTIONS),
    *((PRELUDE, name, original) for name, original in _OTHERS.items()),
)
WORKSPACE: tuple[Given, ...] = (
    (PRELUDE, "workspace", "workspace"),
    (PRELUDE, "bind", "bind"),
)
MODULE: tuple[Given, ...] = (
    *((PRELUDE, name, name) for name in _MODULE),
    *((PRELUDE, name, "nothing") for name in _OVERRIDES),
)


NATIVE_ELSEWHERE = (
    *("aar_import", "action_listener", "android_binary", "android_library", "apple_cc_toolchain"),
    *("cc_import", "cc_library", "cc_proto_library", "cc_shared_library", "cc_test"),
    *("cc_toolchain", "cc_toolchain_suite", "config_feature_flag", "extra_action", "fdo_profile"),
    *("genquery", "go_library", "j2objc_library", "java_binary", "java_import", "java_library"),
    *("java_lite_proto_library", "java_package_configuration", "java_plugin"),
    *("java_proto_library", "java_runtime", "java_test", "java_toolchain", "label_flag"),
    *("label_setting", "objc_import", "objc_library", "proto_lang_toolchain", "proto_library"),
    *(
        "py_binary",
        "py_library",
        "py_runtime",
        "py_test",
        "sh_library",
        "sh_test",
        "starlark_doc_extract",
    ),
    *("cc_binary", "sh_binary", "toolchain", "xcode_config", "xcode_version", "genrule"),
    *("Fileset", "android_device", "android_device_script_fixture"),
    *(
        "android_host_service_fixture",
        "android_instrumentation_test",
        "android_local_test",
        "android_resources",
        "android_sdk",
    ),
    *("android_tools_defaults_jar", "apple_static_library", "available_xcodes"),
    *("cc_host_toolchain_alias", "cc_libc_top_alias", "cc_toolchain_alias", "fdo_prefetch_hints"),
    *("java_host_runtime_alias", "java_plugins_flag_alias", "java_runtime_alias"),
    *("java_toolchain_alias", "memprof_profile", "propeller_optimize", "py_runtime_pair"),
    *("xcode_config_alias",),
)
"""Rules that BUILD files may call without a load in some version of Bazel; ours come first."""

WORKSPACE_ELSEWHERE = (
    *("android_ndk_repository", "android_sdk_repository", "git_repository", "new_git_repository"),
    *("http_archive", "http_file", "http_jar", "local_config_platform", "local_repository"),
    *("maven_jar", "maven_server", "new_http_archive", "new_local_repository", "xcode_repository"),
)
"""The same of WORKSPACE files, from Bazel 0.5 on."""


def read_library(path: str) -> str:
    """The text of `PRELUDE` or `SKYLIB`."""
    name = path.rpartition("/")[2]
    with open(os.path.join(_HERE, name), encoding="utf-8") as file:
        return file.read()


def given_rules(ours: Iterable[str], others: Iterable[str]) -> tuple[Given, ...]:
    """The rules that a kind of file may call without a load: *ours*, and what is refused."""
    names = {*ours, *others} - {"bind", *_OTHERS}
    return tuple((PRELUDE, name, name) for name in sorted(names))


def prelude_text(rules: Iterable[str]) -> str:
    """The prelude, with a function for each of *rules*, and all of them in ``native``."""
    own = {*FUNCTIONS, "bind", *_OTHERS}
    names = [name for name in sorted(rules) if name not in own]
    others = sorted({*NATIVE_ELSEWHERE, *WORKSPACE_ELSEWHERE} - {*names, *own})
    fields = [name for name in (*FUNCTIONS, *names, *others, "bind") if name != "native"]
    native = ",".join(f"{name}={name}" for name in fields)
    native += ",register_toolchains=nothing,register_execution_platforms=nothing"
    functions = "\n".join(
        (
            *(rule_text(name, name, "_declare") for name in names),
            *(f'{name} = foreign("{name}")' for name in others),
        )
    )
    return f"{read_library(PRELUDE)}\n{functions}\nnative = struct({native})\n"


def rule_text(name: str, key: str, declare: str) -> str:
    """A function called *name* that declares a target by the rule *key*."""
    body = f'{declare}("{key}", call_stack(), json.encode(attributes))'
    return f"def {name}(**attributes):\n    {body}\n"
