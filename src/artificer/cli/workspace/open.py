"""A workspace as commands over targets have it: opened, loaded, and made."""

import os
import threading
import time
from argparse import Namespace
from collections.abc import Sequence
from contextlib import ExitStack

from artificer.builder.build import Sources
from artificer.builder.graph import make
from artificer.builder.known import Known
from artificer.builder.lock import Lock, image_key, read_lock
from artificer.builder.outcome import Outcome
from artificer.builder.products import Files
from artificer.builder.targets import Fetch, GitTree, Graph, Imported, Pull, Target, TargetId
from artificer.builder.task import GraphOptions
from artificer.cli.connect import guard_of, open_registry
from artificer.cli.debian.access import open_web
from artificer.cli.oneline.main import cache_of, pull_of
from artificer.cli.session import Session
from artificer.cli.words import jobs
from artificer.cli.workspace.options import defines_of, platforms_of
from artificer.cli.workspace.outputs import OutputPlace, place_of_outputs, tree_of
from artificer.cli.workspace.status import moment_of, stamps_of
from artificer.errors import ArtificerError
from artificer.frontends.buildfile.files import find_root
from artificer.frontends.buildfile.graph import Loaded, LoadOptions, load_graph
from artificer.frontends.buildfile.rules.book import BOOK
from artificer.images.reach import Reach
from artificer.oci.image import Image
from artificer.oci.platform import Platform
from artificer.sandbox.client import Sandbox, SandboxOptions
from artificer.sources.git import Git, authorization_of
from artificer.sources.git_reference import shown_url
from artificer.sources.url import Web
from artificer.store.trees import STATE


class Unmade(ArtificerError):
    """Files of a repository that cannot be read."""


class Workspace:
    """A handle on the workspace of the working directory, and on what its targets need.

    Used as ``with opened(args, session) as workspace``: while inside, nothing is pruned.
    """

    def __init__(self, args: Namespace, session: Session) -> None:
        self.args = args
        self.session = session
        here = os.getcwd()
        self.root = find_root(here)
        self.directory = os.path.relpath(here, self.root) if here != self.root else ""
        self.lock: Lock = read_lock(self.root, only=args.locked)
        self._store = session.store(args.store)
        self._reach: Reach | None = None
        self._stack = ExitStack()
        self._sandbox: Sandbox | None = None
        self._lock = threading.Lock()

    def __enter__(self) -> "Workspace":
        self._stack.enter_context(self._store.in_use())
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    @property
    def outputs(self) -> OutputPlace:
        """Where outputs of this workspace go."""
        return place_of_outputs(self.root, self._store.root, self.args)

    @property
    def reach(self) -> Reach:
        """The store and the registries; opened when first asked for."""
        if self._reach is None:
            self._reach = self.reaching(frozenset())
        return self._reach

    def reaching(self, insecure: frozenset[str]) -> Reach:
        """The same with plain http allowed for the registries *insecure*."""
        args = Namespace(**vars(self.args))
        args.insecure_registry = [*args.insecure_registry, *sorted(insecure)]
        registry = open_registry(args, self.session, self._store)
        guard = guard_of(self.session.environ)
        return Reach(self._store, registry, self.session.report, self.session.stop, guard)

    @property
    def host(self) -> Platform:
        """This machine's platform."""
        return Platform.normal("linux", os.uname().machine)

    def load(self, patterns: Sequence[str], *, keep_going: bool | None = None) -> Loaded:
        """The graph of *patterns*, with the URLs that the lock file pins."""
        options = self.load_options(keep_going=keep_going)
        loaded = load_graph(self.root, patterns, options, BOOK)
        return loaded._replace(graph=pinned(loaded.graph, self.lock))

    def load_options(self, *, keep_going: bool | None = None) -> LoadOptions:
        """How files are read, as the command line says."""
        args = self.args
        return LoadOptions(
            platforms=platforms_of(args),
            host=self.host,
            defines=defines_of(args),
            compilation_mode=args.compilation_mode,
            stamp=args.stamp,
            directory=self.directory,
            keep_going=args.keep_going if keep_going is None else keep_going,
            trees=self._tree,
            report=self.session.report,
        )

    def make(self, ids: Sequence[TargetId], graph: Graph, *, tests: bool = False) -> Outcome:
        """Make *ids*; a trace is written if one was asked for, whatever came of it."""
        outcome = make(ids, graph, self.sources(), self.options(tests=tests))
        if self.args.profile:
            with open(self.args.profile, "wb") as file:
                file.write(outcome.trace())
        return outcome

    def sources(self) -> Sources:
        """Where targets look for images and layers."""
        known = Known(self.reach, (), cache_of(self.args), afresh=False)
        return Sources(
            self.reach,
            known,
            pull=pull_of(self.args),
            docker_host=self.session.environ.get("DOCKER_HOST"),
            lock=self.lock,
        )

    def options(self, *, tests: bool = False) -> GraphOptions:
        """How a graph is made, as the command line says."""
        args = self.args
        return GraphOptions(
            jobs=jobs(args.jobs, len(os.sched_getaffinity(0))),
            keep_going=args.keep_going or tests,
            tests=tests,
            explain=args.explain,
            stamps=stamps_of(args, self.root, self.session.environ),
            stamped=moment_of(args, self.session.environ),
            variables={
                "BINDIR": "artificer-bin",
                "GENDIR": "artificer-bin",
                "COMPILATION_MODE": args.compilation_mode,
                **defines_of(args),
            },
            cache=cache_of(args),
            web=self.web(),
            git=self.git(),
            sandbox=self.sandbox,
            dockerfiles=self._dockerfile,
        )

    def web(self) -> Web:
        """How files are fetched."""
        distdirs = tuple(os.path.join(self.root, one) for one in self.args.distdir)
        return open_web(self.args, self.session, self._store, distdirs)

    def git(self) -> Git:
        """How repositories of git are fetched."""
        environ = self.session.environ
        return Git(
            self._store,
            self.session.report,
            self.session.stop,
            environ,
            lambda host: authorization_of(environ, host),
            offline=self.args.offline,
        )

    def sandbox(self) -> Sandbox:
        """Where commands of images and scripts of packages run; ends with the workspace."""
        with self._lock:
            if self._sandbox is None:
                state = os.path.join(self._store.root, STATE)
                options = SandboxOptions(self.args.rung, started=time.time_ns())
                made = Sandbox(state, options, self.session.stop)
                self._sandbox = self._stack.enter_context(made)
            return self._sandbox

    def _dockerfile(self, target: Imported, platform: Platform | None) -> Image:
        """The image that a Dockerfile describes; what builds it is loaded where one is."""
        from artificer.cli.dockerfile.main import image_of

        path = target.dockerfile.path if target.dockerfile is not None else ""
        words = [os.path.dirname(path), f"--file={path}", f"--store={self._store.root}"]
        words += [f"--build-arg={name}={value}" for name, value in target.arguments]
        words += [f"--target={target.stage}"] if target.stage else []
        words += [f"--platform={platform}"] if platform else []
        words += ["--offline"] if self.args.offline else []
        words += [f"--insecure-registry={one}" for one in self.args.insecure_registry]
        return image_of(words, self.session, self.reach)

    def _tree(self, graph: Graph, one: TargetId) -> str:
        """A directory with the files that *one* yields: a repository that had to be fetched."""
        outcome = self.make([one], pinned(graph, self.lock))
        outcome.check()
        product = outcome.products[one]
        if not isinstance(product, Files):
            raise Unmade(f"{one} yields no files")
        return tree_of(product, f"{self.outputs.base}/external")


def opened(args: Namespace, session: Session) -> Workspace:
    """The workspace of the working directory."""
    return Workspace(args, session)


def pinned(graph: Graph, lock: Lock) -> Graph:
    """*graph* with what *lock* has for tags, files without a hash, and revisions of git."""
    found = {}
    for one, declared in graph.items():
        target = _pinned(declared.target, lock)
        if target is not declared.target:
            found[one] = declared._replace(target=target)
    return {**graph, **found} if found else graph


def _pinned(target: Target, lock: Lock) -> Target:
    if isinstance(target, Pull) and target.name.digest is None:
        # What is not pinned is refused when it is looked up, where its line is known.
        pin = lock.images.get(image_key(target.name))
        name = target.name if target.name.tag else target.name._replace(tag="latest")
        return target._replace(name=name.pinned(pin)) if pin else target
    if isinstance(target, Fetch) and not target.sha256 and not target.integrity:
        return target._replace(sha256=lock.sha256(target.urls[0]))
    if isinstance(target, GitTree) and not target.commit:
        return target._replace(commit=lock.commit(shown_url(target.remote), target.ref))
    return target
