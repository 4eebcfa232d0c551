"""What happened: values that whoever does the work tells, and somebody else shows."""

from collections.abc import Callable
from typing import NamedTuple

from artificer.oci.digest import Digest
from artificer.oci.reference import Repository


class Note(NamedTuple):
    """A sentence for somebody who follows what is done."""

    text: str


class Warned(NamedTuple):
    """Something that is probably not what was meant, but does not stop the work."""

    text: str
    hint: str = ""


class BaseResolved(NamedTuple):
    """A base was found; *reference* is what was asked for."""

    reference: str
    digest: Digest
    platform: str


class Unpinned(NamedTuple):
    """A base was named by a tag alone; *pinned* is how to name it for ever."""

    reference: str
    pinned: str


class LayerReused(NamedTuple):
    """A layer is known already; *why* says from where."""

    name: str
    digest: Digest
    size: int
    why: str


class LayerWritten(NamedTuple):
    """A layer was made: *tar_size* bytes of tar became *size* bytes."""

    name: str
    digest: Digest
    size: int
    tar_size: int
    entries: int
    seconds: float


class LayerChanged(NamedTuple):
    """Why a layer had to be made again: the files that differ, and what about them."""

    name: str
    changes: tuple[str, ...]
    more: int


class SocketSkipped(NamedTuple):
    """A socket was met among the files; an image cannot hold one."""

    path: str


class BlobExists(NamedTuple):
    """A repository has the blob already."""

    repository: Repository
    digest: Digest
    size: int


class BlobMounted(NamedTuple):
    """The registry took the blob over from another of its repositories."""

    repository: Repository
    digest: Digest
    size: int
    source: Repository


class BlobSent(NamedTuple):
    """A blob's *size* bytes were uploaded; *sent* counts what really went over the wire."""

    repository: Repository
    digest: Digest
    size: int
    sent: int


class BlobProgress(NamedTuple):
    """*done* of *total* bytes of a blob are through; *verb* says what is done with them.

    *name* is what people call it, where that is not the digest.
    """

    digest: Digest
    done: int
    total: int
    verb: str
    name: str = ""


class ManifestSent(NamedTuple):
    """A manifest or index was written to a repository, by digest."""

    repository: Repository
    digest: Digest


class Tagged(NamedTuple):
    """*reference* now names *digest*."""

    reference: str
    digest: Digest


class UpToDate(NamedTuple):
    """*reference* named *digest* before: nothing was sent."""

    reference: str
    digest: Digest


class EngineLoaded(NamedTuple):
    """A container engine has the image *name* now: *sent* of the *size* bytes were new to it."""

    name: str
    id: str
    sent: int
    size: int


class Retrying(NamedTuple):
    """A request is tried again after *seconds*, because of *reason*."""

    what: str
    reason: str
    seconds: float


class TargetStarted(NamedTuple):
    """A target of a BUILD file is being made."""

    label: str


class TargetDone(NamedTuple):
    """A target is there; *why* is empty if it was really made, and else says how it is known."""

    label: str
    seconds: float
    why: str


class TargetChanged(NamedTuple):
    """Why a target had to be made again: which of its inputs are other ones."""

    label: str
    changes: tuple[str, ...]


class TargetFailed(NamedTuple):
    """A target could not be made; *place* is where it was declared."""

    label: str
    place: str
    message: str


class StepStarted(NamedTuple):
    """An instruction of a stage is being carried out; *label* says which (``build 2/7``)."""

    label: str
    title: str


class StepCached(NamedTuple):
    """An instruction was carried out before; *why* says how that is known."""

    label: str
    title: str
    why: str


class StepDone(NamedTuple):
    """An instruction was carried out."""

    label: str
    title: str
    seconds: float


class StepChanged(NamedTuple):
    """Why an instruction had to be carried out again: which of its inputs are other ones."""

    label: str
    title: str
    changes: tuple[str, ...]


class PackagesChosen(NamedTuple):
    """Debian packages that are going to be installed, *size* bytes to be had; *why* these.

    *removed* are those of the base that have to go.
    """

    packages: tuple[str, ...]
    size: int
    why: str
    removed: tuple[str, ...] = ()


class ScriptDecided(NamedTuple):
    """What becomes of a maintainer script: *fate* is run, replaced or skipped, *how* says more.

    With nothing more, what is run or skipped is as asked for.
    """

    package: str
    script: str
    fate: str
    how: str


class CommandOutput(NamedTuple):
    """A line that the command of a target, or of an instruction, wrote."""

    label: str
    line: str


ImageEvent = BaseResolved | Unpinned | LayerReused | LayerWritten | LayerChanged | SocketSkipped
"""What an image is made of."""

TransferEvent = (
    BlobExists
    | BlobMounted
    | BlobSent
    | BlobProgress
    | ManifestSent
    | Tagged
    | UpToDate
    | EngineLoaded
)
"""Where images, and the bytes of them, go."""

TargetEvent = TargetStarted | TargetDone | TargetChanged | TargetFailed
"""What becomes of targets of BUILD files."""

StepEvent = StepStarted | StepCached | StepDone | StepChanged | CommandOutput
"""What becomes of instructions, and what commands write."""

PackageEvent = PackagesChosen | ScriptDecided
"""What becomes of Debian packages."""

Event = (
    Note | Warned | Retrying | ImageEvent | TransferEvent | TargetEvent | StepEvent | PackageEvent
)

Report = Callable[[Event], None]
"""Takes an event from any thread; never raises, never blocks for long."""


def unheard(event: Event) -> None:
    """A `Report` for whoever does not care."""
