"""``artificer source``: a build's files on their way to another machine, by git or a registry."""

import os
from argparse import Namespace
from collections.abc import Sequence

from artificer.cli.command import bare_parser
from artificer.cli.connect import open_reach
from artificer.cli.grammar import Once, OptionGroup, Parser, add_access_options, add_common_options
from artificer.cli.parts import Part, run_part
from artificer.cli.session import Session
from artificer.cli.source_pack import pack
from artificer.errors import Misused
from artificer.images.reach import Reach
from artificer.oci.reference import Named, parse_name
from artificer.sources.context import fetch
from artificer.sources.git import Git, checkout, subdirectory
from artificer.sources.git_reference import (
    GitReference,
    checked_ref,
    parse_git_reference,
)
from artificer.sources.git_secret import GitSecret, read_git_secret
from artificer.sources.workplace import brought
from artificer.store.blobs import open_store

_FETCH = """\
Fetch files into a new or empty directory: a revision of a repository of git, without its history,
or a directory that was packed. The directory then holds all of it; when that failed or was
killed, the same command begins again there.
"""
_PACK = """\
Pack a directory as an artifact of a registry, and print its reference by digest. Parts of it that
the repository has are not sent again; equal files have an equal digest, wherever they are packed.
What .artificerignore, or without one .dockerignore, names is left out.
"""


def run(words: Sequence[str], session: Session) -> int:
    """Fetch or pack, as the second of *words* says."""
    return run_part("source", _PARTS, words, session)


def _fetch_parser() -> Parser:
    parser = bare_parser(
        "source fetch", "(--git URL | --artifact NAME) --into DIR [options]", _FETCH
    )
    group = OptionGroup(parser, "source")
    group.one("--git", "URL", "a repository of git; URL#REV is possible")
    group.one("--revision", "REV", "its commit, tag or branch")
    group.one(
        "--credentials",
        "DIR",
        "for git, a mounted Secret: username and password, token, or ssh-privatekey and "
        "known_hosts",
    )
    group.one("--directory", "PATH", "fail if the source has no such directory")
    group.one("--artifact", "NAME", "what `source pack` printed: NAME@sha256:…")
    group.one("--into", "DIR", "where the files go", required=True)
    add_access_options(parser)
    add_common_options(parser)
    parser.set_defaults(pull="always", offline=False)
    return parser


def _pack_parser() -> Parser:
    parser = bare_parser("source pack", "DIR NAME [options]", _PACK)
    parser.add_argument("directory", metavar="DIR", help="what is packed")
    parser.add_argument("name", metavar="NAME", help="a repository, or a tag in one")
    parser.add_argument_group("what is left out").add_argument(
        "--ignorefile", metavar="FILE", action=Once, help="read patterns from this file instead"
    )
    add_access_options(parser)
    add_common_options(parser)
    parser.set_defaults(pull="always", offline=False)
    return parser


def _fetch(args: Namespace, session: Session) -> int:
    if (args.git is None) == (args.artifact is None):
        raise Misused("one source is fetched", hint="name it by --git URL or --artifact NAME")
    if args.artifact is not None and (args.revision or args.credentials):
        raise Misused("--revision and --credentials are for --git")
    reach = open_reach(args, session)
    with reach.store.in_use():
        if args.git is not None:
            reference = _git_reference(args)
            source, new = str(reference), _fetch_git(reference, args, session, reach)
        else:
            name = _pinned(args.artifact)
            source, new = str(name), _fetch_context(name, args, reach)
    session.say(f"{args.into} has {source}" + ("" if new else " already"))
    return 0


def _git_reference(args: Namespace) -> GitReference:
    reference = parse_git_reference(args.git)
    if args.revision is None:
        return reference
    if reference.ref:
        raise Misused(f"--revision {args.revision}, but the URL names {reference.ref}")
    return reference._replace(ref=checked_ref(args.revision))


def _fetch_git(reference: GitReference, args: Namespace, session: Session, reach: Reach) -> bool:
    def bring(work: str) -> str:
        secret = (
            GitSecret() if args.credentials is None else read_git_secret(args.credentials, work)
        )
        git = Git(
            # Its own, and below the directory: files are moved there, not copied.
            open_store(f"{work}/store"),
            session.report,
            session.stop,
            {**session.environ, **secret.environ},
            lambda host: secret.authorization if host == reference.host else "",
        )
        tree = subdirectory(found := checkout(reference, git), reference)
        _check_directory(tree, args.directory, str(reference))
        session.say(f"{reference} is the commit {found.commit}")
        return tree

    return brought(args.into, str(reference), reach.store, bring)


def _fetch_context(name: Named, args: Namespace, reach: Reach) -> bool:
    def bring(work: str) -> str:
        tree = f"{work}/tree"
        os.mkdir(tree)
        fetch(name, tree, reach)
        _check_directory(tree, args.directory, str(name))
        return tree

    return brought(args.into, str(name), reach.store, bring)


def _check_directory(tree: str, directory: str | None, source: str) -> None:
    if directory is None:
        return
    path = os.path.realpath(os.path.join(tree, directory.lstrip("/")))
    if not f"{path}/".startswith(f"{os.path.realpath(tree)}/"):
        raise Misused(f"--directory {directory} leads out of {source}")
    if not os.path.isdir(path):
        raise Misused(f"{source} has no directory {directory}")


def _pinned(text: str) -> Named:
    name = parse_name(text.removeprefix("docker://"))
    if name.digest is None:
        raise Misused(
            f"{text} has no digest",
            hint="write NAME@sha256:… as `artificer source pack` prints it",
        )
    return name


def _pack(args: Namespace, session: Session) -> int:
    reach = open_reach(args, session)
    with reach.store.in_use():
        packed = pack(args.directory, parse_name(args.name), reach, ignore_file=args.ignorefile)
    session.out(packed)
    return 0


_PARTS = {"fetch": Part(_fetch_parser, _fetch), "pack": Part(_pack_parser, _pack)}
