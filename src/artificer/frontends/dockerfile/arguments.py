"""ARG: its scopes, its values, and when everything is said to have happened."""

from collections.abc import Mapping
from typing import NamedTuple

from artificer.builder.stages import ContextFiles
from artificer.errors import Misused
from artificer.frontends.dockerfile.instructions import Arg, Dockerfile, Onbuild
from artificer.frontends.dockerfile.options import (
    EPOCH,
    SCAN_ARGUMENTS,
    Options,
    needs_no_declaration,
    platform_arguments,
)
from artificer.frontends.dockerfile.scope import Expander, Scope


class Arguments(NamedTuple):
    """The arguments of a build: those that are *given*, and what FROM lines may use."""

    given: Mapping[str, str]
    everywhere: Mapping[str, str]
    epoch: int


def arguments_of(
    dockerfile: Dockerfile, options: Options, expander: Expander, target: str
) -> Arguments:
    """Evaluate the ARGs before the first FROM; *target* is the name of the stage that is built."""
    given = dict(options.build_args)
    everywhere = platform_arguments(options, target)
    for arg in dockerfile.arguments:
        for argument in arg.arguments:
            value = given.get(argument.name)
            if value is None and argument.default is not None:
                value = expander.expansion(arg.at, argument.default, everywhere).text
            if value is not None:
                everywhere[argument.name] = value
    said = given.get(EPOCH) or everywhere.get(EPOCH) or ""
    epoch = _epoch(said, dockerfile, options) if said else options.epoch
    for arguments in (given, everywhere):
        if EPOCH in arguments:
            arguments[EPOCH] = str(epoch)
    return Arguments(given, everywhere, epoch)


def declare(scope: Scope, arg: Arg, arguments: Arguments, expander: Expander) -> str:
    """Take an ARG of a stage into *scope*; returns its line of history.

    A value counts from here on, also where ENV set the same name before: what comes last wins
    (the reference says that ENV always does, which is true only of an ENV that follows).
    """
    line = ["ARG"]
    for argument in arg.arguments:
        name = argument.name
        value = arguments.given.get(name)
        if value is None and argument.default is not None:
            value = expander.word(arg.at, argument.default, scope)
        elif value is None:
            value = arguments.everywhere.get(name)
        if value is not None and name not in SCAN_ARGUMENTS:
            scope.variables[name] = value
        scope.arguments[name] = value
        line.append(name if value is None else f"{name}={value}")
    return " ".join(line)


def history_of(scope: Scope) -> str:
    """What stands before a command in the history of RUN: ``|2 A=1 B=`` and a blank."""
    if not scope.arguments:
        return ""
    values = (
        f"{name}={scope.variables.get(name, value or '')}"
        for name, value in scope.arguments.items()
    )
    return f"|{len(scope.arguments)} {' '.join(values)} "


def unused(dockerfile: Dockerfile, options: Options, triggers: frozenset[str]) -> list[str]:
    """The build arguments that no ARG declares; *triggers* are declared by ONBUILD of bases."""
    declared = set(triggers)
    for arg in dockerfile.arguments:
        declared.update(argument.name for argument in arg.arguments)
    for stage in dockerfile.stages:
        for instruction in stage.body:
            found = instruction.trigger if isinstance(instruction, Onbuild) else instruction
            if isinstance(found, Arg):
                declared.update(argument.name for argument in found.arguments)
    return sorted(
        name
        for name in options.build_args
        if name not in declared and not needs_no_declaration(name)
    )


def _epoch(text: str, dockerfile: Dockerfile, options: Options) -> int:
    if text.isascii() and text.isdigit() and len(text) <= 12:
        return int(text)
    if any(stage.start.name == text.lower() for stage in dockerfile.stages):
        raise Misused(
            f"{EPOCH}={text}: the time of a stage's source is not looked up",
            hint="give the seconds since 1970, or `context`",
        )
    name = "" if text == "context" else _context(text, options)
    seconds = options.epoch_of(name)
    if seconds is None:
        raise Misused(
            f"{EPOCH}={text}: this context has no time of its own",
            hint="git and http contexts have one; else give the seconds since 1970",
        )
    return seconds


def _context(text: str, options: Options) -> str:
    for context in options.contexts:
        if context.name == text and isinstance(context.source, ContextFiles):
            return context.source.name
    raise Misused(
        f"{EPOCH}={text}: neither a number nor a context",
        hint="give the seconds since 1970, or `context`",
    )
