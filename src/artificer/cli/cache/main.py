"""``artificer cache``: what the local store takes of the disk, and whether it is sound."""

from argparse import Namespace
from collections.abc import Sequence

from artificer.cli.cache.roots import prune_roots
from artificer.cli.command import bare_parser
from artificer.cli.grammar import OptionGroup, Parser, add_access_options, add_common_options
from artificer.cli.parts import Part, run_part
from artificer.cli.session import Session
from artificer.cli.terminal.console import amount
from artificer.cli.terminal.table import table
from artificer.cli.words import age, size
from artificer.errors import ArtificerError, Misused
from artificer.oci.digest import Digest, InvalidDigest
from artificer.store.blobs import Store
from artificer.store.census import du
from artificer.store.files import HOUR
from artificer.store.prune import Pruned, prune
from artificer.store.verify import Fault, verify

_DU = """\
Show what the store takes of the disk, by kind. A blob counts once, for the first kind it is of.
"""
_PRUNE = """\
Remove what no name of the store and no repository that it serves needs, the least recently used
first. What was used within the last hour stays, unless --older-than or --all say otherwise and
nobody is using the store.
"""
_VERIFY = "Hash every blob of the store again, and follow every name, repository and record."


class Unsound(ArtificerError):
    """The store is not what it says."""


def run(words: Sequence[str], session: Session) -> int:
    """Do with the store what the first of *words* says."""
    return run_part("cache", _PARTS, words, session)


def _du_parser() -> Parser:
    parser = bare_parser("cache du", "[options]", _DU)
    add_common_options(parser)
    return parser


def _prune_parser() -> Parser:
    parser = bare_parser("cache prune", "[options]", _PRUNE)
    group = OptionGroup(parser, "what goes")
    group.one("--max-size", "SIZE", "stop once the store is no larger: 10GB")
    group.one("--older-than", "TIME", "what was not used for so long: 7d (1h)")
    group.switch("--all", "everything: names, repositories, and of any age")
    group.one(
        "--repo",
        "REPO",
        "of a cache repository, not of the store, with --older-than in days or weeks",
    )
    group.switch("--dry-run", "with --repo: say how much would go")
    add_access_options(parser)
    add_common_options(parser)
    parser.set_defaults(pull="always", offline=False)
    return parser


def _verify_parser() -> Parser:
    parser = bare_parser("cache verify", "[options]", _VERIFY)
    group = OptionGroup(parser, "mending")
    group.switch("--remove", "take damaged blobs out: they are fetched anew")
    add_common_options(parser)
    return parser


def _show(args: Namespace, session: Session) -> int:
    store = session.store(args.store)
    found = du(store)
    rows = [(one.kind, str(one.files), str(one.bytes), amount(one.bytes)) for one in found]
    total = sum(one.bytes for one in found)
    rows.append(("all", str(sum(one.files for one in found)), str(total), amount(total)))
    session.say(f"store {store.root}")
    session.out(table(("KIND", "FILES", "BYTES", "SIZE"), rows, right=frozenset((1, 2, 3))))
    return 0


def _prune(args: Namespace, session: Session) -> int:
    if args.repo is not None:
        from artificer.cli.cache.repository import prune_repository

        return prune_repository(args, session)
    if args.dry_run:
        raise Misused("--dry-run is for --repo")
    if args.all and (args.older_than is not None or args.max_size is not None):
        raise Misused("--all heeds neither age nor size", hint="leave --older-than and --max-size")
    store = session.store(args.store)
    most = None if args.max_size is None else size(args.max_size, "--max-size")
    older_than = HOUR if args.older_than is None else age(args.older_than, "--older-than")
    unpacked = prune_roots(store, session, 0.0 if args.all else older_than, with_caches=args.all)
    pruned = prune(store, max_bytes=most, older_than=older_than, everything=args.all)
    session.out(told(pruned._replace(freed=pruned.freed + unpacked)))
    if not pruned.alone:
        session.say("the store is in use: what was used within the last hour stays")
    return 0


def told(pruned: Pruned) -> str:
    """What a prune did, in a line."""
    files = "1 file" if pruned.files == 1 else f"{pruned.files} files"
    freed = f"freed {amount(pruned.freed)} ({pruned.freed} bytes, {files})"
    return f"{freed}, left {amount(pruned.left)} ({pruned.left} bytes)"


def _verify(args: Namespace, session: Session) -> int:
    store = session.store(args.store)
    with store.in_use():
        found = verify(store, stop=session.stop)
        removed = _removed(store, found.faults) if args.remove else frozenset()
    for fault in found.faults:
        mended = " (removed)" if fault in removed else ""
        session.out(f"{fault.kind} {fault.subject}: {fault.reason}{mended}")
    session.say(f"{found.blobs} blobs ({amount(found.bytes)}) are what their digests say")
    left = len(found.faults) - len(removed)
    if not left:
        return 0
    raise Unsound(
        f"the store {store.root} has {left} fault{'s' if left > 1 else ''}",
        hint="images and records that lack a blob are fetched or made anew when they are needed"
        if args.remove
        else "`artificer cache verify --remove` takes damaged blobs out",
    )


def _removed(store: Store, faults: Sequence[Fault]) -> frozenset[Fault]:
    """The damaged blobs among *faults*, which are gone now."""
    return frozenset(
        fault for fault in faults if fault.kind == "blob" and _discarded(store, fault)
    )


def _discarded(store: Store, fault: Fault) -> bool:
    try:
        return store.discard(Digest(fault.subject))
    except InvalidDigest:
        return False


_PARTS = {
    "du": Part(_du_parser, _show),
    "prune": Part(_prune_parser, _prune),
    "verify": Part(_verify_parser, _verify),
}
