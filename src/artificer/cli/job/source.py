"""Where a Job's source comes from, as `--git`, `--context` and `--workspace` say."""

from argparse import Namespace

from artificer.cli.connect import open_reach
from artificer.cli.session import Session
from artificer.cli.source_pack import pack
from artificer.errors import Misused
from artificer.kubernetes.job import (
    HOME_DIRECTORY,
    ContextSource,
    GitSource,
    Source,
    Workspace,
)
from artificer.oci.reference import InvalidReference, Named, parse_name
from artificer.sources.git_reference import is_git_reference, parse_git_reference, without_user


def source_of(args: Namespace, session: Session, *, needed: bool) -> Source:
    """What the options say; a directory is packed and sent, if the registry has it not yet.

    Where no file is *needed*, none has to be brought.
    """
    given = [name for name in ("git", "context", "workspace") if getattr(args, name) is not None]
    if len(given) > 1:
        raise Misused(
            f"--{given[0]} and --{given[1]}: a job has one source",
            hint="what else is needed can be mounted: `--mount`",
        )
    if args.git_secret and args.git is None:
        raise Misused("--git-secret without --git")
    if args.git is not None:
        return _git(args.git, args.git_secret or "")
    if args.context is not None:
        return _context(args, session)
    if args.workspace is not None:
        return _workspace(args.workspace)
    if needed:
        raise Misused(
            "where do the pods get the files from?",
            hint="`--git URL#COMMIT` clones them, `--context .` packs them, "
            "`--workspace CLAIM:/workspace` says that they are there",
        )
    return Workspace(directory=HOME_DIRECTORY)


def _git(text: str, secret: str) -> GitSource:
    if not is_git_reference(text) and "://" not in text:
        raise Misused(
            f"--git {text}: no repository of git",
            hint="its URL, and perhaps a revision: https://HOST/PATH.git#COMMIT",
        )
    reference = parse_git_reference(text)
    url, login = without_user(reference.url)
    if login:
        raise Misused(
            "--git: a password in a URL would be seen by all who see the job",
            hint="put it into a Secret, and name that: `--git-secret SECRET`",
        )
    refused = [name for name in ("checksum", "keep_git_dir") if getattr(reference, name)]
    if refused:
        raise Misused(
            f"--git: the word {refused[0]} of the URL has no meaning here",
            hint="`#COMMIT` pins the revision; there is no history",
        )
    return GitSource(url, reference.ref, secret, reference.subdir.strip("/"))


def _context(args: Namespace, session: Session) -> ContextSource:
    name = _packed(args.context)
    if name is None:
        name = parse_name(_pack(args, session))
    registry = name.repository.registry
    return ContextSource(str(name), registry in args.insecure_registry)


def _packed(text: str) -> Named | None:
    """The artifact that *text* names; None where it is a directory."""
    if "@sha256:" not in text:
        return None
    try:
        return parse_name(text)
    except InvalidReference as error:
        raise Misused(f"--context {text}: {error.message}", hint=error.hint) from error


def _pack(args: Namespace, session: Session) -> str:
    if not args.cache_repo:
        raise Misused(
            "--context is sent to the cache repository, and none is named",
            hint="add `--cache-repo REPOSITORY`, or pack it yourself: `artificer source pack`",
        )
    reach = open_reach(args, session)
    with reach.store.in_use():
        return pack(args.context, parse_name(args.cache_repo), reach)


def _workspace(text: str) -> Workspace:
    writable = text.endswith(":rw")
    volume, colon, path = text.removesuffix(":rw").rpartition(":")
    claim, _, inside = volume.partition("/")
    if colon and not claim:
        raise Misused(f"--workspace {text}: which claim?", hint="`--workspace CLAIM:/PATH`")
    if writable and not claim:
        raise Misused(
            f"--workspace {text}: the builder image cannot be written to", hint="leave `:rw` out"
        )
    return Workspace(claim, path, inside, writable)
