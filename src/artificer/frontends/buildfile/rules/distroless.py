"""Small files of rules_distroless as tars: users, groups, home directories, os-release."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from artificer.builder.targets import Archive, Content, Put, Target, Written
from artificer.frontends.buildfile.rules.values import mode_of, rules_of
from artificer.frontends.buildfile.schema import ANY, Call, Context, Rule, string, string_dict

TIME = string("0.0")  # seconds since 1970, of all entries
_SECONDS = re.compile(r"(\d{1,11})(?:\.\d*)?")
_LINES: Mapping[str, tuple[str, ...]] = {
    "passwd": ("username", "password", "uid", "gid", "gecos", "home", "shell"),
    "group": ("name", "password", "gid", "users"),
}
_PATHS = {"passwd": "etc/passwd", "group": "etc/group"}
_NAMED = "distroless_"
_HOME = "0700"


def _line(fields: tuple[str, ...], entry: Any) -> str:
    """A line of passwd(5) or group(5); what is not said is empty, a password locks."""
    said = {"password": "!", **entry} if isinstance(entry, dict) else {}
    values = (said.get(name, "") for name in fields)
    return ":".join(
        ",".join(map(str, one)) if isinstance(one, list) else str(one) for one in values
    )


def _text(call: Call) -> str:
    rule = call.rule.name.removeprefix(_NAMED)
    if rule == "os_release":
        return "".join(f"{key}={_quoted(value)}\n" for key, value in call.pairs("content"))
    found = call.attributes.get("entries")
    entries = found if isinstance(found, list | tuple) else []
    return "".join(f"{_line(_LINES[rule], one)}\n" for one in entries)


def _quoted(value: str) -> str:
    """*value* as os-release(5) wants it: in quotes, unless it has them."""
    if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
        return value
    return '"' + re.sub(r'(["$`\\])', r"\\\1", value) + '"'


def _written(call: Call, context: Context) -> Target:
    return Written(call.name, call.string("text"))


_FILE = Rule("distroless_file", {"text": string()}, _written)


def _with_file(call: Call) -> tuple[Call, ...]:
    name = f"{call.name}.text"
    return (call._replace(rule=_FILE, name=name, attributes={"text": _text(call)}),)


def _accounts(call: Call, context: Context) -> Target:
    """One file of accounts, of the entries as they are."""
    rule = call.rule.name.removeprefix(_NAMED)
    known = set(_LINES[rule])
    for entry in _entries(call, context, "entries"):
        if more := set(entry) - known:
            context.fail(call, "entries", f"{rule}: unknown {', '.join(sorted(more))}")
        if any(":" in str(one) or "\n" in str(one) for one in entry.values()):
            context.fail(call, "entries", f"a colon, or the end of a line, in {entry}")
    return _tar(call, context, _PATHS[rule])


def _entries(call: Call, context: Context, name: str) -> list[dict[str, Any]]:
    found = call.value(name)
    if not isinstance(found, list | tuple) or not all(isinstance(one, dict) for one in found):
        context.fail(call, name, f"{name} are not dictionaries", "write `[dict(…), …]`")
    return list(found)


def _os_release(call: Call, context: Context) -> Target:
    return _tar(call, context, call.string("path").lstrip("/"))


def _tar(call: Call, context: Context, path: str) -> Target:
    if ".." in path.split("/"):
        context.fail(call, "path", f"{path} leads out of the image")
    mode = mode_of(call.string("mode"), call, context, "mode")
    put = Put(context.source(f":{call.name}.text"), name=path, mode=mode)
    return Archive(Content((put,), mtime=time_of(call, context)), f"{call.name}.tar")


def time_of(call: Call, context: Context) -> int:
    """The attribute ``time``; a tar that anything can read has whole seconds."""
    return seconds(call.string("time"), call, context, "time")


def seconds(text: str, call: Call, context: Context, attribute: str) -> int:
    """*text*, seconds since 1970 as mtree(5) has them."""
    match = _SECONDS.fullmatch(text)
    if match is None:
        context.fail(call, attribute, f"not a time: {text!r}", "write seconds since 1970")
    return int(match[1])


def _homes(call: Call, context: Context) -> Target:
    """Directories that are of their users."""
    modes: dict[str, int] = {}
    times: dict[str, int] = {}
    owners: dict[str, tuple[int, int]] = {}
    for entry in _entries(call, context, "dirs"):
        path = str(entry.get("home", "")).strip("/")
        numbers = (str(entry.get("uid", "")), str(entry.get("gid", "")))
        if not path or ".." in path.split("/") or not all(one.isdecimal() for one in numbers):
            context.fail(call, "dirs", f"not a home, uid and gid: {entry}")
        text = str(entry.get("mode", _HOME))
        modes[path] = mode_of(text, call, context, "dirs") or 0
        owners[path] = (int(numbers[0]), int(numbers[1]))
        times[path] = seconds(str(entry.get("time", "0")), call, context, "dirs")
    if len(set(times.values())) > 1:
        context.fail(call, "dirs", "homes of several times", "make a `home` for each time")
    content = Content(
        empty_dirs=tuple(modes),
        modes=tuple(modes.items()),
        owners=tuple(owners.items()),
        mtime=max(times.values(), default=0),
    )
    return Archive(content, f"{call.name}.tar")


def _of_file(name: str, attributes: Mapping[str, Any], make: Callable[..., Target]) -> Rule:
    return Rule(_NAMED + name, attributes, make, expand=_with_file, outputs=("{name}.tar",))


_ACCOUNTS = {"entries": ANY._replace(mandatory=True), "mode": string("0644"), "time": TIME}
RULES = rules_of(
    _of_file("passwd", _ACCOUNTS, _accounts),
    _of_file("group", _ACCOUNTS, _accounts),
    _of_file(
        "os_release",
        {
            "content": string_dict(mandatory=True),
            "path": string("/usr/lib/os-release"),
            "mode": string("0555"),
            "time": TIME,
        },
        _os_release,
    ),
    Rule(
        f"{_NAMED}home",
        {"dirs": ANY._replace(mandatory=True)},
        _homes,
        outputs=("{name}.tar",),
    ),
    _FILE,
)
HIDDEN = (_FILE.name,)
