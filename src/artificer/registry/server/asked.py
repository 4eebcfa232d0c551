"""What was asked: a request, its path taken apart, and its body as it comes in."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple, Protocol
from urllib.parse import parse_qs, unquote, urlsplit

from artificer.oci.digest import Digest, InvalidDigest
from artificer.registry.server.answers import Problem

_PART = "[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_NAME = re.compile(f"{_PART}(?:/{_PART})*")
_NAME_LENGTH = 255
_TAG = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}")
_ROUTES = (
    ("base", re.compile(r"/v2/?()()")),
    ("catalog", re.compile(r"/v2/_catalog()()")),
    ("tags", re.compile(r"/v2/(.+)/tags/list()")),
    ("uploads", re.compile(r"/v2/(.+)/blobs/uploads/?()")),
    ("upload", re.compile(r"/v2/(.+)/blobs/uploads/([^/]+)")),
    ("manifest", re.compile(r"/v2/(.+)/manifests/([^/]+)")),
    ("blob", re.compile(r"/v2/(.+)/blobs/([^/]+)")),
    ("referrers", re.compile(r"/v2/(.+)/referrers/([^/]+)")),
)
_PIECE = 1 << 18
_LINE = 8192
_DIGITS = 18
_FIELDS = 1000


class BrokenOff(Exception):
    """The client went away in the middle of its request."""


class Source(Protocol):
    """Where a request's body is read from."""

    def read1(self, size: int, /) -> bytes:
        """What is there, at most *size* bytes; nothing at the end."""

    def readline(self, size: int, /) -> bytes:
        """One line, at most *size* bytes of it."""


class Body:
    """A request's body; *left* is what is still to come of it, None when the client did not say.

    It must be read to its end before the connection is used again.
    """

    def __init__(
        self, source: Source, headers: Mapping[str, str], go_on: Callable[[], None]
    ) -> None:
        self._source = source
        self._go_on = go_on
        self.chunked = headers.get("transfer-encoding", "").lower() == "chunked"
        length = headers.get("content-length", "0")
        if not is_number(length):
            raise Problem(400, "SIZE_INVALID", "the Content-Length is no number")
        self.left: int | None = None if self.chunked else int(length)

    def pieces(self) -> Iterator[bytes]:
        """The rest of it as it comes in. Raise `BrokenOff` when it does not come to its end."""
        if self.left == 0:
            return
        self._go_on()
        if not self.chunked:
            yield from self._counted()
            return
        while size := self._chunk_size():
            yield from self._exactly(size)
            if self._source.readline(_LINE).strip():
                raise BrokenOff
        while self._source.readline(_LINE).strip():
            """A trailer, which nobody needs."""
        self.left = 0

    def read(self, limit: int) -> bytes:
        """All of it. Raise `Problem` 413 for more than *limit* bytes."""
        data = bytearray()
        too_large = Problem(413, "SIZE_INVALID", f"more than {limit} bytes")
        if self.left is not None and self.left > limit:
            raise too_large
        for piece in self.pieces():
            data += piece
            if len(data) > limit:
                raise too_large
        return bytes(data)

    def _counted(self) -> Iterator[bytes]:
        for piece in self._exactly(self.left or 0):
            self.left = (self.left or 0) - len(piece)
            yield piece

    def _exactly(self, size: int) -> Iterator[bytes]:
        while size:
            piece = self._source.read1(min(size, _PIECE))
            if not piece:
                raise BrokenOff
            size -= len(piece)
            yield piece

    def _chunk_size(self) -> int:
        text = self._source.readline(_LINE).partition(b";")[0].strip()
        if not re.fullmatch(rb"[0-9a-fA-F]{1,15}", text):
            raise BrokenOff
        return int(text, 16)


class Asked(NamedTuple):
    """One request: what it is about (*topic*), in which *repository*, and which *item* of it."""

    method: str
    topic: str
    repository: str
    item: str
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]
    body: Body

    def first(self, key: str) -> str | None:
        """The first value of *key* in the query."""
        values = self.query.get(key)
        return values[0] if values else None


def route(path: str) -> tuple[str, str, str]:
    """Topic, repository and item that *path* (without its query) is about."""
    text = unquote(path)
    for topic, pattern in _ROUTES:
        match = pattern.fullmatch(text)
        if match:
            repository, item = match.groups()
            return topic, checked_name(repository) if repository else "", item
    raise Problem(404, "UNSUPPORTED", "there is nothing at this path")


def split(target: str) -> tuple[str, dict[str, list[str]]]:
    """Path and query of a request's target."""
    try:
        parts = urlsplit(target)
        query = parse_qs(parts.query, keep_blank_values=True, max_num_fields=_FIELDS)
    except ValueError as error:
        raise Problem(400, "UNSUPPORTED", "not a request's target") from error
    return parts.path, query


def is_number(text: str) -> bool:
    """Whether *text* is a number that a file could have as its size."""
    return text.isascii() and text.isdecimal() and len(text) <= _DIGITS


def checked_name(text: str) -> str:
    """*text*, when it can be a repository's name."""
    if len(text) > _NAME_LENGTH or not _NAME.fullmatch(text):
        raise Problem(400, "NAME_INVALID", "not a repository's name", details=[{"name": text}])
    return text


def checked_tag(text: str) -> str:
    """*text*, when it can be a tag."""
    if not _TAG.fullmatch(text):
        raise Problem(400, "TAG_INVALID", "not a tag", details=[{"tag": text}])
    return text


def checked_digest(text: str | None) -> Digest:
    """The digest that *text* is."""
    try:
        return Digest(text or "")
    except InvalidDigest as error:
        raise Problem(400, "DIGEST_INVALID", "not a sha256 or sha512 digest") from error
