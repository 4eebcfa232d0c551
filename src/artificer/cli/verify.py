"""``artificer verify COMMAND LINE``: the build twice, under different circumstances."""

import os
import shutil
import tempfile
import time
from argparse import Namespace
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from artificer.builder.build import Base, Built, Sources, build
from artificer.builder.compare import first_difference
from artificer.builder.known import Known
from artificer.builder.recipe import AddFiles, Step, Target
from artificer.cli.connect import open_reach
from artificer.cli.oneline import parsed, pull_of
from artificer.cli.session import Session
from artificer.cli.target import target_of
from artificer.errors import ArtificerError, Misused
from artificer.events import Event, SocketSkipped, Warned
from artificer.images.reach import Reach
from artificer.layers.select import LocalPath, Source, TarFile
from artificer.oci.image import Image
from artificer.oci.reference import parse_reference
from artificer.store.blobs import open_store

_BASE = ("-b", "--base")
_HINT = "what writes the inputs may still be running; else please report it"


class NotReproducible(ArtificerError):
    """Two builds of the same inputs gave two images."""


def run(words: Sequence[str], session: Session) -> int:
    """Build what *words* describe twice, into stores of their own, and compare.

    Without a base, the words are targets of BUILD files, or a Dockerfile's build.
    """
    if words[1:2] == ["build"]:
        from artificer.cli.verify_dockerfile import run_build

        return run_build(words[1:], session)
    helping = "-h" in words or "--help" in words
    if helping or (len(words) > 1 and not any(word.startswith(_BASE) for word in words)):
        from artificer.cli.verify_targets import parser, run_in_workspace

        if not helping:
            return run_in_workspace(words, session)
        session.out(parser().format_help())
    args = parsed(words[1:], session, "artificer verify")
    if args is None:
        return 0
    target = target_of(args, session.environ)
    if any(TarFile("-") in step.sources for step in target.steps if isinstance(step, AddFiles)):
        raise Misused(
            "standard input cannot be read twice", hint="name the archive as a file: `--tar FILE`"
        )
    reach = open_reach(args, session, tuple(map(parse_reference, args.target)))
    with reach.store.in_use():
        base = _sources(args, reach, session).base(target.base)
        _compared(target, base, args, reach, session)
    return 0


def _compared(target: Target, base: Base, args: Namespace, reach: Reach, session: Session) -> None:
    with own_store(reach, reach.report) as one, own_store(reach, only_warnings(reach)) as other:
        session.say("Building as it is...")
        first = build(target, base, _sources(args, one, session))
        session.say("Building with other umask, time zone, directory and order of files...")
        moved = _moved(target, os.getcwd())
        with elsewhere():
            second = build(moved, base, _sources(args, other, session))
        check_same(first.images, second.images, one, other)
    session.say("Both are the same.")
    session.out(_digest(first))


def check_same(
    images: Sequence[Image], others: Sequence[Image], one: Reach, other: Reach, hint: str = _HINT
) -> None:
    """Raise `NotReproducible` unless two builds, each into its own store, gave the same images."""
    for left, right in zip(images, others, strict=True):
        told = first_difference(left, right, one, other)
        if told is not None:
            raise NotReproducible(f"two builds differ, at first in {told}", hint=hint)


def _digest(built: Built) -> str:
    return str(built.content.digest)


def _sources(args: Namespace, reach: Reach, session: Session) -> Sources:
    docker_host = session.environ.get("DOCKER_HOST")
    return Sources(reach, Known(reach), pull_of(args), docker_host)


@contextmanager
def own_store(reach: Reach, report: Callable[[Event], None]) -> Iterator[Reach]:
    """A store that remembers nothing, for the time of one build."""
    folder = tempfile.mkdtemp(prefix="verify-", dir=os.path.join(reach.store.root, "tmp"))
    try:
        store = open_store(os.path.join(folder, "store"))
        yield reach._replace(store=store, report=report)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def only_warnings(reach: Reach) -> Callable[[Event], None]:
    """What a second build of the same tells."""

    def report(event: Event) -> None:
        if isinstance(event, Warned) and not isinstance(event, SocketSkipped):
            reach.report(event)

    return report


@contextmanager
def elsewhere() -> Iterator[None]:
    """Other circumstances that must not matter, for the time of one build."""
    scandir, listdir, here = os.scandir, os.listdir, os.getcwd()
    zone, mask = os.environ.get("TZ"), os.umask(0o077)
    try:
        os.environ["TZ"] = "Pacific/Apia" if zone != "Pacific/Apia" else "UTC"
        _set_zone()
        os.chdir("/")
        os.scandir = _reversed_scandir(scandir)
        os.listdir = _reversed_listdir(listdir)
        yield
    finally:
        os.scandir, os.listdir = scandir, listdir
        os.chdir(here)
        os.umask(mask)
        if zone is None:
            del os.environ["TZ"]
        else:
            os.environ["TZ"] = zone
        _set_zone()


def _set_zone() -> None:
    if hasattr(time, "tzset"):
        time.tzset()


def _reversed_scandir(scandir: Callable[..., Any]) -> Any:
    @contextmanager
    def reversed_scandir(*path: Any) -> Iterator[Iterator[os.DirEntry[str]]]:
        with scandir(*path) as items:
            yield iter(list(items)[::-1])

    return reversed_scandir


def _reversed_listdir(listdir: Callable[..., Any]) -> Any:
    def reversed_listdir(*path: Any) -> Any:
        return listdir(*path)[::-1]

    return reversed_listdir


def _moved(target: Target, here: str) -> Target:
    """The same target, its files named from the root directory."""
    return target._replace(steps=tuple(_moved_step(step, here) for step in target.steps))


def _moved_step(step: Step, here: str) -> Step:
    if not isinstance(step, AddFiles):
        return step
    return step._replace(sources=tuple(_moved_source(source, here) for source in step.sources))


def _moved_source(source: Source, here: str) -> Source:
    match source:
        case LocalPath(path):
            return source._replace(source=os.path.join(here, path))
        case TarFile(path):
            return source._replace(path=os.path.join(here, path))
        case _:
            return source
