"""Release files and other small files that change: fetched, verified, and never older again."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from artificer import limits
from artificer.errors import ArtificerError, reason
from artificer.events import Note, Warned
from artificer.http.request import Request, redacted
from artificer.sources.debian.archives.openpgp import NotOpenPgp, cleartext
from artificer.sources.debian.archives.release import (
    UNLISTED,
    BadRelease,
    Release,
    check_time,
    made_at,
    release_of,
)
from artificer.sources.debian.archives.signature import (
    NotVerified,
    Signed,
    Verifier,
    keyring_of,
    verify,
)
from artificer.sources.debian.values import Archive
from artificer.sources.url import NotFetched, NotFound, Web, check_status, passed_over

_KIND = "deb-release"
_NEWEST = "deb-newest"
_UNCHANGED = 304
_GONE = (404, 410)
_ABSENT = (403, *_GONE)


class Trust(NamedTuple):
    """What is believed: *usual* keyrings where an archive names none, and the present time.

    *by* is what verifies, in order of preference; None is what this machine has.
    """

    usual: tuple[str, ...]
    now: float
    by: tuple[Verifier, ...] | None = None


class _Papers(NamedTuple):
    """What a suite says of itself, and the *signature* of that; without one it is within."""

    text: bytes
    signature: bytes | None
    what: str


def release_in(archive: Archive, folder: str, web: Web, trust: Trust) -> Release:
    """The Release file of the suite at the URL *folder*: of a mirror, if one has a good one."""
    for place in web.mirrors.places(folder):
        try:
            papers = _papers(archive, place, web)
            if papers is None:
                if place != folder:
                    continue
                return UNLISTED
            release = _believed(papers, archive, trust)
            if folder.startswith("file:") or not _timed(archive):
                return release
            return _newest(release, papers, _Seen(archive, folder, place == folder), web, trust)
        except ArtificerError as error:
            if not passed_over(place, folder, error, web):
                raise
    return UNLISTED


def document(url: str, web: Web) -> bytes | None:
    """A small file that changes, asked for with what is known of it; None if there is none."""
    for place in web.mirrors.places(url):
        try:
            found = _document(place, web)
        except ArtificerError as error:
            if not passed_over(place, url, error, web):
                raise
        else:
            if found is not None:
                return found
    return None


def _timed(archive: Archive) -> bool:
    return archive.check_valid_until and not archive.snapshot


class _Seen(NamedTuple):
    """Which suite is looked at; with *last* nobody else can be asked about it."""

    archive: Archive
    folder: str
    last: bool


def _newest(release: Release, papers: _Papers, seen: _Seen, web: Web, trust: Trust) -> Release:
    """*release*, or the one seen before if that is newer: nobody shall hold back updates.

    apt does the same, and says nothing.
    """
    made = made_at(release)
    before = _remembered(seen.folder, web)
    if made is None:
        return release
    if before is None or before[0] <= made:
        if before is None or before[1] != papers._replace(what=before[1].what):
            _remember(seen.folder, made, papers, web)
        return release
    told = f"{release.what} is of {_day(made)}, older than that of {_day(before[0])} seen before"
    if not seen.last:
        raise BadRelease(told)
    try:
        newer = _believed(before[1], seen.archive, trust)
    except ArtificerError:
        # It has expired, or its key is not trusted any more.
        return release
    web.report(
        Warned(
            f"{told}, which is taken",
            "the mirror lags, or somebody holds back updates; "
            "`[check-valid-until=no]` takes what is there",
        )
    )
    return newer


def _day(time: float) -> str:
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%d %H:%M UTC")


def _remember(folder: str, made: float, papers: _Papers, web: Web) -> None:
    signature = papers.signature
    head = {"made": made, "what": papers.what, "text": len(papers.text), "inline": not signature}
    data = papers.text + (signature or b"")
    web.store.set_record(_NEWEST, folder, json.dumps(head).encode() + b"\n" + data)


def _remembered(folder: str, web: Web) -> tuple[float, _Papers] | None:
    head, _, data = (web.store.record(_NEWEST, folder) or b"").partition(b"\n")
    try:
        told = json.loads(head)
        size, made = int(told["text"]), float(told["made"])
        signature = None if told["inline"] else data[size:]
        return made, _Papers(data[:size], signature, str(told["what"]))
    except (ValueError, KeyError, TypeError):
        return None


def _papers(archive: Archive, folder: str, web: Web) -> _Papers | None:
    """What the suite at *folder* says of itself; None if nothing, of one that is trusted."""
    inline = _document(f"{folder}/InRelease", web)
    if inline is not None:
        return _Papers(inline, None, f"{redacted(folder)}/InRelease")
    what = f"{redacted(folder)}/Release"
    # Some servers say 403 of what is not there; of the last chance it is taken at its word.
    text = _document(f"{folder}/Release", web, _ABSENT if archive.trusted else _GONE)
    if text is None:
        if archive.trusted:
            return None
        if web.offline and not folder.startswith("file:"):
            raise NotFetched(
                f"{what} is not in the store, and offline",
                hint="build once without `--offline`, or lock the packages",
            )
        raise NotFound(
            f"{archive.place}: {redacted(folder)} has neither InRelease nor Release".lstrip(": "),
            hint="are the address and the name of the suite right? `[trusted=yes]` reads an "
            "archive without either",
        )
    signature = _document(f"{folder}/Release.gpg", web) if not archive.trusted else b""
    if signature is None:
        raise NotVerified(
            f"{what} is not signed: there is neither InRelease nor Release.gpg",
            hint="`[trusted=yes]` takes it all the same",
        )
    return _Papers(text, signature, what)


def _believed(papers: _Papers, archive: Archive, trust: Trust) -> Release:
    """What *papers* say, once their signature is verified and if they are not too old."""
    if papers.signature is None:
        text, signature = _parted(papers.text, papers.what)
    else:
        text, signature = papers.text, papers.signature
    if not archive.trusted:
        signed = Signed(text, signature, papers.what)
        verify(signed, keyring_of(archive.signed_by, trust.usual), trust.now, trust.by)
    release = release_of(text, papers.what)
    if _timed(archive):
        check_time(release, trust.now)
    return release


def _parted(data: bytes, what: str) -> tuple[bytes, bytes]:
    try:
        return cleartext(data, what)
    except NotOpenPgp as error:
        if data.lstrip()[:1] == b"<":
            raise NotOpenPgp(
                f"{what} is a web page, and no list of an archive",
                hint="is the address right, or does this network ask for a login?",
            ) from error
        raise


def _document(url: str, web: Web, absent: Sequence[int] = _ABSENT) -> bytes | None:
    if urlsplit(url).scheme == "file":
        return _file(unquote(urlsplit(url).path))
    kept = _kept(url, web)
    if web.offline:
        if kept is None:
            return None
        web.report(Note(f"{redacted(url)} is taken from the store, as offline"))
        return kept[1]
    with web.send(Request("GET", url, kept[0] if kept else {})) as response:
        if response.status == _UNCHANGED and kept is not None:
            return kept[1]
        if response.status in absent:
            return None
        check_status(response, url, web)
        data = response.read(limits.RELEASE_BYTES)
        headers = {
            "If-None-Match": response.headers.get("etag"),
            "If-Modified-Since": response.headers.get("last-modified"),
        }
    known = {name: value for name, value in headers.items() if value}
    web.store.set_record(_KIND, url, json.dumps(known).encode() + b"\n" + data)
    return data


def _kept(url: str, web: Web) -> tuple[dict[str, str], bytes] | None:
    record = web.store.record(_KIND, url)
    if record is None:
        return None
    head, _, data = record.partition(b"\n")
    try:
        known: dict[str, str] = json.loads(head)
    except ValueError:
        return None
    return known, data


def _file(path: str) -> bytes | None:
    try:
        with open(path, "rb") as file:
            data = file.read(limits.RELEASE_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise NotFetched(f"{path}: {reason(error)}") from error
    if len(data) > limits.RELEASE_BYTES:
        raise BadRelease(f"{path} is larger than any list: {limits.RELEASE_BYTES} bytes")
    return data
