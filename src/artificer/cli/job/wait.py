"""``artificer job wait NAME``: watch a Job that somebody submitted, from wherever it is."""

from argparse import Namespace
from collections.abc import Sequence

from artificer.cli.command import run_command
from artificer.cli.job.open import circumstances, named_parser, open_cluster
from artificer.cli.session import Session
from artificer.kubernetes.run import Watch, submission_of

_ABOUT = """\
Watch a Job to its end, as `job submit` does: when that was killed, on another machine, or after
--detach. All digests are printed, also those of targets that were done before; targets that wait
for their bases are submitted in time. Ctrl-C leaves the Job alone; `job cancel` ends it.
"""


def run(words: Sequence[str], session: Session) -> int:
    """Watch the Job that *words* name."""
    return run_command(named_parser("wait", "NAME [options]", _ABOUT), words, session, _wait)


def _wait(args: Namespace, session: Session) -> int:
    cluster = open_cluster(args, session)
    submission = submission_of(cluster, args.name)
    Watch(submission, circumstances(cluster, session)._replace(cancels=False)).follow()
    return 0
