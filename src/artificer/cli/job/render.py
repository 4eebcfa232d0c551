"""``artificer job render``: the documents of a Job, to be kept in Git or piped to kubectl."""

import hashlib
import re
from argparse import Namespace
from collections.abc import Sequence

from artificer.cli.command import run_command
from artificer.cli.grammar import Parser
from artificer.cli.job.grammar import job_options, job_parser, split
from artificer.cli.job.source import source_of
from artificer.cli.job.works import Asked, asked
from artificer.cli.session import Session
from artificer.errors import Misused
from artificer.events import Warned
from artificer.kubernetes.document import yaml_of
from artificer.kubernetes.job import GitSource, Job, JobOptions, Work
from artificer.kubernetes.manifest import manifests

_ABOUT = """\
Print the Job that builds targets on a Kubernetes cluster, as YAML: one pod for each target.
Nothing is sent anywhere but a --context DIR, which the pods fetch from the cache repository.

LABEL is a target or a pattern of the BUILD files here; a push pushes, an image is kept in the
cache repository. COMMAND LINE is any other build: `-b BASE -f FILE -t TARGET`,
`build . -t NAME --push`, `kaniko …`, `copy A B`.

The name says what the job does: the same words give the same document, others another job. With
--generate-name the server chooses it (`kubectl create`, not `apply`).
"""
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_SECRET = re.compile(r"(?:TOKEN|PASSWORD|SECRET|API_?KEY|CREDENTIALS?)$", re.I)
_LOGIN = re.compile(r"://[^/@\s:]*:[^/@\s]+@")
_UNNAMED = re.compile(r"[^a-z0-9]+")
_STEM = 36
_MARK = 10


def run(words: Sequence[str], session: Session) -> int:
    """Print the Job that *words* ask for."""
    own, command = split(words)
    return run_command(_parser(), own, session, lambda args, inner: _render(args, command, inner))


def _parser() -> Parser:
    return job_parser("render", _ABOUT)


def _render(args: Namespace, command: Sequence[str], session: Session) -> int:
    job = job_of(args, command, session)
    if isinstance(job.source, GitSource) and not _COMMIT.fullmatch(job.source.revision):
        said = job.source.revision or "the default branch"
        session.report(
            Warned(
                f"{said} moves, and the document does not: it says nothing of what is built",
                hint="name a commit: `--git URL#COMMIT`",
            )
        )
    if not args.name and not args.generate_name:
        job = job._replace(options=job.options._replace(name=name_of(job)))
    session.out(yaml_of(manifests(job)).rstrip("\n"))
    return 0


def job_of(args: Namespace, command: Sequence[str], session: Session) -> Job:
    """The Job that *args* and the *command* line behind ``--`` ask for; without a name of its own
    it has one that is generated."""
    return wanted(args, command, session)[0]


def wanted(args: Namespace, command: Sequence[str], session: Session) -> tuple[Job, Asked]:
    """The same, and what its indexes are among the targets of BUILD files."""
    if args.labels and command:
        raise Misused(
            f"{args.labels[0]} before `--` and a command line behind it",
            hint=f"`-- build {' '.join(args.labels)} …` takes the options of a build",
        )
    options = job_options(args, session.environ)
    _warn_of_secrets(options, session)
    words = ["build", *args.labels] if args.labels else list(command)
    found = asked(words, options.cache, session)
    job = Job(options, found.works, source_of(args, session, needed=found.needs_source))
    return job, found


def _warn_of_secrets(options: JobOptions, session: Session) -> None:
    for one in options.env:
        if one.value and (_SECRET.search(one.name) or _LOGIN.search(one.value)):
            hint = f"put it into a Secret: `--env-secret {one.name}=SECRET:KEY`"
            session.report(Warned(f"--env {one.name}: all who see the Job see its value", hint))


def name_of(job: Job) -> str:
    """A name that says what *job* does, and that no other job has."""
    stem = stem_of(job.works)
    unnamed = job._replace(options=job.options._replace(name="x"))
    mark = hashlib.sha256(yaml_of(manifests(unnamed)).encode()).hexdigest()[:_MARK]
    return f"build-{stem}-{mark}" if stem else f"build-{mark}"


def stem_of(works: Sequence[Work]) -> str:
    """Of one target its own name; of several the first one's, for it has to be some name."""
    name = works[0].target.rpartition("/")[2].partition("@")[0] if works else ""
    return _UNNAMED.sub("-", name.lower())[:_STEM].strip("-")
