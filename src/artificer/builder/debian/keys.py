"""Key 1 of packages: what their layers depend on, told by a lock before anything is fetched."""

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from artificer import __version__, limits
from artificer.builder.debian.choice import Chosen, asked_for
from artificer.builder.keys import key
from artificer.builder.kind import LAYER_KEY, Kind, Stack
from artificer.builder.recipe import AddDebs
from artificer.builder.work import Work
from artificer.oci.descriptor import Descriptor
from artificer.oci.digest import Digest, InvalidDigest
from artificer.oci.image import Blob, Image, Layer, Origin, Stored

LINE = "dev.artificer.layer.line"
"""The annotation of a layer in the cache repository that holds its line of history."""

SCRIPTS = "dev.artificer.layer.scripts"
"""The annotation of the first of them that holds what became of all packages' scripts."""

_KIND = "debs"
_TOLD_BYTES = limits.MIB
_FORMAT = "add-debs-9"
"""Raised with all that changes what packages come to: what is known of scripts, and what is made
instead of running them, too. Between releases nothing else tells one from another."""

Told = tuple[str, str, str, str]
"""A script's package, its name, its fate and more about that."""


class Remembered(NamedTuple):
    """The layers that packages came to, what became of their scripts, and who knew that."""

    stack: Stack
    scripts: tuple[Told, ...]
    why: str


def debs_key(step: AddDebs, chosen: Chosen, image: Image, kind: Kind, *, runs: bool) -> str:
    """The key of *chosen* packages on *image*: equal keys come to equal layers on any machine.

    Whether scripts *runs* or are replaced is in it, for the files may differ then.
    """
    configured = (runs, step.accept_skipped) if step.level == "configure" else ()
    profile = step.profile
    after = (step.after,) if step.after else ()
    left_out = (profile.filters, int(profile.distroless)) if profile is not None else ()
    return key(
        (_FORMAT, __version__, kind.identity, kind.format, str(image.platform)),
        step.level,
        configured,
        left_out,
        (step.layering, step.budget, step.epoch),
        [(*one[:3], one.sha256, int(one.auto)) for one in chosen.packages],
        chosen.remove,
        step.wanted.packages if step.wanted is not None else (),
        sorted(asked_for(step.wanted, chosen.packages)),
        [layer.diff_id for layer in image.layers],
        *after,
    )


def remembered(text: str, work: Work) -> Remembered | None:
    """What anybody knows under the key *text*: the store, else the cache repository."""
    if work.known.afresh:
        return None
    found = _stored(text, work)
    if found is not None:
        return found
    shared = work.known.shared(_shared_key(text))
    if shared is None:
        return None
    descriptors, origin, why = shared
    layers = [_layer(one, origin, work.kind) for one in descriptors]
    lines = tuple(one.annotations.get(LINE, "") for one in descriptors)
    known = tuple(layer for layer in layers if layer is not None)
    if len(known) != len(layers):
        return None
    return Remembered(Stack(known, lines), _scripts_of(descriptors), why)


def remember(text: str, made: Stack, scripts: Sequence[Told], work: Work) -> None:
    """Keep in the store what the key *text* stands for, if the blobs are there, and share it."""
    store = work.reach.store
    needs = [layer.blob.digest for layer in made.layers]
    pairs = zip(made.layers, made.lines, strict=True)
    shared = [_annotated(layer, {LINE: line}) for layer, line in pairs]
    told = json.dumps(list(scripts), separators=(",", ":"))
    if shared and len(told) <= _TOLD_BYTES:
        shared[0] = _annotated(shared[0], {SCRIPTS: told})
    work.fresh.extend((_shared_key(text), layer) for layer in shared)
    if any(store.has(digest) is None for digest in needs):
        return
    rows = [
        [layer.blob.digest, layer.descriptor.size, layer.diff_id, line]
        for layer, line in zip(made.layers, made.lines, strict=True)
    ]
    data = json.dumps({"layers": rows, "scripts": list(scripts)}).encode()
    store.set_record(_KIND, text, data, needs=needs)


def _stored(text: str, work: Work) -> Remembered | None:
    store = work.reach.store
    data = store.record(_KIND, text)
    if data is None:
        return None
    try:
        told = json.loads(data)
        layers = tuple(
            work.kind.layer(
                Digest(digest), size, Digest(diff_id), Stored(store.blob_path(Digest(digest)))
            )
            for digest, size, diff_id, _ in told["layers"]
        )
        lines = tuple(line for *_, line in told["layers"])
        scripts = _scripts(told["scripts"])
    except (ValueError, KeyError, TypeError):
        return None
    if any(store.has(layer.blob.digest) != layer.descriptor.size for layer in layers):
        return None
    return Remembered(Stack(layers, lines), scripts, "its packages are the same")


def _shared_key(text: str) -> str:
    return f"debs-{text}"


def _annotated(layer: Layer, told: dict[str, str]) -> Layer:
    descriptor = layer.descriptor.annotated(told)
    return Layer(Blob(descriptor, layer.blob.origin), layer.diff_id)


def _scripts_of(descriptors: Sequence[Descriptor]) -> tuple[Told, ...]:
    """What a cache repository says of scripts; whoever may write there may write anything."""
    text = descriptors[0].annotations.get(SCRIPTS, "[]") if descriptors else "[]"
    try:
        found = _scripts(json.loads(text)) if len(text) <= _TOLD_BYTES else ()
    except (ValueError, TypeError, RecursionError):
        return ()
    return tuple(one for one in found if all(map(str.isprintable, one)))


def _scripts(rows: Any) -> tuple[Told, ...]:
    return tuple((str(a), str(b), str(c), str(d)) for a, b, c, d in rows)


def _layer(descriptor: Descriptor, origin: Origin, kind: Kind) -> Layer | None:
    """What *descriptor* says of itself, if it was made as *kind* makes layers."""
    identity, _, diff_id = descriptor.annotations.get(LAYER_KEY, "").partition("@")
    try:
        found = Digest(diff_id)
    except InvalidDigest:
        return None
    same = identity == kind.identity
    return kind.layer(descriptor.digest, descriptor.size, found, origin) if same else None
