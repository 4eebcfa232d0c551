"""Files of the web: fetched once, verified, and kept by what they hash to."""

import base64
import binascii
import hashlib
import os
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote, urlsplit

from artificer import limits
from artificer.errors import (
    ArtificerError,
    Cancelled,
    Misused,
    Transient,
    Unauthorized,
    Unavailable,
    reason,
)
from artificer.events import BlobProgress, Note, Report, Warned
from artificer.http.request import Request, Response, Send, redacted
from artificer.oci.digest import Digest, InvalidDigest
from artificer.sources.logins import Logins
from artificer.sources.mirrors import Mirrors
from artificer.stop import Stop
from artificer.store.blobs import Store

if TYPE_CHECKING:
    from hashlib import _Hash

_KIND = "url"
_CHUNK = 1 << 18
_TRIES = 4
_PROGRESS = limits.MIB
_HASH = re.compile(r"[0-9a-f]{64}")
_OK, _PARTIAL = 200, 206
_NO_MIRRORS, _NO_LOGINS = Mirrors(), Logins()
_REFUSED = (401, 403)
_INTEGRITY = {"sha256": 32, "sha384": 48, "sha512": 64}


class NotFetched(Unavailable):
    """None of the URLs gave the file."""


class WrongHash(ArtificerError):
    """A file is not the one that was asked for."""


class Refused(Unauthorized):
    """A server does not give the file to us, or to nobody whom it does not know."""


class Wanted(NamedTuple):
    """A file at any of *urls*, tried in order; *hashes* are all that it must have, and a *size*.

    Made by `wanted`, which checks them.
    """

    urls: tuple[str, ...]
    hashes: tuple[tuple[str, str], ...] = ()
    size: int | None = None

    @property
    def digest(self) -> Digest | None:
        """The sha256 that it must have, if one was given."""
        found = dict(self.hashes).get("sha256")
        return None if found is None else Digest(f"sha256:{found}")

    @property
    def name(self) -> str:
        """The last component of the first URL's path."""
        return unquote(urlsplit(self.urls[0]).path.rstrip("/").rpartition("/")[2])


class Fetched(NamedTuple):
    """A file that is in the store: where, and what it is called there."""

    path: str
    digest: Digest
    size: int


class Web(NamedTuple):
    """How files are had: *distdirs* are looked into first; offline, nobody is asked.

    *send* knows the *logins*; here they say what is told of one that is missing.
    """

    send: Send
    store: Store
    report: Report
    stop: Stop
    distdirs: tuple[str, ...] = ()
    offline: bool = False
    mirrors: Mirrors = _NO_MIRRORS
    logins: Logins = _NO_LOGINS


def wanted(
    urls: Sequence[str], *, sha256: str = "", integrity: str = "", size: int | None = None
) -> Wanted:
    """What to fetch, checked: *sha256* is hexadecimal, *integrity* is as HTML has it."""
    if not urls:
        raise Misused("a file to fetch has no URL")
    for url in urls:
        if scheme_of(url) not in {"http", "https", "file"}:
            raise Misused(
                f"not a URL that can be fetched: {redacted(url)}",
                hint="use https:, http: or file:",
            )
    hashes: dict[str, str] = {}
    if sha256:
        try:
            hashes["sha256"] = Digest(f"sha256:{sha256.lower()}").hex
        except InvalidDigest as error:
            raise Misused(
                f"not a sha256: {sha256!r}", hint="it has 64 hexadecimal digits"
            ) from error
    if integrity:
        algorithm, value = _integrity(integrity)
        if hashes.get(algorithm, value) != value:
            raise Misused("sha256 and integrity contradict each other")
        hashes[algorithm] = value
    return Wanted(tuple(urls), tuple(hashes.items()), size)


def scheme_of(url: str) -> str:
    """What *url* begins with; nothing if it is none, as with half of an address of IPv6."""
    try:
        return urlsplit(url).scheme
    except ValueError:
        return ""


def fetch(file: Wanted, web: Web) -> Fetched:
    """Have *file* in the store: it is there, in a distribution directory, or fetched.

    A file without a hash is fetched once, and told: nothing says that it is the right one.
    """
    known = _known(file, web)
    if known is not None:
        return known
    found = _from_distdirs(file, web) or _from_urls(file, web)
    if not file.hashes:
        web.report(
            Warned(
                f"{redacted(file.urls[0])} has no hash: whatever is there now was taken",
                f'pin it with sha256 = "{found.digest.hex}", or by `artificer lock`',
            )
        )
    web.store.set_record(_KIND, _key(file), found.digest.encode(), needs=[found.digest])
    return found


def _known(file: Wanted, web: Web) -> Fetched | None:
    digest = file.digest
    if digest is None:
        data = web.store.record(_KIND, _key(file))
        if data is None:
            return None
        digest = Digest(data.decode("ascii", "replace"))
    size = web.store.has(digest)
    return None if size is None else Fetched(web.store.blob_path(digest), digest, size)


def _key(file: Wanted) -> str:
    # Other hashes are other files; the same hash is the same file wherever it lies.
    return " ".join(f"{name}:{value}" for name, value in file.hashes) or file.urls[0]


def _from_distdirs(file: Wanted, web: Web) -> Fetched | None:
    for directory in web.distdirs:
        path = os.path.join(directory, file.name)
        if file.name and os.path.isfile(path):
            try:
                found = _kept(_read(path), file, web, path)
            except WrongHash as error:
                web.report(Note(f"{error.message}: not taken"))
                continue
            web.report(Note(f"{file.name} is taken from {directory}"))
            return found
    return None


def _from_urls(file: Wanted, web: Web) -> Fetched:
    problems: list[ArtificerError] = []
    for url in file.urls:
        for place in web.mirrors.places(url):
            try:
                return _kept(_chunks(place, web), file, web, _shown(place))
            except Cancelled:
                raise
            except (ArtificerError, OSError) as error:
                problems.append(_told(error, place))
                passed_over(place, url, problems[-1], web)
    if len(problems) == 1:
        raise problems[0]
    raise _summed(problems)


def passed_over(place: str, url: str, error: ArtificerError, web: Web) -> bool:
    """Whether another place has what *url* names, so that *error* at this one is only told."""
    if place == url or isinstance(error, Cancelled):
        return False
    if not web.offline:
        web.mirrors.failed(place, url, error, web.report)
    return True


def _summed(problems: Sequence[ArtificerError]) -> ArtificerError:
    """What is said of several *problems*: of all what the gravest of them means."""
    told = "; ".join(problem.message for problem in problems)
    for kind in (WrongHash, Refused):
        for problem in problems:
            # Archives say 403 of files that are not there; then another place knows better.
            if isinstance(problem, kind) and (kind is WrongHash or problem is problems[-1]):
                return kind(told, hint=problem.hint)
    return NotFetched(f"none of {len(problems)} URLs gave the file: {told}")


def _chunks(url: str, web: Web) -> Iterator[bytes]:
    if urlsplit(url).scheme == "file":
        return _read(unquote(urlsplit(url).path))
    if web.offline:
        raise NotFetched(f"{redacted(url)}: not in the store, and offline")
    return _download(url, web)


def _shown(url: str) -> str:
    return url if url.startswith("file:") else redacted(url)


def _told(error: ArtificerError | OSError, url: str) -> ArtificerError:
    if isinstance(error, ArtificerError):
        return error
    return NotFetched(f"{redacted(url)}: {reason(error)}")


def _kept(chunks: Iterator[bytes], file: Wanted, web: Web, where: str) -> Fetched:
    """Keep *chunks* as a blob, unless a hash is another than the one asked for."""
    hashers: dict[str, _Hash] = {
        name: hashlib.new(name) for name in {"sha256", *dict(file.hashes)}
    }
    with web.store.writer() as writer:
        for chunk in chunks:
            web.stop.check()
            for hasher in hashers.values():
                hasher.update(chunk)
            writer.write(chunk)
            if writer.size > (limits.DOWNLOAD_BYTES if file.size is None else file.size):
                raise _too_long(file, where)
        if file.size is not None and writer.size < file.size:
            raise WrongHash(
                f"{where} is cut short: {writer.size} bytes, not {file.size}",
                hint="it was replaced there, or the server breaks off; try again",
            )
        for name, value in file.hashes:
            if hashers[name].hexdigest() != value:
                raise WrongHash(
                    f"{where}: {name} is {hashers[name].hexdigest()}, not {value}",
                    hint="it was replaced there, or the hash is of another file",
                )
        digest = Digest.sha256(hashers["sha256"])
        writer.commit(digest)
        return Fetched(web.store.blob_path(digest), digest, writer.size)


def _too_long(file: Wanted, where: str) -> ArtificerError:
    if file.size is None:
        return NotFetched(f"{where}: longer than {limits.DOWNLOAD_BYTES} bytes")
    return WrongHash(
        f"{where}: longer than its {file.size} bytes",
        hint="it was replaced there, or the server answers with something else",
    )


def _read(path: str) -> Iterator[bytes]:
    with open(path, "rb", buffering=0) as file:
        while chunk := file.read(_CHUNK):
            yield chunk


def _download(url: str, web: Web) -> Iterator[bytes]:
    """Yield the bytes at *url*; where a connection breaks, the rest is asked for."""
    offset, tag, failures, told = 0, "", 0, 0
    while True:
        headers = {"Range": f"bytes={offset}-", "If-Range": tag} if offset else {}
        try:
            with web.send(Request("GET", url, headers)) as response:
                check_status(response, url, web, partial=bool(offset))
                if offset and response.status == _OK:
                    raise NotFetched(f"{redacted(url)}: broke off, and cannot be continued")
                tag = response.headers.get("etag") or response.headers.get("last-modified")
                total = int(response.headers.get("content-length", "0") or 0) + offset
                for chunk in response.chunks():
                    offset += len(chunk)
                    if offset - told >= _PROGRESS:
                        told = offset
                        web.report(_progress(url, offset, total))
                    yield chunk
                if told:
                    web.report(_progress(url, offset, offset))
                return
        except Transient:
            failures += 1
            if failures == _TRIES or not tag:
                raise


def _progress(url: str, done: int, total: int) -> BlobProgress:
    parts = urlsplit(redacted(url))
    name = parts.path.rpartition("/")[2]
    # What is named by its hash says less than whose it is.
    shown = parts.hostname or "" if _HASH.fullmatch(name) else name
    return BlobProgress(Digest.of(url.encode()), done, total, "fetch", shown)


def check_status(response: Response, url: str, web: Web, *, partial: bool = False) -> None:
    """Raise what *response* to *url* means, if it is not the file, or the rest of it."""
    if response.status == _OK or (partial and response.status == _PARTIAL):
        return
    text = f"{redacted(url)}: answered {response.status}"
    if response.status in _REFUSED:
        raise Refused(text, hint=web.logins.told(response.url or url) or "is it open to all?")
    if response.status >= 500:
        raise NotFetched(text)
    raise NotFound(text, hint="is the URL still right?")


class NotFound(ArtificerError):
    """A server does not give the file, and will not if asked again."""


def _integrity(text: str) -> tuple[str, str]:
    algorithm, _, encoded = text.partition("-")
    size = _INTEGRITY.get(algorithm)
    try:
        value = base64.b64decode(encoded, validate=True)
    except (ValueError, binascii.Error):
        value = b""
    if size is None or len(value) != size:
        raise Misused(
            f"not an integrity: {text!r}", hint="write sha256-BASE64 (or sha384, sha512)"
        )
    return algorithm, value.hex()
