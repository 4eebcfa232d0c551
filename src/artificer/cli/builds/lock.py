"""``artificer lock COMMAND LINE``: pin what its tags stand for, in ``artificer.lock``."""

from argparse import Namespace
from collections.abc import Sequence
from typing import TYPE_CHECKING

from artificer.builder.lock import Lock, image_key, read_lock, write_lock
from artificer.builder.recipe import AddDebs, CopyFrom, Target
from artificer.cli.connect import open_reach
from artificer.cli.oneline.main import parsed, sources_of
from artificer.cli.oneline.target import target_of
from artificer.cli.session import Session
from artificer.errors import ArtificerError, Misused
from artificer.images.fetch import find_in_registry
from artificer.images.reach import Reach
from artificer.oci.reference import Named, Reference, parse_reference

if TYPE_CHECKING:
    from artificer.oci.digest import Digest

_BASE = ("-b", "--base")
_OTHERS = ("-t", "--target", "--apt", "--deb")


class Stale(ArtificerError):
    """The lock file does not say what there is now."""


def run(words: Sequence[str], session: Session) -> int:
    """Write the lock of the one-line build in *words*, or with ``--check`` compare it.

    Without a base it is the lock of the workspace that we are in.
    """
    helping = "-h" in words or "--help" in words
    if helping or not any(word.startswith(_BASE) for word in words):
        from artificer.cli.workspace.lock import parser, run_in_workspace

        if not helping:
            _check_base(words)
            return run_in_workspace(words, session)
        session.out(parser().format_help())
    compare = ("--check", "write nothing; fail if a tag names something else by now")
    update = ("--update", "of packages, look up these alone; all by default", "PACKAGE")
    args = parsed(words[1:], session, "artificer lock", compare, update)
    if args is None:
        return 0
    if args.offline:
        raise Misused("a lock is made of what registries say now: --offline cannot ask them")
    before = read_lock(".")
    after, told = _compared(before, args, session)
    if args.check and after != before:
        raise Stale(
            "artificer.lock is not what there is now:\n  " + "\n  ".join(told),
            hint="`artificer lock` with the same words writes it",
        )
    if after != before:
        write_lock(".", after)
    for line in told:
        session.out(line)
    said = "is written" if after != before else "is up to date"
    session.say(f"artificer.lock {said}.")
    return 0


def _check_base(words: Sequence[str]) -> None:
    """Refuse a command line without a base, which would be taken for a workspace's."""
    if any(word.startswith(_OTHERS) for word in words):
        raise Misused(
            "the command line that is to be locked names no base",
            hint="add `-b BASE`; without such words it is the workspace that is locked",
        )


def _compared(before: Lock, args: Namespace, session: Session) -> tuple[Lock, list[str]]:
    """The lock as it is now, and what changes, a line each."""
    references = tuple(map(parse_reference, args.target))
    target = target_of(args, session.environ)
    packages = any(isinstance(step, AddDebs) for step in target.steps)
    if args.update is not None and not packages:
        raise Misused("--update, but no package is to be installed")
    reach = open_reach(args, session, references)
    # Whoever updates one package wants nothing else to move.
    after = before if args.update else _locked(before, target, reach)
    told = list(before.differences(after))
    if packages:
        from artificer.cli.debian.lock import package_differences, with_packages

        with reach.store.in_use():
            sources = sources_of(args, references, None, reach, session)._replace(lock=after)
            after = with_packages(after, target, sources, args.update)
        told += package_differences(before, after)
    return after, told


def _locked(before: Lock, target: Target, reach: Reach) -> Lock:
    """*before* with the pins of *target* as they are now; those of others stay."""
    images: dict[str, Digest] = dict(before.images)
    references: list[Reference] = [target.base]
    references.extend(step.image for step in target.steps if isinstance(step, CopyFrom))
    for reference in references:
        if isinstance(reference, Named) and reference.digest is None:
            images[image_key(reference)] = find_in_registry(reference, reach).digest
    return before._replace(images=images)
