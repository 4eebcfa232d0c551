"""``artificer job submit``: targets as Jobs of a cluster, watched to their end."""

import secrets
from argparse import Namespace
from collections.abc import Sequence

from artificer.cli.command import run_command
from artificer.cli.grammar import OptionGroup, Parser
from artificer.cli.job.grammar import job_parser, split
from artificer.cli.job.graph import graph_of
from artificer.cli.job.open import add_cluster_options, circumstances, open_cluster
from artificer.cli.job.render import stem_of, wanted
from artificer.cli.session import Session
from artificer.events import Note
from artificer.kubernetes.check import check
from artificer.kubernetes.doctor import preflight
from artificer.kubernetes.run import Watch
from artificer.kubernetes.submit import created

_ABOUT = """\
Build targets on a Kubernetes cluster, one pod for each, and watch them to their end: logs and
progress go to standard error, each image that is done by digest to standard output. Ctrl-C
cancels the Job and waits for its pods to end; a second one leaves at once.

LABEL is a target or a pattern of the BUILD files here. COMMAND LINE is any other build, as
`-b BASE -f FILE -t TARGET`. A target whose base is built, too, starts when that is done. `job
wait NAME` goes on watching where somebody who submitted was killed.

The exit code is 1 if a target failed for a reason that stays, else 77 (not authorised), 69
(unavailable) or 75 (try again: what is done is not done twice).
"""


def run(words: Sequence[str], session: Session) -> int:
    """Submit the Job that *words* ask for."""
    own, command = split(words)
    return run_command(_parser(), own, session, lambda args, inner: _submit(args, command, inner))


def _parser() -> Parser:
    parser = job_parser("submit", _ABOUT)
    add_cluster_options(parser)
    group = OptionGroup(parser, "watching")
    group.switch("--detach", "print the Job's name, and do not wait for it")
    group.switch("--no-preflight", "do not look first whether it can work")
    return parser


def _submit(args: Namespace, command: Sequence[str], session: Session) -> int:
    job, found = wanted(args, command, session)
    if not args.name and not args.generate_name:
        stem = stem_of(job.works)
        prefix = f"build-{stem}-" if stem else "build-"
        job = job._replace(options=job.options._replace(generate_name=prefix))
    check(job)
    graph = graph_of(job, found, native=args.native)
    cluster = open_cluster(args, session)
    if not args.no_preflight:
        preflight(cluster, job, session.report)
    session.farewell = "what was submitted goes on: `kubectl get jobs` lists it"
    submission = created(cluster, job, graph, session.report, run=secrets.token_hex(5))
    name = submission.names[0]
    count = len(graph.nodes)
    targets = "1 target" if count == 1 else f"{count} targets"
    session.report(Note(f"submitted the Job {name} for {targets}; `artificer job wait {name}`"))
    if args.detach:
        session.out(name)
        if not graph.flat:
            session.report(Note(f"what waits is submitted by `artificer job wait {name}`"))
        return 0
    session.farewell = f"the Job goes on: `artificer job cancel {name}` ends it"
    Watch(submission, circumstances(cluster, session)).follow()
    return 0
