"""``artificer cache prune --repo``: what nobody has used for long leaves a cache repository."""

import time
from argparse import Namespace

from artificer.cli.connect import open_reach
from artificer.cli.session import Session
from artificer.cli.words import age, today
from artificer.errors import Misused
from artificer.images.retention import Retired, retire
from artificer.oci.reference import parse_name

_DAY = 86_400


def prune_repository(args: Namespace, session: Session) -> int:
    """Remove from the repository what was not used for so long; print what came of it."""
    if args.all or args.max_size is not None:
        raise Misused(
            "--repo heeds age alone", hint="leave --all and --max-size; say --older-than 30d"
        )
    name = parse_name(args.repo)
    if name.tag or name.digest:
        raise Misused(f"--repo is a repository, without a tag: {args.repo}")
    if args.older_than is None:
        raise Misused("--repo needs an age", hint="say --older-than 30d")
    seconds = age(args.older_than, "--older-than")
    if seconds < _DAY:
        raise Misused(
            f"--older-than {args.older_than}: the use of a cache is told by days",
            hint="1d is the least: what was used today stays",
        )
    before = time.strftime("%Y-%m-%d", time.gmtime(time.time() - seconds))
    reach = open_reach(args, session)
    with reach.store.in_use():
        retired = retire(name.repository, before, today(), reach, dry=args.dry_run)
    session.out(_told(retired, dry=args.dry_run))
    if retired.removed and not args.dry_run:
        session.say("the registry frees the space when it collects its garbage")
    return 0


def _told(retired: Retired, *, dry: bool) -> str:
    verb = "would remove" if dry else "removed"
    unknown = f", {retired.unknown} of unknown age" if retired.unknown else ""
    return f"{verb} {retired.removed} artifacts, kept {retired.kept}{unknown}"
