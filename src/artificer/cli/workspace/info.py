"""``artificer info``: where a workspace keeps what."""

import os
from argparse import Namespace
from collections.abc import Sequence

import artificer
from artificer.cli.command import run_command
from artificer.cli.grammar import Parser
from artificer.cli.session import Session
from artificer.cli.workspace.open import Workspace, opened
from artificer.cli.workspace.options import spelled, target_parser
from artificer.errors import Misused

_ABOUT = """\
Tell where this workspace keeps what: each KEY on a line, or the values of the KEYs named alone.
"""


def run(words: Sequence[str], session: Session) -> int:
    """Tell of the workspace."""
    return run_command(parser(), spelled(words), session, _info)


def parser() -> Parser:
    """The words that it takes."""
    made = target_parser("info", "[KEY…] [options]", _ABOUT)
    made.add_argument("keys", nargs="*", metavar="KEY")
    return made


def _info(args: Namespace, session: Session) -> int:
    with opened(args, session) as workspace:
        known = _facts(workspace, args, session)
    for key in args.keys:
        if key not in known:
            raise Misused(f"no such key: {key}", hint=f"there is {', '.join(sorted(known))}")
    if len(args.keys) == 1:
        session.out(known[args.keys[0]])
    else:
        for key in args.keys or sorted(known):
            session.out(f"{key}: {known[key]}")
    return 0


def _facts(workspace: Workspace, args: Namespace, session: Session) -> dict[str, str]:
    place = workspace.outputs
    store = session.store_directory(args.store)
    return {
        "workspace": workspace.root,
        "release": f"release {artificer.__version__}",
        "artificer-bin": place.bin,
        "bazel-bin": place.bin,
        "bazel-genfiles": place.bin,
        "output_base": place.base,
        "output_path": place.base,
        # Commands run in directories of their own: what they make comes here.
        "execution_root": place.base,
        "repository_cache": store,
        "store": store,
        "platform": str(workspace.host),
        "jobs": str(len(os.sched_getaffinity(0))),
    }
