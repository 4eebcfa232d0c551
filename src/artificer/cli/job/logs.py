"""``artificer job logs NAME``: what the pods of a Job said, and say until they end."""

from argparse import Namespace
from collections.abc import Sequence

from artificer.cli.command import run_command
from artificer.cli.job.open import named_parser, open_cluster
from artificer.cli.session import Session
from artificer.cli.terminal.console import visible, without_colours
from artificer.errors import Misused
from artificer.events import CommandOutput, Event
from artificer.kubernetes.cluster import Selector
from artificer.kubernetes.logs import Logs, Source
from artificer.kubernetes.objects import JOB_NAME, Pod, pod_of
from artificer.kubernetes.run import Submission, submission_of

_ABOUT = """\
Print the logs of a Job's pods, each line with its target before it: of the container that fetches
the source and of the one that builds, until they end. Pods that start later are not waited for;
`job wait` does. The logs of a Job that ran into its deadline are gone with its pods.
"""


def run(words: Sequence[str], session: Session) -> int:
    """Print the logs of the Job that *words* name."""
    parser = named_parser("logs", "NAME [TARGET…] [options]", _ABOUT)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help="these only (all)")
    return run_command(parser, words, session, _logs)


def _logs(args: Namespace, session: Session) -> int:
    cluster = open_cluster(args, session)
    submission = submission_of(cluster, args.name)
    _check(args.targets, submission)

    def tell(event: Event) -> None:
        if isinstance(event, CommandOutput):
            session.out(visible(f"{event.label}: {without_colours(event.line)}"))
        else:
            session.report(event)

    logs = Logs(cluster, session.stop, tell)
    try:
        for name in submission.names:
            pods = map(pod_of, cluster.listed("pods", Selector(labels=f"{JOB_NAME}={name}")))
            for pod in sorted(pods, key=lambda one: (one.number, one.created)):
                _follow(pod, submission, args.targets, logs)
        logs.wait()
    finally:
        cluster.close()
    session.stop.check()
    return 0


def _check(targets: Sequence[str], submission: Submission) -> None:
    known = {node.work.target for node in submission.graph.nodes}
    for target in targets:
        if target not in known:
            some = ", ".join(sorted(known)[:10])
            raise Misused(f"the Job has no target {target}", hint=f"it has {some}")


def _follow(pod: Pod, submission: Submission, targets: Sequence[str], logs: Logs) -> None:
    batch = next(one for one in submission.batches if one.name == pod.job)
    if pod.number >= len(batch.numbers):
        return
    label = submission.graph.nodes[batch.numbers[pod.number]].work.target
    if targets and label not in targets:
        return
    for one in pod.containers:
        if one.state == "ended":
            logs.over(pod.name, one.name)
        if one.state != "waiting":
            logs.follow(Source(pod.name, one.name, label))
