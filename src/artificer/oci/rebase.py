"""An image put on another base: its manifest and config are edited, no layer is read. Pure."""

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from artificer import limits
from artificer.errors import ArtificerError
from artificer.oci.descriptor import Descriptor
from artificer.oci.document import dump
from artificer.oci.edit import BASE_DIGEST, BASE_NAME, converted
from artificer.oci.image import Image, InvalidImage

_UNTOLD = {"comment": "a layer without history"}


class NotBasedOn(ArtificerError):
    """An image does not have the layers of what is said to be its base."""


def rebased(image: Image, old: Image, new: Image, base: Mapping[str, str]) -> Image:
    """*image* with the layers of *new* where it had those of *old*.

    A setting that it had from *old* becomes that of *new*, each variable and label by itself; what
    it says otherwise stays. *base* are the annotations that tell what it is built upon now.
    """
    _check_base(image, old)
    new = converted(new, image.format)
    own = image.layers[len(old.layers) :]
    if len(new.layers) + len(own) > limits.LAYERS:
        raise InvalidImage(
            f"the image would have {len(new.layers) + len(own)} layers, but at most "
            f"{limits.LAYERS} can be mounted",
            hint="flatten the base first: `artificer flatten`",
        )
    config = copy.deepcopy(image.config_document)
    config["rootfs"]["diff_ids"] = [str(layer.diff_id) for layer in (*new.layers, *own)]
    config["history"] = [
        *_complete(new.history, len(new.layers)),
        *_complete(_own_history(image, old), len(own)),
    ]
    config["config"] = merged_settings(image.settings, old.settings, new.settings)
    manifest = copy.deepcopy(image.manifest_document)
    manifest["layers"] = [layer.descriptor.document for layer in (*new.layers, *own)]
    data = dump(config)
    manifest["config"] = Descriptor.for_bytes(image.config_descriptor.media_type, data).document
    kept = {
        key: text for key, text in image.annotations.items() if key not in (BASE_NAME, BASE_DIGEST)
    }
    manifest["annotations"] = {**kept, **base}
    return Image(dump(manifest), data, {**new.origins, **image.origins})


def merged_settings(
    mine: Mapping[str, Any], was: Mapping[str, Any], now: Mapping[str, Any]
) -> dict[str, Any]:
    """The settings *mine*, made on a base that said *was*, on one that says *now*."""
    mine, was, now = _opened(mine), _opened(was), _opened(now)
    merged = _chosen(mine, was, now)
    for key in merged:
        parts = [one.get(key, {}) for one in (mine, was, now)]
        if all(isinstance(part, dict) for part in parts):
            merged[key] = _chosen(*parts)
    if "Env" in merged:
        merged["Env"] = [f"{name}={value}" for name, value in merged["Env"].items()]
    return merged


def _check_base(image: Image, old: Image) -> None:
    theirs = [layer.diff_id for layer in old.layers]
    if [layer.diff_id for layer in image.layers[: len(theirs)]] != theirs:
        raise NotBasedOn(
            f"the image {image.digest.short} does not begin with the {len(theirs)} layers of "
            f"{old.digest.short}",
            hint="name the image that it was built upon with `--old-base`",
        )


def _opened(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings with each variable of Env under its own name; null is as good as absent."""
    opened = {key: value for key, value in settings.items() if value is not None}
    if isinstance(opened.get("Env"), list):
        opened["Env"] = dict(str(pair).partition("=")[::2] for pair in opened["Env"])
    return opened


def _chosen(
    mine: Mapping[str, Any], was: Mapping[str, Any], now: Mapping[str, Any]
) -> dict[str, Any]:
    """What the new base says wherever *mine* says what the old one did.

    The base's own come first, as when the image were built anew.
    """
    chosen: dict[str, Any] = {}
    for key in dict.fromkeys((*now, *mine)):
        source = now if mine.get(key) == was.get(key) else mine
        if key in source:
            chosen[key] = source[key]
    return chosen


def _own_history(image: Image, old: Image) -> list[dict[str, Any]]:
    """The lines that *image* added to the history of its base."""
    history, common = image.history, 0
    for mine, theirs in zip(history, old.history, strict=False):
        if mine != theirs:
            break
        common += 1
    while _filled(history[:common]) < len(old.layers) and common < len(history):
        common += 1
    return history[common:]


def _complete(history: Sequence[dict[str, Any]], layers: int) -> list[dict[str, Any]]:
    """*history* with a line for each layer (config.md, "history"), whatever was told before."""
    if _filled(history) == layers:
        return list(history)
    return [dict(_UNTOLD) for _ in range(layers)]


def _filled(history: Sequence[Mapping[str, Any]]) -> int:
    return sum(1 for line in history if not line.get("empty_layer"))
