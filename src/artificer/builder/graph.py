"""Many targets made: what is known by its key at once, the rest in parallel, failures last."""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from artificer.builder import schedule
from artificer.builder.actions.gathered import costs_nothing, gathered
from artificer.builder.build import Sources
from artificer.builder.dependencies import dependencies, references
from artificer.builder.explain import changes, explanation
from artificer.builder.inputs import Inputs
from artificer.builder.known import Known
from artificer.builder.make import made, output, second_store, share_all, shared_product, swept
from artificer.builder.outcome import Failure, Outcome, Timing
from artificer.builder.package_targets import (
    Debs,
    DebsLock,
    DebsTar,
    ManifestDebs,
    ManifestLock,
)
from artificer.builder.products import Files, Layers, Passed, Product
from artificer.builder.results import Kept, Made, NotPortable, packed, unpacked
from artificer.builder.target_key import Key, target_key
from artificer.builder.targets import Declared, Graph, Imported, Pull, SourceFile, Target, TargetId
from artificer.builder.task import Again, Flights, GraphOptions, Task, Tools, WrongInput
from artificer.errors import ArtificerError, Cancelled
from artificer.events import TargetChanged, TargetDone, TargetFailed, TargetStarted
from artificer.oci.image import Image, Layer

_KIND = "target"
_INPUTS = "target-inputs"
_NOTHING = "costs nothing"


class UnknownTarget(ArtificerError):
    """A target is named that nobody declared."""


def make(
    ids: Sequence[TargetId], graph: Graph, sources: Sources, options: GraphOptions
) -> Outcome:
    """Make *ids*, and whatever they need: `Outcome.check` raises if something failed.

    The same inputs give the same products, in whatever order and on however many threads. What
    is unchanged costs a few stats and one record a target. Cycles raise `schedule.Cycle`.
    """
    with ExitStack() as stack:
        build = _Build(graph, sources, options, stack)
        return build.outcome(ids)


class _Build:
    """One build: the graph, what was made so far, and the handles that actions share."""

    def __init__(
        self, graph: Graph, sources: Sources, options: GraphOptions, stack: ExitStack
    ) -> None:
        self._graph = graph
        self._sources = sources
        self._options = options
        self._stack = stack
        self._reach = sources.reach
        self._products: dict[TargetId, Product] = {}
        self._timings: list[Timing] = []
        self._made: list[Made] = []
        self._fresh: list[tuple[str, Layer]] = []
        self._tools = Tools(
            sources.reach,
            sources.known,
            sources.find,
            Inputs(sources.reach.store, sources.reach.stop),
            options,
            Flights(),
            self._fresh,
            output,
            self._again,
        )
        self._swept = False

    def outcome(self, ids: Sequence[TargetId]) -> Outcome:
        """Make *ids* and what they need."""
        doing = schedule.Doing(self._needs, self._quick, self._act)
        try:
            done = schedule.run(
                ids,
                doing,
                jobs=self._options.jobs,
                keep_going=self._options.keep_going,
                stop=self._reach.stop,
            )
        finally:
            self._tools.inputs.save()
        if self._options.cache is not None and (self._fresh or self._made):
            share_all(self._options.cache, self._fresh, self._made, self._reach)
        failures = tuple(
            Failure(one, self._graph[one].place if one in self._graph else None, error)
            for one, error in done.failures.items()
        )
        return Outcome(done.results, failures, done.skipped, tuple(self._timings))

    def _needs(self, one: TargetId) -> tuple[TargetId, ...]:
        declared = self._graph.get(one)
        return () if declared is None else dependencies(declared.target)

    def _quick(self, one: TargetId) -> Product | None:
        """What *one* yields, if that can be told without reading or making anything."""
        with self._telling(one):
            started = time.monotonic()
            declared = self._declared(one)
            target = declared.target
            if _looks_itself(target) or not self._all_hashed(declared):
                return None
            task = self._task(declared)
            if costs_nothing(target, tests=self._options.tests):
                return self._finished(one, gathered(task), started, _NOTHING)
            known = self._recorded(target_key(task))
            if known is None:
                return None
            return self._finished(one, known, started, "unchanged")

    def _act(self, one: TargetId) -> Product:
        with self._telling(one):
            started = time.monotonic()
            declared = self._declared(one)
            task = self._task(declared)
            if _looks_itself(declared.target):
                return self._finished(one, made(task), started, "found")
            if costs_nothing(declared.target, tests=self._options.tests):
                # `made` would run a test, also one that nobody asked for.
                return self._finished(one, gathered(task), started, _NOTHING)
            key = target_key(task)
            product: Product | None = self._recorded(key)
            why = "unchanged"
            if product is None and self._options.cache is not None and not self._options.afresh:
                product, why = shared_product(self._options.cache, key.text, self._reach), "shared"
                if product is not None:
                    self._keep(task, key, product)
            if product is None:
                self._reach.report(TargetStarted(task.label))
                self._explain(task, key)
                self._sweep()
                product, why = made(task), ""
                self._keep(task, key, product, fresh=True)
            return self._finished(one, product, started, why)

    def _declared(self, one: TargetId) -> Declared:
        declared = self._graph.get(one)
        if declared is not None:
            return declared
        users = [
            str(known.place) for known in self._graph.values() if one in dependencies(known.target)
        ]
        hint = f"it is named at {users[0]}" if users else None
        raise UnknownTarget(f"there is no target {one}", hint=hint)

    def _task(self, declared: Declared) -> Task:
        return Task(declared, self._products, self._graph, self._tools)

    def _all_hashed(self, declared: Declared) -> bool:
        known = self._tools.inputs.known
        return all(
            known(one) for one in references(declared.target) if isinstance(one, SourceFile)
        )

    def _recorded(self, key: Key) -> Kept | None:
        if self._options.afresh:
            return None
        data = self._reach.store.record(_KIND, key.text)
        return None if data is None else unpacked(data, self._reach.store)

    def _keep(self, task: Task, key: Key, product: Product, *, fresh: bool = False) -> None:
        if not isinstance(product, Files | Layers | Image | Passed):
            return
        if isinstance(product, Passed) and not product.passed:
            return
        store = self._reach.store
        try:
            data, needs = packed(product, store)
        except NotPortable:
            return
        store.set_record(_KIND, key.text, data, needs=needs)
        parts = key.parts()
        store.set_record(_INPUTS, _subject(task), explanation(parts))
        if fresh:
            self._made.append(Made(task.label, key.text, parts, product))

    def _explain(self, task: Task, key: Key) -> None:
        if self._options.explain:
            before = self._reach.store.record(_INPUTS, _subject(task))
            self._reach.report(TargetChanged(task.label, changes(before, key.parts())))

    def _finished(self, one: TargetId, product: Product, started: float, why: str) -> Product:
        seconds = time.monotonic() - started
        self._products[one] = product
        label = str(one)
        thread = threading.current_thread().name
        self._timings.append(Timing(label, started, seconds, thread, why))
        self._reach.report(TargetDone(label, seconds, why))
        return product

    def _sweep(self) -> None:
        # A killed build could not tidy up; whoever makes something next does.
        if not self._swept:
            self._swept = True
            swept(self._tools.state)

    @contextmanager
    def _telling(self, one: TargetId) -> Iterator[None]:
        try:
            yield
        except Cancelled:
            raise
        except ArtificerError as error:
            declared = self._graph.get(one)
            place = str(declared.place) if declared is not None else ""
            self._reach.report(TargetFailed(str(one), place, error.message))
            raise

    def _again(self, one: TargetId) -> Again:
        """Build *one* with an empty store, in strange surroundings."""
        store = self._stack.enter_context(second_store(self._tools.state))
        reach = self._reach._replace(store=store)
        sources = self._sources._replace(reach=reach, known=Known(reach, afresh=True))
        options = self._options._replace(
            jobs=1, keep_going=False, tests=False, strange=True, cache=None, afresh=True
        )
        done = make([one], self._graph, sources, options)
        done.check()
        image = done.products[one]
        if not isinstance(image, Image):
            raise WrongInput(f"{one} is no image")
        return Again(image, reach)


def _looks_itself(target: Target) -> bool:
    """Whether to make *target* is to see what is unchanged: no key of ours says it."""
    if isinstance(target, Debs):
        # What is not locked is whatever archives have now.
        return target.lock is None
    return isinstance(target, Pull | DebsLock | DebsTar | ManifestDebs | ManifestLock) or (
        isinstance(target, Imported) and target.dockerfile is not None
    )


def _subject(task: Task) -> str:
    return f"{task.declared.place.path} {task.label}"
