"""From options and the environment to the handles: the store, and the registries."""

import os
import re
from argparse import Namespace
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import artificer
from artificer.cli.session import Session
from artificer.errors import Misused
from artificer.http.connection import Connections
from artificer.http.dial import Network
from artificer.http.proxies import NO_PROXIES, proxies_of
from artificer.http.request import Request, Response, Send, redacted
from artificer.images.fetch import Offline
from artificer.images.reach import Guard, Reach
from artificer.oci.reference import Named, Reference
from artificer.registry.certificates import Certificates
from artificer.registry.client import Registry
from artificer.registry.credential import Credential, Found, Keychain
from artificer.registry.credentials import (
    Helper,
    Login,
    chained,
    explicit,
    from_files,
    from_helper,
    keychain,
    login_of,
    named_file,
    standard_files,
)
from artificer.registry.places import certificate_directories, policy_file, registries_files
from artificer.registry.routes import Routes, mirrored
from artificer.registry.wire import Wire, registry_over, wired
from artificer.store.blobs import Store

if TYPE_CHECKING:
    from artificer.registry.configured import Configuration
    from artificer.registry.policy import Policy

_METADATA_SECONDS = 2.0
_ABOUT_REGISTRY = re.compile(
    rb"""\s*(?:\[\[?\s*["']?registry|["']?(?:registry|credential-helpers)["']?\s*=\s*\[)"""
)


def open_reach(args: Namespace, session: Session, targets: Sequence[Reference] = ()) -> Reach:
    """Open the store and make ready for registries; no connection is made yet.

    *targets* say whom ``--dest-creds`` is for: a password for nobody would be for everybody.
    """
    if args.dest_creds is not None and not any(isinstance(one, Named) for one in targets):
        raise Misused(
            "--dest-creds, but no target is in a registry",
            hint="`--creds` is for the registries that are read",
        )
    store = session.store(args.store)
    registry = open_registry(args, session, store, targets)
    return Reach(store, registry, session.report, session.stop, guard_of(session.environ))


def open_wire(args: Namespace, session: Session) -> Wire:
    """Make ready for requests as *args* and the environment say, not yet with any credential."""
    routes = routes_of(args, session)
    network = Network(
        session.stop,
        proxies=proxies_of(session.environ, session.report),
        trust=routes.trust,
        timeout=args.timeout,
        user_agent=f"artificer/{artificer.__version__}",
    )
    wire = wired(network, routes, report=session.report)
    session.closing(wire.connections)
    return wire


def open_registry(
    args: Namespace, session: Session, store: Store, targets: Sequence[Reference] = ()
) -> Registry:
    """The registries as *args* and the environment say that they are reached."""
    wire = open_wire(args, session)
    if args.offline:
        wire = wire._replace(send=_offline, direct=_offline)
    keys = keychain_of(args, session, wire.send, targets)
    return registry_over(wire, keys, store, report=session.report)


def _offline(request: Request) -> Response:
    raise Offline(
        f"{redacted(request.url)} would be needed, but --offline asks nobody",
        hint="`artificer pull IMAGE` brings all of an image into the store",
    )


def routes_of(args: Namespace, session: Session) -> Routes:
    """Mirrors, blocked and insecure registries, and whom to trust."""
    configured = _configuration(session)
    rules = () if configured is None else configured.rules
    if (args.client_cert is None) != (args.client_key is None):
        raise Misused("--client-cert and --client-key go together")
    client = (args.client_cert, args.client_key) if args.client_cert else None
    certificates = Certificates(
        certificate_directories(session.environ),
        ca_files=args.cacert,
        client=client,
        roots=session.environ.get("SSL_CERT_FILE"),
    )
    return Routes(
        mirrored(rules, args.registry_mirror),
        insecure=args.insecure_registry,
        certificates=certificates,
    )


def _configuration(session: Session) -> "Configuration | None":
    """What the ``registries.conf`` files say, if they say anything that concerns us."""
    files = registries_files(session.environ)
    if not any(map(_speaks_of_registries, files)):
        return None
    from artificer.registry.configured import configuration_of

    return configuration_of(files, report=session.report)


def _speaks_of_registries(path: str) -> bool:
    """Whether a ``registries.conf`` could hold a ``[[registry]]``: most hold aliases only.

    Parsing those would cost every build 6 ms, for nothing that concerns us.
    """
    try:
        with open(path, "rb") as file:
            return any(map(_ABOUT_REGISTRY.match, file))
    except OSError:
        return True  # The parser tells what is wrong.


def guard_of(environ: Mapping[str, str]) -> Guard:
    """What the user's or the system's ``policy.json`` allows; read when it is first asked."""
    path = policy_file(environ)
    if path is None:
        return Guard()
    read: list[Policy] = []

    def policy() -> "Policy":
        if not read:
            from artificer.registry.policy import policy_of

            read.append(policy_of(path))
        return read[0]

    return Guard(lambda name: policy().check_named(name), lambda name: policy().check_target(name))


def keychain_of(
    args: Namespace, session: Session, send: Send, targets: Sequence[Reference]
) -> Keychain:
    """Where credentials are looked for: what was given, then the files, variables and clouds."""
    environ = session.environ
    home = environ.get("HOME") or "/"
    given: list[Keychain] = []
    hosts = tuple(one.repository.registry for one in targets if isinstance(one, Named))
    if args.dest_creds is not None:
        login = Login(login_of(args.dest_creds, "--dest-creds"), "--dest-creds", hosts)
        given.append(explicit(login))
    if args.creds is not None:
        given.append(explicit(Login(login_of(args.creds, "--creds"), "--creds", ())))
    if args.password_stdin:
        given.append(explicit(_from_stdin(args, session, hosts)))
    elif args.username is not None:
        raise Misused("--username without --password-stdin", hint="or give both: `--creds`")
    uid = os.getuid() if hasattr(os, "getuid") else None
    helper = _helper(session)
    if args.authfile is not None:
        # As with podman: a file that is named is the only one that counts.
        only = (named_file(args.authfile, "--authfile", home=home),)
        return chained(*given, from_files(only, helper=helper, report=session.report))
    searched = keychain(
        standard_files(environ, home=home, uid=uid),
        environ,
        home=home,
        helper=helper,
        clouds=(_cloud(session, send, home),),
        report=session.report,
    )
    return chained(*given, *_named_helpers(session, helper), searched)


def _named_helpers(session: Session, helper: Helper) -> list[Keychain]:
    """The ``credential-helpers`` of registries.conf; its own word for the files is no program."""
    configured = _configuration(session)
    names = () if configured is None else configured.credential_helpers
    return [from_helper(name, helper) for name in names if name != "containers-auth.json"]


def _from_stdin(args: Namespace, session: Session, hosts: tuple[str, ...]) -> Login:
    if args.username is None:
        raise Misused("--password-stdin needs the user", hint="add `--username USER`")
    from artificer.cli.secret import piped_secret

    text = f"{args.username}:{piped_secret(session.stdin)}"
    return Login(login_of(text, "--username"), "--password-stdin", hosts)


def _helper(session: Session) -> Callable[[str, str], Credential]:
    asked: list[Callable[[str, str], Credential]] = []

    def helper(name: str, server: str) -> Credential:
        if not asked:
            from artificer.registry.helpers import Programs, asking

            asked.append(asking(Programs(session.environ, stop=session.stop)))
        return asked[0](name, server)

    return helper


def _cloud(session: Session, send: Send, home: str) -> Callable[[str], Found | None]:
    """Asked only for hosts that end as some cloud's do; everything about clouds is late."""
    asked: list[Callable[[str], Found | None]] = []

    def cloud(host: str) -> Found | None:
        if not asked:
            from artificer.registry.clouds.every import every_cloud
            from artificer.registry.clouds.exchange import Reach as CloudReach
            from artificer.registry.clouds.exchange import machine_vendor
            from artificer.registry.helpers import Programs, gcloud_config

            metadata = Connections(
                Network(session.stop, proxies=NO_PROXIES, timeout=_METADATA_SECONDS)
            )
            session.closing(metadata)
            programs = Programs(session.environ, stop=session.stop)
            asked.append(
                every_cloud(
                    CloudReach(send, metadata.send, machine_vendor),
                    session.environ,
                    home=home,
                    gcloud=lambda: gcloud_config(programs),
                )
            )
        return asked[0](host)

    return cloud
