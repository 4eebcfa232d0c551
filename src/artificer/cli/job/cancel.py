"""``artificer job cancel NAME``: end a Job, its pods, and what follows."""

from argparse import Namespace
from collections.abc import Sequence

from artificer.cli.command import run_command
from artificer.cli.job.open import named_parser, open_cluster
from artificer.cli.session import Session
from artificer.kubernetes.run import cancel, names_of

_ABOUT = """\
Delete a Job, and those that were submitted with it, and wait until their pods have ended: each is
told to, and has the time of `--grace`. What it built stays where it was pushed.
"""


def run(words: Sequence[str], session: Session) -> int:
    """Cancel the Job that *words* name."""
    return run_command(named_parser("cancel", "NAME [options]", _ABOUT), words, session, _cancel)


def _cancel(args: Namespace, session: Session) -> int:
    cluster = open_cluster(args, session)
    session.farewell = f"the Job may go on: `kubectl delete job {args.name}`"
    cancel(cluster, names_of(cluster, args.name), session.report)
    session.say(f"cancelled {args.name}")
    return 0
