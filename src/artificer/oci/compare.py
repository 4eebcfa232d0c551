"""What differs between two images, their files apart. Pure."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from artificer.oci.image import Image

_OWN_WAY = {"config", "rootfs", "history"}


class Difference(NamedTuple):
    """A field in which two images differ; None where one does not have it."""

    field: str
    before: str | None
    after: str | None


def differences(before: Image, after: Image) -> Iterator[Difference]:
    """Yield every statement of the two that differs, sorted; layers and history are left out.

    Variables, labels, ports and the like are compared each by itself.
    """
    old, new = dict(_statements(before)), dict(_statements(after))
    for field in sorted(old.keys() | new.keys()):
        if old.get(field) != new.get(field):
            yield Difference(field, old.get(field), new.get(field))


def _statements(image: Image) -> Iterator[tuple[str, str]]:
    yield "format", image.format
    for key, value in image.annotations.items():
        yield f"annotations.{key}", value
    for key, value in image.config_document.items():
        if key not in _OWN_WAY:
            yield key, _text(value)
    for key, value in image.settings.items():
        yield from _setting(key, value)


def _setting(key: str, value: Any) -> Iterator[tuple[str, str]]:
    if key == "Env" and isinstance(value, list):
        value = dict(str(pair).partition("=")[::2] for pair in value)
    if isinstance(value, Mapping):
        for name, one in value.items():
            yield f"config.{key}.{name}", _text(one)
    elif value not in (None, "", []):
        # null, absent and empty mean the same to every runtime.
        yield f"config.{key}", _text(value)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
