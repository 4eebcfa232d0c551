"""``artificer login HOST`` and ``logout``: a password for a registry, kept as docker keeps it."""

import os
from argparse import SUPPRESS, Action, ArgumentParser, Namespace
from collections.abc import Sequence
from contextlib import suppress

from artificer.cli.command import bare_parser, run_command
from artificer.cli.connect import open_wire
from artificer.cli.grammar import OptionGroup, Parser, add_connection_options, add_display_options
from artificer.cli.secret import asked, asked_secret, piped_secret
from artificer.cli.session import Session
from artificer.errors import ArtificerError, Misused, Unauthorized
from artificer.oci.reference import DOCKER_HUB, InvalidReference, Repository, parse_name
from artificer.registry.auth import Access, Authorized
from artificer.registry.authfile import normal_key
from artificer.registry.credential import ANONYMOUS, Basic
from artificer.registry.credentials import Login, explicit, from_files, standard_files
from artificer.registry.helpers import Programs, erase_credential, put_credential
from artificer.registry.login import Safe, erase, login_file, store

_LOGIN = """\
Remember a user and a password for a registry, where docker, podman and skopeo look for them, too.
The password is asked for at the terminal, or read from standard input; it is kept by the
credential helper that the file names (`credsStore`, `credHelpers`), else in the file itself.
"""
_LOGOUT = "Forget a registry's user and password."
_TYPED = "what was typed"


class WrongPassword(Unauthorized):
    """The registry does not accept the user and the password that were given."""


class NotARegistry(ArtificerError):
    """What answered does not behave like a registry."""


class _Refused(Action):
    """A password among the words of a command."""

    def __call__(self, parser: ArgumentParser, *_: object) -> None:
        raise Misused(
            "a password on the command line is seen by everybody on this machine",
            hint="leave it away to be asked for it, or pipe it in with `--password-stdin`",
        )


def run(words: Sequence[str], session: Session) -> int:
    """Log in to the registry that *words* name, or log out."""
    if words[0] == "login":
        return run_command(_login_parser(), words, session, _log_in)
    return run_command(_logout_parser(), words, session, _log_out)


def _login_parser() -> Parser:
    parser = bare_parser("login", "HOST [-u USER] [options]", _LOGIN)
    group = OptionGroup(parser, "login")
    group.add("host", metavar="HOST", help="the registry, as ghcr.io, docker.io or localhost:5000")
    group.one("-u --username", "USER", "asked for at the terminal if absent")
    group.switch("--password-stdin", "read the password from standard input")
    group.add("-p", "--password", action=_Refused, help=SUPPRESS)
    group.one("--authfile", "FILE", "keep it in this file (config.json)")
    group.switch("--no-check", "keep it without asking the registry")
    add_connection_options(parser)
    add_display_options(parser)
    return parser


def _logout_parser() -> Parser:
    parser = bare_parser("logout", "HOST [options]", _LOGOUT)
    group = OptionGroup(parser, "logout")
    group.add("host", metavar="HOST", help="the registry, as ghcr.io, docker.io or localhost:5000")
    group.one("--authfile", "FILE", "forget it in this file (config.json)")
    add_display_options(parser)
    return parser


def _log_in(args: Namespace, session: Session) -> int:
    host = _host(args.host)
    credential = _credential(args, host, session)
    if not args.no_check:
        _check(host, credential, args, session)
    kept = store(host, credential, _file(args, session), safe=_safe(session))
    place = _shown(kept.place, session)
    session.say(f"logged in to {host} as {credential.username}")
    if kept.plain:
        session.say(f"the password is in {place}, in plain text: whoever reads the file has it")
        session.say("hint: name a credential helper there (`credsStore`) to keep it elsewhere")
    else:
        session.say(f"the password is kept by {place}")
    return 0


def _credential(args: Namespace, host: str, session: Session) -> Basic:
    terminal = session.stdin.isatty()
    if not args.password_stdin and not terminal:
        raise Misused(
            "there is no terminal to ask for the password",
            hint=f"pipe it in: `artificer login {host} -u USER --password-stdin < FILE`",
        )
    if args.username is None and (args.password_stdin or not terminal):
        raise Misused("--password-stdin needs the user", hint="add `--username USER`")
    username = args.username or asked(f"user name for {host}: ", session)
    if not username or ":" in username:
        raise Misused("a user name is not empty, and has no colon")
    if args.password_stdin:
        return Basic(username, piped_secret(session.stdin))
    return Basic(username, asked_secret(f"password of {username}: ", session))


def _check(host: str, credential: Basic, args: Namespace, session: Session) -> None:
    """Raise unless the registry lets *credential* in."""
    args.registry_mirror = []  # nobody logs in to a mirror on the way to another registry
    wire = open_wire(args, session)
    auth = Authorized(wire.send, explicit(Login(credential, _TYPED)), direct=wire.direct)
    endpoint = wire.routes.write(Repository(host, ""))
    try:
        answer = auth.explain(Access(endpoint, ()))
    except Unauthorized as error:
        raise _wrong(host) from error
    if answer.status in {401, 403}:
        raise _wrong(host)
    if answer.status != 200:
        raise NotARegistry(
            f"{host} answered {answer.status} where a registry greets (/v2/)",
            hint="is the name right? `--no-check` keeps the password all the same",
        )
    if answer.scheme == "none":
        session.say(f"{host} lets everybody in: the password could not be checked")


def _wrong(host: str) -> WrongPassword:
    return WrongPassword(
        f"{host} does not accept this user and password",
        hint="nothing was kept; many registries want an access token in place of the password",
    )


def _log_out(args: Namespace, session: Session) -> int:
    host = _host(args.host)
    path = _file(args, session)
    known = erase(host, path, safe=_safe(session))
    place = _shown(path, session)
    session.say(f"logged out of {host}" if known else f"no login for {host} in {place}")
    remaining = None if args.authfile else _remaining(host, session)
    if remaining:
        session.say(f"warning: another login for {host} remains in {remaining}")
        session.say("hint: name that file with `--authfile`")
    return 0


def _remaining(host: str, session: Session) -> str | None:
    """Where a password for *host* is still written down."""
    uid = os.getuid() if hasattr(os, "getuid") else None
    files = standard_files(session.environ, home=_home(session), uid=uid)
    found = from_files(files, helper=lambda *_: ANONYMOUS)(Repository(host, ""))
    return found.source if found.credential else None


def _host(text: str) -> str:
    """The registry that *text* names, be it as a URL, as docker's files have it."""
    host = normal_key(text)
    if host == DOCKER_HUB:
        return host
    with suppress(InvalidReference):
        if parse_name(f"{host}/login").repository == Repository(host, "login"):
            return host
    raise Misused(
        f"not a registry: {text}",
        hint="name a host, with its port if it has one: ghcr.io, localhost:5000; "
        "Docker Hub is docker.io",
    )


def _file(args: Namespace, session: Session) -> str:
    chosen: str | None = args.authfile
    return chosen or login_file(session.environ, home=_home(session))


def _safe(session: Session) -> Safe:
    programs = Programs(session.environ, stop=session.stop)
    return Safe(
        lambda name, server, credential: put_credential(programs, name, server, credential),
        lambda name, server: erase_credential(programs, name, server),
    )


def _home(session: Session) -> str:
    return session.environ.get("HOME") or "/"


def _shown(path: str, session: Session) -> str:
    home = _home(session).rstrip("/")
    return f"~{path[len(home) :]}" if home and path.startswith(f"{home}/") else path
