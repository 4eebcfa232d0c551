"""What carrying out instructions needs: handles, opened once for a build."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, NamedTuple, Protocol

from artificer.builder.kind import Kind
from artificer.builder.known import Known
from artificer.builder.staged.bases import Bases
from artificer.builder.staged.contexts import Contexts
from artificer.builder.staged.options import Options
from artificer.builder.staged.steps import Steps
from artificer.builder.stages import Step
from artificer.builder.work import nowhere
from artificer.images.reach import Reach
from artificer.oci.digest import Digest
from artificer.oci.image import Image, Layer
from artificer.oci.platform import Platform
from artificer.sandbox.command import Chain, Command

if TYPE_CHECKING:
    # Writing layers loads what compresses them: only where something is made.
    from artificer.layers.write import Tar


class Root(Protocol):
    """An image's files, unpacked, and commands that run in them: `sandbox.client.Root`."""

    def run(self, command: Command, output: Callable[[bytes], None]) -> int:
        """Run *command* to its end; give its exit code, negative if a signal ended it."""

    def changes(self) -> "Tar":
        """Give what was changed, as the tar of a layer."""

    def cached(self, identity: str) -> "Tar | None":
        """Give what the cache *identity* holds as the tar of a layer; None while it is in use."""

    def adopt(self, diff_id: Digest) -> None:
        """Keep what was changed as the tree of the layer *diff_id*."""


class Rung(Protocol):
    """How commands are run on this machine."""

    @property
    def identity(self) -> str:
        """``real`` where files have the owners that commands gave them, else ``lost``."""


class Sandbox(Protocol):
    """Where commands run: `sandbox.client.Sandbox`."""

    @property
    def rung(self) -> Rung:
        """How commands are run here; found out when it is asked for first."""

    def at(self, chain: Chain) -> AbstractContextManager[Root]:
        """Open a root of the files of *chain*."""


class Remote(NamedTuple):
    """What a URL of ADD stands for now: a file called *name*, or the *directory* of a checkout.

    *identity* is what it holds, so far as keys are concerned.
    """

    identity: str
    path: str
    name: str = ""
    mtime: int = 0

    @property
    def is_directory(self) -> bool:
        """Whether its contents are meant."""
        return not self.name


class Ask(NamedTuple):
    """A URL or a reference to git, as ADD has it; *checksum* is what its bytes must hash to."""

    url: str
    checksum: str = ""
    keep_git_dir: bool = False


Fetch = Callable[[Ask], Remote]


class Told(NamedTuple):
    """How an instruction is spoken of."""

    label: str
    title: str


class Ground(NamedTuple):
    """What an instruction stands on: *layers* of its stage, earlier stages, the platform.

    New layers are of *kind*; *image* gives the stage so far. *runs* says that a command is run
    upon this, now or by a later instruction.
    """

    layers: Sequence[Layer]
    stages: Mapping[int, Image]
    platform: Platform | None
    kind: Kind
    image: Callable[[], Image]
    runs: bool = False


class Maker(Protocol):
    """Carries out the instructions of one stage that nobody knows: `making.StageMaker`."""

    def layer(self, step: Step, ground: Ground, told: Told) -> Layer:
        """Return the layer that *step* comes to on *ground*, which only ever grows."""


class Shop(NamedTuple):
    """The handles of a build.

    *fetch* brings what ADD names by URLs, *sandbox* opens the one that all commands run in, and
    *maker* (`making.StageMaker`, to be imported at need) carries out what is not known. Layers of
    the stage that is asked for are given to *ahead*, with those below, to be sent meanwhile.
    """

    reach: Reach
    known: Known
    contexts: Contexts
    bases: Bases
    steps: Steps
    options: Options
    fetch: Fetch
    sandbox: Callable[[], Sandbox]
    maker: "Callable[[Shop], Maker]"
    ahead: Callable[[Sequence[Layer]], None] = nowhere
