"""One stage: a fold of its instructions over its base."""

import time
from collections.abc import Mapping
from contextlib import ExitStack
from typing import NamedTuple, assert_never

from artificer.builder.kind import kind_of
from artificer.builder.layering import Piece, piece_layer
from artificer.builder.staged.contexts import OfImage, Provided
from artificer.builder.staged.copying import Onto, Tools, added, copied, made_directory
from artificer.builder.staged.parts import LOST, At, Parts, parts_of
from artificer.builder.staged.running import Ground, Told, run_layer
from artificer.builder.staged.shop import Shop
from artificer.builder.staged.steps import STEP_KEY
from artificer.builder.stages import (
    AddSources,
    ContextFiles,
    CopyFiles,
    Instruction,
    MakeDirectory,
    RunCommand,
    Stage,
    StageImage,
    Step,
)
from artificer.builder.work import Work
from artificer.errors import ArtificerError, Cancelled, Misused
from artificer.events import StepCached, StepChanged, StepDone, StepStarted
from artificer.images.files import NoSuchFile, index_of, read_file
from artificer.layers.entry import Entry
from artificer.layers.index import File, Index
from artificer.layers.tree import Tree
from artificer.layers.write import HELD
from artificer.oci.digest import Digest
from artificer.oci.edit import Line, continued, converted
from artificer.oci.image import Blob, Image, Layer

_ACCOUNTS_BYTES = 4 * 1024 * 1024
_MOST_TOLD = 20


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
        self._files = _Files(shop)
        self._ahead = place.is_target

    def made(self) -> Made:
        """Carry out all instructions."""
        count = sum(1 for one in self._stage.instructions if one.step is not None)
        name = self._stage.name or f"stage {self._number}"
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
        self._explain(parts, instruction, told)
        shop.reach.report(StepStarted(*told))
        started = time.monotonic()
        layer = self._made(step, told)
        shop.steps.keep(parts.key, layer)
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

    def _explain(self, parts: Parts, instruction: Instruction, told: Told) -> None:
        name = self._stage.name or str(self._number)
        where = f"{instruction.place.path}\0{name}\0{told.label}"
        changes = (*self._shop.steps.explain(where, parts.hashed()), *parts.changed)
        if changes:
            more = len(changes) - _MOST_TOLD
            shown = (*changes[:_MOST_TOLD], *([f"and {more} more"] if more > 0 else []))
            self._shop.reach.report(StepChanged(*told, shown))

    def _made(self, step: Step, told: Told) -> Layer:
        if isinstance(step, RunCommand):
            ground = Ground(self._layers, self._stages, self._stage.platform)
            return run_layer(step, ground, self._kind, told, self._shop)
        onto = Onto(self._files.tree(self._layers), self._read, self._shop.options.epoch)
        with ExitStack() as spools:
            entries = self._entries(step, onto, spools)
            layer = self._written(entries, told)
        self._files.expect(layer.diff_id, entries)
        return layer

    def _entries(
        self, step: CopyFiles | AddSources | MakeDirectory, onto: Onto, spools: ExitStack
    ) -> list[Entry]:
        match step:
            case CopyFiles():
                return copied(step, self._provided(step), onto)
            case AddSources(files):
                reach = self._shop.reach
                tools = Tools(self._shop.fetch, reach.store, reach.report, spools)
                return added(step, self._provided(files), onto, tools)
            case MakeDirectory():
                return made_directory(step, onto)
            case _:
                assert_never(step)

    def _provided(self, copy: CopyFiles) -> Provided | None:
        if not copy.sources:
            return None
        match copy.source:
            case ContextFiles(name):
                return self._shop.contexts.provided(name)
            case StageImage(number):
                return OfImage(self._stages[number], self._shop.reach)
            case reference:
                image = self._shop.bases.image(reference, self._stage.platform)
                return OfImage(image, self._shop.reach)

    def _written(self, entries: list[Entry], told: Told) -> Layer:
        # A tar that is held in memory anyway costs nothing to ask about.
        held = sum(entry.size for entry in entries) <= HELD
        shop = self._shop
        work = Work(self._kind, shop.reach, shop.known, None, [], expected=held)
        return piece_layer(Piece(told.title, entries), work)

    def _read(self, path: str) -> bytes:
        try:
            return read_file(self._image(), path, _ACCOUNTS_BYTES, self._shop.reach)
        except NoSuchFile:
            return b""


class _Files:
    """The files of a stage so far, looked at only when something has to be put among them."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop
        self._tree: Tree | None = None
        self._count = 0
        self._expected: dict[Digest, list[Entry]] = {}

    def expect(self, diff_id: Digest, entries: list[Entry]) -> None:
        """Know the layer *diff_id* by its *entries*, so that it need not be read for them."""
        self._expected[diff_id] = entries

    def tree(self, layers: list[Layer]) -> Tree:
        """Return the files of *layers*, which are those of the last time and some more."""
        if self._tree is None:
            self._tree = Tree(())
        for layer in layers[self._count :]:
            self._tree.grow(self._index(layer))
        self._count = len(layers)
        return self._tree

    def _index(self, layer: Layer) -> Index:
        entries = self._expected.pop(layer.diff_id, None)
        if entries is None:
            return index_of(layer, self._shop.reach)
        return Index(
            File(
                *(entry.path, entry.kind, entry.mode, entry.uid, entry.gid),
                *(entry.size, entry.mtime, 0, entry.link),
                xattrs=entry.xattrs,
                device=entry.device,
            )
            for entry in entries
        )


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
