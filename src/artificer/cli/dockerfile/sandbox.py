"""The sandbox that commands of a Dockerfile run in, as the builder wants it."""

import os
from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal, NamedTuple

from artificer.cli.session import Session
from artificer.errors import ArtificerError
from artificer.images.reach import Reach
from artificer.layers.write import Tar
from artificer.oci.digest import Digest
from artificer.sandbox import client
from artificer.sandbox.command import Chain, Command
from artificer.store.trees import STATE


class NotLinux(ArtificerError):
    """This system has none of the means to run a command in a root of its own."""


class Rung(NamedTuple):
    """How commands are run: whether files have the owners that commands gave them."""

    identity: Literal["real", "lost"]


class Root(NamedTuple):
    """A root, whose changes are a tar for a layer."""

    root: client.Root

    def run(self, command: Command, output: Callable[[bytes], None]) -> int:
        """Run *command* to its end; give its exit code, negative if a signal ended it."""
        return self.root.run(command, output)

    def changes(self) -> Tar:
        """Give what was changed."""
        found = self.root.changes()
        return Tar(found.tar_size, found.chunks, found.entries)

    def cached(self, identity: str) -> Tar | None:
        """Give what the cache *identity* holds; None while it is in use."""
        found = self.root.cached(identity)
        return None if found is None else Tar(found.tar_size, found.chunks, found.entries)

    def adopt(self, diff_id: Digest) -> None:
        """Keep what was changed as the tree of the layer *diff_id*."""
        self.root.adopt(diff_id)


class Sandbox:
    """A handle on the one sandbox of a build; it is started when first asked."""

    def __init__(self, sandbox: client.Sandbox) -> None:
        self._sandbox = sandbox

    @property
    def rung(self) -> Rung:
        """How commands are run here."""
        return Rung("real" if self._sandbox.rung.identity == "real" else "lost")

    @contextmanager
    def at(self, chain: Chain) -> Iterator[Root]:
        """Open a root of the files of *chain*."""
        with self._sandbox.at(chain) as root:
            yield Root(root)


def sandbox(args: Namespace, epoch: int, reach: Reach, session: Session) -> Sandbox:
    """The sandbox, as *args* want it; it is closed with *session*."""
    if not hasattr(os, "O_PATH"):
        raise NotLinux(
            "commands of Dockerfiles can be run on Linux only",
            hint="what needs no RUN builds here, too; build the rest in a virtual machine or CI",
        )
    options = client.SandboxOptions(
        args.rung, args.allow_lost_owners, session.started, epoch, args.preserve_mtime
    )
    state = os.path.join(reach.store.root, STATE)
    made = client.Sandbox(state, options, session.stop)
    session.closing(made)
    return Sandbox(made)
