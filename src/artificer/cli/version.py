"""``artificer version``."""

import platform
from collections.abc import Sequence

import artificer
from artificer.cli.session import Session
from artificer.layers.encode import encoder

_ABOUT = "Print the version, and what decides about the bytes of layers."


def run(words: Sequence[str], session: Session) -> int:
    """Print the version, and what decides about the bytes of layers."""
    if len(words) == 1:
        return _print(session)
    from artificer.cli.command import bare_parser, run_command
    from artificer.cli.grammar import add_display_options

    parser = bare_parser("version", "[options]", _ABOUT)
    add_display_options(parser)
    return run_command(parser, words, session, lambda _, session: _print(session))


def _print(session: Session) -> int:
    session.out(f"artificer {artificer.__version__}")
    session.out(f"python {platform.python_version()} on {platform.system().lower()}")
    for kind in ("gzip", "zstd"):
        session.out(f"encoder {encoder(kind).identity}")
    return 0
