"""The rules that only name, group or decide: what no image can do without."""

from collections.abc import Mapping

from artificer.builder.targets import Group, Target
from artificer.frontends.buildfile.schema import (
    ANY,
    Attribute,
    Call,
    Context,
    Rule,
    flag,
    label,
    labels,
    string,
    string_dict,
    strings,
)


def _filegroup(call: Call, context: Context) -> Target:
    return Group(context.sources((*call.strings("srcs"), *call.strings("data"))))


def _alias(call: Call, context: Context) -> Target:
    return Group((context.source(call.string("actual")),))


def _test_suite(call: Call, context: Context) -> Target:
    return Group(context.sources(call.strings("tests")))


def _nothing(call: Call, context: Context) -> Target:
    return Group()


def _mandatory(attribute: Attribute) -> Attribute:
    return attribute._replace(mandatory=True)


_ALL = (
    Rule(
        "filegroup",
        {
            "srcs": labels(),
            "data": labels(),
            "output_group": string(refused="no rule here has output groups"),
            "path": string(),
        },
        _filegroup,
    ),
    Rule("alias", {"actual": _mandatory(label())}, _alias),
    Rule("test_suite", {"tests": labels()}, _test_suite),
    Rule(
        "config_setting",
        {
            "values": string_dict(),
            "define_values": string_dict(),
            "flag_values": Attribute(("label_keys",), {}),
            "constraint_values": labels(),
        },
        _nothing,
    ),
    Rule(
        "config_setting_group",
        {"match_all": labels(), "match_any": labels()},
        _nothing,
    ),
    Rule("constraint_setting", {"default_constraint_value": label()}, _nothing),
    Rule("constraint_value", {"constraint_setting": _mandatory(label())}, _nothing),
    Rule(
        "platform",
        {
            "constraint_values": labels(),
            "parents": labels(),
            "cpu_constraints": labels(),
            "os_constraints": labels(),
            "host_platform": ANY,
            "target_platform": ANY,
            "remote_execution_properties": string(),
            "flags": strings(),
            "required_settings": labels(),
        },
        _nothing,
    ),
    Rule("toolchain_type", {"no_match_error": string()}, _nothing),
    Rule("bool_flag", {"build_setting_default": _mandatory(flag()), "scope": ANY}, _nothing),
    Rule(
        "string_flag",
        {"build_setting_default": _mandatory(string()), "values": strings(), "scope": ANY},
        _nothing,
    ),
)

CORE: Mapping[str, Rule] = {rule.name: rule for rule in _ALL}

SKYLIB_RULES: Mapping[str, str] = {"bool_flag": "bool_flag", "string_flag": "string_flag"}
"""What ``@bazel_skylib//rules:common_settings.bzl`` gives."""
