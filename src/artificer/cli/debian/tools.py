"""What a one-line build installs Debian packages with: the web, and a sandbox for scripts."""

import os
from argparse import Namespace
from functools import cache
from typing import TYPE_CHECKING

from artificer.builder.debian.tools import DebTools
from artificer.cli.debian.access import open_web
from artificer.cli.session import Session
from artificer.errors import ArtificerError
from artificer.images.reach import Reach
from artificer.store.trees import STATE

if TYPE_CHECKING:
    from artificer.sandbox.client import Sandbox


class NotLinux(ArtificerError):
    """This system has none of the means to run a command in a root of its own."""


def deb_tools(args: Namespace, reach: Reach, session: Session) -> DebTools:
    """What installs packages as *args* say; the sandbox is started when first asked for."""
    web = open_web(args, session, reach.store)

    @cache
    def sandbox() -> "Sandbox":
        if not hasattr(os, "O_PATH"):
            raise NotLinux(
                "scripts of packages can be run on Linux only",
                hint="`--deb-level unpack` takes their files and runs nothing",
            )
        from artificer.sandbox.client import Sandbox, SandboxOptions

        state = os.path.join(reach.store.root, STATE)
        epoch = int(session.environ.get("SOURCE_DATE_EPOCH") or 0)
        options = SandboxOptions(args.rung, started=session.started, epoch=epoch)
        made = Sandbox(state, options, session.stop)
        session.closing(made)
        return made

    return DebTools(web, sandbox)
