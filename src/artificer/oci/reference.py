"""References: how an image is called, wherever it lies (skopeo's grammar, and two of ours)."""

import re
from collections.abc import Callable
from typing import NamedTuple, Self

from artificer.errors import Misused
from artificer.oci.digest import Digest, InvalidDigest

_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_PATH = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*")
_REGISTRY = re.compile(
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?"
)
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_REF_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._:@+/-]*")
_DIGEST = re.compile(r"sha(?:256|512):[0-9a-f]{64,}")
_NAME_LENGTH = 255

DOCKER_HUB = "docker.io"
_HUB_ALIASES = {"index.docker.io", "registry-1.docker.io", "registry.hub.docker.com"}


class InvalidReference(Misused):
    """A text that should name an image does not."""


class Repository(NamedTuple):
    """A repository of a registry: ``docker.io`` and ``library/alpine``."""

    registry: str
    path: str

    def __str__(self) -> str:
        """``docker.io/library/alpine``."""
        return f"{self.registry}/{self.path}"


class Named(NamedTuple):
    """``docker://REPOSITORY[:TAG][@DIGEST]``; with both, the digest decides."""

    repository: Repository
    tag: str | None = None
    digest: Digest | None = None

    def __str__(self) -> str:
        """The whole name, as it can be typed again."""
        tag = f":{self.tag}" if self.tag else ""
        return f"{self.repository}{tag}{'@' + self.digest if self.digest else ''}"

    @property
    def identifier(self) -> str:
        """What a registry is asked for: the digest if there is one, else the tag, else latest."""
        return self.digest or self.tag or "latest"

    @property
    def familiar(self) -> str:
        """The shortest name that is read as this one: ``alpine:3.7``."""
        whole = str(self)
        bare = whole.removeprefix(f"{DOCKER_HUB}/")
        for short in (bare.removeprefix("library/"), bare):
            if short != whole and _reads_as(short, self):
                return short
        return whole

    def pinned(self, digest: Digest) -> Self:
        """The same name, to be read only if it is *digest*."""
        return self._replace(digest=digest)


class Layout(NamedTuple):
    """``oci:DIR[:TAG]``, an OCI layout."""

    path: str
    tag: str | None = None

    def __str__(self) -> str:
        """As it can be typed again."""
        return f"oci:{self.path}" + (f":{self.tag}" if self.tag else "")


class OciArchive(NamedTuple):
    """``oci-archive:FILE[:TAG]``, a tar of an OCI layout."""

    path: str
    tag: str | None = None

    def __str__(self) -> str:
        """As it can be typed again."""
        return f"oci-archive:{self.path}" + (f":{self.tag}" if self.tag else "")


class DockerArchive(NamedTuple):
    """``docker-archive:FILE[:NAME]``, what ``docker save`` writes."""

    path: str
    name: Named | None = None

    def __str__(self) -> str:
        """As it can be typed again."""
        return f"docker-archive:{self.path}" + (f":{self.name}" if self.name else "")


class Daemon(NamedTuple):
    """``docker-daemon:NAME``, an image of a running docker (or podman) engine."""

    name: Named

    def __str__(self) -> str:
        """As it can be typed again."""
        return f"docker-daemon:{self.name}"


class StoreName(NamedTuple):
    """``store:NAME``, an image of the local store."""

    name: str

    def __str__(self) -> str:
        """As it can be typed again."""
        return f"store:{self.name}"


class RootFs(NamedTuple):
    """``rootfs:PATH``, a root filesystem: a directory or a tar."""

    path: str

    def __str__(self) -> str:
        """As it can be typed again."""
        return f"rootfs:{self.path}"


class Scratch(NamedTuple):
    """``scratch``, the base that holds nothing."""

    def __str__(self) -> str:
        """As it can be typed again."""
        return "scratch"


Reference = Named | Layout | OciArchive | DockerArchive | Daemon | StoreName | RootFs | Scratch


def parse_reference(text: str) -> Reference:
    """Read *text* by skopeo's grammar; without a transport it names an image of a registry."""
    transport, colon, rest = text.partition(":")
    if text == "scratch":
        return Scratch()
    if not colon or transport not in _TRANSPORTS:
        return parse_name(_without_scheme(text))
    if not rest:
        raise InvalidReference(
            f"{text!r} names nothing after `{transport}:`", hint=f"write {_SHAPES[transport]}"
        )
    return _TRANSPORTS[transport](rest)


def parse_name(text: str) -> Named:
    """Read ``[registry/]path[:tag][@digest]``; ``docker.io`` and ``library/`` are implied.

    The first component is a registry iff it holds a dot or a colon or is ``localhost``.
    """
    rest, at, digest = text.partition("@")
    slash = rest.rfind("/")
    colon = rest.find(":", slash + 1)
    name, tag = (rest[:colon], rest[colon + 1 :]) if colon >= 0 else (rest, None)
    if tag is not None and not _TAG.fullmatch(tag):
        raise InvalidReference(
            f"{text!r} has no valid tag", hint="a tag is [A-Za-z0-9_][A-Za-z0-9._-]{0,127}"
        )
    if _DIGEST.fullmatch(rest):
        raise InvalidReference(
            f"{text!r} is a digest, which names no image alone", hint="write NAME@sha256:…"
        )
    try:
        pin = Digest(digest) if at else None
    except InvalidDigest as error:
        raise InvalidReference(
            f"{text!r} has no valid digest after `@`", hint="write sha256: and 64 hex digits"
        ) from error
    return Named(parse_repository(name, text), tag, pin)


def parse_repository(name: str, text: str | None = None) -> Repository:
    """Read ``[registry/]path``; *text* is what errors quote."""
    text = name if text is None else text
    first, slash, rest = name.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        registry, path = first, rest
    else:
        registry, path = DOCKER_HUB, name
    if registry in _HUB_ALIASES:
        registry = DOCKER_HUB
    if registry == DOCKER_HUB and "/" not in path:
        path = f"library/{path}"
    if not _REGISTRY.fullmatch(registry):
        raise InvalidReference(
            f"{text!r} has no valid registry: {registry!r}", hint=_advice(text, path)
        )
    if not _PATH.fullmatch(path) or len(registry) + 1 + len(path) > _NAME_LENGTH:
        raise InvalidReference(f"{text!r} is not an image reference", hint=_advice(text, path))
    return Repository(registry, path)


def _reads_as(text: str, name: Named) -> bool:
    try:
        return parse_name(text) == name
    except InvalidReference:
        return False


def _advice(text: str, path: str) -> str:
    if text.startswith("-"):
        return "an option came where an image was expected: was a value forgotten before it?"
    if path != path.lower():
        return f"repository names are lower case: {text.lower()}"
    if text.startswith(("/", "./", "~")):
        return (
            f"a file or directory needs its transport, as in oci:{text} or docker-archive:{text}"
        )
    return "write it as [registry/]name[:tag][@digest]"


def _without_scheme(text: str) -> str:
    if text.startswith(("https://", "http://")):
        raise InvalidReference(
            f"{text!r} is a URL", hint=f"leave the scheme out: {text.partition('://')[2]}"
        )
    return text


def _docker(rest: str) -> Named:
    if not rest.startswith("//"):
        raise InvalidReference(f"'docker:{rest}' lacks its slashes", hint=f"write docker://{rest}")
    return parse_name(rest[2:])


def _path_and_tag(rest: str) -> tuple[str, str | None]:
    # As skopeo, at the first colon: what follows may be a whole name, `docker.io/library/app:1`.
    path, _, tag = rest.partition(":")
    if not path or (tag and not _REF_NAME.fullmatch(tag)):
        raise InvalidReference(
            f"{rest!r} is not a path and a tag", hint="a path with a colon cannot be named here"
        )
    return path, tag or None


def _docker_archive(rest: str) -> DockerArchive:
    path, colon, name = rest.partition(":")
    return DockerArchive(path, parse_name(name) if colon and name else None)


def _store_name(rest: str) -> StoreName:
    name = parse_name(rest)
    return StoreName((name if name.tag or name.digest else name._replace(tag="latest")).familiar)


_TRANSPORTS: dict[str, Callable[[str], Reference]] = {
    "docker": _docker,
    "oci": lambda rest: Layout(*_path_and_tag(rest)),
    "oci-archive": lambda rest: OciArchive(*_path_and_tag(rest)),
    "docker-archive": _docker_archive,
    "docker-daemon": lambda rest: Daemon(parse_name(rest)),
    "store": _store_name,
    "rootfs": RootFs,
}
"""How each transport reads what follows its colon; ``containers-storage:`` is not ours."""

_SHAPES = {
    "docker": "docker://REPOSITORY:TAG",
    "oci": "oci:DIR:TAG",
    "oci-archive": "oci-archive:FILE:TAG",
    "docker-archive": "docker-archive:FILE:NAME",
    "docker-daemon": "docker-daemon:NAME",
    "store": "store:NAME",
    "rootfs": "rootfs:DIR",
}
