"""What ADD fetches: files of the web, looked after on each build, and checkouts of git.

The time of a file is what the server says (Last-Modified). With a checksum it is the build's
epoch, as for files of a context: a checksum says that the same bytes are the same, wherever they
come from, and then the layer has to be the same, too.
"""

import hashlib
import json
import posixpath
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from artificer import limits
from artificer.builder.staged.options import Secrets
from artificer.builder.staged.shop import Ask, Remote
from artificer.errors import ArtificerError, Misused
from artificer.events import Note
from artificer.http.request import Request, Response, redacted
from artificer.oci.digest import Digest, InvalidDigest
from artificer.sources.git import Git, checkout, subdirectory
from artificer.sources.git_reference import is_git_reference, parse_git_reference
from artificer.sources.url import NotFetched, NotFound, Web, WrongHash

_KIND = "url-now"
_OK, _UNCHANGED = 200, 304


class Remotes:
    """Fetches what ADD names; each once in a build."""

    def __init__(self, web: Web, git: Git, secrets: Secrets, epoch: int) -> None:
        self._web = web
        self._git = git
        self._secrets = secrets
        self._epoch = epoch
        self._known: dict[Ask, Remote] = {}

    def fetch(self, ask: Ask) -> Remote:
        """Return what *ask* stands for, which is in the store by now."""
        known = self._known.get(ask)
        if known is None:
            known = self._checkout(ask) if is_git_reference(ask.url) else self._file(ask)
            self._known[ask] = known
        return known

    def _checkout(self, ask: Ask) -> Remote:
        reference = parse_git_reference(ask.url)
        if ask.checksum:
            reference = reference._replace(checksum=ask.checksum)
        if ask.keep_git_dir:
            reference = reference._replace(keep_git_dir=True)
        found = checkout(reference, self._git)
        what = (found.commit, reference.subdir, reference.keep_git_dir, reference.submodules)
        return Remote(json.dumps(["git", *what]), subdirectory(found, reference))

    def _file(self, ask: Ask) -> Remote:
        name = posixpath.basename(unquote(urlsplit(ask.url).path))
        digest = _checksum(ask)
        if digest is not None and self._web.store.has(digest) is not None:
            return self._remote(digest, name, self._epoch)
        found = self._current(ask, digest)
        mtime = self._epoch if digest is not None else found.mtime(self._epoch)
        return self._remote(found.digest, name, mtime)

    def _remote(self, digest: Digest, name: str, mtime: int) -> Remote:
        identity = json.dumps(["url", digest, name, mtime])
        # A file has a name, whatever the URL says; where one is needed, ADD asks for it.
        return Remote(identity, self._web.store.blob_path(digest), name or "/", mtime)

    def _current(self, ask: Ask, digest: Digest | None) -> "_Current":
        web, url = self._web, ask.url
        data = web.store.record(_KIND, url)
        known = None if data is None else _Current.read(data)
        if known is not None and digest not in {None, known.digest}:
            known = None
        if web.offline:
            if known is None:
                raise NotFetched(f"{redacted(url)}: not in the store, and offline")
            return known
        headers = {} if known is None else known.conditions()
        headers |= _authorization(url, self._secrets)
        with web.send(Request("GET", url, headers)) as response:
            if response.status == _UNCHANGED and known is not None:
                return known
            if response.status != _OK:
                raise _refused(response, url)
            web.report(Note(f"fetching {redacted(url)}"))
            return self._kept(response, url, digest)

    def _kept(self, response: Response, url: str, wanted: Digest | None) -> "_Current":
        web = self._web
        hasher = hashlib.sha256()
        with web.store.writer() as writer:
            for chunk in response.chunks():
                web.stop.check()
                hasher.update(chunk)
                writer.write(chunk)
                if writer.size > limits.DOWNLOAD_BYTES:
                    raise NotFetched(f"{redacted(url)}: more than {limits.DOWNLOAD_BYTES} bytes")
            found = Digest.sha256(hasher)
            if wanted not in {None, found}:
                raise WrongHash(
                    f"{redacted(url)}: it is {found}, not {wanted}",
                    hint="it was replaced there, or the checksum is of another file",
                )
            writer.commit(found)
        get = response.headers.get
        current = _Current(found, get("etag"), get("last-modified"))
        web.store.set_record(_KIND, url, json.dumps(current).encode(), needs=[found])
        return current


class _Current(NamedTuple):
    """What a server gave for a URL, and what it is asked the next time."""

    digest: Digest
    tag: str
    modified: str

    @classmethod
    def read(cls, data: bytes) -> "_Current | None":
        try:
            digest, tag, modified = json.loads(data)
            return cls(Digest(digest), str(tag), str(modified))
        except (ValueError, TypeError, InvalidDigest):
            return None

    def conditions(self) -> dict[str, str]:
        """Headers that ask for it only if it is another one by now."""
        if self.tag:
            return {"If-None-Match": self.tag}
        return {"If-Modified-Since": self.modified} if self.modified else {}

    def mtime(self, otherwise: int) -> int:
        """When the server says that it was changed."""
        try:
            return max(0, int(parsedate_to_datetime(self.modified).timestamp()))
        except (ValueError, TypeError, OverflowError):
            return otherwise


def _checksum(ask: Ask) -> Digest | None:
    if not ask.checksum:
        return None
    try:
        digest = Digest(ask.checksum)
    except InvalidDigest:
        digest = None
    if digest is None or digest.algorithm != "sha256":
        raise Misused(
            f"not a checksum for {redacted(ask.url)}: {ask.checksum!r}",
            hint="write --checksum=sha256:… with 64 hexadecimal digits",
        )
    return digest


def _authorization(url: str, secrets: Mapping[str, bytes]) -> dict[str, str]:
    host = (urlsplit(url).hostname or "").lower()
    header = secrets.get(f"HTTP_AUTH_HEADER_{host}")
    token = secrets.get(f"HTTP_AUTH_TOKEN_{host}")
    if header:
        return {"Authorization": header.decode("latin-1").strip()}
    if token:
        return {"Authorization": f"Bearer {token.decode('latin-1').strip()}"}
    return {}


def _refused(response: Response, url: str) -> ArtificerError:
    text = f"{redacted(url)}: answered {response.status}"
    if response.status >= 500:
        return NotFetched(text)
    return NotFound(text, hint="is the URL still right?")
