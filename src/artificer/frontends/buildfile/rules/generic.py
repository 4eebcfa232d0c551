"""Rules without a rule set: files by name, commands, programs, and files with a known text."""

import re

from artificer.builder.targets import (
    Command,
    Group,
    Output,
    Program,
    Source,
    Target,
    Written,
)
from artificer.frontends.buildfile.rules.values import package_path, rules_of
from artificer.frontends.buildfile.schema import (
    ANY,
    TEST,
    Attribute,
    Call,
    Context,
    Rule,
    either,
    flag,
    label,
    labels,
    number,
    string,
    string_dict,
    strings,
)

_LOCATION = re.compile(r"\$\((?:location|execpath|rootpath|rlocationpath)s? +([^()]+?) *\)")

GENRULE: dict[str, Attribute] = {
    "srcs": labels(),
    "outs": Attribute(("outputs",), ()),
    "cmd": string(),
    "cmd_bash": string(),
    "cmd_bat": ANY,
    "cmd_ps": ANY,
    "tools": labels(),
    "exec_tools": labels(),
    "toolchains": labels(),
    "executable": flag(),
    "local": flag(),
    "message": string(),
    "output_licenses": ANY,
    "output_to_bindir": flag(),
    "stamp": ANY,
    "heuristic_label_expansion": flag(),
}
COMMAND: dict[str, Attribute] = {
    "command": string(mandatory=True),
    "srcs": labels(),
    "outs": Attribute(("outputs",), (), mandatory=True),
    "tools": labels(),
    "env": string_dict(),
    "caches": either("strings", "string_dict", default=()),
    "executable": flag(),
    "timeout": number(600),
    "directories": flag(),
}
PROGRAM: dict[str, Attribute] = {
    "srcs": labels(),
    "src": label(),
    "data": labels(),
    "deps": labels(),
    "args": strings(),
    "env": string_dict(),
    "out": Attribute(("output",)),
    "env_inherit": strings(),
    "output_licenses": ANY,
    "use_bash_launcher": flag(),
}


def locations_of(command: str, call: Call, context: Context) -> tuple[tuple[str, Source], ...]:
    """What the labels in ``$(location …)`` of *command* stand for, by the label as written.

    Those of its own outputs stand for what is only being made.
    """
    own = {f"{prefix}{out}" for out in call.strings("outs") for prefix in ("", ":", _home(call))}
    labels_in = dict.fromkeys(match[1] for match in _LOCATION.finditer(command))
    return tuple((text, context.source(text)) for text in labels_in if text not in own)


def _home(call: Call) -> str:
    return call.label.removesuffix(call.name)


def _genrule(call: Call, context: Context) -> Target:
    command = call.string("cmd_bash") or call.string("cmd")
    if not command:
        context.fail(call, "", "a genrule without cmd")
    outs = call.strings("outs")
    if not outs:
        context.fail(call, "", "a genrule without outs")
    tools = (*call.strings("tools"), *call.strings("exec_tools"))
    return Command(
        command=command,
        package=package_path(call),
        outs=outs,
        sources=context.sources(call.strings("srcs")),
        tools=context.sources(tools),
        locations=locations_of(command, call, context),
        executable=call.flag("executable"),
        stamped=bool(call.value("stamp")),
    )


def _command(call: Call, context: Context) -> Target:
    command = call.string("command")
    given = call.value("caches")
    pairs = (
        given.items() if isinstance(given, dict) else ((name, _variable(name)) for name in given)
    )
    return Command(
        command=command,
        package=package_path(call),
        outs=call.strings("outs"),
        sources=context.sources(call.strings("srcs")),
        tools=context.sources(call.strings("tools")),
        locations=locations_of(command, call, context),
        env=tuple((name, str(value)) for name, value in call.pairs("env")),
        caches=tuple((str(name), str(variable)) for name, variable in pairs),
        executable=call.flag("executable"),
        timeout=float(call.number("timeout")),
        directories=call.flag("directories"),
    )


def _variable(name: str) -> str:
    """The environment variable that a cache is told by when nobody says: GOCACHE for gocache."""
    return re.sub(r"\W", "_", name).upper()


def _program(call: Call, context: Context) -> Target:
    return _program_of(call, context, test=call.rule.test)


def _program_of(call: Call, context: Context, *, test: bool) -> Target:
    found = (*call.strings("srcs"), *([call.string("src")] if call.value("src") else []))
    if len(found) != 1:
        context.fail(call, "srcs", f"{call.rule.name} has one source, not {len(found)}")
    data = (*call.strings("data"), *call.strings("deps"))
    return Program(
        source=context.source(found[0]),
        data=context.sources(data),
        args=call.strings("args"),
        env=tuple((name, str(value)) for name, value in call.pairs("env")),
        test=test,
    )


def _filegroup(call: Call, context: Context) -> Target:
    """The group ``tarball`` of an `oci_load` is the file that it would load.

    ``jks`` of a `java_keystore` is the store by itself.
    """
    group = call.string("output_group")
    if not group:
        return _group(call, context)
    if group == "jks":
        return Group(context.sources(f"{text}.jks" for text in call.strings("srcs")))
    if group != "tarball":
        context.fail(
            call, "output_group", f"no rule here has the output group {group!r}",
            hint='an oci_load has "tarball", a java_keystore has "jks"; name the file itself '
            "otherwise",
        )  # fmt: skip
    targets = [context.target(text) for text in call.strings("srcs")]
    names = [target.label.rpartition(":")[2] for target in targets]
    return Group(
        tuple(
            Output(target, f"{name}/tarball.tar")
            for target, name in zip(targets, names, strict=True)
        )
    )


def _group(call: Call, context: Context) -> Target:
    names = (*call.strings("srcs"), *call.strings("data"))
    return Group(context.sources(names))


def _alias(call: Call, context: Context) -> Target:
    return Group((context.source(call.string("actual")),))


def _suite(call: Call, context: Context) -> Target:
    return Group(context.sources(call.strings("tests")))


def _write_file(call: Call, context: Context) -> Target:
    newline = "\n" if call.string("newline") != "windows" else "\r\n"
    content = call.value("content")
    lines = (content,) if isinstance(content, str) else tuple(content or ())
    text = newline.join(str(line) for line in lines)
    return Written(call.string("out") or call.name, text, call.flag("is_executable"))


def _copy_file(call: Call, context: Context) -> Target:
    source = context.source(call.string("src"))
    return Command(
        command='cp "$<" "$@"',
        package=package_path(call),
        outs=(call.string("out"),),
        sources=(source,),
        executable=call.flag("is_executable"),
    )


_TESTED = {**PROGRAM, **TEST}

RULES = rules_of(
    Rule(
        "filegroup",
        {"srcs": labels(), "data": labels(), "output_group": string(), "path": string()},
        _filegroup,
    ),
    Rule("alias", {"actual": label(mandatory=True)}, _alias),
    Rule("test_suite", {"tests": labels()}, _suite),
    Rule("genrule", GENRULE, _genrule),
    Rule("command", COMMAND, _command),
    Rule("sh_binary", PROGRAM, _program),
    Rule("sh_test", _TESTED, _program, test=True),
    Rule("sh_library", {"srcs": labels(), "data": labels(), "deps": labels()}, _group),
    Rule("native_binary", PROGRAM, _program),
    Rule("native_test", _TESTED, _program, test=True),
    Rule(
        "write_file",
        {
            "out": Attribute(("output",)),
            "content": either("strings", "string", default=()),
            "is_executable": flag(),
            "newline": string("auto"),
        },
        _write_file,
    ),
    Rule(
        "copy_file",
        {
            "src": label(mandatory=True),
            "out": Attribute(("output",), mandatory=True),
            "is_executable": flag(),
            "allow_symlink": flag(),
        },
        _copy_file,
    ),
)
