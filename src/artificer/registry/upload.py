"""A blob's way into a repository: one session, gone on with wherever it broke."""

import json
import os
import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from artificer.errors import ArtificerError, Cancelled, Transient, Unavailable
from artificer.events import BlobProgress, Retrying
from artificer.http.redirect import BadRedirect
from artificer.http.request import Body, Request, Response
from artificer.http.retry import Patience, RateLimited, retry_after
from artificer.oci.descriptor import Descriptor
from artificer.oci.digest import Digest
from artificer.oci.reference import Repository
from artificer.registry.auth import RESENT, Access, pushing
from artificer.registry.link import Link
from artificer.registry.problems import Answer, answer_of, not_verified, problem

MIB = 1024 * 1024
_RANGE = re.compile(r"(?:bytes=)?0-([0-9]+)")
_REPORTED = MIB
UNTOLD = -1
_ATTEMPTS = 50
"""Breaks after which a blob is given up, even if each time some more bytes arrived."""

_STREAM = {"Content-Type": "application/octet-stream"}
_DONE = frozenset((200, 201, 202, 204))
# 416 is said of a chunk that begins elsewhere than the registry stands.
_PASSING = frozenset((408, 416, 429))
_TOO_LARGE = 413
_NO_PATCH = frozenset((404, 405, 501))
# What registries say when a session is gone, or is not where we thought. Distribution ends a
# session whose PATCH broke: it answers 400 to whoever asks for the offset.
_LOST = frozenset(("BLOB_UPLOAD_INVALID", "BLOB_UPLOAD_UNKNOWN", "RANGE_INVALID", "SIZE_INVALID"))


class Broken(Transient):
    """An upload stopped in a way that another attempt may mend."""


class Uploads(NamedTuple):
    """How blobs are uploaded, and where unfinished sessions are remembered.

    *take* gives what *put* kept under a key and removes it. A session's URL is a capability:
    whoever keeps it must keep it private. A blob up to *whole* bytes goes in one PUT; a larger
    one in one PATCH, which the registry keeps as far as it came; and in parts of *part* bytes
    once the registry has called that too large, then of half of it, down to *least*.
    """

    patience: Patience
    take: Callable[[str], bytes | None] = lambda key: None
    put: Callable[[str, bytes], None] = lambda key, data: None
    whole: int = 32 * MIB
    part: int = 64 * MIB
    least: int = 64 * 1024


def upload(link: Link, descriptor: Descriptor, body: Body, uploads: Uploads, *, start: str) -> int:
    """Bring the blob into the repository and return how many bytes went over the wire.

    *start* is the URL of a fresh session, or empty.
    """
    return _Upload(link, descriptor, body, uploads, start).run()


def has_blob(link: Link, digest: Digest, access: Access) -> int | None:
    """The size of the blob there; `UNTOLD` if the registry does not say, None if it has none."""
    with link.send(Request("HEAD", link.url(f"blobs/{digest}")), access) as response:
        if response.status == 200:
            size = response.headers.get("content-length")
            return int(size) if size.isdecimal() else UNTOLD
        if response.status in {400, 404, 405}:
            return None
        raise link.problem(f"asking for blob {digest}", response, pushing=True)


class _Again(Exception):
    """An attempt failed in a way that another may mend; *error* is told when none does."""

    def __init__(self, error: ArtificerError, after: str = "") -> None:
        super().__init__(error.message)
        self.error = error
        self.after = after


class _Upload:
    """One blob under way: the session's URL, and the offset up to which the registry has it."""

    def __init__(
        self, link: Link, descriptor: Descriptor, body: Body, uploads: Uploads, start: str
    ) -> None:
        self._link = link
        self._access = pushing(link.endpoint)
        self._descriptor = descriptor
        self._body = body
        self._uploads = uploads
        self._key = f"{link.endpoint.repository}@{descriptor.digest}"
        self._remembers = descriptor.size > uploads.whole
        # One PUT without PATCH: by choice for small blobs, by need where PATCH is not known.
        self._whole = not self._remembers
        self._patches = True
        self._limit, self._least = descriptor.size, uploads.least
        self._url, self._at = start, 0
        self._unsure = False
        self._failures = self._breaks = self._best = self._sent = self._read = 0
        self._wrong = False
        if self._remembers and (url := self._remembered()):
            self._url, self._unsure = url, True

    def run(self) -> int:
        """Go on until the blob is there."""
        while True:
            try:
                if self._step():
                    break
            except _Again as again:
                self._failed(again.error, again.after)
            except (RateLimited, BadRedirect):
                raise  # it wants more patience than we have, or more trust
            except (Transient, Unavailable) as error:
                if not self._url and not self._breaks:
                    raise  # a session cannot be had: that was tried often enough
                self._failed(error, "")
        if self._remembers:
            self._uploads.take(self._key)
        return self._sent

    def _step(self) -> bool:
        """Do what comes next; say whether the blob is there."""
        if self._unsure:
            return self._found_out()
        if not self._url:
            self._begin()
        elif self._whole and self._at == 0:
            return self._finish(self._counted(0, self._descriptor.size))
        elif self._at < self._descriptor.size:
            self._append()
        else:
            return self._finish(Body(0, lambda offset: ()))
        return False

    def _begin(self) -> None:
        request = Request("POST", self._link.url("blobs/uploads/"))
        with self._link.send(request, self._access) as response:
            if response.status not in _DONE:
                raise self._link.problem(f"pushing {self._name}", response, pushing=True)
            self._at = 0
            self._went_on(response, request.url)

    def _append(self) -> None:
        end = min(self._descriptor.size, self._at + self._limit)
        headers = {**_STREAM, "Content-Range": f"{self._at}-{end - 1}"}
        request = Request("PATCH", self._url, headers, self._counted(self._at, end))
        with self._answer(request) as response:
            if response.status not in _DONE:
                self._refused(response, appending=True)
                return
            told = _offset(response.headers.get("range"))
            self._went_on(response, request.url)
        if told is not None and not self._at < told <= end:
            self._unsure = True
            raise _Again(
                Broken(f"{self._repository}: the registry lost its place in {self._name}")
            )
        self._arrived(end if told is None else told)

    def _finish(self, body: Body) -> bool:
        joint = "&" if "?" in self._url else "?"
        url = f"{self._url}{joint}digest={self._descriptor.digest}"
        with self._answer(Request("PUT", url, _STREAM, body)) as response:
            if response.status not in _DONE:
                self._refused(response, appending=False)
                return False
            told = response.headers.get("docker-content-digest")
        digest = self._descriptor.digest
        if told.partition(":")[0] == digest.algorithm and told != digest:
            raise not_verified(self._repository, f"{self._name} was pushed and arrived as {told}")
        return True

    def _answer(self, request: Request) -> Response:
        # Whatever goes wrong while bytes are under way, only the registry knows how many arrived.
        self._unsure, self._read = True, 0
        size = request.body.size if request.body else 0
        try:
            response = self._link.send(request._replace(resumed=True), self._access)
        finally:
            self._sent += self._read
        if response.status in _DONE:
            self._sent += size - self._read
        self._unsure = False
        return response

    def _refused(self, response: Response, *, appending: bool) -> None:
        """Decide what a refusal means for the session; raise what cannot be mended."""
        answer = answer_of(response)
        error = self._problem(answer)
        self._unsure = True
        if answer.status == _TOO_LARGE:
            self._shrink(error)
        elif appending and self._best == 0 and answer.status in _NO_PATCH and self._patches:
            # A fresh session that knows no PATCH; so all goes into the PUT.
            self._patches, self._whole, self._url, self._unsure = False, True, "", False
        elif "DIGEST_INVALID" in answer.codes and not self._wrong:
            self._wrong, self._url = True, ""
            raise _Again(error)
        elif answer.codes & _LOST or (answer.status == 404 and "NAME_UNKNOWN" not in answer.codes):
            self._url = ""
            raise _Again(error)
        elif answer.status in _PASSING or answer.status >= 500 or self._may_renew(answer):
            raise _Again(error, answer.headers.get("retry-after", ""))
        else:
            raise error

    def _may_renew(self, answer: Answer) -> bool:
        """Whether a 401 means no more than a token that ran out below a large body."""
        return answer.status == 401 and self._descriptor.size > RESENT and not self._failures

    def _shrink(self, error: ArtificerError) -> None:
        part = self._uploads.part
        self._limit = part if self._limit > part else self._limit // 2
        self._whole = False
        if self._limit < self._least or not self._patches:
            raise error

    def _found_out(self) -> bool:
        """Ask how far the registry is; say whether it turns out to have the whole blob."""
        if self._url and self._patches:
            offset = self._asked()
            if offset is not None:
                self._unsure = False
                self._arrived(offset)
                return False
        self._url, self._at, self._unsure = "", 0, False
        # A session is also gone when its PUT was done and only the answer was lost.
        size = has_blob(self._link, self._descriptor.digest, self._access)
        return size in (self._descriptor.size, UNTOLD)

    def _asked(self) -> int | None:
        """The offset up to which the session has bytes; None when there is no such session."""
        request = Request("GET", self._url)
        with self._link.send(request, self._access) as response:
            if response.status in _DONE:
                offset = _offset(response.headers.get("range"))
                self._went_on(response, request.url)
            elif response.status in _PASSING or response.status >= 500:
                raise self._problem(answer_of(response))
            else:
                return None
        # Registries write "0-0" for one byte and for none, so that session is of no use.
        return None if offset in (None, 1) or offset > self._descriptor.size else offset

    def _arrived(self, offset: int) -> None:
        self._at = offset
        if offset > self._best:
            self._best, self._failures = offset, 0

    def _went_on(self, response: Response, asked: str) -> None:
        self._url = self._link.location(response, asked)
        least = response.headers.get("oci-chunk-min-length")
        if least.isdecimal():
            self._least = max(self._least, int(least))
        if self._remembers:
            session = {"url": self._url, "pid": os.getpid()}
            self._uploads.put(self._key, json.dumps(session).encode())

    def _remembered(self) -> str:
        """The session that an earlier process left behind."""
        data = self._uploads.take(self._key)
        if data is None:
            return ""
        try:
            session = json.loads(data)
            url, owner = str(session["url"]), int(session["pid"])
        except (ValueError, KeyError, TypeError):
            return ""
        if not _is_running(owner):
            return url
        self._uploads.put(self._key, data)
        self._remembers = False
        return ""

    def _counted(self, start: int, end: int) -> Body:
        """The part of the body that goes next; what is read of it is counted and reported."""

        def chunks(offset: int) -> Iterator[bytes]:
            at = told = start + offset
            for chunk in self._body.open(at):
                piece = chunk[: end - at]
                if not piece:
                    break
                at += len(piece)
                self._read += len(piece)
                if at - told >= _REPORTED or at == self._descriptor.size >= _REPORTED:
                    told = at
                    self._tell(at)
                yield piece

        file = self._body.file
        return Body(end - start, chunks, file and (file[0], file[1] + start))

    def _tell(self, done: int) -> None:
        size = self._descriptor.size
        self._link.report(BlobProgress(self._descriptor.digest, done, size, "sent"))

    def _failed(self, error: ArtificerError, after: str) -> None:
        """Wait before the next attempt, or give up."""
        self._failures += 1
        self._breaks += 1
        patience = self._uploads.patience
        wanted = retry_after(after, patience) or 0.0
        spent = self._failures > len(patience.pauses) or self._breaks > _ATTEMPTS
        if spent or wanted > patience.most:
            message = f"{self._repository}: {self._name} was not pushed: {error.message}"
            told = error.message if error.message.startswith(str(self._repository)) else message
            raise type(error)(told, hint=error.hint) from error
        pause = wanted or patience.pauses[self._failures - 1] * (1 + patience.jitter())
        self._link.report(Retrying(f"pushing {self._name}", error.message, pause))
        if patience.sleep(pause):
            raise Cancelled

    def _problem(self, answer: Answer) -> ArtificerError:
        found = self._link.auth.found(self._repository)
        return problem(f"pushing {self._name}", self._repository, answer, found, pushing=True)

    @property
    def _repository(self) -> Repository:
        return self._link.endpoint.repository

    @property
    def _name(self) -> str:
        return f"blob {self._descriptor.digest}"


def _offset(text: str) -> int | None:
    match = _RANGE.fullmatch(text)
    return int(match[1]) + 1 if match else None


def _is_running(process: int) -> bool:
    """Whether another process of that number is there (a container's restart keeps its own)."""
    if os.name != "posix" or process == os.getpid():
        return False
    try:
        os.kill(process, 0)
    except OSError as error:
        return isinstance(error, PermissionError)
    return True
