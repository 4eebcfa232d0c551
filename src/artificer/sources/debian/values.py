"""Debian packages as values: archives, what is wanted of them, what was found, what is locked."""

from typing import Literal, NamedTuple

Level = Literal["unpack", "configure"]
"""How far packages are installed: their files with `status.d`, or as dpkg leaves them."""

Layering = Literal["one", "by-package", "budget"]
"""How packages become layers; those of a base and of an image above it are then shared."""


def name_beside(native: str, name: str, architecture: str) -> str:
    """What a package is called where *native* is usual: ``NAME``, or ``NAME:ARCH``, as by apt."""
    return name if architecture in {"all", native} else f"{name}:{architecture}"


class Archive(NamedTuple):
    """One suite of an archive, as a line of sources.list(5) or a stanza of a .sources file has it.

    A *suite* that ends in a slash is a flat archive and has no components. *signed_by* are paths
    of keyrings, armoured keys, or fingerprints (then looked for in the usual keyrings); none means
    those usual ones. *pin* is apt_preferences(5)'s priority of everything in it, None the usual.
    *snapshot* is a time as snapshot archives write it (``20260101T000000Z``), in place of
    ``@SNAPSHOTID@`` in *uri*; Valid-Until is not asked for then. *place* is where it was written.
    """

    uri: str
    suite: str
    components: tuple[str, ...] = ()
    architectures: tuple[str, ...] = ()
    signed_by: tuple[str, ...] = ()
    trusted: bool = False
    check_valid_until: bool = True
    by_hash: bool | None = None
    pin: int | None = None
    snapshot: str = ""
    place: str = ""


class Pin(NamedTuple):
    """A stanza of apt_preferences(5): *priority* of the versions of *packages* that match.

    *packages* are names, globs or ``/regular expressions/``. *by* is what *pattern* speaks of.
    """

    packages: tuple[str, ...]
    by: Literal["version", "release", "origin"]
    pattern: str
    priority: int


class Profile(NamedTuple):
    """Which files are left out: dpkg's ``path-exclude`` and ``path-include``, and what has no use.

    Patterns are tried in order and the last that matches decides, as in dpkg(1). With *distroless*
    packages that nobody asked for and nobody needs at run time – the essential set, dpkg – help to
    configure the others and are not in the image; what scanners read is.
    """

    filters: tuple[tuple[Literal["exclude", "include"], str], ...] = ()
    distroless: bool = False


class Wanted(NamedTuple):
    """Which packages: *packages* are words of apt-get(8) (``nginx``, ``nginx=1.22.1-9``,
    ``nginx/bookworm-backports``, ``libc6:arm64``, ``nano-`` to have it not), *files* are paths
    of ``.deb`` files. *exclude* must not come in; *essential* adds the essential set (and apt
    where *apt*), as an image from nothing needs.
    """

    packages: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    pins: tuple[Pin, ...] = ()
    recommends: bool = False
    essential: bool = False
    apt: bool = False


class Locked(NamedTuple):
    """One package, exactly: where its ``.deb`` can be had (any of *urls*) and what it hashes to.

    *auto* says that only other packages need it. *source* is ``NAME`` or ``NAME VERSION``.
    """

    name: str
    version: str
    architecture: str
    urls: tuple[str, ...]
    sha256: str
    size: int
    source: str = ""
    auto: bool = False

    def __str__(self) -> str:
        """As apt has it."""
        return f"{self.name}:{self.architecture}={self.version}"


class Installed(NamedTuple):
    """A package of dpkg's database, or of `status.d`: its stanza, all fields, and its state.

    *status* is the third word of ``Status`` (``installed``, ``unpacked`` …); `status.d` has none
    and means ``installed``.
    """

    name: str
    version: str
    architecture: str
    fields: tuple[tuple[str, str], ...]
    status: str = "installed"
    wanted: str = "install"

    def field(self, name: str) -> str:
        """The field called *name* in any case, or nothing."""
        lower = name.lower()
        return next((value for key, value in self.fields if key.lower() == lower), "")
