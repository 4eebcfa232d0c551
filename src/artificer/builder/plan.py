"""What a build would do, told without writing an image or sending a byte."""

import os
from contextlib import ExitStack
from typing import NamedTuple, assert_never

from artificer.builder.build import Base, Sources, base_image, finished
from artificer.builder.kind import Stack, kind_of
from artificer.builder.layering import Piece, copied_pieces, files_pieces, first_key
from artificer.builder.make import planned_debs
from artificer.builder.recipe import AddDebs, AddFiles, CopyFrom, Step, Target
from artificer.builder.remembered import remembered, still_true
from artificer.builder.work import Work
from artificer.images.files import keep_index
from artificer.images.forecast import Exists, Mounts, Uploads, blob_step
from artificer.images.place import image_for
from artificer.layers.index import index_of
from artificer.layers.read import layer_members
from artificer.layers.write import tar_digest, temporary_tar
from artificer.oci.digest import Digest
from artificer.oci.edit import appended
from artificer.oci.image import Image, Layer, Stored
from artificer.oci.reference import Named

_CHUNK = 1 << 18
_LEFT = {"gzip": 0.42, "zstd": 0.40, "none": 1.0}
"""What compression leaves of a byte, for an estimate: of executables; text shrinks more."""


class Planned(NamedTuple):
    """What becomes of one layer; *sent* bytes go over the wire, by estimate if it is *made*."""

    line: str
    size: int
    action: str
    sent: int = 0
    made: bool = False


class Plan(NamedTuple):
    """What building one platform and pushing it to one target would do."""

    platform: str
    target: str
    layers: tuple[Planned, ...]
    up_to_date: bool = False

    @property
    def sent(self) -> int:
        """How many bytes would be sent, about."""
        return sum(layer.sent for layer in self.layers)

    @property
    def exact(self) -> bool:
        """Whether nothing in it is an estimate."""
        return not any(layer.made for layer in self.layers)


class _Thought(NamedTuple):
    """A layer as far as it is known without making it: *why* is None if it must be made."""

    layer: Layer
    line: str
    why: str | None


def plans(
    target: Target, base: Base, sources: Sources, names: tuple[Named, ...]
) -> tuple[Plan, ...]:
    """Plan *target* for each platform and each of *names*. Inputs are read, no layer is written.

    Whether a registry mounts a blob can only be told by trying: what is said is what it has.
    """
    found: list[Plan] = []
    for platform in target.platforms or (None,):
        image = base_image(target, base, platform, sources)
        thoughts = [_Thought(layer, "of the base", "of the base") for layer in image.layers]
        kind = kind_of(target.compress, image.format)
        work = Work(kind, sources.reach, sources.known, sources.stdin, [])
        for step in target.steps:
            below = step is not target.steps[-1]
            new = _thoughts(step, image, work, sources, below=below)
            layers = [one.layer for one in new]
            image = appended(image, layers, [one.line for one in new], target.stamp)
            thoughts.extend(new)
        image = finished(image, target, base)
        found.extend(_plan(name, image, thoughts, sources) for name in names)
    return tuple(found)


def _thoughts(
    step: Step, image: Image, work: Work, sources: Sources, *, below: bool
) -> list[_Thought]:
    with ExitStack() as spools:
        match step:
            case AddFiles():
                last = remembered(step, work.kind, work.reach)
                if last is not None and not sources.known.afresh and still_true(last, step, image):
                    return _unchanged(last.stack)
                pieces = files_pieces(step, image, work, spools).pieces
            case CopyFrom(reference):
                source = image_for(sources.find(reference), image.platform)
                pieces = copied_pieces(step, source, image, work)
            case AddDebs():
                found = planned_debs(step, image, work, sources.debs, spools)
                if isinstance(found, Stack):
                    return _unchanged(found)
                pieces = found
            case _:
                assert_never(step)
        return [_thought(piece, work, below=below) for piece in pieces]


def _unchanged(stack: Stack) -> list[_Thought]:
    pairs = zip(stack.layers, stack.lines, strict=True)
    return [_Thought(layer, line, "unchanged") for layer, line in pairs]


def _thought(piece: Piece, work: Work, *, below: bool) -> _Thought:
    first = first_key(piece.entries, work.kind)
    known = work.known.by_files(first) if first is not None else None
    if known is not None:
        diff_id, answer = known
        size, why = answer.descriptor.size, answer.why
        layer = work.kind.layer(answer.descriptor.digest, size, diff_id, answer.origin)
        return _Thought(layer, piece.line, why)
    diff_id, tar_size = _tar_of(piece, work, below=below)
    found = work.known.answer(work.kind, diff_id)
    if found is not None:
        size = found.descriptor.size
        layer = work.kind.layer(found.descriptor.digest, size, diff_id, found.origin)
        return _Thought(layer, piece.line, found.why)
    size = int(tar_size * _LEFT[work.kind.encoder.kind])
    # Stands for a layer that nobody has made yet, so that later steps have something below them.
    return _Thought(work.kind.layer(diff_id, size, diff_id, Stored("")), piece.line, None)


def _tar_of(piece: Piece, work: Work, *, below: bool) -> tuple[Digest, int]:
    """Digest and size of the tar of *piece*; what it holds is kept if it is *below* others."""
    entries, reach = piece.complete().entries, work.reach
    if not below:
        return tar_digest(entries, reach.stop)
    written = temporary_tar(entries, reach.store, reach.stop)
    with written as (diff_id, path), open(path, "rb") as file:
        chunks = iter(lambda: file.read(_CHUNK), b"")
        keep_index(diff_id, index_of(layer_members(chunks)), reach)
        return diff_id, os.fstat(file.fileno()).st_size


def _plan(name: Named, image: Image, thoughts: list[_Thought], sources: Sources) -> Plan:
    platform = str(image.platform)
    if all(thought.why is not None for thought in thoughts):
        there = sources.reach.registry.head_target(name)
        if there is not None and there.digest == image.digest:
            planned = tuple(
                Planned(one.line, one.layer.descriptor.size, "exists") for one in thoughts
            )
            return Plan(platform, str(name), planned, up_to_date=True)
    return Plan(platform, str(name), tuple(_planned(one, name, sources) for one in thoughts))


def _planned(thought: _Thought, name: Named, sources: Sources) -> Planned:
    size = thought.layer.descriptor.size
    if thought.why is None:
        return Planned(thought.line, size, "build and upload", sent=size, made=True)
    step = blob_step(thought.layer.blob, name.repository, sources.reach)
    match step:
        case Exists():
            return Planned(thought.line, size, "exists")
        case Mounts(_, source):
            return Planned(thought.line, size, f"mount from {source}")
        case Uploads():
            return Planned(thought.line, size, f"upload ({thought.why})", sent=size)
        case _:
            assert_never(step)
