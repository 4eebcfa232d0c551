"""The words of commands over targets: how they are spelled, and what they mean."""

import re
from argparse import Namespace
from collections.abc import Sequence

from artificer.cli.command import bare_parser
from artificer.cli.grammar import (
    RUNGS,
    OptionGroup,
    Parser,
    add_archive_access,
    add_cache_repository,
    add_common_options,
    add_registry_options,
)
from artificer.errors import Misused
from artificer.oci.platform import Platform

_PLATFORM = re.compile(r"(?:.*[:/])?([a-z]+)_([a-z0-9]+?)(?:_(v\d))?$")
_CONTEXT = re.compile(r"\.{0,2}/|\.{1,2}$|-$|\w+://|\w+@")


def target_parser(name: str, usage: str, about: str) -> Parser:
    """The parser of a command over targets, with what all of them take."""
    parser = bare_parser(name, usage, about)
    _targets(parser)
    _workspace(parser)
    add_registry_options(parser, targets=False)
    add_common_options(parser)
    return parser


def spelled(words: Sequence[str]) -> list[str]:
    """*words* with dashes where Bazel's options have underscores, up to ``--``."""
    end = words.index("--") if "--" in words else len(words)
    done = []
    for word in words[:end]:
        name, equals, value = word.partition("=")
        if name.startswith("--"):
            name = name.replace("_", "-")
        done.append(name + equals + value)
    return [*done, *words[end:]]


def _targets(parser: Parser) -> None:
    group = OptionGroup(parser, "targets")
    group.many("--platform", "OS/ARCH", "make each target for it; several are possible")
    group.one("--platforms", "LABEL", "the same, as Bazel names platforms: //:linux_arm64")
    group.many("--define", "NAME=VALUE", "what $(NAME) stands for, and `define` of config_setting")
    group.add(
        "-c",
        "--compilation-mode",
        choices=("fastbuild", "opt", "dbg"),
        default="fastbuild",
        help="how programs are compiled (fastbuild)",
    )
    group.switch("--stamp", "take the time and the host as they are", dest="stamp")
    group.add(
        "--nostamp", dest="stamp", action="store_false", help="the same values always (default)"
    )
    group.one("--workspace-status-command", "PROGRAM", "prints `NAME value` lines for {NAME}")
    group.one("--embed-label", "TEXT", "what {BUILD_EMBED_LABEL} stands for")


def _workspace(parser: Parser) -> None:
    group = OptionGroup(parser, "how it is done")
    group.switch(
        "-k --keep-going", "after a failure make all that does not depend on it", dest="keep_going"
    )
    group.add(
        "--nokeep-going", dest="keep_going", action="store_false", help="stop instead (default)"
    )
    group.add(
        "-j", "--jobs", metavar="N", default="auto", help="targets made at once (processors)"
    )
    way = "way to run commands (`artificer doctor run`)"
    group.one("--rung", "WAY", way, choices=RUNGS)
    group.switch("--explain", "say which inputs of what is made have changed")
    group.one("--profile", "FILE", "write a trace for chrome://tracing")
    add_cache_repository(group, "share what is made in a repository")
    group.switch("--locked", "use only what artificer.lock pins")
    group.many("--distdir", "DIR", "look here for files before they are fetched")
    add_archive_access(group)
    group.one("--output-base", "DIR", "where outputs are kept")
    group.one(
        "--symlink-prefix",
        "TEXT",
        "name of the link to the outputs, before `bin` (artificer-); `/`: no link",
    )


def platforms_of(args: Namespace) -> tuple[Platform, ...]:
    """The platforms that targets are made for; none if nobody said."""
    found = [Platform.parse(text) for text in args.platform]
    for label in filter(None, (args.platforms or "").split(",")):
        match = _PLATFORM.fullmatch(label)
        if match is None:
            raise Misused(
                f"--platforms={label}: it is not said which platform that is",
                hint="name it as //:linux_arm64, or use `--platform linux/arm64`",
            )
        found.append(Platform.normal(match[1], match[2], match[3] or ""))
    return tuple(dict.fromkeys(found))


def defines_of(args: Namespace) -> dict[str, str]:
    """What ``--define`` says."""
    found = {}
    for text in args.define:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise Misused(f"--define {text}: not NAME=VALUE")
        found[name] = value
    return found


def check_patterns(patterns: Sequence[str], command: str) -> None:
    """Refuse what is no label: a Dockerfile's context, mostly."""
    if not patterns:
        raise Misused(
            f"{command} what?", hint=f"name a target, as `artificer {command} //nginx:nginx`"
        )
    for text in patterns:
        bare = text.removeprefix("-") or text
        if _CONTEXT.match(bare) and not bare.startswith(("//", "...")):
            raise Misused(
                f"{text} is no target but a Dockerfile's context",
                hint="`artificer build` builds one; targets are named as //package:name or //...",
            )
