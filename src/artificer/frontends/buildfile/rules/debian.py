"""Debian packages: chosen out of archives, locked, and installed upon a base or upon nothing."""

import os
import re
from collections.abc import Iterator

from artificer.builder.package_targets import Debs
from artificer.builder.recipe import AddDebs, Scripts
from artificer.builder.targets import SourceFile, Target
from artificer.errors import Misused
from artificer.frontends.buildfile.rules.values import rules_of
from artificer.frontends.buildfile.schema import (
    Attribute,
    Call,
    Context,
    Rule,
    flag,
    label,
    labels,
    string,
    strings,
)
from artificer.sources.debian.archives.preferences import pin_of
from artificer.sources.debian.archives.sourceslist import archive_of
from artificer.sources.debian.installing.profiles import PROFILES
from artificer.sources.debian.values import Archive, Layering, Level, Pin, Wanted

_LAYERS = re.compile(r"one|by-package|budget=(\d{1,3})")
_SNAPSHOT = re.compile(r"(?:\d{8}T\d{6}Z)?")
_BUDGETS = range(1, 127)
PACKAGES: dict[str, Attribute] = {
    "packages": strings(),  # words of apt-get: NAME, NAME=VERSION, NAME/SUITE
    "debs": labels(),  # .deb files, installed with what they need
    "base": label(),  # the image that they are installed upon; nothing without it
    "archives": strings(),  # `URL SUITE COMPONENT…`, as in sources.list; the base's own
    "sources": labels(),  # files as sources.list, or .sources files
    "keyrings": labels(),  # keys of archives that do not say signed-by
    "pins": strings(),  # `PACKAGE PRIORITY PATTERN`: nginx 990 release n=bookworm
    "preferences": labels(),  # files of pins, as apt_preferences(5)
    "snapshot": string(),  # the time of archives: 20260101T000000Z
    "lock": string(),  # the file that pins them all, beside this one; `artificer lock` writes it
    "architectures": strings(),  # what is locked, as Debian calls it
    "level": string("configure", values=("configure", "unpack")),
    "scripts": string("auto", values=("auto", "run", "replace")),  # whether they are run
    "profile": string("whole", values=tuple(PROFILES)),
    "exclude": strings(),  # packages that must not come in
    "recommends": flag(),
    "layers": string("one"),  # one, by-package or budget=N
    "accept_skipped": flag(),
}


def _packages(call: Call, context: Context) -> Target:
    if not (call.strings("packages") or call.strings("debs")):
        context.fail(call, "", f"{call.rule.name} without packages", "name some: `packages = […]`")
    lock = lock_of(call, context)
    there = lock is not None and os.path.isfile(lock.path)
    return Debs(
        step_of(call, context),
        base=context.source(call.string("base")) if call.value("base") else None,
        lock=lock if there else None,
        unlocked=lock.path if lock is not None and not there else "",
        archives=context.sources(call.strings("sources")),
        keyrings=context.sources(call.strings("keyrings")),
        preferences=context.sources(call.strings("preferences")),
        debs=context.sources(call.strings("debs")),
        snapshot=_snapshot(call, context),
        architectures=call.strings("architectures"),
    )


def step_of(call: Call, context: Context) -> AddDebs:
    """What the attributes of *call* ask for, without what files say."""
    level: Level = "unpack" if call.string("level") == "unpack" else "configure"
    layering, budget = _layering(call, context)
    nothing = not call.value("base")
    named = call.strings("archives") or call.strings("sources")
    if nothing and not named and (call.strings("packages") or level == "configure"):
        context.fail(
            call,
            "packages",
            f"{call.name} is upon nothing, and has no archive to take packages from",
            "add `archives`, `sources`, or a `base` whose own are taken",
        )
    return AddDebs(
        Wanted(
            packages=tuple(dict.fromkeys(call.strings("packages"))),
            exclude=tuple(dict.fromkeys(call.strings("exclude"))),
            pins=tuple(_pins(call, context)),
            recommends=call.flag("recommends"),
            essential=nothing and level == "configure",
        ),
        tuple(_archives(call, context)),
        level=level,
        profile=PROFILES[call.string("profile")],
        layering=layering,
        budget=budget,
        scripts=_scripts(call, context, level),
        accept_skipped=call.flag("accept_skipped"),
    )


def _scripts(call: Call, context: Context, level: Level) -> Scripts:
    text = call.string("scripts")
    if text != "auto" and level == "unpack":
        context.fail(call, "scripts", "level unpack runs no scripts", "take level configure")
    return "run" if text == "run" else "replace" if text == "replace" else "auto"


def lock_of(call: Call, context: Context) -> SourceFile | None:
    """The lock file of *call*, which may not be there yet."""
    name = call.string("lock").removeprefix(":")
    if not name:
        return None
    if name.startswith(("/", "@")) or ".." in name.split("/"):
        context.fail(call, "lock", f"the lock is not a file of this package: {name!r}")
    return context.file(name)


def _archives(call: Call, context: Context) -> Iterator[Archive]:
    for line in call.strings("archives"):
        try:
            yield from archive_of(line, str(call.place))
        except Misused as error:
            context.fail(call, "archives", error.message, error.hint)


def _pins(call: Call, context: Context) -> Iterator[Pin]:
    for text in call.strings("pins"):
        try:
            yield pin_of(text)
        except Misused as error:
            context.fail(call, "pins", error.message, error.hint)


def _layering(call: Call, context: Context) -> tuple[Layering, int]:
    text = call.string("layers")
    match = _LAYERS.fullmatch(text)
    if match is None or (match[1] and int(match[1]) not in _BUDGETS):
        context.fail(
            call, "layers", f"not a way to make layers: {text!r}", "one, by-package or budget=10"
        )
    if match[1]:
        return "budget", int(match[1])
    return ("one", 0) if text == "one" else ("by-package", 0)


def _snapshot(call: Call, context: Context) -> str:
    text = call.string("snapshot")
    if not _SNAPSHOT.fullmatch(text):
        context.fail(
            call, "snapshot", f"not the time of a snapshot: {text!r}", "write 20260101T000000Z"
        )
    return text


RULES = rules_of(
    Rule("apt", PACKAGES, _packages),
    Rule("debs", PACKAGES, _packages),
)
