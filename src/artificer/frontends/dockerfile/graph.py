"""Which stage is which, what it begins with, and which others it needs."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from artificer.errors import ArtificerError, Misused
from artificer.frontends.dockerfile.contexts import Contexts, NamedContext, StageName
from artificer.frontends.dockerfile.errors import invalid, suggestion
from artificer.frontends.dockerfile.instructions import (
    Copy,
    Dockerfile,
    Instruction,
    Lines,
    Onbuild,
    Run,
    StageLines,
)
from artificer.frontends.dockerfile.scope import Expander
from artificer.oci.platform import Platform


class StagePlan(NamedTuple):
    """A stage, its FROM expanded: *base* is the number of an earlier one, or an image's name.

    *platform* is None where the FROM names none. *context* stands in for the whole stage.
    """

    number: int
    lines: StageLines
    base: int | str
    platform: Platform | None
    context: NamedContext | None

    @property
    def name(self) -> str:
        """Its name, or its number."""
        return self.lines.start.name or str(self.number)


class StageGraph:
    """The stages of a Dockerfile by their names and numbers."""

    __slots__ = ("_numbers", "plans", "undefined")

    def __init__(
        self,
        dockerfile: Dockerfile,
        everywhere: Mapping[str, str],
        contexts: Contexts,
        wanted: Platform,
        expander: Expander,
    ) -> None:
        self.plans: list[StagePlan] = []
        self._numbers: dict[str, list[int]] = {}
        self.undefined: list[tuple[Lines, str]] = []
        for lines in dockerfile.stages:
            platform = self._platform(lines, everywhere, expander)
            start = lines.start
            found = contexts.find(start.name, platform or wanted) if start.name else None
            base = self._base(lines, everywhere, expander)
            self._numbers.setdefault(start.name, []).append(len(self.plans))
            self.plans.append(StagePlan(len(self.plans), lines, base, platform, found))

        # A stage without a name is none that somebody could mean.
        self._numbers.pop("", None)

    def origin(self, text: str, before: int, at: Lines) -> int | str:
        """What ``--from`` or ``from=`` of stage *before* names: an earlier stage, or an image."""
        found = self._number(text, at) if text.isdigit() else self._earlier(text, before)
        if found is None:
            found = self._later(text, before)
        if found is None:
            return text
        if found >= before:
            what = "itself" if found == before else "a stage below it"
            raise invalid(
                at,
                f"stage {self.plans[before].name} cannot take files from {what}: {text}",
                word=text,
                hint="a stage sees only those above it",
            )
        return found

    def target(self, text: str) -> int:
        """The number of the stage that ``--target`` names; the last one if it is empty."""
        last = len(self.plans) - 1
        found = self._earlier(text, last + 1) if text else last
        if found is None and text.isdigit() and int(text) <= last:
            found = int(text)
        if found is None:
            names = [plan.lines.start.name for plan in self.plans if plan.lines.start.name]
            hint = suggestion(text.lower(), names) or f"there are {', '.join(names)}"
            raise Misused(f"no stage is called {text!r}", hint=hint if names else None)
        return found

    def needed(self, number: int) -> Iterator[int]:
        """The stages that *number* needs, itself among them, in their order."""
        seen = {number}
        waiting = [number]
        while waiting:
            for other in self._needs(self.plans[waiting.pop()]):
                if other not in seen:
                    seen.add(other)
                    waiting.append(other)
        return iter(sorted(seen))

    def triggers(self, number: int) -> tuple[Instruction, ...]:
        """What stage *number* makes those do that continue it."""
        body = self.plans[number].lines.body
        return tuple(found.trigger for found in body if isinstance(found, Onbuild))

    def names(self, before: int) -> list[str]:
        """The names of the stages above *before*."""
        return [plan.lines.start.name for plan in self.plans[:before] if plan.lines.start.name]

    def _needs(self, plan: StagePlan) -> Iterator[int]:
        if plan.context is not None:
            if isinstance(plan.context.source, StageName):
                yield self.stage(plan.context, plan.number)
            return
        instructions: Iterable[Instruction] = plan.lines.body
        if isinstance(plan.base, int):
            yield plan.base
            instructions = (*self.triggers(plan.base), *instructions)
        for instruction in instructions:
            for text in origins(instruction):
                found = self.origin(text, plan.number, instruction.at)
                if isinstance(found, int):
                    yield found

    def stage(self, context: NamedContext, before: int) -> int:
        """The stage that a context of the value ``target:NAME`` is."""
        name = context.value.partition(":")[2]
        found = self._earlier(name, before)
        if found is None:
            raise Misused(
                f"the context {context.name} is to be the stage {name!r}, which does not stand "
                f"above stage {self.plans[before].name}",
                hint="name an earlier stage, or an image",
            )
        return found

    def _platform(
        self, lines: StageLines, everywhere: Mapping[str, str], expander: Expander
    ) -> Platform | None:
        start = lines.start
        if not start.platform:
            return None
        text = self._expanded(start.at, start.platform, everywhere, expander)
        if not text:
            raise invalid(
                start.at,
                f"the platform is empty: {start.platform}",
                word=start.platform,
                hint="declare its ARG before the first FROM",
            )
        try:
            return Platform.parse(text)
        except ArtificerError as error:
            raise invalid(start.at, error.message, word=start.platform, hint=error.hint) from error

    def _base(
        self, lines: StageLines, everywhere: Mapping[str, str], expander: Expander
    ) -> int | str:
        start = lines.start
        text = self._expanded(start.at, start.image, everywhere, expander)
        if not text:
            raise invalid(
                start.at,
                f"the image is empty: {start.image}",
                word=start.image,
                hint="declare its ARG, with a default, before the first FROM",
            )
        found = None if text == "scratch" else self._earlier(text, len(self.plans))
        return text if found is None else found

    def _expanded(
        self, at: Lines, text: str, everywhere: Mapping[str, str], expander: Expander
    ) -> str:
        expansion = expander.expansion(at, text, everywhere)
        self.undefined += ((at, name) for name in sorted(expansion.missing))
        return expansion.text

    def _number(self, text: str, at: Lines) -> int:
        last = len(self.plans) - 1
        if len(text) > len(str(last)) or int(text) > last:
            raise invalid(at, f"no stage has the number {text}: the last one is {last}", word=text)
        return int(text)

    def _earlier(self, text: str, before: int) -> int | None:
        numbers = self._numbers.get(text.lower(), ())
        at = bisect_left(numbers, before)
        return numbers[at - 1] if at else None

    def _later(self, text: str, before: int) -> int | None:
        numbers = self._numbers.get(text.lower(), ())
        at = bisect_left(numbers, before)
        return numbers[at] if at < len(numbers) else None


def origins(instruction: Instruction) -> Iterator[str]:
    """What *instruction* takes files from: ``--from`` of COPY, ``from=`` of RUN's mounts."""
    match instruction:
        case Copy(origin=origin) if origin:
            yield origin
        case Run(mounts=mounts):
            for mount in mounts:
                yield from (value for name, value in mount.fields if name == "from" and value)
        case _:
            return
