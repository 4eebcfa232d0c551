"""This machine's own Debian archive, as its apt sources say, and a web to reach it by."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from artificer.events import Report, unheard
from artificer.http.connection import Connections
from artificer.http.dial import Network
from artificer.http.proxies import proxies_of
from artificer.http.redirect import redirecting
from artificer.http.retry import Patience, retrying
from artificer.sources.debian.archives.sourceslist import archives_of
from artificer.sources.debian.values import Archive
from artificer.sources.url import Web
from artificer.stop import Stop
from artificer.store.blobs import Store, open_store
from tests.parts.commands import missing
from tests.parts.images import cache_folder

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
APT = Path("/etc/apt")


def machine_archives(release: str = "") -> tuple[Archive, ...]:
    """The archives of Debian that this machine's apt has packages from; *release* of them."""
    paths = [APT / "sources.list", *sorted((APT / "sources.list.d").glob("*"))]
    found = [
        archive
        for path in paths
        if path.is_file() and path.suffix in {".list", ".sources"}
        for archive in archives_of(path.read_bytes(), str(path))
        if KEYRING in archive.signed_by or _is_debian(archive)
    ]
    if not found:
        missing("no apt sources of Debian: its real archive can only be read on Debian")
    trusted = tuple(archive._replace(signed_by=(KEYRING,)) for archive in found)
    return of_release(trusted, release) if release else trusted


def of_release(archives: Sequence[Archive], release: str) -> tuple[Archive, ...]:
    """What has *release* where *archives* have the one of the first of them."""
    old = archives[0].suite
    if release == "sid":
        # It has no updates beside it; who mirrors it may do so more seldom than it is renewed.
        return (archives[0]._replace(suite=release, check_valid_until=False),)
    return tuple(one._replace(suite=one.suite.replace(old, release, 1)) for one in archives)


def machine_mirrors() -> dict[str, str]:
    """What has files of deb.debian.org fetched from where this machine's apt has them."""
    roots = sorted({archive.uri.rstrip("/") for archive in machine_archives()})
    words = [f"deb.debian.org/{root.rpartition('/')[2]}={root}" for root in roots]
    return {"ARTIFICER_ARCHIVE_MIRROR": " ".join(words)}


def _is_debian(archive: Archive) -> bool:
    return not archive.signed_by and archive.uri.rstrip("/").endswith(
        ("/debian", "/debian-security")
    )


@contextmanager
def web_over(
    store: Store, *, report: Report = unheard, environ: Mapping[str, str] = os.environ
) -> Iterator[Web]:
    """Requests as the command line sends them, into *store*; proxies are as *environ* says."""
    stop = Stop()
    connections = Connections(Network(stop, proxies_of(environ, report)))
    patience = Patience(stop.wait, pauses=(0.1, 0.2))
    send = redirecting(retrying(connections.send, patience, report=report))
    try:
        yield Web(send, store, report, stop)
    finally:
        connections.close()


def archive_store() -> Store:
    """A store that is kept between runs: indexes and packages are fetched once."""
    return open_store(str(cache_folder() / "archive-store"))
