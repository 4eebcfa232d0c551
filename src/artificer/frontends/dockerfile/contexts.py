"""Named contexts (``--build-context NAME=VALUE``): what stands in for images and stages."""

from collections.abc import Iterable
from typing import NamedTuple

from artificer.builder.stages import ContextFiles
from artificer.errors import Misused
from artificer.oci.platform import Platform
from artificer.oci.reference import (
    InvalidReference,
    Layout,
    Reference,
    parse_name,
    parse_reference,
)

_TRANSPORTS = frozenset(
    ("docker", "oci", "oci-archive", "docker-archive", "docker-daemon", "store", "rootfs")
)
_RESERVED = frozenset(("scratch", "context"))


class StageName(NamedTuple):
    """An earlier stage of the same Dockerfile (``target:NAME``)."""

    name: str


class NamedContext(NamedTuple):
    """A ``--build-context``: *value* as written, for who opens it, and what it is.

    *name* is in its shortest form (``docker.io/library/alpine:latest`` is ``alpine``). With a
    *platform* it counts for that one only.
    """

    name: str
    platform: Platform | None
    value: str
    source: Reference | ContextFiles | StageName


def named_context(text: str) -> NamedContext:
    """Read ``NAME[::PLATFORM]=VALUE``.

    VALUE is an image (``docker-image://NAME``, ``oci-layout://DIR[:TAG]``, or one of our own
    transports), a stage (``target:NAME``), or files: a directory, an archive or a URL.
    """
    key, equals, value = text.partition("=")
    plain, colons, platform = key.partition("::")
    if not (equals and plain and value) or (colons and not platform):
        raise Misused(
            f"not a named context: {text!r}", hint="write --build-context NAME=DIRECTORY"
        )
    if plain.lower() in _RESERVED:
        raise Misused(f"no context may be called {plain!r}", hint="choose another name")
    name = shortest(plain)
    if name is None:
        raise Misused(f"not a name for a context: {plain!r}", hint="write it as a stage or image")
    only = Platform.parse(platform) if colons else None
    source = _source(value) or ContextFiles(f"{name}::{only}" if only else name)
    return NamedContext(name, only, value, source)


def _source(value: str) -> Reference | StageName | None:
    scheme, slashes, rest = value.partition("://")
    if slashes and scheme == "docker-image":
        return parse_name(rest)
    if slashes and scheme == "oci-layout":
        return _layout(rest)
    transport, colon, rest = value.partition(":")
    if colon and transport == "target":
        return StageName(rest.lower())
    if colon and transport in _TRANSPORTS:
        return parse_reference(value)
    return None


def _layout(rest: str) -> Layout:
    path, at, digest = rest.partition("@")
    if at:
        raise Misused(
            f"an OCI layout is read by its tags, not by a digest: {digest}",
            hint=f"give it a name: oci-layout://{path}:TAG",
        )
    slash = path.rfind("/")
    colon = path.find(":", slash + 1)
    return Layout(path, None) if colon < 0 else Layout(path[:colon], path[colon + 1 :] or None)


def shortest(name: str) -> str | None:
    """*name* as contexts are looked up: familiar and without ``:latest``; None if it is none."""
    try:
        return parse_name(name.lower() if "/" not in name else name).familiar.removesuffix(
            ":latest"
        )
    except InvalidReference:
        return None


class Contexts:
    """The named contexts of a build."""

    __slots__ = ("_contexts",)

    def __init__(self, contexts: Iterable[NamedContext]) -> None:
        self._contexts = {(context.name, context.platform): context for context in contexts}

    def find(self, name: str, platform: Platform) -> NamedContext | None:
        """What stands in for the stage or image *name*; one for the platform comes first."""
        short = None if name.lower() in _RESERVED else shortest(name)
        if short is None:
            return None
        return self._contexts.get((short, platform)) or self._contexts.get((short, None))
