"""Steps to layers: walk, place in the base, split, and write what nobody knows."""

import marshal
import os
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from typing import BinaryIO, NamedTuple

from artificer.builder.keys import key
from artificer.builder.kind import Kind, Stack
from artificer.builder.known import Answer
from artificer.builder.recipe import AddFiles, CopyFrom
from artificer.builder.remembered import Remembered, remember, room
from artificer.builder.work import Earlier, Work
from artificer.events import LayerChanged, LayerReused, LayerWritten, Note
from artificer.images.files import copy_entries, tree_of
from artificer.layers.archive import Archives
from artificer.layers.entry import Entry, Span
from artificer.layers.pack import ChangedWhileRead
from artificer.layers.place import needs_index, placed
from artificer.layers.select import LocalPath, SymlinkTo, TarFile, entries_of
from artificer.layers.snapshot import Snapshot, changes, racy
from artificer.layers.split import USUAL, partition
from artificer.layers.walk import Seen, with_xattrs
from artificer.layers.write import HELD, Written, size_about, write_layer, write_stream
from artificer.layers.write import Known as KnownBlob
from artificer.oci.digest import Digest
from artificer.oci.image import Image, Layer, Stored

Ask = Callable[[Digest], KnownBlob | None]
"""Asks who knows the layer of a tar."""

_TOLD = 200
_EDITED = 16
_BATCH = 1024
_MARSHAL = 2  # the last version without references, whose bytes depend on values alone


class Piece(NamedTuple):
    """A layer to be: its line of history and its entries.

    Entries that are *bare* still lack the extended attributes of their files: the stats stand
    for them until the layer is made.
    """

    line: str
    entries: Sequence[Entry]
    bare: bool = False

    def complete(self) -> "Piece":
        """The piece with all that goes into its tar."""
        if not self.bare:
            return self
        return Piece(self.line, with_xattrs(self.entries))


class Pieces(NamedTuple):
    """The layers that a step comes to, and what on disk that depends on."""

    pieces: tuple[Piece, ...]
    seen: list[Seen]


def files_stack(step: AddFiles, image: Image, work: Work, last: Remembered | None) -> Stack:
    """Make the layers of *step*; a file that changes while it is read is read once more."""
    work = work._replace(expected=last is not None)
    try:
        return _files_stack(step, image, work, last)
    except ChangedWhileRead as error:
        if TarFile("-") in step.sources:
            raise
        work.reach.report(Note(f"{error.message}: reading again"))
        return _files_stack(step, image, work, last)


def copied_stack(step: CopyFrom, source: Image, image: Image, work: Work) -> Stack:
    """Make the layer of what *step* takes out of *source*."""
    return _stack(copied_pieces(step, source, image, work), work, since=None)


def copied_pieces(step: CopyFrom, source: Image, image: Image, work: Work) -> tuple[Piece, ...]:
    """The one layer that *step* comes to, or none."""
    entries = copy_entries(source, step.path, step.dest, work.reach)
    entries = in_base(entries, image, 0, work)
    return (Piece(f"COPY {step.dest or step.path}", entries),) if entries else ()


def files_pieces(step: AddFiles, image: Image, work: Work, spools: ExitStack) -> Pieces:
    """The lists of entries that *step* comes to on *image*; *spools* keeps files for them open."""
    seen: list[Seen] = []

    def spool() -> BinaryIO:
        return spools.enter_context(work.reach.store.spool())

    archives = Archives(step.rules, spool, work.stdin)
    entries = entries_of(
        step.sources, step.rules, report=work.reach.report, archive=archives.entries, seen=seen
    )
    entries = in_base(entries, image, step.rules.mtime or 0, work)
    return Pieces(_cut(entries, step, room(step, image)), seen)


def piece_layer(piece: Piece, work: Work) -> Layer:
    """The layer of *piece*: one that is known for the same tar, or a new one in the store."""
    return _layer(piece, work, since=None)


def stream_layer(line: str, entries: Iterable[Entry], size: int, work: Work) -> Layer:
    """The layer of *entries*, whose bytes can be read only until the next is asked for.

    They are about *size* bytes.
    """

    def write(known: Ask) -> Written:
        encoder, reach = work.kind.encoder, work.reach
        return write_stream(entries, size, encoder, reach.store, known=known, stop=reach.stop)

    layer = _told(line, work, write)
    if work.reach.store.has(layer.blob.digest) is not None:
        work.known.remember(work.kind, layer, None)
    return layer


def in_base(entries: list[Entry], image: Image, mtime: int, work: Work) -> list[Entry]:
    """*entries* where they land on *image*, whose files are looked at only if the rule says so."""
    settings = image.settings
    volumes = settings.get("Volumes")
    tree = None
    if image.layers and needs_index(
        entries,
        str(settings.get("WorkingDir") or ""),
        volumes if isinstance(volumes, dict) else (),
    ):
        tree = tree_of(image, work.reach)
    return placed(entries, tree, mtime=mtime)


def _files_stack(step: AddFiles, image: Image, work: Work, last: Remembered | None) -> Stack:
    started = time.time_ns()
    with ExitStack() as spools:
        pieces, seen = files_pieces(step, image, work, spools)
        now = Snapshot.of("", seen, b"")
        del seen
        if last is not None:
            work = work._replace(earlier=_compared(last, now, work))
        stack = _stack(pieces, work, since=started)
    if now.number and TarFile("-") not in step.sources:
        # A record of nothing would hold for ever; words alone are quick to make anew.
        quiet = not now.racy(started)
        remember(step, image, work.kind, stack, now, work.reach, quiet=quiet)
    return stack


def _compared(last: Remembered, now: Snapshot, work: Work) -> Earlier:
    """Tell what has changed since the *last* time."""
    found = changes(last.snapshot, now)
    if found:
        told = tuple(f"{change.path}: {change.what}" for change in found[: work.explained])
        more = max(0, len(found) - work.explained)
        work.reach.report(LayerChanged(last.stack.lines[0], told, more))
    digests = frozenset(layer.blob.digest for layer in last.stack.layers)
    return Earlier(digests, frozenset(change.path for change in found))


def _cut(entries: list[Entry], step: AddFiles, most: int) -> tuple[Piece, ...]:
    if not entries:
        return ()
    line = _line(step)
    lists = partition(entries, most=most, sizes=step.split or USUAL)
    if len(lists) == 1:
        return (Piece(line, lists[0], bare=True),)
    count = len(lists)
    return tuple(
        Piece(f"{line} ({number} of {count})", part, bare=True)
        for number, part in enumerate(lists, 1)
    )


def _stack(pieces: Iterable[Piece], work: Work, *, since: int | None) -> Stack:
    layers = [(_layer(piece, work, since), piece.line) for piece in pieces]
    return Stack(tuple(layer for layer, _ in layers), tuple(line for _, line in layers))


def _layer(piece: Piece, work: Work, since: int | None) -> Layer:
    first = first_key(piece.entries, work.kind) if since is not None else None
    known = None if first is None else work.known.by_files(first)
    if known is not None:
        return _reused(piece.line, known[0], known[1], work)
    layer = _written(piece.complete(), work)
    if work.reach.store.has(layer.blob.digest) is not None:
        seen = (entry.stat for entry in piece.entries if entry.stat is not None)
        quiet = since is not None and not racy(seen, since)
        work.known.remember(work.kind, layer, first if quiet else None)
    return layer


def _written(piece: Piece, work: Work) -> Layer:
    def write(known: Ask) -> Written:
        return write_layer(
            piece.entries,
            work.kind.encoder,
            work.reach.store,
            known=known if _may_be_known(piece, work) else None,
            stop=work.reach.stop,
        )

    return _told(piece.line, work, write)


def _told(line: str, work: Work, write: Callable[[Ask], Written]) -> Layer:
    """The layer that *write* comes to, which is given whom to ask; what it was is told."""
    answers: list[Answer] = []

    def known(diff_id: Digest) -> KnownBlob | None:
        answer = work.known.answer(work.kind, diff_id)
        if answer is None:
            return None
        answers.append(answer)
        return KnownBlob(answer.descriptor.digest, answer.descriptor.size)

    reach, started = work.reach, time.monotonic()
    made = write(known)
    if answers:
        return _reused(line, made.diff_id, answers[0], work)
    origin = Stored(reach.store.blob_path(made.digest))
    layer = work.kind.layer(made.digest, made.size, made.diff_id, origin)
    seconds = time.monotonic() - started
    reach.report(LayerWritten(line, made.digest, made.size, made.tar_size, made.entries, seconds))
    work.fresh.append((work.kind.second_key(made.diff_id), layer))
    work.ahead((layer,))
    return layer


def _may_be_known(piece: Piece, work: Work) -> bool:
    """Whether it pays to hash the tar of *piece* before it is compressed."""
    earlier = work.earlier
    if earlier is None:
        return work.expected or work.known.beyond(())
    if size_about(piece.entries) <= HELD:
        return True  # It is read once in any case.
    changed = sum(entry.source in earlier.changed for entry in piece.entries)
    # A few files that are other than the last time are an edit, which nobody has made before.
    # In a new checkout all of them are, and have the content that they had.
    edited = 0 < changed <= max(1, len(piece.entries) // _EDITED)
    return not edited or work.known.beyond(earlier.digests)


def _reused(line: str, diff_id: Digest, answer: Answer, work: Work) -> Layer:
    digest, size = answer.descriptor.digest, answer.descriptor.size
    work.reach.report(LayerReused(line, digest, size, answer.why))
    return work.kind.layer(digest, size, diff_id, answer.origin)


def first_key(entries: Sequence[Entry], kind: Kind) -> str | None:
    """Key 1 of one layer: everything in its headers, and the stats of its files.

    None where bytes come from an archive: only reading tells whether it is the same.
    """
    if any(isinstance(entry.source, Span) for entry in entries):
        return None
    # marshal frames as `key` does, and is ten times as fast: 50,000 files are 0.03 s, not 0.3.
    # It is never read back, and another Python's other bytes only miss.
    framed = (
        marshal.dumps([tuple(entry) for entry in entries[start : start + _BATCH]], _MARSHAL)
        for start in range(0, len(entries), _BATCH)
    )
    return key("layer-1", kind.identity, os.getcwd(), framed)


def _line(step: AddFiles) -> str:
    """What the history says: where things land, never where they were on this machine."""
    places = []
    for source in step.sources:
        match source:
            case LocalPath(path, None):
                name = path.rstrip("/").rpartition("/")[2]
                places.append("/" if name in {"", ".", ".."} else f"/{name}")
            case LocalPath(_, dest) | TarFile(_, dest):
                places.append(f"/{dest or ''}")
            case SymlinkTo(path):
                places.append(f"/{path.lstrip('/')}")
            case _:
                places.append(f"/{source.path.lstrip('/')}")
    line = "ADD " + " ".join(dict.fromkeys(places))
    # A name may be any bytes, the history is text.
    line = line.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return line if len(line) <= _TOLD else line[: _TOLD - 1] + "…"
