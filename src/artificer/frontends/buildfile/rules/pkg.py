"""rules_pkg: tars of files, and what goes into them; and the users and groups of rules_docker."""

from collections.abc import Iterator

from artificer.builder.targets import Archive, Content, Group, Put, Target, Written
from artificer.frontends.buildfile.rules.values import (
    image_dir,
    image_paths,
    mode_of,
    mtime_of,
    owner_of,
    puts_of,
    rules_of,
    strip_of,
)
from artificer.frontends.buildfile.schema import (
    ANY,
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

_COMPRESSIONS = {
    "": "",
    "tar": "",
    "gz": "gz",
    "tgz": "gz",
    "tar.gz": "gz",
    "bz2": "bz2",
    "tar.bz2": "bz2",
    "xz": "xz",
    "txz": "xz",
    "tar.xz": "xz",
    "zst": "zst",
    "tar.zst": "zst",
}

TAR: dict[str, Attribute] = {
    "srcs": labels(),
    "files": Attribute(("label_keys",), {}),
    "deps": labels(),
    "debs": labels(),
    "package_dir": string("/"),
    "package_dir_file": label(refused="a directory that is only known later has no fixed place"),
    "package_file_name": string(),
    "package_variables": ANY,
    "strip_prefix": either("string", "any", default=""),
    "symlinks": string_dict(),
    "empty_files": strings(),
    "empty_dirs": strings(),
    "mode": string("0555"),
    "modes": string_dict(),
    "owner": string("0.0"),
    "owners": string_dict(),
    "ownername": ANY,
    "ownernames": ANY,
    "mtime": number(-1),
    "portable_mtime": flag(),
    "extension": string("tar"),
    "out": Attribute(("output",)),
    "remap_paths": string_dict(),
    "include_runfiles": flag(),
    "create_parents": flag(default=True),
    "allow_duplicates_with_different_content": flag(default=True),
    "allow_duplicates_from_deps": flag(),
    "compression_level": number(-1),
    "compressor": ANY,
    "compressor_args": ANY,
    "stamp": ANY,
    "preserve_mode": flag(),
    "preserve_mtime": flag(),
    "private_stamp_detect": ANY,
    "build_tar": ANY,
}
FILES: dict[str, Attribute] = {
    "srcs": labels(),
    "attributes": ANY,
    "prefix": string(),
    "renames": Attribute(("label_keys",), {}),
    "excludes": labels(),
    "strip_prefix": either("string", "any", default=""),
    "include_runfiles": flag(),
}
PASSWD_ENTRY = {
    "username": string(mandatory=True),
    "uid": number(1000),
    "gid": number(1000),
    "info": string("user"),
    "home": string("/home"),
    "create_home": flag(default=True),
    "shell": string("/bin/bash"),
    "name": string(mandatory=True),
}
GROUP_ENTRY = {
    "groupname": string(mandatory=True),
    "gid": number(1000),
    "users": strings(),
    "name": string(mandatory=True),
}


def _tar(call: Call, context: Context) -> Target:
    directory = image_dir(call.string("package_dir"), call, context, "package_dir")
    own = owner_of(call.string("owner"), call, context, "owner")
    puts = [
        *(put for text in call.strings("srcs") for put in _put(text, call, context, directory)),
        *(
            Put(
                context.source(text), name=image_dir(f"{directory}/{dest}", call, context, "files")
            )
            for text, dest in call.pairs("files")
        ),
    ]
    links = [
        (image_dir(link, call, context, "symlinks"), str(target))
        for link, target in call.pairs("symlinks")
    ]
    dirs = list(image_paths(call, context, "empty_dirs"))
    for text in call.strings("srcs"):
        links.extend(_links(text, context, directory))
        dirs.extend(_dirs(text, context, directory))
    content = Content(
        puts=tuple(puts),
        tars=puts_of(call.strings("deps"), context, directory),
        debs=puts_of(call.strings("debs"), context, directory),
        symlinks=tuple(links),
        empty_files=image_paths(call, context, "empty_files"),
        empty_dirs=tuple(dirs),
        mode=mode_of(call.string("mode"), call, context, "mode"),
        modes=_modes(call, context),
        owner=own,
        owners=tuple(
            (path.strip("/"), owner_of(str(text), call, context, "owners"))
            for path, text in call.pairs("owners")
        ),
        mtime=mtime_of(call, context),
        keep_times=call.flag("preserve_mtime"),
    )
    extension = call.string("extension").lstrip(".")
    if extension not in _COMPRESSIONS:
        known = ", ".join(filter(None, _COMPRESSIONS))
        context.fail(call, "extension", f"no tar is called .{extension}", hint=f"one of {known}")
    dotted = extension if extension.startswith(("tar", "t")) else f"tar.{extension}"
    name = (
        call.string("out") or call.string("package_file_name") or f"{call.name}.{dotted or 'tar'}"
    )
    return Archive(content, name, _COMPRESSIONS[extension])


def _modes(call: Call, context: Context) -> tuple[tuple[str, int], ...]:
    found = (
        (path.strip("/"), mode_of(str(text), call, context, "modes"))
        for path, text in call.pairs("modes")
    )
    return tuple((path, mode) for path, mode in found if mode is not None)


def _put(text: str, call: Call, context: Context, directory: str) -> Iterator[Put]:
    """What *text* names among the sources of a tar; sets of files say themselves where they go."""
    named = context.call(text)
    kind = named.rule.name if named else ""
    if named is not None and kind == "pkg_files":
        yield from _set_puts(named, context, directory)
    elif named is not None and kind == "pkg_filegroup":
        inner = "/".join(filter(None, (directory, named.string("prefix").strip("/"))))
        for each in named.strings("srcs"):
            yield from _put(each, named, context, inner)
    elif kind not in {"pkg_mklink", "pkg_mkdirs"}:
        yield Put(context.source(text), directory, strip_of(call, context, "strip_prefix"))


def _set_puts(call: Call, context: Context, directory: str) -> Iterator[Put]:
    prefix = call.string("prefix").strip("/")
    where = "/".join(filter(None, (directory, prefix)))
    renames = {text: str(dest) for text, dest in call.pairs("renames")}
    excluded = set(call.strings("excludes"))
    mode, owner = _attributes(call, context)
    for text in call.strings("srcs"):
        if text in excluded:
            continue
        if text in renames:
            dest = "/".join(filter(None, (where, renames[text].strip("/"))))
            yield Put(context.source(text), name=dest, mode=mode, owner=owner)
        else:
            strip = strip_of(call, context, "strip_prefix")
            yield Put(context.source(text), where, strip, mode=mode, owner=owner)


def _attributes(call: Call, context: Context) -> tuple[int | None, tuple[int, int] | None]:
    """What ``pkg_attributes(mode, uid, gid, user, group)`` gave (a dictionary here)."""
    given = call.value("attributes")
    if not isinstance(given, dict):
        return None, None
    mode = given.get("mode")
    uid, gid = given.get("uid"), given.get("gid")
    owner = None if uid is None and gid is None else (int(uid or 0), int(gid or 0))
    return mode_of(str(mode), call, context, "attributes") if mode else None, owner


def _links(text: str, context: Context, directory: str) -> Iterator[tuple[str, str]]:
    named = context.call(text)
    if named is not None and named.rule.name == "pkg_mklink":
        link = named.string("link_name") or named.string("src")
        path = "/".join(filter(None, (directory, link.strip("/"))))
        yield path, named.string("target") or named.string("dest")


def _dirs(text: str, context: Context, directory: str) -> Iterator[str]:
    named = context.call(text)
    if named is not None and named.rule.name == "pkg_mkdirs":
        for path in named.strings("dirs"):
            yield "/".join(filter(None, (directory, path.strip("/"))))


def _files(call: Call, context: Context) -> Target:
    return Group(context.sources(call.strings("srcs")))


def _nothing(call: Call, context: Context) -> Target:
    return Group()


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
    directory = image_dir(call.string("passwd_file_pkg_dir"), call, context, "passwd_file_pkg_dir")
    homes = {
        entry.string("home").strip("/"): (entry.number("uid"), entry.number("gid"))
        for entry in entries
        if entry.flag("create_home") and entry.string("home").strip("/")
    }
    name = "/".join(filter(None, (directory, "passwd")))
    content = Content(
        puts=(Put(context.source(f":{call.name}.passwd"), name=name),),
        empty_dirs=tuple(homes),
        mode=mode_of(call.string("passwd_file_mode"), call, context, "passwd_file_mode"),
        modes=tuple((home, 0o700) for home in homes),
        owners=tuple(homes.items()),
    )
    return Archive(content, f"{call.name}.tar")


_PASSWD_FILE = Rule("passwd_file", {"entries": labels()}, _passwd_file)


def _with_passwd(call: Call) -> tuple[Call, ...]:
    attributes = {"entries": call.strings("entries")}
    return (call._replace(rule=_PASSWD_FILE, name=f"{call.name}.passwd", attributes=attributes),)


_MKLINK = {
    "link_name": string(),
    "target": string(),
    "src": string(),
    "dest": string(),
    "attributes": ANY,
}

RULES = rules_of(
    Rule("pkg_tar", TAR, _tar),
    Rule("pkg_files", FILES, _files),
    Rule(
        "pkg_filegroup",
        {"srcs": labels(), "prefix": string(), "archive_name": string()},
        _files,
    ),
    Rule("pkg_mklink", _MKLINK, _nothing),
    Rule("pkg_mkdirs", {"dirs": strings(), "attributes": ANY}, _nothing),
    Rule("passwd_entry", PASSWD_ENTRY, _passwd_entry),
    _PASSWD_FILE,
    Rule(
        "passwd_tar",
        {
            "entries": labels(),
            "passwd_file_pkg_dir": string("etc"),
            "passwd_file_mode": string("0o644"),
        },
        _passwd_tar,
        expand=_with_passwd,
        outputs=("{name}.tar",),
    ),
    Rule("group_entry", GROUP_ENTRY, _group_entry),
    Rule("group_file", {"entries": labels()}, _group_file),
)
