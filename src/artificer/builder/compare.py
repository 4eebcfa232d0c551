"""The first thing in which two images differ, named for a person."""

from collections.abc import Iterator
from typing import Any

from artificer.images.files import index_of
from artificer.images.reach import Reach
from artificer.layers.diff import differences
from artificer.layers.index import File
from artificer.oci.image import Image, Layer


def first_difference(one: Image, other: Image, reach: Reach, other_reach: Reach) -> str | None:
    """What differs first: a file of a layer, a layer's blob, the config or the manifest.

    *reach* and *other_reach* are where the layers of each can be read. None: they are the same.
    """
    if one.manifest == other.manifest:
        return None
    pairs = zip(one.layers, other.layers, strict=False)
    for number, (left, right) in enumerate(pairs, 1):
        told = _layers(left, right, reach, other_reach)
        if told is not None:
            return f"layer {number}: {told}"
    if len(one.layers) != len(other.layers):
        return f"{len(one.layers)} layers, then {len(other.layers)}"
    for name, was, now in (
        ("config", one.config_document, other.config_document),
        ("manifest", one.manifest_document, other.manifest_document),
    ):
        for difference in _documents(was, now, name):
            return difference
    return "the bytes of the manifest"


def _layers(left: Layer, right: Layer, reach: Reach, other_reach: Reach) -> str | None:
    if left.blob == right.blob:
        return None
    if left.diff_id == right.diff_id:
        return f"the same tar was compressed to {left.blob.digest} and {right.blob.digest}"
    before, after = list(index_of(left, reach)), list(index_of(right, other_reach))
    for was, now in zip(before, after, strict=False):
        if was.path != now.path:
            return f"where /{was.path} stood, there is /{now.path}"
        told = _file(was, now)
        if told is not None:
            return told
    if len(before) != len(after):
        extra = (before + after)[min(len(before), len(after))]
        return f"only one of them has /{extra.path}"
    return "the tars differ, though all their files are the same"


def _file(was: File, now: File) -> str | None:
    told = differences(was, now)
    return f"/{was.path}: {', '.join(told)}" if told else None


def _documents(left: Any, right: Any, where: str) -> Iterator[str]:
    if isinstance(left, dict) and isinstance(right, dict):
        for name in dict.fromkeys((*left, *right)):
            yield from _documents(left.get(name), right.get(name), f"{where}.{name}")
    elif isinstance(left, list) and isinstance(right, list) and len(left) == len(right):
        for number, (one, other) in enumerate(zip(left, right, strict=True)):
            yield from _documents(one, other, f"{where}[{number}]")
    elif left != right:
        yield f"{where}: {left!r}, then {right!r}"
