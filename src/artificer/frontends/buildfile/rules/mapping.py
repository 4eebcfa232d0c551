"""What goes into a package, and where: files, links and directories of rules_pkg."""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from artificer.builder.targets import Group, Put, Target
from artificer.frontends.buildfile.rules.values import (
    image_dir,
    mode_of,
    rules_of,
    strip_of,
)
from artificer.frontends.buildfile.schema import (
    ANY,
    Attribute,
    Call,
    Context,
    Rule,
    flag,
    labels,
    string,
    strings,
)

_DEPTH = 64
_REMOVE_BASE_DIRECTORY = "\0"
"""The new name of a directory whose files go right into the prefix."""

FILES: dict[str, Attribute] = {
    "srcs": labels(),
    "attributes": ANY,
    "prefix": string(),
    "renames": Attribute(("label_keys",), {}),
    "excludes": labels(),
    "strip_prefix": string("."),
    "include_runfiles": flag(),
}


class Parts(NamedTuple):
    """The parts of a package as they are found: everything by its path there."""

    puts: list[Put]
    links: list[tuple[str, str]]
    dirs: list[str]
    modes: list[tuple[str, int]]
    owners: list[tuple[str, tuple[int, int]]]


class Given(NamedTuple):
    """What the package says of files that say nothing themselves."""

    directory: str
    strip: str | None


def parts_of(call: Call, context: Context, given: Given) -> Parts:
    """What the sources of *call*, a package, come to."""
    parts = Parts([], [], [], [], [])
    for text in call.strings("srcs"):
        _add(text, call, context, given, parts)
    return parts


def _add(
    text: str, call: Call, context: Context, given: Given, parts: Parts, depth: int = 0
) -> None:
    named = context.call(text)
    kind = named.rule.name if named else ""
    if named is None or kind not in _KINDS:
        parts.puts.append(Put(context.source(text), given.directory, given.strip))
        return
    if depth > _DEPTH:
        context.fail(call, "srcs", "groups of files that hold one another without end")
    inner = context.of(named)
    match kind:
        case "pkg_files":
            parts.puts.extend(_files(named, inner, given.directory))
        case "pkg_mklink":
            link = named.string("link_name") or named.string("src")
            path = image_dir(f"{given.directory}/{link}", named, inner, "link_name")
            parts.links.append((path, named.string("target") or named.string("dest")))
        case "pkg_mkdirs":
            _add_dirs(named, inner, given.directory, parts)
        case _:
            below = image_dir(
                f"{given.directory}/{named.string('prefix')}", named, inner, "prefix"
            )
            for each in named.strings("srcs"):
                _add(each, named, inner, given._replace(directory=below), parts, depth + 1)


def _files(call: Call, context: Context, directory: str) -> list[Put]:
    where = image_dir(f"{directory}/{call.string('prefix')}", call, context, "prefix")
    renames = {context.source(text): str(dest) for text, dest in call.pairs("renames")}
    excluded = set(context.sources(call.strings("excludes")))
    attributes = _attributes(call, context)
    mode = _mode(attributes, call, context)
    owner = _owner(attributes)
    strip = _strip(call, context)
    found = []
    for source in dict.fromkeys(context.sources(call.strings("srcs"))):
        dest = renames.pop(source, None)
        if source in excluded:
            continue
        if dest is None:
            put = Put(source, where, strip)
        elif dest == _REMOVE_BASE_DIRECTORY:
            context.fail(
                call, "renames", "a directory cannot be left out of its files' paths here",
                hint="put them with strip_prefix = strip_prefix.from_pkg(DIRECTORY)",
            )  # fmt: skip
        else:
            put = Put(source, name=image_dir(f"{where}/{dest}", call, context, "renames"))
        found.append(put._replace(mode=0o644 if mode is None else mode, owner=owner))
    if renames:
        context.fail(call, "renames", "what is renamed is not among the sources")
    return found


def _strip(call: Call, context: Context) -> str | None:
    """``.`` flattens, unlike elsewhere; a path is below the package, ``/`` the workspace."""
    text = call.string("strip_prefix")
    if text == ".":
        return None
    written = call._replace(attributes={"strip_prefix": text or "."})
    return strip_of(written, context, "strip_prefix")


def _add_dirs(call: Call, context: Context, directory: str, parts: Parts) -> None:
    attributes = _attributes(call, context)
    mode, owner = _mode(attributes, call, context), _owner(attributes)
    for text in call.strings("dirs"):
        path = image_dir(f"{directory}/{text}", call, context, "dirs")
        parts.dirs.append(path)
        parts.modes.append((path, 0o755 if mode is None else mode))
        if owner is not None:
            parts.owners.append((path, owner))


def _attributes(call: Call, context: Context) -> Mapping[str, Any]:
    """What ``pkg_attributes(mode, uid, gid, user, group)`` gave: JSON, or a dictionary."""
    given = call.value("attributes")
    if isinstance(given, str):
        try:
            given = json.loads(given)
        except ValueError:
            context.fail(call, "attributes", "not attributes", hint="write pkg_attributes(…)")
    return given if isinstance(given, dict) else {}


def _mode(attributes: Mapping[str, Any], call: Call, context: Context) -> int | None:
    mode = attributes.get("mode")
    return mode_of(str(mode), call, context, "attributes") if mode else None


def _owner(attributes: Mapping[str, Any]) -> tuple[int, int] | None:
    """Numbers; names are left out, for a number is what a layer has."""
    uid, gid = attributes.get("uid"), attributes.get("gid")
    return None if uid is None and gid is None else (int(uid or 0), int(gid or 0))


def _group(call: Call, context: Context) -> Target:
    return Group(context.sources(call.strings("srcs")))


def _nothing(call: Call, context: Context) -> Target:
    return Group()


_FILEGROUP = {"srcs": labels(), "prefix": string(), "archive_name": string()}
_MKLINK: dict[str, Attribute] = {
    **dict.fromkeys(("link_name", "target", "src", "dest"), string()),
    "attributes": ANY,
}
_MKDIRS = {"dirs": strings(), "attributes": ANY}

RULES = rules_of(
    Rule("pkg_files", FILES, _group),
    Rule("pkg_filegroup", _FILEGROUP, _group),
    Rule("pkg_mklink", _MKLINK, _nothing),
    Rule("pkg_mkdirs", _MKDIRS, _nothing),
)
_KINDS = frozenset(RULES)
