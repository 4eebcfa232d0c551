"""Stages of a Dockerfile, evaluated one after the other: instructions to steps."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any, NamedTuple

from artificer import limits
from artificer.builder.stages import (
    AddSources,
    BindMount,
    CacheMount,
    ContextFiles,
    CopyFiles,
    From,
    Instruction,
    MakeDirectory,
    RunCommand,
    Stage,
    StageImage,
    Step,
)
from artificer.errors import ArtificerError
from artificer.events import Warned
from artificer.frontends.dockerfile import instructions as ast
from artificer.frontends.dockerfile.arguments import Arguments, declare
from artificer.frontends.dockerfile.config import Started, described, started
from artificer.frontends.dockerfile.contexts import Contexts, NamedContext, StageName
from artificer.frontends.dockerfile.copying import added, copied
from artificer.frontends.dockerfile.errors import invalid
from artificer.frontends.dockerfile.graph import StageGraph, StagePlan
from artificer.frontends.dockerfile.options import Options
from artificer.frontends.dockerfile.parse import trigger
from artificer.frontends.dockerfile.running import Surroundings, ran
from artificer.frontends.dockerfile.scope import Expander, Scope, absolute, empty_config
from artificer.oci.platform import Platform
from artificer.oci.reference import Reference, Scratch, parse_name

_TITLE = 200

BaseOf = Callable[[Reference, Platform], Mapping[str, Any]]
"""The config document of an image for a platform."""


class Mismatch(NamedTuple):
    """A base that is for another platform than the one that was asked for."""

    at: ast.Lines
    image: str
    wanted: Platform
    found: Platform


class Given(NamedTuple):
    """What is the same for every stage of a build."""

    graph: StageGraph
    arguments: Arguments
    contexts: Contexts
    options: Options
    surroundings: Surroundings
    base_of: BaseOf


class _Done(NamedTuple):
    """An evaluated stage: how others refer to it, and the state at its end."""

    origin: From
    scope: Scope


class Evaluation:
    """Evaluates stages, each once, behind those that it needs."""

    def __init__(self, given: Given, expander: Expander) -> None:
        self.stages: list[Stage] = []
        self.warnings: list[Warned] = []
        self.contexts: set[str] = set()
        self.images: dict[tuple[Reference, Platform], None] = {}
        self.mismatched: list[Mismatch] = []
        self.triggered: set[str] = set()
        self._given = given
        self._expander = expander
        self._done: dict[int, _Done] = {}
        self._others: dict[tuple[Reference, Platform], StageImage] = {}
        self._depth = 0

    def all(self) -> None:
        """Evaluate every stage."""
        for plan in self._given.graph.plans:
            self._evaluate(plan.number)

    def need(self, number: int) -> None:
        """Evaluate stage *number* and those that it needs, unless that is done."""
        if number in self._done:
            return
        for other in self._given.graph.needed(number):
            self._evaluate(other)

    def _evaluate(self, number: int) -> None:
        if number in self._done:
            return
        plan = self._given.graph.plans[number]
        # Only triggers of images lead here from within another stage.
        self._depth += 1
        if self._depth > limits.TRIGGERED_STAGES:
            raise invalid(
                plan.lines.start.at,
                f"more than {limits.TRIGGERED_STAGES} stages need one another by triggers",
                hint="copy from the stages by instructions of this Dockerfile",
            )
        self._done[number] = self._stage(plan)
        self._depth -= 1

    def result(self, number: int) -> int:
        """Where stage *number*, with the labels that are asked for, stands among the stages."""
        self.need(number)
        origin, scope = self._done[number]
        if not isinstance(origin, StageImage):
            # A context stands in for it: an image that nothing is added to.
            origin = self._finished(self._given.graph.plans[number], origin, scope, ())
        labels = dict(self._given.options.labels)
        if labels:
            scope.members("Labels").update(labels)
            stage = self.stages[origin.number]
            self.stages[origin.number] = stage._replace(settings=scope.settings())
        return origin.number

    def _stage(self, plan: StagePlan) -> _Done:
        if plan.context is not None:
            return self._context(plan.context, plan, self._platform(plan))
        (base, scope), triggers = self._begun(plan)
        for found in triggers:
            if isinstance(found, ast.Arg):
                self.triggered.update(argument.name for argument in found.arguments)
        instructions: list[Instruction] = []
        for instruction in (*triggers, *plan.lines.body):
            told = self._instruction(plan, scope, instruction)
            if told is not None:
                instructions.append(told)
        return _Done(self._finished(plan, base, scope, instructions), scope)

    def _platform(self, plan: StagePlan) -> Platform:
        return plan.platform or self._given.options.platform

    def _finished(
        self, plan: StagePlan, base: From, scope: Scope, instructions: Iterable[Instruction]
    ) -> StageImage:
        start = plan.lines.start
        other = scope.platform != self._given.options.platform
        self.stages.append(
            Stage(
                start.name,
                base,
                scope.platform if other else None,
                tuple(instructions),
                scope.settings(),
                start.at.place,
                scope.author,
            )
        )
        return StageImage(len(self.stages) - 1)

    # What a stage begins with.

    def _begun(self, plan: StagePlan) -> tuple[_Done, tuple[ast.Instruction, ...]]:
        """The base, a state upon it, and what the base makes this stage do first."""
        at = plan.lines.start.at
        if not isinstance(plan.base, int):
            begun = self._external(plan.base, plan.number, self._platform(plan), at)
            return begun, self._triggers(begun.scope, plan.base)
        origin, scope = self._done[plan.base]
        self._warn_of_platform(plan, scope.platform)
        begun = _Done(origin, Scope.upon(scope))
        if self._given.graph.plans[plan.base].context is not None:
            return begun, self._triggers(begun.scope, self._given.graph.plans[plan.base].name)
        begun.scope.config.pop("OnBuild", None)
        return begun, self._given.graph.triggers(plan.base)

    def _external(self, name: str, before: int, platform: Platform, at: ast.Lines) -> _Done:
        """The image or context *name*, and a state upon it."""
        context = self._given.contexts.find(name, platform)
        if context is not None:
            return self._context(context, self._given.graph.plans[before], platform)
        return self._upon(self._image(name, before, at), platform, at)

    def _context(self, context: NamedContext, plan: StagePlan, platform: Platform) -> _Done:
        if isinstance(context.source, StageName):
            number = self._given.graph.stage(context, plan.number)
            self.need(number)
            origin, scope = self._done[number]
            return _Done(origin, Scope.upon(scope))
        return self._upon(context.source, platform, plan.lines.start.at)

    def _upon(self, origin: From, platform: Platform, at: ast.Lines) -> _Done:
        self._note(origin, platform)
        if isinstance(origin, (ContextFiles, StageImage, Scratch)):
            return _Done(origin, Scope(empty_config(), platform))
        document = self._config_of(origin, platform, at)
        found = Platform.of(document)
        if found and found[:2] != platform[:2]:
            self.mismatched.append(Mismatch(at, str(origin), platform, found))
        if "windows" in {platform.os, found.os if found else ""}:
            raise invalid(
                at,
                "images for windows cannot be built from a Dockerfile",
                hint="choose another with --platform; `artificer -b` adds files to them",
            )
        config = document.get("config")
        return _Done(origin, Scope(config if isinstance(config, dict) else {}, platform))

    def _config_of(self, image: Reference, platform: Platform, at: ast.Lines) -> Mapping[str, Any]:
        try:
            return self._given.base_of(image, platform)
        except ArtificerError as error:
            # The kind of error and its exit code stay; it only says where.
            error.message = f"{at.place.path}:{at.place.line}: {error.message}"
            names = self._given.graph.names(len(self._given.graph.plans))
            near = get_close_matches(str(image).rpartition("/")[2], names, 1)
            if near:
                error.hint = f"did you mean the stage {near[0]}? Only those above can be used"
            raise

    def _image(self, name: str, before: int, at: ast.Lines) -> Reference:
        if name == "scratch":
            return Scratch()
        try:
            return parse_name(name)
        except ArtificerError as error:
            names = ", ".join(self._given.graph.names(before))
            raise invalid(
                at,
                f"{error.message}, and no stage above has that name",
                word=name,
                hint=f"there are the stages {names}" if names else error.hint,
            ) from error

    def _triggers(self, scope: Scope, image: str) -> tuple[ast.Instruction, ...]:
        """What the config of a base says that is to be done, which it then says no longer."""
        found = scope.config.pop("OnBuild", None)
        lines = found if isinstance(found, list) else []
        return tuple(trigger(line, image) for line in lines if isinstance(line, str))

    def _warn_of_platform(self, plan: StagePlan, platform: Platform) -> None:
        if plan.platform is not None and plan.platform != platform:
            start = plan.lines.start
            self.warnings.append(
                Warned(
                    f"{start.at.place}: --platform={plan.platform} changes nothing: the stage "
                    f"{start.image} is for {platform}",
                    f"give the platform where {start.image} begins",
                )
            )

    # What a stage does.

    def _instruction(
        self, plan: StagePlan, scope: Scope, instruction: ast.Instruction
    ) -> Instruction | None:
        at = instruction.at
        if isinstance(instruction, ast.Onbuild):
            scope.trigger(instruction.expression)
            # BuildKit writes no history for it.
            return None
        step, line = self._step(plan, scope, instruction)
        for origin in _origins(step):
            self._note(origin, scope.platform)
        title = " ".join(at.code.split())
        return Instruction(
            step, line, title if len(title) <= _TITLE else f"{title[:_TITLE]}…", at.place
        )

    def _step(
        self, plan: StagePlan, scope: Scope, instruction: ast.Trigger | ast.Maintainer
    ) -> tuple[Step | None, str]:
        match instruction:
            case ast.Copy() | ast.Add() | ast.Run():
                return self._layer(plan, scope, instruction)
            case ast.Workdir():
                return self._workdir(scope, instruction)
            case ast.Arg():
                return None, declare(scope, instruction, self._given.arguments, self._expander)
            case _ if isinstance(instruction, Started):
                return None, started(scope, instruction)
            case _:
                return None, described(scope, instruction, self._expander)

    def _layer(
        self, plan: StagePlan, scope: Scope, instruction: ast.Copy | ast.Add | ast.Run
    ) -> tuple[Step, str]:
        def origin(text: str) -> From:
            found, platform = self._origin(text, plan, instruction.at)
            return self._seen(found, platform, scope.platform, instruction.at)

        match instruction:
            case ast.Copy(origin=name):
                source = origin(name) if name else ContextFiles()
                return copied(scope, instruction, source, self._expander)
            case ast.Add():
                return added(scope, instruction, ContextFiles(), self._expander)
            case ast.Run():
                return ran(scope, instruction, origin, self._given.surroundings, self._expander)

    def _workdir(self, scope: Scope, workdir: ast.Workdir) -> tuple[Step | None, str]:
        path = self._expander.word(workdir.at, workdir.path, scope)
        if not path:
            raise invalid(
                workdir.at,
                f"the working directory is empty: {workdir.path}",
                word=workdir.path,
                hint="give the variable a default: ${NAME:-/app}",
            )
        whole = absolute(scope.workdir, path)
        scope.config["WorkingDir"] = whole
        step = MakeDirectory(whole, scope.user) if whole != "/" else None
        return step, f"WORKDIR {whole}"

    def _origin(self, text: str, plan: StagePlan, at: ast.Lines) -> tuple[From, Platform]:
        """What ``--from`` names: an earlier stage, a context or an image; for which platform."""
        found = self._given.graph.origin(text, plan.number, at)
        if isinstance(found, int):
            self.need(found)
            origin, scope = self._done[found]
            return origin, scope.platform
        # Whatever the stage is for: BuildKit takes an image for what is built for.
        platform = self._given.options.platform
        context = self._given.contexts.find(found, platform)
        if context is None:
            return self._image(found, plan.number, at), platform
        if isinstance(context.source, StageName):
            return self._context(context, plan, platform).origin, platform
        return context.source, platform

    def _seen(self, origin: From, platform: Platform, here: Platform, at: ast.Lines) -> From:
        """*origin* for a stage that is for the platform *here*: an image of another is a stage."""
        if isinstance(origin, (StageImage, ContextFiles, Scratch)) or platform == here:
            return origin
        if (origin, platform) not in self._others:
            self._note(origin, platform)
            other = None if platform == self._given.options.platform else platform
            self.stages.append(Stage("", origin, other, (), {}, at.place))
            self._others[origin, platform] = StageImage(len(self.stages) - 1)
        return self._others[origin, platform]

    def _note(self, origin: From, platform: Platform) -> None:
        if isinstance(origin, ContextFiles):
            self.contexts.add(origin.name)
        elif not isinstance(origin, (StageImage, Scratch)):
            self.images[origin, platform] = None


def _origins(step: Step | None) -> Iterator[From]:
    """Where *step* takes files from."""
    match step:
        case CopyFiles(sources=sources, source=source):
            if sources:
                yield source
        case AddSources(files=files):
            yield from _origins(files)
        case RunCommand(mounts=mounts):
            for mount in mounts:
                if isinstance(mount, (BindMount, CacheMount)) and mount.source is not None:
                    yield mount.source
        case _:
            return
