"""``--max-upload``: how much a build may send."""

from argparse import Namespace

from artificer.cli.terminal.console import amount
from artificer.cli.words import size
from artificer.errors import ArtificerError


class TooMuch(ArtificerError):
    """More would be sent than `--max-upload` allows."""


def check_upload(sent: int, args: Namespace) -> None:
    """Raise `TooMuch` if *sent* bytes are more than ``--max-upload``."""
    if args.max_upload is not None and sent > size(args.max_upload, "--max-upload"):
        raise TooMuch(
            f"{amount(sent)} would be sent, more than the {args.max_upload} of --max-upload",
            hint="nothing was sent; `artificer plan …` says which layers it is",
        )
