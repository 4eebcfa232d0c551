"""``artificer clean``: the outputs of a workspace removed."""

import os
import shutil
from argparse import Namespace
from collections.abc import Sequence

from artificer.cli.command import run_command
from artificer.cli.grammar import OptionGroup, Parser
from artificer.cli.session import Session
from artificer.cli.workspace.open import opened
from artificer.cli.workspace.options import spelled, target_parser
from artificer.cli.workspace.outputs import OutputPlace

_ABOUT = """\
Remove the outputs of this workspace: artificer-bin, and what `run` laid out. With --expunge also
the directories that commands keep between builds (GOCACHE and the like), of every workspace.

Layers and what is known of targets stay in the store: `artificer cache prune` is for them.
"""


def run(words: Sequence[str], session: Session) -> int:
    """Remove outputs."""
    return run_command(parser(), spelled(words), session, _clean)


def parser() -> Parser:
    """The words that it takes."""
    made = target_parser("clean", "[options]", _ABOUT)
    group = OptionGroup(made, "clean")
    group.switch("--expunge", "remove what commands keep, too")
    return made


def _clean(args: Namespace, session: Session) -> int:
    with opened(args, session) as workspace:
        place = workspace.outputs
        remove_outputs(place)
        if args.expunge:
            remove_tree(f"{workspace.reach.store.root}/state/caches")
        session.say(f"The outputs of {workspace.root} are removed.")
    return 0


def remove_outputs(place: OutputPlace) -> None:
    """Remove what builds have written, and the link to it."""
    if place.link is not None and os.path.islink(place.link):
        os.unlink(place.link)
    # Only what is ours: --output-base may be a directory with other things in it.
    for name in ("bin", "run", "external"):
        remove_tree(f"{place.base}/{name}")
    if os.path.exists(f"{place.base}/outputs.json"):
        os.unlink(f"{place.base}/outputs.json")


def remove_tree(path: str) -> None:
    """Remove *path*, also what is write-protected in it (Go's module cache is)."""
    for folder, _, _ in os.walk(path):
        os.chmod(folder, 0o700)
    if os.path.lexists(path):
        shutil.rmtree(path)
