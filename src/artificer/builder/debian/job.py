"""Packages to be installed upon an image: what they are, and whether anybody knows the outcome."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from artificer.builder.debian.below import Below
from artificer.builder.debian.choice import Chosen, foreign_in, locked_choice
from artificer.builder.debian.keys import Remembered, Told, debs_key, remembered
from artificer.builder.debian.tools import DebTools, architecture_of, opened
from artificer.builder.kind import Stack
from artificer.builder.recipe import AddDebs
from artificer.builder.work import Work
from artificer.events import LayerReused, Note, ScriptDecided, Warned
from artificer.images.reach import Reach
from artificer.oci.image import Image
from artificer.oci.platform import LINUX_AMD64
from artificer.sources.debian.values import Wanted

Resolve = Callable[[AddDebs, Image, str, Reach, DebTools], Chosen]
"""Says what archives have for a step now (`chosen.resolved`)."""
_SHOWN = 20


class Job(NamedTuple):
    """What is to be installed, upon what, and with what; *below* may be being unpacked."""

    step: AddDebs
    image: Image
    work: Work
    tools: Callable[[], DebTools] | None
    architecture: str
    chosen: Chosen
    below: Below | None = None

    def key(self, *, runs: bool) -> str:
        """Key 1, if scripts are run, or if they are replaced."""
        return debs_key(self.step, self.chosen, self.image, self.work.kind, runs=runs)

    @property
    def foreign(self) -> tuple[str, ...]:
        """The architectures beside the image's own that it gets packages of."""
        return foreign_in(self.step, self.architecture)

    @property
    def may_run(self) -> bool:
        """Whether scripts are run if that can be done."""
        return self.step.level == "configure" and self.step.scripts != "replace"

    @property
    def is_done(self) -> bool:
        """Whether the image has everything already, and nothing is to be run or to go."""
        todo = self.chosen.packages or self.chosen.remove or self.step.after
        distroless = self.step.profile is not None and self.step.profile.distroless
        return bool(self.image.layers) and not todo and not distroless


def job_of(
    step: AddDebs,
    image: Image,
    work: Work,
    tools: Callable[[], DebTools] | None,
    resolve: Resolve,
) -> Job:
    """What *step* comes to upon *image*; only where nothing is locked, archives are asked."""
    architecture = architecture_of(image.platform or LINUX_AMD64)
    found = locked_choice(step, architecture)
    if found is None:
        ready = opened(tools)
        found = resolve(step, image, architecture, work.reach, ready)
        return Job(step, image, work, lambda: ready, architecture, found)
    return Job(step, image, work, tools, architecture, found)


def known_stack(job: Job, *, runs: bool) -> Stack | None:
    """The layers of *job*, if somebody knows them; what became of scripts is told again.

    Who knows what running scripts comes to need not be able to run them. Of packages that are
    there already nothing is made: there is no layer.
    """
    if job.is_done:
        wanted = job.step.wanted or Wanted()
        names = " ".join((*wanted.packages, *wanted.files)) or "packages"
        job.work.reach.report(Note(f"{names}: already there, so no layer is added"))
        return Stack()
    known = remembered(job.key(runs=runs), job.work)
    if known is None:
        return None
    _tell(job, known)
    return known.stack


def _tell(job: Job, known: Remembered) -> None:
    for layer, line in zip(known.stack.layers, known.stack.lines, strict=True):
        digest, size = layer.blob.digest, layer.descriptor.size
        job.work.reach.report(LayerReused(line, digest, size, known.why))
    tell_scripts(job, known.scripts)


def tell_scripts(job: Job, scripts: Sequence[Told]) -> None:
    """Tell what becomes of *scripts*."""
    report, unpacks = job.work.reach.report, job.step.level == "unpack"
    for package, script, fate, how in scripts:
        # That none is run is said of all of them at once.
        report(ScriptDecided(package, script, fate, "" if unpacks else how))
    if unpacks:
        if scripts:
            told = f"{len(scripts)} script{'' if len(scripts) == 1 else 's'}"
            report(Note(f"level unpack runs no scripts: {told} of {_named(scripts)}"))
        return
    # Triggers make caches, which are made where they are used, too.
    skipped = sorted(
        {one for one, script, fate, _ in scripts if fate == "skipped" and script != "triggers"}
    )
    if skipped:
        report(Warned(f"scripts were not run, and nothing instead, of: {', '.join(skipped)}"))


def _named(scripts: Sequence[Told]) -> str:
    packages = sorted({one.partition(":")[0] for one, *_ in scripts})
    more = f" and {len(packages) - _SHOWN} more" if len(packages) > _SHOWN else ""
    return f"{', '.join(packages[:_SHOWN])}{more}"
