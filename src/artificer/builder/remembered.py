"""Key 1: what a step made before, told by its words and by stats, before anything is read."""

import json
import os
from typing import NamedTuple

from artificer import limits
from artificer.builder.keys import key
from artificer.builder.kind import Kind, Stack
from artificer.builder.recipe import AddFiles
from artificer.images.reach import Reach
from artificer.layers.snapshot import Snapshot, unchanged
from artificer.layers.split import MOST
from artificer.oci.digest import Digest
from artificer.oci.image import Image, Stored

_KIND = "files"


class Remembered(NamedTuple):
    """What a step made the last time, from what, and on which base.

    Where it is not *trusted*, it tells only what to expect: a file was so new that its next
    change may not show in its times, or a layer's blob was not in the store.
    """

    context: str
    snapshot: Snapshot
    stack: Stack
    trusted: bool


def room(step: AddFiles, image: Image) -> int:
    """How many layers *step* may put onto *image*."""
    return min(MOST, limits.LAYERS - len(image.layers)) if step.split else 1


def context_of(step: AddFiles, image: Image) -> str:
    """What a step's layers depend on besides its words and files: where they are put."""
    settings = image.settings
    volumes = settings.get("Volumes")
    return key(
        [layer.diff_id for layer in image.layers],
        str(settings.get("WorkingDir") or ""),
        sorted(map(str, volumes)) if isinstance(volumes, dict) else (),
        room(step, image),
    )


def remembered(step: AddFiles, kind: Kind, reach: Reach) -> Remembered | None:
    """What the store knows of the last time; None when there is nothing, or its blobs are gone."""
    words = _words_key(step, kind)
    data = reach.store.record(_KIND, words)
    snapshot = None if data is None else Snapshot.unpack(data)
    if snapshot is None or snapshot.key != words:
        return None
    try:
        result = json.loads(snapshot.result)
        layers = tuple(
            kind.layer(
                Digest(digest),
                size,
                Digest(diff_id),
                Stored(reach.store.blob_path(Digest(digest))),
            )
            for digest, size, diff_id in result["layers"]
        )
        stack = Stack(layers, tuple(result["lines"]))
        return Remembered(result["context"], snapshot, stack, bool(result["trusted"]))
    except (ValueError, KeyError, TypeError):
        return None


def still_true(known: Remembered, step: AddFiles, image: Image) -> bool:
    """Whether making the step again on *image* would give the same layers."""
    return known.trusted and known.context == context_of(step, image) and unchanged(known.snapshot)


def remember(  # noqa: PLR0913 - what was made, of what, on what
    step: AddFiles,
    image: Image,
    kind: Kind,
    made: Stack,
    seen: Snapshot,
    reach: Reach,
    *,
    quiet: bool,
) -> None:
    """Keep what *step* made of *seen*; trusted, if the files are *quiet* and the blobs here."""
    store = reach.store
    needs = [layer.blob.digest for layer in made.layers]
    trusted = quiet and all(store.has(digest) is not None for digest in needs)
    result = {
        "context": context_of(step, image),
        "trusted": trusted,
        "layers": [
            [layer.blob.digest, layer.descriptor.size, layer.diff_id] for layer in made.layers
        ],
        "lines": list(made.lines),
    }
    words = _words_key(step, kind)
    snapshot = seen._replace(key=words, result=json.dumps(result).encode())
    store.set_record(_KIND, words, *snapshot.parts(), needs=needs if trusted else ())


def _words_key(step: AddFiles, kind: Kind) -> str:
    # Words name files relative to where we are.
    return key("add-files-2", os.getcwd(), kind.identity, kind.format, step.words, step.split)
