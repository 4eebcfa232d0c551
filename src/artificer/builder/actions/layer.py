"""Layers of BUILD files: of content, of tars as they are, and tars for others to read."""

import json
from contextlib import ExitStack
from typing import NamedTuple

from artificer import limits
from artificer.builder.actions.content import contents, with_parents
from artificer.builder.actions.squeeze import compressed
from artificer.builder.dependencies import described
from artificer.builder.identity import identities
from artificer.builder.keys import key
from artificer.builder.kind import Kind, kind_of
from artificer.builder.layering import Piece, in_base, piece_layer
from artificer.builder.products import File, Files, Layers
from artificer.builder.recipe import Compress
from artificer.builder.targets import Archive, Content, LayerTarget, TarLayers
from artificer.builder.task import Task, WrongInput
from artificer.builder.work import Work
from artificer.errors import ArtificerError
from artificer.images.inflate import packed_tar
from artificer.layers.encode import encoder
from artificer.layers.entry import Entry
from artificer.layers.place import needs_index
from artificer.layers.write import HELD, write_layer
from artificer.oci import media
from artificer.oci.descriptor import Descriptor
from artificer.oci.digest import Digest
from artificer.oci.document import parse
from artificer.oci.image import Blob, Image, Layer, Stored

_KIND = "content"
_CHUNK = 1 << 18
_ENDINGS = {"": "", "gz": "gz", "tgz": "gz", "bz2": "bz2", "tbz2": "bz2", "xz": "xz", "txz": "xz"}


class ContentLayer(NamedTuple):
    """The layer that some content comes to, and the packages in it that were not configured."""

    layer: Layer
    scripts: tuple[str, ...]


def layers_of(target: LayerTarget, task: Task) -> Layers:
    """The layer of *target*, as it is on no base in particular."""
    env = task.pairs(target.env)
    if target.content.is_empty:
        return Layers((), (), env)
    made = content_layer(target.content, target.compress, None, task)
    return Layers((made.layer,), (line_of(task),), env, made.scripts)


def line_of(task: Task, created_by: str = "") -> str:
    """The line of history of a layer that *task* makes."""
    return created_by or f"artificer build {task.declared.id.label}"


def content_layer(
    content: Content, compress: Compress, image: Image | None, task: Task
) -> ContentLayer:
    """The layer that *content* comes to on *image*; made once, whichever targets want it.

    Only where something lands in a directory that any base may have (or one that *image* says
    matters) are the files of *image* looked at: then the layer is for that base alone.
    """
    kind = kind_of(compress, "oci")
    words = key("content-1", kind.identity, described(content), identities(content, task))
    with task.tools.flights.alone(words):
        known = _remembered(words, kind, task)
        if known is not None and (image is None or not image.layers or not known.base_matters):
            return known.made
        return _on(content, kind, image, words, task)


def tar_layers(target: TarLayers, task: Task) -> Layers:
    """A layer for each tar, whose bytes stay as they are."""
    # What several packages need is named by each of them, and as in Bazel it is one layer.
    files = list(dict.fromkeys(file for tar in target.tars for file in task.files(tar)))
    layers = tuple(_tar_layer(file, task) for file in files)
    return Layers(layers, tuple(line_of(task) for _ in layers))


def archive_file(target: Archive, task: Task) -> Files:
    """The tar of *target*'s content, compressed as asked."""
    with ExitStack() as spools:
        found = contents(target.content, task, spools)
        entries = with_parents(found.entries, target.content.mtime)
        digest = _archived(entries, target.compression.removeprefix("."), task)
    return Files((File(task.reach.store.blob_path(digest), task.below(target.name), digest),))


class _Known(NamedTuple):
    made: ContentLayer
    base_matters: bool


def _on(content: Content, kind: Kind, image: Image | None, words: str, task: Task) -> ContentLayer:
    reach = task.reach
    work = Work(kind, reach, task.tools.known, None, task.tools.fresh)
    with ExitStack() as spools:
        found = contents(content, task, spools)
        matters = _matters(found.entries, image)
        if image is None or not image.layers or not matters:
            piece = Piece(task.label, with_parents(found.entries, content.mtime))
            return _kept(words, piece, found.scripts, matters, work)
        settings = image.settings
        chain = key(
            words,
            [layer.diff_id for layer in image.layers],
            str(settings.get("WorkingDir") or ""),
            sorted(map(str, settings.get("Volumes") or ())),
        )
        known = _remembered(chain, kind, task)
        if known is not None:
            return known.made
        entries = in_base(found.entries, image, content.mtime, work)
        return _kept(chain, Piece(task.label, entries), found.scripts, matters, work)


def _matters(entries: list[Entry], image: Image | None) -> bool:
    """Whether *image*, or some image, has a say in where *entries* land."""
    if image is None or not image.layers:
        return needs_index(entries, "", ())
    volumes = image.settings.get("Volumes")
    workdir = str(image.settings.get("WorkingDir") or "")
    return needs_index(entries, workdir, volumes if isinstance(volumes, dict) else ())


def _kept(
    words: str,
    piece: Piece,
    scripts: tuple[str, ...],
    matters: bool,  # noqa: FBT001 - goes into the record
    work: Work,
) -> ContentLayer:
    # A tar that is held in memory anyway costs nothing to ask about: on another base, or with
    # other words, it may be known.
    held = sum(entry.size for entry in piece.entries) <= HELD
    layer = piece_layer(piece, work._replace(expected=held))
    store = work.reach.store
    if store.has(layer.blob.digest) is not None:
        rows = [layer.descriptor.raw, layer.diff_id, list(scripts), matters]
        store.set_record(_KIND, words, json.dumps(rows).encode(), needs=[layer.blob.digest])
    return ContentLayer(layer, scripts)


def _remembered(words: str, kind: Kind, task: Task) -> _Known | None:
    store = task.reach.store
    data = None if task.tools.options.afresh else store.record(_KIND, words)
    if data is None:
        return None
    try:
        raw, diff_id, scripts, matters = json.loads(data)
        document = parse(raw.encode(), limit=limits.MANIFEST_BYTES, what="a record")
        descriptor = Descriptor.of(document)
    except (ValueError, TypeError, ArtificerError):
        return None
    origin = Stored(store.blob_path(descriptor.digest))
    layer = kind.layer(descriptor.digest, descriptor.size, Digest(diff_id), origin)
    return _Known(ContentLayer(layer, tuple(scripts)), bool(matters))


def _tar_layer(file: File, task: Task) -> Layer:
    store = task.reach.store
    if store.has(file.digest) is None:
        with open(file.path, "rb") as opened:
            store.put_chunks(iter(lambda: opened.read(_CHUNK), b""), file.digest)
    path = store.blob_path(file.digest)
    compression, size, diff_id = packed_tar(path, task.reach)
    if compression not in {"gzip", "zstd", "none"}:
        raise WrongInput(
            f"{file.short} is compressed with {compression}, which no registry takes",
            hint="make it with gzip, zstd or not at all",
        )
    media_type = media.OCI_LAYER if compression == "none" else f"{media.OCI_LAYER}+{compression}"
    descriptor = Descriptor.make(media_type, file.digest, size)
    return Layer(Blob(descriptor, Stored(path)), diff_id)


def _archived(entries: list[Entry], compression: str, task: Task) -> Digest:
    reach = task.reach
    how = _ENDINGS.get(compression, compression)
    if how in {"zst", "tzst", "zstd"}:
        return write_layer(entries, encoder("zstd"), reach.store, stop=reach.stop).digest
    if how == "gz":
        return write_layer(entries, encoder("gzip"), reach.store, stop=reach.stop).digest
    tar = write_layer(entries, encoder("none"), reach.store, stop=reach.stop).digest
    if not how:
        return tar
    return compressed(tar, how, reach)
