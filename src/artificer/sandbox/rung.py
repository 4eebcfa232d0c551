"""How a worker uses a rung: a root from a chain, commands in it, what they changed, kept."""

import select
from collections.abc import Iterable
from typing import Literal, NamedTuple, Protocol

from artificer.errors import ArtificerError
from artificer.layers.entry import Entry
from artificer.oci.digest import Digest
from artificer.sandbox.command import Chain, Command

SCRIPT = "/dev/pipes/script"
"""Where a command finds its script, on every rung: it is the script's own `$0`."""

HOSTNAME = "buildkitsandbox"
"""The name of the machine in a root, as BuildKit has it, where the rung can set it."""

OWNER_MARK = "user.artificer.owner"
"""An extended attribute ``UID:GID`` of a file that should belong to them but cannot."""

DEVICE_MARK = "user.artificer.device"
"""An extended attribute ``c|b:MAJOR:MINOR:MODE`` (octal) of a file that stands for a device."""

CAPABILITY_MARK = "user.artificer.capability"
"""An extended attribute with the value that ``security.capability`` should have."""

MARKS = frozenset((OWNER_MARK, DEVICE_MARK, CAPABILITY_MARK))


class NotPossible(ArtificerError):
    """A command needs what this rung cannot do, and would go wrong in silence."""


class Cut(ArtificerError):
    """Nobody waits for a command, or a root, any more."""


_SECOND = 1_000_000_000


class Times(NamedTuple):
    """What the times of changed files become, so that a layer does not depend on the day.

    *started* is when the build began, in nanoseconds. Files of that second, and newer ones, get
    *epoch* (seconds), unless *preserve*; all times are whole seconds, as a layer has them.
    """

    started: int
    epoch: int = 0
    preserve: bool = False

    def seconds(self, mtime_ns: int) -> int:
        """Return what *mtime_ns* becomes."""
        seconds = mtime_ns // _SECOND
        # Programs that copy times (cp -a, tar) may keep whole seconds only.
        if seconds >= self.started // _SECOND and not self.preserve:
            return self.epoch
        return seconds


class Place(NamedTuple):
    """Where a rung works: *state* is a directory that outlives the build.

    *leash* is a descriptor, or -1: once it can be read, or hangs up, a command that runs is to be
    ended with all its processes, and `Cut` raised.
    """

    state: str
    times: Times
    allow_lost_owners: bool = False
    leash: int = -1

    def check(self) -> None:
        """Raise `Cut` once nobody waits; asked between chunks by whoever does long work."""
        if self.leash >= 0:
            poll = select.poll()
            poll.register(self.leash, select.POLLIN)
            if poll.poll(0):
                raise Cut("nobody waits for the root")


class Found(NamedTuple):
    """A file that a command may have changed.

    *entry* is as the layer would have it (its time by `Times`), its source a path that this
    process can read, its `stat` set for regular files: files of one inode become hard links.
    *same* says that it equals, in everything that an entry says and in its bytes, what was there
    before: it is then left out, unless a changed file is a hard link to it.
    """

    entry: Entry
    same: bool = False


class Site(Protocol):
    """A root that one worker serves: a chain, and what commands have changed upon it."""

    def run(self, command: Command, output: int) -> int:
        """Run *command* to its end and return its exit code, negative if a signal ended it.

        *output* is a descriptor for both its streams; its input is empty. All processes that it
        leaves behind are killed. `NotPossible` where its outcome would be wrong in silence.
        """

    def changes(self) -> Iterable[Found]:
        """Return all that differs from the chain, whiteouts included, in no order.

        It is a pure function of the trees before and after, so that every rung gives the same:
        an entry for each file that is new or differs (a directory's time counts, too); one
        whiteout (of the time `Times.epoch`) for the topmost name that is gone; no opaque
        directories – one that was made anew in place of another is compared with it by name.
        What is no directory any more, or has become one, needs no whiteout. Sockets count as not
        being there; the root itself is never an entry. What is on disk is normalised first: times
        as in the entries (so does the time of a directory, whatever is made or removed in it by
        us), nothing of ours left, no copies of what did not change.
        """

    def adopt(self, diff_id: Digest) -> None:
        """Take the changes, which `changes` has just returned, as the chain's next layer."""

    def extend(self, layers: Chain) -> None:
        """Put *layers* upon the chain. There must be no changes that are not adopted."""

    def close(self) -> None:
        """Remove what is not kept. Never raises for what is not there."""


class Rung(Protocol):
    """One way to run commands on this machine."""

    @property
    def name(self) -> str:
        """How people call it: ``root``, ``full-map``, ``range-map``, ``single-map`` …"""

    @property
    def identity(self) -> Literal["real", "lost"]:
        """Whether files in layers have the owners that commands gave them."""

    def enter(self) -> None:
        """Go where its roots can be made, with this whole process, once. Raises OSError."""

    def try_out(self, state: str) -> None:
        """Do what a build needs, below *state*, after `enter`. Raises OSError with the reason."""

    def open(self, chain: Chain, place: Place) -> Site:
        """Make a root of *chain*: called in a worker, which has entered."""


class Supervisor(Protocol):
    """Answers the system calls of a command that it is notified of, from outside its filter."""

    def fileno(self) -> int:
        """Return the listener's descriptor, readable when a call waits for its answer."""

    def serve(self) -> bool:
        """Answer what waits; False once nobody can call any more."""
