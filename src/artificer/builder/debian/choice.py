"""Which locked packages are installed, and which of them for their own sake. Pure."""

import os
import re
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple
from urllib.parse import unquote

from artificer.builder.recipe import AddDebs
from artificer.errors import ArtificerError, Misused
from artificer.sources.debian.values import Locked, Wanted

_FOREIGN = re.compile(r"[^:=/]+:([a-z0-9-]+?)[+-]?(?:[=/].*)?")
_OF_NONE = frozenset({"any", "all", "native"})


class NotLockedFor(ArtificerError):
    """A lock has no packages for an image's architecture."""


class Chosen(NamedTuple):
    """The packages to install, in an order that dpkg can take, and installed ones that go.

    *why* says how they were chosen.
    """

    packages: tuple[Locked, ...]
    remove: tuple[str, ...] = ()
    why: str = "locked"


def locked_choice(step: AddDebs, architecture: str) -> Chosen | None:
    """What *step* has locked for *architecture*; None if nothing is locked at all."""
    if not step.locked:
        if step.wanted is None:
            raise Misused("no packages to install")
        return None
    for name, packages in step.locked:
        if name == architecture:
            return Chosen(packages, dict(step.leaving).get(name, ()))
    there = ", ".join(name for name, _ in step.locked)
    raise NotLockedFor(
        f"packages are locked for {there}, not for {architecture}",
        hint="lock them for all platforms that are built",
    )


def foreign_of(words: Iterable[str], architecture: str) -> tuple[str, ...]:
    """The architectures that *words* name (``libc6:i386``) beside the native *architecture*."""
    named = (match[1] for word in words if (match := _FOREIGN.fullmatch(word)))
    return tuple(dict.fromkeys(one for one in named if one not in {architecture, *_OF_NONE}))


def foreign_in(step: AddDebs, architecture: str) -> tuple[str, ...]:
    """The architectures that the words of *step* name beside that of its image."""
    return foreign_of(step.wanted.packages if step.wanted is not None else (), architecture)


def asked_for(wanted: Wanted | None, packages: Sequence[Locked]) -> frozenset[str]:
    """The names of *packages* that are wanted for themselves, not because all images need them."""
    named = frozenset(one.name for one in packages if not one.auto)
    if wanted is None:
        return named
    words = frozenset(re.split("[=/:]", word)[0] for word in wanted.packages)
    files = tuple(os.path.basename(path) for path in wanted.files)
    brought = frozenset(one.name for one in packages if files and any(map(_ends(files), one.urls)))
    return (words | brought) & named or named


def _ends(names: tuple[str, ...]) -> Callable[[str], bool]:
    return lambda url: unquote(url).endswith(names)
