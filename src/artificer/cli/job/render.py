"""``artificer job render``: the documents of a Job, to be kept in Git or piped to kubectl."""

import hashlib
import re
from argparse import Namespace
from collections.abc import Callable, Sequence

from artificer.cli.command import run_command
from artificer.cli.grammar import Parser
from artificer.cli.job.grammar import job_options, job_parser, split
from artificer.cli.job.graph import graph_of
from artificer.cli.job.source import source_of
from artificer.cli.job.works import Asked, asked
from artificer.cli.session import Session
from artificer.errors import Misused
from artificer.events import Warned
from artificer.kubernetes.batch import in_wave
from artificer.kubernetes.document import yaml_of
from artificer.kubernetes.graph import Graph, by_architecture, waves
from artificer.kubernetes.job import GitSource, Job, JobOptions, Work
from artificer.kubernetes.manifest import Document, manifests, placed

_ABOUT = """\
Print the Job that builds targets on a Kubernetes cluster, as YAML: one pod for each target.
Nothing is sent anywhere but a --context DIR, which the pods fetch from the cache repository.

LABEL is a target or a pattern of the BUILD files here; a push pushes, an image is kept in the
cache repository. COMMAND LINE is any other build: `-b BASE -f FILE -t TARGET`,
`build . -t NAME --push`, `kaniko …`, `copy A B`.

With a cache repository each platform has a pod of its own, and targets that need each other are a
job for each wave: one after the other by Argo CD's sync waves, or by the label artificer/wave.

The name says what the job does: the same words give the same document, others another job. With
--generate-name the server chooses it (`kubectl create`, not `apply`).
"""
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_SECRET = re.compile(r"(?:TOKEN|PASSWORD|SECRET|API_?KEY|CREDENTIALS?)$", re.I)
_LOGIN = re.compile(r"://[^/@\s:]*:[^/@\s]+@")
_PLACE = re.compile("[@ ]")
"""Behind a target's name: a digest, a platform."""
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
    job, found = wanted(args, command, session)
    if isinstance(job.source, GitSource) and not _COMMIT.fullmatch(job.source.revision):
        said = job.source.revision or "the default branch"
        session.report(
            Warned(
                f"{said} moves, and the document does not: it says nothing of what is built",
                hint="name a commit: `--git URL#COMMIT`",
            )
        )
    named = _named if not args.name and not args.generate_name else _as_it_is
    graph = graph_of(job, found, native=args.native)
    if not job.options.cache.keeps:
        # Each pod makes what it needs: nobody waits for anybody.
        graph = graph._replace(nodes=tuple(node._replace(needs=()) for node in graph.nodes))
    like = placed(job, graph.nodes[0].architecture) if graph.flat else job
    documents = manifests(named(like)) if graph.flat else _ordered(job, graph, named)
    session.out(yaml_of(documents).rstrip("\n"))
    return 0


def _ordered(job: Job, graph: Graph, named: Callable[[Job], Job]) -> Sequence[Document]:
    """The documents of a Job for each wave of *graph*, all like *job*."""
    documents: list[Document] = []
    name = job.options.name
    for number, wave in enumerate(waves(graph)):
        for part in by_architecture(graph, wave):
            works = tuple(graph.nodes[one].work for one in part)
            on = graph.nodes[part[0]].architecture
            own = "-".join(filter(None, (name, str(number), on))) if name else ""
            options = job.options._replace(name=own)
            made = named(placed(job._replace(works=works, options=options), on))
            documents += [in_wave(one, number) for one in manifests(made)]
    return documents


def _named(job: Job) -> Job:
    return job._replace(options=job.options._replace(name=name_of(job)))


def _as_it_is(job: Job) -> Job:
    return job


def wanted(args: Namespace, command: Sequence[str], session: Session) -> tuple[Job, Asked]:
    """The Job that *args* and the *command* line behind ``--`` ask for, and what its indexes are.

    Without a name of its own it has one that is generated.
    """
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
    name = _PLACE.split(works[0].target)[0].rpartition("/")[2] if works else ""
    return _UNNAMED.sub("-", name.lower())[:_STEM].strip("-")
