"""``artificer version``."""

import platform
from collections.abc import Sequence

import artificer
from artificer.cli.session import Session
from artificer.errors import Misused
from artificer.layers.encode import encoder


def run(words: Sequence[str], session: Session) -> int:
    """Print the version, and what decides about the bytes of layers."""
    if len(words) > 1:
        raise Misused(f"`version` takes no words: {words[1]}")
    session.out(f"artificer {artificer.__version__}")
    session.out(f"python {platform.python_version()} on {platform.system().lower()}")
    for kind in ("gzip", "zstd"):
        session.out(f"encoder {encoder(kind).identity}")
    return 0
