"""Users and groups of rules_docker: lines of /etc/passwd and /etc/group, and home directories."""

from artificer.builder.targets import Archive, Content, Put, Target, Written
from artificer.frontends.buildfile.rules.values import image_dir, mode_of, rules_of
from artificer.frontends.buildfile.schema import (
    Attribute,
    Call,
    Context,
    Rule,
    flag,
    labels,
    number,
    string,
    strings,
)

_USER: dict[str, Attribute] = {
    "uid": number(1000),
    "gid": number(1000),
    "info": string("user"),
    "home": string("/home"),
    "create_home": flag(default=True),
    "shell": string("/bin/bash"),
}
_ENTRIES = {"entries": labels(), "username": string(), **_USER}
"""Several entries, or as in 2017 the one user that the attributes are of."""


def passwd_line(call: Call) -> str:
    """The line of ``/etc/passwd`` for a passwd_entry (RD-38)."""
    return ":".join(
        (
            call.string("username"),
            "x",
            str(call.number("uid")),
            str(call.number("gid")),
            call.string("info"),
            call.string("home"),
            call.string("shell"),
        )
    )


def group_line(call: Call) -> str:
    """The line of ``/etc/group`` for a group_entry (RD-39)."""
    users = ",".join(call.strings("users"))
    return f"{call.string('groupname')}:x:{call.number('gid')}:{users}"


def _passwd_entry(call: Call, context: Context) -> Target:
    return Written(call.name, passwd_line(call) + "\n")


def _group_entry(call: Call, context: Context) -> Target:
    return Written(call.name, group_line(call) + "\n")


def _entries(call: Call, context: Context, rule: str) -> list[Call]:
    if "username" in call.rule.attributes and call.string("username"):
        return [call]
    found = []
    for text in call.strings("entries"):
        entry = context.call(text)
        if entry is None or entry.rule.name != rule:
            context.fail(call, "entries", f"{text} is no {rule}")
        found.append(entry)
    return found


def _passwd_file(call: Call, context: Context) -> Target:
    lines = [passwd_line(entry) for entry in _entries(call, context, "passwd_entry")]
    return Written(call.name, "".join(f"{line}\n" for line in lines))


def _group_file(call: Call, context: Context) -> Target:
    lines = [group_line(entry) for entry in _entries(call, context, "group_entry")]
    return Written(call.name, "".join(f"{line}\n" for line in lines))


def _passwd_tar(call: Call, context: Context) -> Target:
    """The file and the home directories, 0700 and their users' own."""
    entries = _entries(call, context, "passwd_entry")
    homes = {
        entry.string("home").strip("/"): (entry.number("uid"), entry.number("gid"))
        for entry in entries
        if entry.flag("create_home") and entry.string("home").strip("/") and entry is not call
    }
    name = image_dir(
        call.string("passwd_file_name")
        if call.given("passwd_file_name")
        else f"{call.string('passwd_file_pkg_dir')}/passwd",
        call,
        context,
        "passwd_file_pkg_dir",
    )
    content = Content(
        puts=(Put(context.source(f":{call.name}.passwd"), name=name),),
        empty_dirs=tuple(homes),
        mode=mode_of(call.string("passwd_file_mode"), call, context, "passwd_file_mode"),
        modes=tuple((home, 0o700) for home in homes),
        owners=tuple(homes.items()),
    )
    return Archive(content, f"{call.name}.tar")


_PASSWD_FILE = Rule("passwd_file", _ENTRIES, _passwd_file)


def _with_passwd(call: Call) -> tuple[Call, ...]:
    attributes = {name: value for name, value in call.attributes.items() if name in _ENTRIES}
    return (call._replace(rule=_PASSWD_FILE, name=f"{call.name}.passwd", attributes=attributes),)


RULES = rules_of(
    Rule("passwd_entry", {"username": string(mandatory=True), **_USER}, _passwd_entry),
    _PASSWD_FILE,
    Rule(
        "passwd_tar",
        {
            **_ENTRIES,
            "passwd_file_pkg_dir": string("etc"),
            "passwd_file_mode": string("0o644"),
            "passwd_file_name": string("/etc/passwd"),
        },
        _passwd_tar,
        expand=_with_passwd,
        outputs=("{name}.tar",),
    ),
    Rule(
        "group_entry",
        {"groupname": string(mandatory=True), "gid": number(1000), "users": strings()},
        _group_entry,
    ),
    Rule("group_file", {"entries": labels()}, _group_file),
)
