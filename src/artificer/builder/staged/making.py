"""Instructions that nobody knows, carried out: loaded only where there is one."""

from collections.abc import Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, assert_never

from artificer.builder.layering import Piece, piece_layer
from artificer.builder.staged.contexts import Provided
from artificer.builder.staged.copying import Onto, Tools, added, copied, made_directory
from artificer.builder.staged.images import OfImage
from artificer.builder.staged.running import run_layer, unpacking
from artificer.builder.staged.shop import Ground, Shop, Told
from artificer.builder.stages import (
    AddSources,
    ContextFiles,
    CopyFiles,
    MakeDirectory,
    RunCommand,
    StageImage,
    Step,
)
from artificer.builder.work import Work
from artificer.images.files import NoSuchFile, indexes_of, read_file
from artificer.layers.entry import Entry
from artificer.layers.index import File, Index
from artificer.layers.tar import BLOCK_SIZE
from artificer.layers.tree import Tree
from artificer.layers.write import HELD
from artificer.oci.digest import Digest
from artificer.oci.image import Layer

if TYPE_CHECKING:
    from threading import Thread

_ACCOUNTS_BYTES = 4 * 1024 * 1024


class StageMaker:
    """Carries out instructions of one stage, in their order."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop
        self._files = _Files(shop)
        self._unpacking: Thread | None = None

    def layer(self, step: Step, ground: Ground, told: Told) -> Layer:
        """Return the layer that *step* comes to on *ground*, which only ever grows."""
        if isinstance(step, RunCommand):
            if self._unpacking is not None:
                self._unpacking.join()
            return run_layer(step, ground, told, self._shop)
        if ground.runs and self._unpacking is None:
            self._unpacking = unpacking(ground.layers, self._shop)

        def read(path: str) -> bytes:
            try:
                return read_file(ground.image(), path, _ACCOUNTS_BYTES, self._shop.reach)
            except NoSuchFile:
                return b""

        onto = Onto(self._files.tree(ground.layers), read, self._shop.options.epoch)
        with ExitStack() as spools:
            entries = self._entries(step, onto, ground, spools)
            layer = self._written(entries, ground, told)
        self._files.expect(layer.diff_id, entries)
        return layer

    def _entries(
        self,
        step: CopyFiles | AddSources | MakeDirectory,
        onto: Onto,
        ground: Ground,
        spools: ExitStack,
    ) -> list[Entry]:
        match step:
            case CopyFiles():
                return copied(step, self._provided(step, ground), onto)
            case AddSources(files):
                reach = self._shop.reach
                tools = Tools(self._shop.fetch, reach.store, reach.report, spools)
                return added(step, self._provided(files, ground), onto, tools)
            case MakeDirectory():
                return made_directory(step, onto)
            case _:
                assert_never(step)

    def _provided(self, copy: CopyFiles, ground: Ground) -> Provided | None:
        if not copy.sources:
            return None
        match copy.source:
            case ContextFiles(name):
                return self._shop.contexts.provided(name)
            case StageImage(number):
                return OfImage(ground.stages[number], self._shop.reach)
            case reference:
                image = self._shop.bases.image(reference, ground.platform)
                return OfImage(image, self._shop.reach)

    def _written(self, entries: list[Entry], ground: Ground, told: Told) -> Layer:
        # A tar that is held in memory anyway costs nothing to ask about.
        held = sum(entry.size + 2 * BLOCK_SIZE for entry in entries) <= HELD
        shop = self._shop
        work = Work(ground.kind, shop.reach, shop.known, None, [], expected=held)
        return piece_layer(Piece(told.title, entries), work)


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

    def tree(self, layers: Sequence[Layer]) -> Tree:
        """Return the files of *layers*, which are those of the last time and some more."""
        if self._tree is None:
            self._tree = Tree(())
        new = layers[self._count :]
        asked = [layer for layer in new if layer.diff_id not in self._expected]
        with self._shop.steps.alone(f"index {asked[0].diff_id}" if asked else ""):
            found = iter(indexes_of(asked, self._shop.reach))
        for layer in new:
            expected = self._expected.get(layer.diff_id)
            self._tree.grow(next(found) if expected is None else self._index(expected))
        self._expected.clear()
        self._count = len(layers)
        return self._tree

    def _index(self, entries: list[Entry]) -> Index:
        return Index(
            File(
                *(entry.path, entry.kind, entry.mode, entry.uid, entry.gid),
                *(entry.size, entry.mtime, 0, entry.link),
                xattrs=entry.xattrs,
                device=entry.device,
            )
            for entry in entries
        )
