"""``artificer verify COMMAND LINE``: the build twice, under different circumstances."""

import os
from argparse import Namespace
from collections.abc import Sequence
from typing import TYPE_CHECKING

from artificer.builder.build import Base, Built, Sources, build
from artificer.builder.known import Known
from artificer.builder.lock import read_lock
from artificer.builder.recipe import AddDebs, AddFiles, Step, Target
from artificer.cli.builds.circumstances import check_same, elsewhere, only_warnings, own_store
from artificer.cli.connect import open_reach
from artificer.cli.oneline.main import parsed, pull_of, upon
from artificer.cli.oneline.target import target_of
from artificer.cli.session import Session
from artificer.errors import Misused
from artificer.images.reach import Reach
from artificer.layers.select import LocalPath, Source, TarFile
from artificer.oci.reference import parse_reference

if TYPE_CHECKING:
    from artificer.builder.debian.tools import DebTools

_BASE = ("-b", "--base")


def run(words: Sequence[str], session: Session) -> int:
    """Build what *words* describe twice, into stores of their own, and compare.

    Without a base, the words are targets of BUILD files, or a Dockerfile's build.
    """
    if words[1:2] == ["build"]:
        from artificer.cli.builds.verify_dockerfile import run_build

        return run_build(words[1:], session)
    helping = "-h" in words or "--help" in words
    if helping or (len(words) > 1 and not any(word.startswith(_BASE) for word in words)):
        from artificer.cli.workspace.verify import parser, run_in_workspace

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
        sources = _sources(args, reach, session)
        base = sources.base(target.base)
        _compared(upon(base, target, sources), base, args, reach, session)
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


def _digest(built: Built) -> str:
    return str(built.content.digest)


def _sources(args: Namespace, reach: Reach, session: Session) -> Sources:
    docker_host = session.environ.get("DOCKER_HOST")

    def debs() -> "DebTools":
        from artificer.cli.debian.tools import deb_tools

        return deb_tools(args, reach, session)

    lock = read_lock(".", only=args.locked)
    return Sources(reach, Known(reach), pull_of(args), docker_host, lock=lock, debs=debs)


def _moved(target: Target, here: str) -> Target:
    """The same target, its files named from the root directory."""
    return target._replace(steps=tuple(_moved_step(step, here) for step in target.steps))


def _moved_step(step: Step, here: str) -> Step:
    if isinstance(step, AddDebs) and step.wanted is not None:
        files = tuple(os.path.join(here, path) for path in step.wanted.files)
        return step._replace(wanted=step.wanted._replace(files=files))
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
