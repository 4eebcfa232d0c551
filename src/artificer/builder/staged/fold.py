"""One stage: a fold of its instructions over its base."""

import os
import time
from collections.abc import Mapping
from itertools import dropwhile
from typing import NamedTuple

from artificer.builder.kind import kind_of
from artificer.builder.staged.parts import LOST, At, Parts, parts_of
from artificer.builder.staged.shop import Ground, Maker, Shop, Told
from artificer.builder.staged.steps import STEP_KEY
from artificer.builder.stages import (
    ContextFiles,
    Instruction,
    RunCommand,
    Stage,
    StageImage,
    Step,
)
from artificer.errors import ArtificerError, Cancelled, Misused
from artificer.events import StepCached, StepChanged, StepDone, StepStarted
from artificer.oci.edit import Line, continued, converted
from artificer.oci.image import Blob, Image, Layer

_ACCOUNTS_BYTES = 4 * 1024 * 1024


class StepFailed(ArtificerError):
    """An instruction could not be carried out."""


class Made(NamedTuple):
    """What a stage came to: its image, and its own layers, each under the instruction's key."""

    image: Image
    layers: tuple[tuple[str, Layer], ...]
    fresh: tuple[tuple[str, Layer], ...]


class Place(NamedTuple):
    """Which stage of a recipe, and whether it is the one that is asked for."""

    number: int
    is_target: bool


def made_stage(stage: Stage, place: Place, stages: Mapping[int, Image], shop: Shop) -> Made:
    """Build *stage* upon what *stages* came to."""
    return _Fold(stage, place, stages, shop).made()


class _Fold:
    def __init__(
        self, stage: Stage, place: Place, stages: Mapping[int, Image], shop: Shop
    ) -> None:
        self._stage = stage
        self._number = place.number
        self._stages = stages
        stamp = shop.options.stamp
        self._stamp = stamp if stage.author is None else stamp._replace(author=stage.author)
        self._shop = shop
        self._base = _base(stage, stages, shop)
        self._kind = kind_of(shop.options.compress, self._base.format)
        self._lines: list[Line] = []
        self._layers = list(self._base.layers)
        self._own: list[tuple[str, Layer]] = []
        self._fresh: list[tuple[str, Layer]] = []
        self._maker: Maker | None = None
        self._ahead = place.is_target

    def made(self) -> Made:
        """Carry out all instructions."""
        count = sum(1 for one in self._stage.instructions if one.step is not None)
        name = self._stage.name or f"stage-{self._number}"
        done = 0
        for instruction in self._stage.instructions:
            self._shop.reach.stop.check()
            if instruction.step is None:
                self._lines.append(Line(instruction.line))
                continue
            done += 1
            told = Told(f"{name} {done}/{count}", instruction.title)
            with _Placed(instruction):
                layer = self._layer(instruction.step, instruction, told)
            self._lines.append(Line(instruction.line, layer))
            self._layers.append(layer)
        return Made(self._image(), tuple(self._own), tuple(self._fresh))

    def _image(self) -> Image:
        return continued(self._base, self._lines, self._stage.settings, self._stamp)

    def _layer(self, step: Step, instruction: Instruction, told: Told) -> Layer:
        shop = self._shop
        chain = tuple(layer.diff_id for layer in self._layers)
        at = At(chain, self._stages, self._stage.platform, self._kind.identity)
        parts = parts_of(step, at, shop)
        known = self._known(parts, told)
        if known is None and isinstance(step, RunCommand) and _loses_owners(shop):
            # What other machines know was right; this one's own layers are for its like only.
            parts = parts.having(LOST)
            known = self._known(parts, told)
        if known is not None:
            return self._put(parts.key, known)
        with shop.steps.alone(parts.key):
            return self._carried_out(step, instruction, parts, told)

    def _carried_out(
        self, step: Step, instruction: Instruction, parts: Parts, told: Told
    ) -> Layer:
        shop = self._shop
        twin = shop.steps.done_here(parts.key)
        if twin is not None:
            shop.reach.report(StepCached(*told, "another stage has just done it"))
            blob = twin.blob
            own = self._kind.layer(blob.digest, blob.descriptor.size, twin.diff_id, blob.origin)
            return self._put(parts.key, own)
        self._explain(parts, instruction, told)
        shop.reach.report(StepStarted(*told))
        started = time.monotonic()
        layer = self._made(step, told)
        shop.steps.keep(parts.key, layer)
        shop.steps.note(parts.key, layer)
        shop.reach.report(StepDone(*told, time.monotonic() - started))
        layer = self._put(parts.key, layer)
        self._fresh.append((parts.key, layer))
        return layer

    def _known(self, parts: Parts, told: Told) -> Layer | None:
        if self._shop.options.afresh.has(self._stage.name, self._number):
            return None
        known = self._shop.steps.find(parts.key, self._kind)
        if known is None:
            return None
        self._shop.reach.report(StepCached(*told, known.why))
        return known.layer

    def _put(self, key: str, layer: Layer) -> Layer:
        if self._shop.options.inline:
            descriptor = layer.descriptor.annotated({STEP_KEY: key})
            layer = Layer(Blob(descriptor, layer.blob.origin), layer.diff_id)
        self._own.append((key, layer))
        if self._ahead:
            self._shop.ahead((*self._layers, layer))
        return layer

    def _made(self, step: Step, told: Told) -> Layer:
        stage, kind = self._stage, self._kind
        later = dropwhile(lambda one: one.step is not step, stage.instructions)
        runs = any(isinstance(one.step, RunCommand) for one in later)
        ground = Ground(self._layers, self._stages, stage.platform, kind, self._image, runs)
        if self._maker is None:
            self._maker = self._shop.maker(self._shop)
        return self._maker.layer(step, ground, told)

    def _explain(self, parts: Parts, instruction: Instruction, told: Told) -> None:
        name = self._stage.name or str(self._number)
        # Names of files are relative to where we are.
        stage = f"{os.getcwd()}\0{instruction.place.path}\0{name}\0"
        places = (f"{stage}{told.title}", f"{stage}\0{len(self._own)}")
        changes = (*self._shop.steps.explain(places, parts.hashed()), *parts.changed)
        # What is carried out in any case needs no reason.
        if changes and not self._shop.options.afresh.has(self._stage.name, self._number):
            most = self._shop.options.explained
            more = len(changes) - most
            shown = (*changes[:most], *([f"and {more} more"] if more > 0 else []))
            self._shop.reach.report(StepChanged(*told, shown))


class _Placed:
    """Says in what goes wrong which instruction it was."""

    def __init__(self, instruction: Instruction) -> None:
        self._instruction = instruction

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if not isinstance(error, ArtificerError) or isinstance(error, Cancelled):
            return
        place = self._instruction.place
        failed = StepFailed(f"{place.path}:{place.line}: {error.message}", hint=error.hint)
        failed.exit_code = error.exit_code
        raise failed from error


def _base(stage: Stage, stages: Mapping[int, Image], shop: Shop) -> Image:
    match stage.base:
        case StageImage(number):
            return stages[number]
        case ContextFiles(name):
            raise Misused(
                f"{stage.place.path}:{stage.place.line}: the context {name} is a directory",
                hint="start from scratch and COPY it, or give an image as this context",
            )
        case reference:
            image = shop.bases.image(reference, stage.platform)
            wanted = shop.options.format
            return image if wanted is None else converted(image, wanted)


def _loses_owners(shop: Shop) -> bool:
    return shop.sandbox().rung.identity == "lost"
