"""What can be had of several archives and of files: versions, the best first by apt's policy."""

import re
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from itertools import chain
from typing import NamedTuple
from urllib.parse import quote

from artificer import limits
from artificer.errors import ArtificerError
from artificer.sources.debian.archives.index import Index
from artificer.sources.debian.archives.preferences import Place, priority_of
from artificer.sources.debian.resolving.binary import Binary
from artificer.sources.debian.resolving.versions import BadVersion, version_key
from artificer.sources.debian.values import Archive, Pin

_LOCAL = Place(Archive("", "", place="a file"), {})
_SAFE = "/+~:@!$&'()*,;=-._"
_PLAIN = re.compile(r"[A-Za-z0-9/+~:._-]*")
_HOSTILE = "the archive is broken or hostile; nothing of it should be trusted"
_LIKE = 0.75
_MOST = 5


class UnsafePath(ArtificerError):
    """An archive names a file of a package that is not in the archive."""


class Overfull(ArtificerError):
    """An archive has more of a package, or says that it is larger, than any archive does."""


class Part(NamedTuple):
    """One index of an archive, read for *architecture*; *base* is what its paths are below.

    *number* is the archive's in their order; *suites* are the words that name it.
    """

    packages: Index
    place: Place
    architecture: str
    number: int
    suites: tuple[str, ...]
    base: str


class Universe:
    """Every version of every package that can be had; the first architecture is the native one."""

    def __init__(
        self,
        parts: Sequence[Part],
        architectures: Sequence[str],
        *,
        pins: Sequence[Pin] = (),
        files: Mapping[str, Binary] | None = None,
    ) -> None:
        self.architectures = tuple(architectures)
        self.native = self.architectures[0]
        self._parts = tuple(parts)
        self._pins = tuple(pins)
        self._files = dict(files or {})
        self._versions: dict[tuple[str, str], tuple[Binary, ...]] = {}

    def versions(self, name: str, architecture: str = "") -> tuple[Binary, ...]:
        """Those of *name* for *architecture*, best first: by their pins, then the newest.

        Packages for all architectures are the native one's. What several archives have alike is
        one version, with the highest of their pins, from the first of them. A pin below 0 stays.
        """
        own = self.native if architecture in {"", "all"} else architecture
        key = (name, own)
        if key not in self._versions:
            self._versions[key] = self._sorted(name, own)
        return self._versions[key]

    def providers(self, name: str) -> tuple[Binary, ...]:
        """Those with *name* in their ``Provides``, of any version and architecture."""
        packages = dict.fromkeys(
            (package, part.architecture)
            for part in self._parts
            for package in part.packages.providers(name)
        )
        packages |= dict.fromkeys(
            (one.name, self._own(one)) for one in self._files.values() if one.provides(name)
        )
        return tuple(
            binary for key in packages for binary in self.versions(*key) if binary.provides(name)
        )

    def names(self) -> Iterable[str]:
        """Every package there is, once, in no order."""
        files = (binary.name for binary in self._files.values())
        return dict.fromkeys(chain(files, *(part.packages.names for part in self._parts)))

    def essential(self) -> tuple[Binary, ...]:
        """Those that are ``Essential`` for the native architecture, sorted by their names."""
        names = {
            name
            for part in self._parts
            if part.architecture == self.native
            for name in part.packages.essential
        }
        return tuple(
            binary for name in sorted(names) for binary in self.versions(name) if binary.essential
        )

    def suggest(self, name: str) -> tuple[str, ...]:
        """Names that are like *name*, which there is not; the likest first."""
        near = [
            other
            for other in self.names()
            if abs(len(other) - len(name)) <= 3 and (other[:1] == name[:1] or name in other)
        ]
        return tuple(get_close_matches(name, near, _MOST, _LIKE))

    def rank(self, name: str) -> tuple[int, int]:
        """Which archive mentions the package *name* first, and where in it."""
        for number, part in enumerate(self._parts):
            place = part.packages.rank(name)
            if place is not None:
                return (number, place)
        return (len(self._parts), 0)

    def local(self, path: str) -> Binary | None:
        """The package of the file *path*, if it is one of those that were given."""
        return self._files.get(path)

    def _own(self, binary: Binary) -> str:
        return self.native if binary.architecture == "all" else binary.architecture

    def _sorted(self, name: str, architecture: str) -> tuple[Binary, ...]:
        found: dict[tuple[str, str, str], Binary] = {}
        for binary in self._files.values():
            if binary.name == name and self._own(binary) == architecture:
                pin = priority_of(binary.fields, _LOCAL, self._pins)
                found[_identity(binary)] = _with(binary, pin, ())
        for part in self._parts:
            for binary in self._of_part(part, name, architecture):
                other = found.setdefault(_identity(binary), binary)
                if other is not binary:
                    pin, words = max(other.pin, binary.pin), (*other.suites, *binary.suites)
                    merged = _with(other, pin, tuple(dict.fromkeys(words)))
                    found[_identity(binary)] = merged
        newest = sorted(found.values(), key=lambda one: version_key(one.version), reverse=True)
        return tuple(sorted(newest, key=lambda one: -one.pin))

    def _of_part(self, part: Part, name: str, architecture: str) -> list[Binary]:
        if part.architecture != architecture:
            return []
        if len(part.packages.names.get(name, ())) > limits.PACKAGE_VERSIONS:
            raise Overfull(
                f"{part.packages.what} has more than {limits.PACKAGE_VERSIONS} versions of {name}",
                hint=_HOSTILE,
            )
        wanted = {architecture, "all"} if architecture == self.native else {architecture}
        found = [
            Binary(
                _checked(fields, part),
                pin=priority_of(fields, part.place, self._pins),
                archive=part.number,
                suites=part.suites,
                base=part.base,
            )
            for fields in part.packages.stanzas(name)
            if fields["Architecture"] in wanted
        ]
        for binary in found:
            if binary.size > limits.DOWNLOAD_BYTES:
                raise Overfull(
                    f"{part.packages.what}: {binary!r} has {binary.size} bytes", hint=_HOSTILE
                )
        return found


def _identity(binary: Binary) -> tuple[str, str, str]:
    return (binary.version, binary.architecture, binary.sha256)


def _with(binary: Binary, pin: int, suites: tuple[str, ...]) -> Binary:
    return Binary(binary.fields, pin=pin, archive=binary.archive, suites=suites, base=binary.base)


def _checked(fields: Mapping[str, str], part: Part) -> Mapping[str, str]:
    """*fields*, of which ``Filename`` is a path below the archive, as URLs have it."""
    try:
        version_key(fields["Version"])
    except BadVersion as error:
        raise BadVersion(
            f"{part.packages.what}: {fields['Package']}: {error.message}",
            hint="the archive is broken; leave it out, or take a mirror of it that is not",
        ) from error
    path = fields.get("Filename", "")
    parts = path.split("/")
    if path.startswith("/") or ".." in parts or "\0" in path or "://" in path:
        raise UnsafePath(
            f"{part.packages.what}: the file of {fields['Package']} is outside of the archive: "
            f"{path[:80]!r}",
            hint=_HOSTILE,
        )
    if _PLAIN.fullmatch(path):
        return fields
    quoted = quote(path, safe=_SAFE, errors="surrogateescape")
    return {**fields, "Filename": quoted}
