"""What is to be built, as values: nothing here has been read or made yet."""

from typing import TYPE_CHECKING, Literal, NamedTuple

from artificer.builder.keys import Part
from artificer.layers.rules import Rules
from artificer.layers.select import Source
from artificer.layers.split import USUAL, Sizes
from artificer.oci.edit import Stamp
from artificer.oci.media import Compression, Format
from artificer.oci.platform import Platform
from artificer.oci.reference import Named, Reference
from artificer.oci.settings import Settings

if TYPE_CHECKING:
    # An image without packages has no use for them.
    from artificer.sources.debian.values import Archive, Layering, Level, Locked, Profile, Wanted

Scripts = Literal["auto", "run", "replace"]
"""What becomes of packages' scripts: run, or their effects had otherwise; ``auto`` is the first
where commands can be run."""

Scope = Literal["manifest", "index", "manifest-descriptor", "index-descriptor"]


class AddFiles(NamedTuple):
    """Put *sources* into the image by *rules*.

    *words* is everything that decides which entries come of them: part of the key. What comes is
    cut into layers by *split*; None makes one.
    """

    sources: tuple[Source, ...]
    rules: Rules
    words: tuple[Part, ...]
    split: Sizes | None = USUAL


class CopyFrom(NamedTuple):
    """Copy *path* of another image to *dest*; None is where it was."""

    image: Reference
    path: str
    dest: str | None = None


class AddDebs(NamedTuple):
    """Install Debian packages: those *locked* for the image's architecture, else what is *wanted*.

    *locked* has the packages of each architecture, as Debian calls it, in an order dpkg can take,
    *leaving* those of the base (``NAME:ARCH``) that go for them.
    What is wanted is looked for in *archives*. Files that no package has a time for get *epoch*.
    With *layering* ``budget`` there are at most *budget* layers. A script that cannot be run, and
    nobody knows what to do instead of, is an error unless *accept_skipped*. *after* are commands
    for bash, run when all is installed: what they change is in the same layer.
    """

    wanted: "Wanted | None" = None
    archives: "tuple[Archive, ...]" = ()
    locked: "tuple[tuple[str, tuple[Locked, ...]], ...]" = ()
    leaving: tuple[tuple[str, tuple[str, ...]], ...] = ()
    level: "Level" = "configure"
    profile: "Profile | None" = None
    layering: "Layering" = "one"
    budget: int = 0
    scripts: Scripts = "auto"
    accept_skipped: bool = False
    epoch: int = 0
    after: str = ""


Step = AddFiles | CopyFrom | AddDebs


class Compress(NamedTuple):
    """How new layers are compressed; without a *level*, by the usual one."""

    kind: Compression = "gzip"
    level: int | None = None


class Annotation(NamedTuple):
    """*key* = *value*, on the manifest, on the index, or on a descriptor that leads there."""

    scope: Scope
    key: str
    value: str


class Target(NamedTuple):
    """An image to be built: a fold of *steps* over *base*, and then its *settings*."""

    base: Reference
    steps: tuple[Step, ...] = ()
    settings: Settings = Settings()
    stamp: Stamp = Stamp()
    annotations: tuple[Annotation, ...] = ()
    platforms: tuple[Platform, ...] = ()
    format: Format | None = None
    compress: Compress = Compress()


class Cache(NamedTuple):
    """A repository that layers are shared through, *name*; a readonly one is only asked.

    *day* (``2026-01-31``) is told to be when what is taken from it was used; empty, nothing is.
    """

    name: Named
    readonly: bool = False
    day: str = ""

    @property
    def tells_use(self) -> bool:
        """Whether it is told when what it holds is used."""
        return bool(self.day) and not self.readonly
