"""``artificer doctor``: what this machine has, how a registry lets us in, how commands run."""

from argparse import Namespace
from collections.abc import Iterator, Sequence

from artificer.cli.command import bare_parser, run_command
from artificer.cli.connect import keychain_of, open_wire
from artificer.cli.grammar import (
    OptionGroup,
    Parser,
    add_access_options,
    add_common_options,
    add_display_options,
)
from artificer.cli.session import Session
from artificer.cli.terminal.page import Finding, page
from artificer.errors import ArtificerError, Misused
from artificer.oci.reference import DOCKER_HUB, Named, parse_reference
from artificer.registry.auth import Authorized, Explanation
from artificer.registry.client import Registry
from artificer.registry.credential import Found
from artificer.registry.problems import denied
from artificer.registry.upload import Uploads
from artificer.registry.wire import Wire
from artificer.store.trees import STATE

_MACHINE = """\
Show what artificer finds on this machine: its store, libraries, proxies, and the files that
credentials and registries are configured in. Nothing is changed, and no registry is asked.
"""
_AUTH = """\
Knock at the registry of an image, and tell how it lets us in: where credentials were looked for
and which answered, what the registry asked for, and which rights its token has. No secret is
shown. The exit code says whether the image may be read (and, with --push, be pushed).
"""
_RUN = """\
Try every way to run commands of a Dockerfile on this machine, and tell what each lacks. The first
that can be used is taken, unless `--rung` names another. All of them make the same layers.
"""


class Unwell(ArtificerError):
    """Something on this machine is not as it should be."""


def run(words: Sequence[str], session: Session) -> int:
    """Examine the machine, the way into a registry, or the ways to run commands."""
    if words[1:2] == ["auth"]:
        return run_command(_auth_parser(), words[1:], session, _auth)
    if words[1:2] == ["run"]:
        return run_command(_run_parser(), words[1:], session, _ways)
    if len(words) > 1 and not words[1].startswith("-"):
        raise Misused(
            f"no such command: doctor {words[1]}", hint="`doctor auth REF`, `doctor run`, `doctor`"
        )
    if "-h" in words or "--help" in words:
        pages = (_machine_parser(), _auth_parser(), _run_parser())
        session.out("\n\n".join(parser.format_help().rstrip("\n") for parser in pages))
        return 0
    return run_command(_machine_parser(), words, session, _machine)


def _machine_parser() -> Parser:
    parser = bare_parser("doctor", "[options]", _MACHINE)
    add_common_options(parser)
    return parser


def _auth_parser() -> Parser:
    parser = bare_parser("doctor auth", "IMAGE [--push] [options]", _AUTH)
    group = OptionGroup(parser, "image")
    group.add("image", metavar="IMAGE", help="its name in a registry; it need not be there")
    group.switch("--push", "also begin an upload, and end it at once")
    add_access_options(parser)
    add_display_options(parser)
    return parser


def _run_parser() -> Parser:
    parser = bare_parser("doctor run", "[options]", _RUN)
    add_common_options(parser)
    return parser


def _ways(args: Namespace, session: Session) -> int:
    from artificer.cli.doctor.ways import ladder, ways

    found = ways(f"{session.store_directory(args.store)}/{STATE}")
    session.out(ladder(found))
    if all(way.reason for way in found):
        raise Unwell(
            "no command of a Dockerfile can be run here",
            hint="the last column says what would help; COPY, ADD and all else need none of it",
        )
    return 0


def _machine(args: Namespace, session: Session) -> int:
    from artificer.cli.doctor.machine import findings

    found = tuple(findings(args.store, session))
    session.out(page(found))
    wrong = sum(finding.wrong for finding in found)
    if wrong:
        raise Unwell(f"{wrong} problem{'s' if wrong > 1 else ''} found, see above")
    return 0


def _auth(args: Namespace, session: Session) -> int:
    name = _name(args.image)
    wire = open_wire(args, session)
    keys = keychain_of(args, session, wire.send, [name])
    auth = Authorized(wire.send, keys, direct=wire.direct)
    found: list[Finding] = []
    try:
        for finding in _examined(name, auth, wire, session, push=args.push):
            found.append(finding)
    finally:
        # What fails at the end still leaves what was found on the way.
        if found:
            session.out(page(found))
    return 0


def _examined(
    name: Named, auth: Authorized, wire: Wire, session: Session, *, push: bool
) -> Iterator[Finding]:
    repository = name.repository
    yield Finding("registry", f"{repository.registry} at {wire.routes.write(repository).base}")
    for endpoint in wire.routes.read(repository, by_digest=name.digest is not None):
        if endpoint.mirror:
            yield Finding("mirror", f"{endpoint.base}/{endpoint.repository.path} is read first")
    credentials = auth.found(repository)
    yield from _searched(credentials)
    registry = Registry(auth, wire.routes, Uploads(wire.patience), report=session.report)
    explanation = registry.explain(repository, push=push)
    yield from _explained(explanation)
    if explanation.status in {401, 403}:
        message = f"{repository}: nobody is let in like this ({explanation.status})"
        raise denied(message, repository, credentials)
    if push:
        registry.check_push(repository)
        yield Finding("push", "allowed")
    else:
        there = registry.head_target(name)
        told = "there is no such image" if there is None else f"it is {there.digest}"
        yield Finding("pull", f"allowed; {told}")


def _searched(found: Found) -> Iterator[Finding]:
    for place in found.searched:
        yield Finding("searched", place)
    yield Finding("credentials", f"of {found.source}" if found.credential else "none: anonymous")
    if found.problem:
        yield Finding("credentials", found.problem, wrong=True)
    for name, _ in found.headers:
        yield Finding("header", f"{name} is sent, as HttpHeaders says")


def _explained(explanation: Explanation) -> Iterator[Finding]:
    yield Finding("sent as", explanation.kind)
    if explanation.scheme != "bearer":
        yield Finding("challenge", explanation.scheme)
    else:
        service = f', service "{explanation.service}"' if explanation.service else ""
        yield Finding("challenge", f"bearer, tokens of {explanation.realm}{service}")
    for scope in explanation.asked:
        yield Finding("asked", scope)
    if explanation.granted is not None:
        for scope in explanation.granted or ("nothing",):
            yield Finding("granted", scope)
    elif explanation.asked:
        yield Finding("granted", "the token does not show it")
    if explanation.seconds is not None:
        yield Finding("expires", f"in {explanation.seconds} s")
    yield Finding("answer", str(explanation.status))


def _name(text: str) -> Named:
    name = parse_reference(text)
    if not isinstance(name, Named):
        raise Misused(f"{text} is in no registry", hint="name an image as HOST/NAME")
    if "/" not in text and name.repository.registry == DOCKER_HUB and "." in text:
        raise Misused(
            f"{text} is read as an image of Docker Hub",
            hint=f"rights are given for repositories: name one, as {text}/ME/APP",
        )
    return name
