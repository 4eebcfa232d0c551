"""``artificer lock`` in a workspace: what its tags and URLs stand for, in ``artificer.lock``."""

from argparse import Namespace
from collections.abc import Iterator, Sequence

from artificer.builder.lock import EMPTY, Lock, commit_key, image_key, write_lock, write_text
from artificer.builder.targets import Fetch, GitTree, Graph, Pull
from artificer.cli.command import run_command
from artificer.cli.grammar import OptionGroup, Parser
from artificer.cli.session import Session
from artificer.cli.workspace.lock_debs import package_locks
from artificer.cli.workspace.open import Workspace, opened
from artificer.cli.workspace.options import check_patterns, spelled, target_parser
from artificer.errors import ArtificerError, Misused
from artificer.frontends.buildfile.graph import load_repositories
from artificer.frontends.buildfile.rules.book import BOOK
from artificer.images.fetch import find_in_registry
from artificer.oci.digest import Digest
from artificer.oci.reference import Named
from artificer.sources.git import commit_of
from artificer.sources.git_reference import GitReference, shown_url
from artificer.sources.url import fetch, wanted

_ABOUT = """\
Pin what the WORKSPACE or MODULE.bazel of this workspace takes from outside: tags of images to
digests, URLs without a hash to hashes, branches and tags of git to commits. What has a pin keeps
it, and pins of what nothing names any more are removed; with --update everything is looked up
anew.

Debian packages of `apt` and `debs` targets with a lock have it beside their BUILD file, those of
apt.install where its `lock` says, or beside the manifest. It is written where it is missing or of
another request, and with --update anew; with names behind --update, other packages keep their
versions as far as they can. With TARGETs, only locks of packages that these need are looked at.

With --check nothing is written: it is an error if a pin is missing or one too many, and with
--update also if something has moved.
"""


class Stale(ArtificerError):
    """The lock file does not say what there is now."""


def run_in_workspace(words: Sequence[str], session: Session) -> int:
    """Write the lock of the workspace, or compare it."""
    return run_command(parser(), spelled(words), session, _lock)


def parser() -> Parser:
    """The words that it takes."""
    usage = "[TARGET…] [--check] [--update [PACKAGE…]] [options]"
    made = target_parser("lock", usage, _ABOUT)
    made.add_argument("targets", nargs="*", metavar="TARGET")
    group = OptionGroup(made, "lock")
    group.switch("--check", "write nothing; fail if it is stale")
    group.add(
        "--update",
        metavar="PACKAGE",
        action="extend",
        nargs="*",
        help="look up what is pinned, too; with names, of these packages alone",
    )
    return made


def _lock(args: Namespace, session: Session) -> int:
    if args.offline:
        raise Misused("a lock is made of what is there now: --offline cannot ask")
    _sort_words(args)
    with opened(args, session) as workspace:
        before = workspace.lock
        options = workspace.load_options(keep_going=True)
        graph = load_repositories(workspace.root, options, BOOK).graph
        old = EMPTY if args.update == [] else before
        after = before if args.targets else _pinned(graph, before, old, workspace)
        told = list(before.differences(after))
        locks = package_locks(workspace, graph)
        told += [line for one in locks for line in one.told]
        stale = [*(["artificer.lock"] if after != before else []), *(one.name for one in locks)]
        if args.check and stale:
            again = "`artificer lock`" if args.update is None else "`artificer lock --update`"
            raise Stale(
                f"{', '.join(stale)}: not what there is now:\n  " + "\n  ".join(told),
                hint=f"{again} writes it",
            )
        if after != before:
            write_lock(workspace.root, after)
        for one in locks:
            write_text(one.path, one.text)
    for line in told:
        session.out(line)
    said = f"{', '.join(stale)} is written" if stale else "everything that is locked is up to date"
    session.say(f"{said}.")
    return 0


def _sort_words(args: Namespace) -> None:
    """Take labels behind --update for the targets that they are; other words are none."""
    targets = [one for one in args.update or () if one.startswith(("//", "@", ":"))]
    if targets:
        args.update = [one for one in args.update if one not in targets]
        args.targets += targets
    if args.targets:
        check_patterns(args.targets, "lock")


def _pinned(graph: Graph, before: Lock, old: Lock, workspace: Workspace) -> Lock:
    images = {image_key(one): _digest(one, old, workspace) for one in _tags(graph)}
    urls = {url: _hash(url, old, workspace) for url in _urls(graph)}
    commits = {
        commit_key(shown_url(one.remote), one.ref): _commit(one, old, workspace)
        for one in _revisions(graph)
    }
    return before._replace(
        images=dict(sorted(images.items())),
        urls=dict(sorted(urls.items())),
        commits=dict(sorted(commits.items())),
    )


def _tags(graph: Graph) -> Iterator[Named]:
    targets = (declared.target for declared in graph.values())
    named = (target.name for target in targets if isinstance(target, Pull))
    yield from dict.fromkeys(name for name in named if name.digest is None)


def _urls(graph: Graph) -> Iterator[str]:
    targets = (declared.target for declared in graph.values())
    fetched = (target for target in targets if isinstance(target, Fetch))
    # Any of its URLs gives the file: the first stands for it.
    yield from dict.fromkeys(one.urls[0] for one in fetched if not (one.sha256 or one.integrity))


def _revisions(graph: Graph) -> Iterator[GitTree]:
    targets = (declared.target for declared in graph.values())
    yield from (one for one in targets if isinstance(one, GitTree) and not one.commit)


def _commit(tree: GitTree, old: Lock, workspace: Workspace) -> str:
    known = old.commits.get(commit_key(shown_url(tree.remote), tree.ref))
    return known or commit_of(GitReference(tree.remote, tree.ref), workspace.git())


def _digest(name: Named, old: Lock, workspace: Workspace) -> Digest:
    known = old.images.get(image_key(name))
    return known or find_in_registry(name, workspace.reach).digest


def _hash(url: str, old: Lock, workspace: Workspace) -> Digest:
    known = old.urls.get(url)
    if known is not None:
        return known
    web = workspace.web()
    if workspace.args.update == []:
        # What was fetched before without a hash is what is asked about.
        web.store.take_record("url", url)
    return fetch(wanted([url]), web).digest
