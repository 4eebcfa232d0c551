"""What a target needs, and its words without what differs between machines: both pure."""

from collections.abc import Iterator
from typing import Any

from artificer.builder.targets import FromFile, Output, SourceFile, Stamped, TargetId

_NO_PART = {"timeout", "caches"}
"""Fields that change how something is made, never what it becomes."""


Reference = SourceFile | Output | TargetId | Stamped
"""Something outside a target that its result depends on."""


def references(target: Any) -> tuple[Reference, ...]:
    """All that *target* names outside itself, each once, in its order."""
    return tuple(dict.fromkeys(_parts(target)))


def dependencies(target: Any) -> tuple[TargetId, ...]:
    """The targets that have to be made before *target* can be, each once, in its order."""
    found = (
        one.target if isinstance(one, Output) else one
        for one in _parts(target)
        if isinstance(one, Output | TargetId)
    )
    return tuple(dict.fromkeys(found))


def described(value: Any) -> str:
    """*value*, a target or a part of one, as text: equal texts are equal wishes.

    Where a file of the workspace lies on this machine is not in it, nor what is no part of keys.
    """
    pieces: list[str] = []
    _describe(value, pieces)
    return "".join(pieces)


def described_fields(target: Any) -> dict[str, str]:
    """Each field of *target*, described: to tell which one has changed."""
    return {
        name: described(value)
        for name, value in zip(target._fields, target, strict=True)
        if name not in _NO_PART
    }


def _parts(value: Any) -> Iterator[Reference]:
    # A target is a tree of tuples: whatever field is added to one, its sources are found.
    for one in value:
        if not isinstance(one, tuple) or not one:
            continue
        if isinstance(one, SourceFile | Output | TargetId | Stamped):
            yield one
        elif isinstance(one, FromFile):
            yield one.source
        else:
            yield from _parts(one)


def _describe(value: Any, pieces: list[str]) -> None:
    if not isinstance(value, tuple):
        # repr quotes: no text can look like several.
        pieces.append(repr(value))
    elif isinstance(value, SourceFile):
        pieces.append(f"SourceFile({value.short!r})")
    else:
        kind = type(value)
        pieces.append(f"{kind.__name__}(" if kind is not tuple else "(")
        names = getattr(kind, "_fields", None)
        for number, one in enumerate(value):
            if names is None or names[number] not in _NO_PART:
                _describe(one, pieces)
                pieces.append(",")
        pieces.append(")")
