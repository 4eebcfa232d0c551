"""Mirrors of archives: where files are asked for first, whatever locks and lists call them."""

import re
import threading
from collections.abc import Iterator, Sequence
from typing import NamedTuple
from urllib.parse import urlsplit

from artificer.errors import ArtificerError, Misused, Transient, Unavailable
from artificer.events import Note, Report, Warned
from artificer.http.request import InvalidUrl, authority, redacted

_WORD = re.compile(r"(?P<prefix>[^=\s]+)=(?P<location>(?:https?://|file:/).+|/.*)")
_WEB = ("http", "https")


class BadMirror(Misused):
    """A word that names no mirror."""


class Mirror(NamedTuple):
    """*location* takes the place of *prefix*, which is without a scheme where both are meant."""

    prefix: str
    location: str

    def place(self, url: str) -> str | None:
        """Where the mirror has what is at *url*, if it has it."""
        known = url if "://" in self.prefix else url.partition("://")[2]
        rest = known.removeprefix(self.prefix)
        if rest == known or urlsplit(url).scheme not in _WEB:
            return None
        return self.location + rest if rest[:1] in {"", "/"} else None


class Mirrors:
    """Mirrors in the order in which they are asked; one that cannot be reached is asked once.

    What they give is never believed for coming from there: it has the signature, or the hash,
    that the archive itself would have to have.
    """

    def __init__(self, mirrors: Sequence[Mirror] = ()) -> None:
        self._mirrors = tuple(mirrors)
        self._lost: set[Mirror] = set()
        self._lock = threading.Lock()

    def places(self, url: str) -> Iterator[str]:
        """Where to ask for *url*, one after the other; *url* itself is the last."""
        for mirror in self._mirrors:
            place = mirror.place(url)
            if place is not None and mirror not in self._lost and place != url:
                yield place
        yield url

    def failed(self, place: str, url: str, error: ArtificerError, report: Report) -> None:
        """Tell that *error* kept the mirror from giving *url* at *place*."""
        away = place.startswith("http") and isinstance(error, Unavailable | Transient)
        for mirror in self._mirrors:
            if mirror.place(url) != place or mirror in self._lost:
                continue
            name = f"the mirror {redacted(mirror.location)}"
            if not away:
                report(Note(f"{name} is passed over: {error.message}"))
                return
            with self._lock:
                known = mirror in self._lost
                self._lost.add(mirror)
            if not known:
                report(Warned(f"{name} is not asked again: {error.message}"))
            return


def mirrors_of(words: Sequence[str], option: str = "--archive-mirror") -> tuple[Mirror, ...]:
    """The mirrors that *words* (``FROM=TO``) name, in their order."""
    return tuple(_mirror(word.strip(), option) for word in words)


def _mirror(word: str, option: str) -> Mirror:
    match = _WORD.fullmatch(word)
    if match is None:
        raise BadMirror(
            f"{option}: not a mirror: {redacted(word)!r}",
            hint="write FROM=TO: `deb.debian.org=https://mirror.example.com`; "
            "TO is an address, or a directory",
        )
    prefix, location = match["prefix"].rstrip("/"), match["location"].rstrip("/")
    if location.startswith("/"):
        location = f"file://{location}"
    for address in (prefix if "://" in prefix else f"https://{prefix}", location):
        _check(address, option)
    return Mirror(prefix, location)


def _check(address: str, option: str) -> None:
    if address.startswith("file:"):
        return
    try:
        authority(address)
    except InvalidUrl as error:
        raise BadMirror(f"{option}: {error.message}") from error
    if "@" in address.partition("://")[2].partition("/")[0]:
        raise BadMirror(
            f"{option}: {redacted(address)} is written with a login",
            hint="write it into a file for `--archive-auth`: `machine HOST login … password …`",
        )
