"""How archives and files of the web are reached: over which mirrors, and as whom."""

import os
from argparse import Namespace
from collections.abc import Mapping, Sequence

from artificer.cli.connect import open_wire
from artificer.cli.session import Session
from artificer.http.redirect import redirecting
from artificer.http.request import Send
from artificer.registry.wire import Wire
from artificer.sources.logins import Logins, logged_in, named_logins, usual_logins
from artificer.sources.mirrors import Mirrors, mirrors_of
from artificer.sources.url import Web
from artificer.store.blobs import Store


def open_web(
    args: Namespace, session: Session, store: Store, distdirs: tuple[str, ...] = ()
) -> Web:
    """How files are fetched into *store*, as *args* and the environment say."""
    wire = open_wire(args, session)
    mirrors, logins = reached(args.archive_mirror, args.archive_auth, session.environ)
    return Web(
        sending(wire, logins),
        store,
        session.report,
        session.stop,
        distdirs,
        args.offline,
        mirrors,
        logins,
    )


def reached(
    words: Sequence[str], auth: str | None, environ: Mapping[str, str]
) -> tuple[Mirrors, Logins]:
    """The mirrors and logins of options, then of *environ*."""
    variable = environ.get("ARTIFICER_ARCHIVE_MIRROR", "").split()
    mirrors = (*mirrors_of(words), *mirrors_of(variable, "ARTIFICER_ARCHIVE_MIRROR"))
    named = auth or environ.get("ARTIFICER_ARCHIVE_AUTH") or None
    option = "--archive-auth" if auth else "ARTIFICER_ARCHIVE_AUTH"
    home = environ.get("HOME") or os.sep
    files = (
        named_logins(named, option, home) if named else usual_logins(environ.get("NETRC"), home)
    )
    return Mirrors(mirrors), Logins(files)


def sending(wire: Wire, logins: Logins) -> Send:
    """Requests over *wire* with *logins*, each hop of a redirect for itself."""
    return redirecting(logged_in(wire.direct, logins), plain=wire.routes.plain)
