"""Debian packages to layers: what is known is taken, the rest is fetched and installed."""

import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing

from artificer import limits
from artificer.builder.debian.below import Below
from artificer.builder.debian.choice import asked_for
from artificer.builder.debian.chosen import resolved
from artificer.builder.debian.configured import see_configured
from artificer.builder.debian.ground import ground
from artificer.builder.debian.hashed import Hashed
from artificer.builder.debian.job import Job, job_of, known_stack, tell_scripts
from artificer.builder.debian.keys import Told, remember
from artificer.builder.debian.layering import Cut, Part, line_of, parts
from artificer.builder.debian.rooted import Room, carried_out
from artificer.builder.debian.streamed import streamed
from artificer.builder.debian.tools import DebTools, opened, runs_here
from artificer.builder.kind import Stack
from artificer.builder.layering import Piece, piece_layer, stream_layer
from artificer.builder.recipe import AddDebs
from artificer.builder.staged.running import chain_of
from artificer.builder.work import Work
from artificer.errors import Misused
from artificer.events import Note, PackagesChosen, Warned
from artificer.images.files import keep_index, read_files
from artificer.layers.entry import HARDLINK, Entry
from artificer.layers.index import index_of_entries
from artificer.layers.squash import squashed
from artificer.layers.tree import Tree
from artificer.oci.image import Image, Layer
from artificer.sandbox.client import NoSandbox
from artificer.sources.debian.archives.acquire import acquire
from artificer.sources.debian.deb import BadPackage, Package, read_package
from artificer.sources.debian.installing.actions import cleanup
from artificer.sources.debian.installing.database import NoDatabase, database_files
from artificer.sources.debian.installing.distroless import NotConfigured, distroless
from artificer.sources.debian.installing.finish import finish
from artificer.sources.debian.installing.install import installation
from artificer.sources.debian.installing.installation import Base, Installation, Options
from artificer.sources.debian.installing.stream import Reading, unpacked
from artificer.sources.debian.installing.unpack import bytes_of, open_debs
from artificer.sources.debian.values import Profile, name_beside

_DPKG = "usr/bin/dpkg"
_GROWTH = 5  # what the files of a package usually take, unpacked

_Lines = list[tuple[Layer, str]]
"""Layers, each with its line of history."""


class CannotRun(Misused):
    """Scripts are to be run where that is not possible."""


def debs_stack(
    step: AddDebs, image: Image, work: Work, tools: Callable[[], DebTools] | None
) -> Stack:
    """The layers of the packages that *step* installs on *image*.

    Where somebody knows them, neither a package nor the files of *image* are looked at.
    """
    job = job_of(step, image, work, tools, resolved)
    return known_stack(job, runs=job.may_run) or made_stack(job)


def made_stack(job: Job) -> Stack:
    """The layers of *job*, which nobody knows if it is done in the best way."""
    job = _ready(job)
    runs = _runs(job)
    if job.may_run and not runs:
        known = known_stack(job, runs=False)
        if known is not None:
            return known
    return _made(job, runs=runs)


def planned_debs(job: Job, spools: ExitStack) -> tuple[Piece, ...]:
    """What would be put there before scripts run.

    Which packages, and what would become of their scripts, is told.
    """
    job = _ready(job)
    tree = ground(job.image, job.work.reach)
    plan = _plan(job, tree, spools, runs=_runs(job))
    _list(job, plan)
    entries = squashed(tree, [plan.entries], mtime=job.step.epoch)
    return tuple(Piece(one.line, one.entries) for one in _parts(job, plan, entries))


def _list(job: Job, plan: Installation) -> None:
    """Tell each package, and what becomes of its scripts."""
    fates: dict[str, list[str]] = {}
    for one in plan.scripts:
        how = f" ({one.how})" if one.how else ""
        fates.setdefault(one.package.partition(":")[0], []).append(f"{one.script} {one.fate}{how}")
    for package in job.chosen.packages:
        told = ", ".join(fates.get(package.name, ["no scripts"]))
        job.work.reach.report(Note(f"{package}, {package.size} bytes: {told}"))


def _ready(job: Job) -> Job:
    """*job* with its tools opened, once."""
    profile = job.step.profile
    unfit = job.step.level == "unpack" or job.image.layers
    if profile is not None and profile.distroless and unfit:
        raise NotConfigured(
            "a distroless image is made of packages that are configured from nothing",
            hint="take level `configure` and no base; level `unpack` needs no profile for it",
        )
    if profile is not None and profile.distroless and job.foreign:
        raise NotConfigured(
            f"a distroless image has packages of one architecture, not of "
            f"{', '.join(job.foreign)}, too",
            hint="take another profile, or name no package of another architecture",
        )
    tools = opened(job.tools)
    return job._replace(tools=lambda: tools)


def _runs(job: Job) -> bool:
    return job.may_run and _can_run(job, must=job.step.scripts == "run")


def _can_run(job: Job, *, must: bool) -> bool:
    what = "commands after the installation" if job.step.after else "scripts of packages"
    machine = os.uname().machine
    if not runs_here(job.architecture, machine):
        reason = f"programs of {job.architecture} do not run on this machine ({machine})"
    else:
        try:
            if opened(job.tools).sandbox().rung.identity != "lost":
                return True
            reason = "files would lose their owners here"
        except NoSandbox as error:
            if must:
                raise
            reason = error.message
    if must:
        raise CannotRun(
            f"{what} cannot be run: {reason}",
            hint="build where they can be run, or leave the commands out"
            if job.step.after
            else "take the packages' files only (level `unpack`), or let scripts be replaced "
            "(`--deb-scripts auto`)",
        )
    job.work.reach.report(
        Warned(
            f"scripts of packages are replaced, not run: {reason}",
            "the image may differ from one that was configured where they can be run",
        )
    )
    return False


def _made(job: Job, *, runs: bool) -> Stack:
    tree = ground(job.image, job.work.reach)
    with ExitStack() as spools:
        if job.step.level == "unpack" and job.step.layering == "one":
            made, scripts = _streamed(job, tree, spools)
        else:
            made, scripts = _installed(job, tree, spools, runs=runs)
    stack = Stack(tuple(layer for layer, _ in made), tuple(line for _, line in made))
    remember(job.key(runs=runs), stack, scripts, job.work)
    return stack


def _streamed(job: Job, tree: Tree, spools: ExitStack) -> tuple[_Lines, list[Told]]:
    """Unpack packages, one after the other, into the one layer."""
    work, paths = job.work, _acquired(job)
    packages = [read_package(path) for path in paths]
    _see_that_they_are(job, packages)
    told = [one for package in packages for one in _skipped(package)]
    tell_scripts(job, told)
    reading = Reading(
        lambda: spools.enter_context(work.reach.store.spool()),
        work.reach.stop,
        os.cpu_count() or 1,
    )
    found = unpacked(paths, _base(job, tree), _options(job, runs=False), reading)
    size = _GROWTH * sum(one.size for one in job.chosen.packages)
    with closing(streamed(found, tree, job.step.epoch)) as entries:
        layer = stream_layer(_line(job), entries, size, work)
    return [(layer, _line(job))], told


def _see_that_they_are(job: Job, packages: Sequence[Package]) -> None:
    """Refuse a file that is another package than a lock, or an archive, says."""
    architectures = {"all", job.architecture, *job.foreign}
    for locked, package in zip(job.chosen.packages, packages, strict=True):
        found = f"{package.name}:{package.architecture}={package.version}"
        if found != str(locked):
            raise BadPackage(
                f"{locked}: its file is the package {found}",
                hint="the lock was changed, or the archive is wrong: lock the packages anew",
            )
        if package.architecture not in architectures:
            raise BadPackage(
                f"{locked} is not for {job.architecture}",
                hint="take a package for it, or build for another `--platform`",
            )


def _skipped(package: Package) -> list[Told]:
    how = "level unpack runs no scripts"
    return [(package.name, script, "skipped", how) for script in package.acts]


def _installed(
    job: Job, tree: Tree, spools: ExitStack, *, runs: bool
) -> tuple[_Lines, list[Told]]:
    """Put packages in place, run what is to be run, and make layers of what came of it."""
    step, work = job.step, job.work
    chain = chain_of(job.image.layers, work.reach) if runs else ()
    room = Room(chain, opened(job.tools).sandbox, work.reach, spools)
    below = job.below or Below()
    below.begin(chain, room.sandbox)
    plan = _plan(job, tree, spools, runs=runs)
    scripts = _told(plan)
    tell_scripts(job, scripts)
    work.reach.report(Note("placing files"))
    hashed = Hashed(plan.entries, work.reach.stop)
    below.wait()
    layers = carried_out(plan, room._replace(meanwhile=hashed.begin))
    entries = squashed(tree, layers, mtime=step.epoch)
    if plan.commands and not step.after:
        see_configured(job.chosen.packages, entries)
    if step.level == "configure":
        entries = _finished(job, plan, entries)
    made = []
    for one in _parts(job, plan, entries):
        layer = piece_layer(Piece(one.line, one.entries), work)
        if plan.commands:
            keep_index(layer.diff_id, index_of_entries(one.entries, hashed), work.reach)
        made.append((layer, one.line))
    return made, scripts


def _finished(job: Job, plan: Installation, entries: Sequence[Entry]) -> list[Entry]:
    """*entries* without what has no place in an image; keys that were left out are told."""

    def read(entry: Entry) -> bytes:
        return b"".join(bytes_of(entry))

    epoch = job.step.epoch
    done = finish(entries, read, temporary=plan.temporary, epoch=epoch)
    if done.keys:
        paths = ", ".join(f"/{path}" for path in done.keys)
        job.work.reach.report(
            Warned(
                f"keys that scripts made are left out: {paths}",
                "all containers would share them; make them where the image is run",
            )
        )
    if job.step.profile is None or not job.step.profile.distroless:
        return done.entries
    return distroless(done.entries, read, asked_for(job.step.wanted, job.chosen.packages), epoch)


def _acquired(job: Job) -> list[str]:
    """Fetch the packages; return where their files are, in their order."""
    packages = job.chosen.packages
    size = sum(one.size for one in packages)
    chosen = PackagesChosen(tuple(map(str, packages)), size, job.chosen.why, job.chosen.remove)
    job.work.reach.report(chosen)
    paths = acquire(packages, opened(job.tools).web)
    return [paths[one] for one in packages]


def _plan(job: Job, tree: Tree, spools: ExitStack, *, runs: bool) -> Installation:
    """Fetch the packages, and say what installing them comes to."""
    reach = job.work.reach
    debs = open_debs(
        _acquired(job),
        lambda: spools.enter_context(reach.store.spool()),
        threads=os.cpu_count() or 1,
        stop=reach.stop,
        report=reach.report,
    )
    _see_that_they_are(job, [deb.package for deb in debs])
    plan = installation(debs, _base(job, tree), _options(job, runs=runs))
    if job.step.after:
        last = cleanup(job.step.after, job.step.epoch)
        plan = plan._replace(commands=(*plan.commands, last))
    if plan.commands and not tree.lookup(_DPKG) and _DPKG not in plan.owners:
        raise NoDatabase(
            f"the image has no dpkg: there is no /{_DPKG}",
            hint="take the packages' files only (level `unpack`), or a base that has dpkg",
        )
    return plan


def _options(job: Job, *, runs: bool) -> Options:
    step, packages = job.step, job.chosen.packages
    return Options(
        level=step.level,
        architecture=job.architecture,
        foreign=job.foreign,
        profile=step.profile or Profile(),
        epoch=step.epoch,
        auto=frozenset(
            name_beside(job.architecture, one.name, one.architecture)
            for one in packages
            if one.auto
        ),
        asked=asked_for(step.wanted, packages),
        remove=job.chosen.remove,
        runs=runs,
        accept_skipped=step.accept_skipped,
    )


def _base(job: Job, tree: Tree) -> Base | None:
    """The image below; the files of dpkg's database are read at once, others as they are asked."""
    if not job.image.layers:
        return None
    image, reach = job.image, job.work.reach
    files = read_files(image, tree, database_files(tree), limits.STATUS_BYTES, reach)

    def read(path: str) -> bytes:
        if path not in files:
            files.update(read_files(image, tree, [path], limits.STATUS_BYTES, reach))
        return files[path]

    return Base(tree, read)


def _parts(job: Job, plan: Installation, entries: Sequence[Entry]) -> list[Part]:
    step = job.step
    room = limits.LAYERS - len(job.image.layers)
    most = min(room, step.budget) if step.layering == "budget" else room
    owners = _owners(plan, entries) if step.layering != "one" else {}
    packages = job.chosen.packages
    return parts(entries, owners, packages, Cut(step.layering, most, _line(job), step.epoch))


def _line(job: Job) -> str:
    wanted = job.step.wanted
    return line_of(wanted.packages if wanted is not None else (), job.chosen.packages)


def _owners(plan: Installation, entries: Sequence[Entry]) -> dict[str, str]:
    """Whose each path of *entries* is, if no script has changed it."""
    before = {entry.path: entry for entry in plan.entries}
    return {
        entry.path: plan.owners[entry.path]
        for entry in entries
        if entry.path in plan.owners
        and (entry.kind == HARDLINK or _alike(entry, before.get(entry.path)))
    }


def _alike(entry: Entry, before: Entry | None) -> bool:
    return before is not None and (
        entry == before or (before.kind == HARDLINK and entry.source is not None)
    )


def _told(plan: Installation) -> list[Told]:
    return [(one.package, one.script, one.fate, one.how) for one in plan.scripts]
