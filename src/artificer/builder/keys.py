"""Keys: what a result depends on, framed and hashed, so that two inputs never look alike."""

import hashlib
from collections.abc import Callable, Iterable

Part = str | bytes | int | None | Iterable["Part"]


def key(*parts: Part) -> str:
    """The name of everything in *parts*: 64 hex digits.

    Each part is written with its type and length before it hits the hash: ``("ab", "c")`` and
    ``("a", "bc")``, ``1`` and ``"1"``, ``()`` and ``None`` all differ.
    """
    hasher = hashlib.sha256(b"artificer-key-1\n")
    _feed(hasher.update, parts)
    return hasher.hexdigest()


def _feed(update: Callable[[bytes], None], parts: Iterable[Part]) -> None:
    for part in parts:
        match part:
            case None:
                update(b"n0:")
            case str():
                data = part.encode("utf-8", "surrogateescape")
                update(b"s%d:%b" % (len(data), data))
            case bytes():
                update(b"b%d:%b" % (len(part), part))
            case int():
                update(b"i%d:" % part)
            case _:
                update(b"(")
                _feed(update, part)
                update(b")")
