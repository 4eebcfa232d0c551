"""``artificer lock COMMAND LINE``: pin what its tags stand for, in ``artificer.lock``."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from artificer.builder.lock import Lock, image_key, read_lock, write_lock
from artificer.builder.recipe import CopyFrom, Target
from artificer.cli.connect import open_reach
from artificer.cli.oneline import parsed
from artificer.cli.session import Session
from artificer.cli.target import target_of
from artificer.errors import ArtificerError, Misused
from artificer.images.fetch import find_in_registry
from artificer.images.reach import Reach
from artificer.oci.reference import Named, Reference, parse_reference

if TYPE_CHECKING:
    from artificer.oci.digest import Digest

_BASE = ("-b", "--base")


class Stale(ArtificerError):
    """The lock file does not say what there is now."""


def run(words: Sequence[str], session: Session) -> int:
    """Write the lock of the one-line build in *words*, or with ``--check`` compare it.

    Without a base it is the lock of the workspace that we are in.
    """
    helping = "-h" in words or "--help" in words
    if helping or not any(word.startswith(_BASE) for word in words):
        from artificer.cli.lock_targets import parser, run_in_workspace

        if not helping:
            return run_in_workspace(words, session)
        session.out(parser().format_help())
    compare = ("--check", "write nothing; fail if a tag names something else by now")
    args = parsed(words[1:], session, "artificer lock", compare)
    if args is None:
        return 0
    if args.offline:
        raise Misused("a lock is made of what registries say now: --offline cannot ask them")
    before = read_lock(".")
    reach = open_reach(args, session, tuple(map(parse_reference, args.target)))
    after = _locked(before, target_of(args, session.environ), reach)
    told = list(before.differences(after))
    if args.check and told:
        raise Stale(
            "artificer.lock is not what there is now:\n  " + "\n  ".join(told),
            hint="`artificer lock` with the same words writes it",
        )
    if told:
        write_lock(".", after)
    for line in told:
        session.out(line)
    session.say("artificer.lock is written." if told else "artificer.lock is up to date.")
    return 0


def _locked(before: Lock, target: Target, reach: Reach) -> Lock:
    """*before* with the pins of *target* as they are now; those of others stay."""
    images: dict[str, Digest] = dict(before.images)
    references: list[Reference] = [target.base]
    references.extend(step.image for step in target.steps if isinstance(step, CopyFrom))
    for reference in references:
        if isinstance(reference, Named) and reference.digest is None:
            images[image_key(reference)] = find_in_registry(reference, reach).digest
    return before._replace(images=images)
