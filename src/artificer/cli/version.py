"""``artificer version``."""

import platform
from argparse import Namespace
from collections.abc import Sequence

import artificer
from artificer.cli.command import bare_parser, run_command
from artificer.cli.grammar import add_display_options
from artificer.cli.session import Session
from artificer.layers.encode import encoder


def run(words: Sequence[str], session: Session) -> int:
    """Print the version, and what decides about the bytes of layers."""
    parser = bare_parser(
        "version",
        "[options]",
        "Print the version, and the encoders, whose names change when the bytes of a layer do.",
    )
    add_display_options(parser)
    return run_command(parser, words, session, _print)


def _print(_: Namespace, session: Session) -> int:
    session.out(f"artificer {artificer.__version__}")
    session.out(f"python {platform.python_version()} on {platform.system().lower()}")
    for kind in ("gzip", "zstd"):
        session.out(f"encoder {encoder(kind).identity}")
    return 0
