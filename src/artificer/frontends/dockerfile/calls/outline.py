"""``--call=outline``: what a target can be given: arguments, secrets, agents."""

import posixpath
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from artificer.frontends.dockerfile.arguments import Arguments, arguments_of, declare
from artificer.frontends.dockerfile.calls.documents import filled, location, source, written
from artificer.frontends.dockerfile.calls.tables import columns
from artificer.frontends.dockerfile.calls.targets import described, description
from artificer.frontends.dockerfile.config import described as evaluated
from artificer.frontends.dockerfile.contexts import Contexts
from artificer.frontends.dockerfile.graph import StageGraph
from artificer.frontends.dockerfile.instructions import (
    Arg,
    Dockerfile,
    Env,
    Lines,
    Run,
    StageLines,
)
from artificer.frontends.dockerfile.mounts import MountOptions, options_of
from artificer.frontends.dockerfile.options import Options
from artificer.frontends.dockerfile.scope import Expander, Scope


class ArgumentLine(NamedTuple):
    """An ARG that counts for the target; *value* is what it has in this build."""

    name: str
    value: str | None
    description: str
    at: Lines


class MountLine(NamedTuple):
    """What a RUN asks for: a secret, an agent or a cache, by its id."""

    id: str
    required: bool
    at: Lines


class Outline(NamedTuple):
    """All that the stage *name* ("" if it has none) and those it needs can be given."""

    name: str
    description: str
    arguments: tuple[ArgumentLine, ...]
    secrets: tuple[MountLine, ...]
    agents: tuple[MountLine, ...]
    caches: tuple[MountLine, ...]


class _Mounted(NamedTuple):
    at: Lines
    options: MountOptions


def outline(dockerfile: Dockerfile, options: Options) -> Outline:
    """Return the outline of the target; no base is looked up."""
    expander = Expander(dockerfile.directives.escape)
    contexts = Contexts(options.contexts)
    arguments = arguments_of(dockerfile, options, expander, options.target)
    graph = StageGraph(dockerfile, arguments.everywhere, contexts, options.platform, expander)
    number = graph.target(options.target)
    plans = [graph.plans[needed] for needed in graph.needed(number)]
    scopes: dict[int | str, Scope] = {}
    declared: list[ArgumentLine] = []
    mounts: list[_Mounted] = []
    for plan in plans:
        base = scopes.get(plan.base)
        scope = Scope.upon(base) if base else Scope({}, options.platform)
        scopes[plan.number] = scope
        for asked in _asked(plan.lines, scope, arguments, expander):
            if isinstance(asked, ArgumentLine):
                declared.append(asked)
            else:
                mounts.append(asked)
    everywhere = _global(dockerfile, [plan.lines for plan in plans], declared, arguments, expander)
    start = dockerfile.stages[number].start
    return Outline(
        start.name,
        described(start),
        tuple(_once(everywhere, declared)),
        _mounts("secret", mounts),
        _mounts("ssh", mounts),
        _mounts("cache", mounts),
    )


def outline_text(found: Outline) -> str:
    """Return *found* for people."""
    parts = []
    if found.name or found.description:
        rows = [("TARGET:", found.name or "(default)")]
        rows += [("DESCRIPTION:", found.description)] if found.description else []
        parts.append(columns(rows))
    if found.arguments:
        lines = [(one.name, one.value or "", one.description) for one in found.arguments]
        parts.append(columns([("BUILD ARG", "VALUE", "DESCRIPTION"), *lines]))
    for title, mounts in (("SECRET", found.secrets), ("SSH", found.agents)):
        if mounts:
            needs = [(one.id, "true" if one.required else "") for one in mounts]
            parts.append(columns([(title, "REQUIRED"), *needs]))
    return "\n".join(parts)


def outline_json(dockerfile: Dockerfile, found: Outline) -> str:
    """Return *found* for programs."""
    arguments = [
        filled(
            name=one.name,
            description=one.description,
            value=one.value,
            location=location(one.at),
        )
        for one in found.arguments
    ]
    return written(
        filled(
            name=found.name,
            description=found.description,
            args=arguments,
            secrets=[_mount(one) for one in found.secrets],
            ssh=[_mount(one) for one in found.agents],
            cache=[filled(ID=one.id, location=location(one.at)) for one in found.caches],
            sources=[source(dockerfile)],
        )
    )


def _asked(
    stage: StageLines, scope: Scope, arguments: Arguments, expander: Expander
) -> Iterator[ArgumentLine | _Mounted]:
    """Yield the arguments and mounts of *stage*, which begins in *scope*."""
    for instruction in stage.body:
        match instruction:
            case Arg(at=at):
                declare(scope, instruction, arguments, expander)
                for name, _ in instruction.arguments:
                    yield ArgumentLine(name, scope.arguments[name], description(at, name), at)
            case Env():
                evaluated(scope, instruction, expander)
            case Run(at=at):
                for mount in instruction.mounts:
                    fields = tuple(
                        (name, value and expander.word(at, value, scope))
                        for name, value in mount.fields
                    )
                    yield _Mounted(at, options_of(fields, at))
            case _:
                continue


def _global(
    dockerfile: Dockerfile,
    stages: list[StageLines],
    declared: list[ArgumentLine],
    arguments: Arguments,
    expander: Expander,
) -> Iterator[ArgumentLine]:
    """Yield the ARGs before the first FROM that the stages use, in a FROM or by declaring them."""
    used = {one.name for one in declared}
    for stage in stages:
        for text in (stage.start.image, stage.start.platform):
            expansion = expander.expansion(stage.start.at, text, arguments.everywhere)
            used |= expansion.used | expansion.missing
    for arg in dockerfile.arguments:
        for name, _ in arg.arguments:
            if name in used:
                value = arguments.everywhere.get(name)
                yield ArgumentLine(name, value, description(arg.at, name), arg.at)


def _once(
    everywhere: Iterable[ArgumentLine], declared: Iterable[ArgumentLine]
) -> Iterator[ArgumentLine]:
    """Yield one line for each name: where it is given a value, and its description."""
    lines: dict[str, ArgumentLine] = {}
    for one in (*everywhere, *declared):
        before = lines.get(one.name)
        if before is None:
            lines[one.name] = one
        else:
            lines[one.name] = before._replace(
                value=before.value if one.value is None else one.value,
                description=before.description or one.description,
            )
    yield from lines.values()


def _mounts(kind: str, mounts: list[_Mounted]) -> tuple[MountLine, ...]:
    lines: dict[str, MountLine] = {}
    for at, options in mounts:
        if options.type == kind:
            name = _id(options)
            required = options.required or (name in lines and lines[name].required)
            lines[name] = lines.get(name, MountLine(name, required, at))._replace(
                required=required
            )
    return tuple(lines.values())


def _id(options: MountOptions) -> str:
    name = options.id or (options.source if options.type in ("secret", "ssh") else "")
    if name:
        return name
    if options.type == "ssh":
        return "default"
    return posixpath.basename(options.target) if options.type == "secret" else options.target


def _mount(line: MountLine) -> dict[str, Any]:
    return filled(name=line.id, required=line.required, location=location(line.at))
