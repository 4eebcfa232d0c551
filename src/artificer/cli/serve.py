"""``artificer registry serve``: the local store as a registry, for demos, tests and clusters."""

import time
from argparse import Namespace
from collections.abc import Sequence

from artificer.cli.command import bare_parser
from artificer.cli.grammar import OptionGroup, Parser, add_common_options
from artificer.cli.parts import Part, run_part
from artificer.cli.secret import asked_secret, piped_secret
from artificer.cli.session import Session
from artificer.errors import Misused
from artificer.http.proxies import is_loopback
from artificer.registry.server.dispatch import Credentials
from artificer.registry.server.serving import LOOPBACK, serve
from artificer.store.blobs import Store

_SERVE = """\
Serve the local store as a registry by plain http, until Ctrl-C. Its address is printed to standard
output once it listens; requests are told on standard error.

What is pushed is kept in repositories of its own, beside the names of `artificer ls`, and stays
until `artificer cache prune --all`.
"""
_PORT = 5000
_PORTS = 65_536
_TICK = 0.1


def run(words: Sequence[str], session: Session) -> int:
    """Serve as *words* say."""
    return run_part("registry", {"serve": Part(_parser, _serve)}, words, session)


def _parser() -> Parser:
    parser = bare_parser("registry serve", "[options]", _SERVE)
    group = OptionGroup(parser, "registry")
    group.one("--host", "ADDRESS", f"address to listen at ({LOOPBACK})")
    group.one("--port", "N", f"0 is any free one ({_PORT})", type=int)
    group.switch("--read-only", "refuse whatever changes something")
    group.one("--user", "USER", "let nobody else in; asks for a password")
    group.switch("--password-stdin", "read the password from standard input")
    add_common_options(parser)
    return parser


def _serve(args: Namespace, session: Session) -> int:
    host = args.host or LOOPBACK
    port = _PORT if args.port is None else args.port
    if not 0 <= port < _PORTS:
        raise Misused(f"--port: not a port: {port}")
    credentials = _credentials(args, session)
    store = session.store(args.store)
    if not is_loopback(host) and credentials is None and not args.read_only:
        session.say(f"warning: whoever reaches {host} may push and delete")
        session.say("hint: `--user USER` asks for a password, `--read-only` lets nobody write")
    with serve(
        store,
        host,
        port,
        read_only=args.read_only,
        credentials=credentials,
        report=session.report,
    ) as server:
        server.start()
        _tell(store, server.address, session)
        # The server may not be closed by a signal's handler, which could interrupt it anywhere.
        while not session.stop.is_set():
            time.sleep(_TICK)
    session.say("The registry has ended.")
    return 128 + session.signal if session.signal else 0


def _tell(store: Store, address: str, session: Session) -> None:
    session.say(f"Serving the store {store.root} as a registry; Ctrl-C ends it.")
    session.say(f"Push with: artificer -b BASE -f FILE -t {address}/NAME:TAG")
    session.out(address)


def _credentials(args: Namespace, session: Session) -> Credentials | None:
    if args.user is None:
        if args.password_stdin:
            raise Misused("--password-stdin needs the user", hint="add `--user USER`")
        return None
    if not args.user or ":" in args.user:
        raise Misused("--user: a user name is not empty, and has no colon")
    if args.password_stdin:
        return Credentials(args.user, piped_secret(session.stdin))
    if not session.stdin.isatty():
        raise Misused(
            "there is no terminal to ask for the password",
            hint="pipe it in with `--password-stdin`",
        )
    return Credentials(args.user, asked_secret(f"password of {args.user}: ", session))
