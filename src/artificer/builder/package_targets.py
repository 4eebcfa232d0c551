"""Targets with Debian packages: installed, locked, listed, as files. Values only."""

from typing import TYPE_CHECKING, NamedTuple

from artificer.builder.naming import Source, SourceFile
from artificer.builder.recipe import AddDebs

if TYPE_CHECKING:
    from artificer.sources.debian.values import Archive


class Debs(NamedTuple):
    """Debian packages installed upon *base*, or upon nothing. Yields Layers.

    *step* is completed by files: lists of *archives*, *keyrings* for those that name none,
    *preferences* after the step's own pins, *debs* to be installed, and a *lock* of all, for
    *architectures* (none: what is built now).
    *unlocked* is the path of a lock that is not there yet.
    """

    step: AddDebs
    base: Source | None = None
    lock: SourceFile | None = None
    unlocked: str = ""
    archives: tuple[Source, ...] = ()
    keyrings: tuple[Source, ...] = ()
    preferences: tuple[Source, ...] = ()
    debs: tuple[Source, ...] = ()
    snapshot: str = ""
    architectures: tuple[str, ...] = ()


class DebsLock(NamedTuple):
    """The lock of *debs*: *old* while it is of the same request, unless it is to be *anew*.

    With names to *update*, its other packages stay. Yields Files: one.
    """

    debs: Debs
    old: SourceFile | None = None
    anew: bool = False
    update: tuple[str, ...] = ()


class ListedDeb(NamedTuple):
    """The newest version of *package* (``NAME`` or ``NAME=VERSION``) that one of *indexes* has.

    Each is a Packages file and what its paths are below. Yields Files: one, called *name*.
    """

    indexes: tuple[tuple[Source, str], ...]
    package: str
    name: str


class DebsTar(NamedTuple):
    """The files of *debs* and of what they need, *name*.tar, and a list of them. Yields Files.

    *more* are archives beside the base's own.
    """

    debs: Debs
    name: str
    more: "tuple[Archive, ...]" = ()


class InstalledDebs(NamedTuple):
    """*base* with the packages that the tar *archive* has, installed. Yields Image.

    *after* are commands for bash, run in it then.
    """

    base: Source
    archive: Source
    after: str = ""


class ManifestDebs(NamedTuple):
    """The files of what a *manifest* of rules_distroless comes to now, for *architecture*.

    Of one *package* alone, or with all that it *needs*; without a name, of all. Of several
    architectures that of the build is taken where none is said. Not *transitive*, nothing comes
    but what the manifest names. *called* is its repository. Yields Files: .deb files.
    """

    manifest: Source
    architecture: str = ""
    package: str = ""
    needs: bool = True
    transitive: bool = True
    called: str = ""


class ManifestLock(NamedTuple):
    """The lock of a *manifest*, which belongs at *path*: *old* while it is of the same request.

    Otherwise as `DebsLock`, and in the form of rules_distroless.
    """

    manifest: SourceFile
    path: str
    old: SourceFile | None = None
    anew: bool = False
    update: tuple[str, ...] = ()
    transitive: bool = True


class TarPart(NamedTuple):
    """What the tar or package *archive* has at and below each of *paths*. Yields Files: a tar."""

    archive: Source
    paths: tuple[str, ...]
    name: str


class Certificates(NamedTuple):
    """The certificates of the package ca-certificates, a tar or a .deb, in one file.

    Yields Files: one, called *name*.
    """

    package: Source
    name: str


class KeyStore(NamedTuple):
    """A Java key store of all *certificates*, PEM or DER. Yields Files: one, called *name*."""

    certificates: tuple[Source, ...]
    name: str


class Controls(NamedTuple):
    """What dpkg or scanners know packages by, of their *controls*: a tar called *name*.

    A control is a control.tar, or a .deb. With a *package* its stanza and sums are in status.d
    under that name. Without, stanzas are in dpkg's status file, but those of .deb files: these are
    in status.d, as in the packages' own tars, or scanners would find two of each. Yields Files:
    one.
    """

    controls: tuple[Source, ...]
    name: str
    package: str = ""


PackageTarget = (
    Debs
    | DebsLock
    | ListedDeb
    | DebsTar
    | InstalledDebs
    | ManifestDebs
    | ManifestLock
    | TarPart
    | Certificates
    | KeyStore
    | Controls
)
PACKAGE_TARGETS = (
    *(Debs, DebsLock, ListedDeb, DebsTar, InstalledDebs, ManifestDebs, ManifestLock),
    *(TarPart, Certificates, KeyStore, Controls),
)
