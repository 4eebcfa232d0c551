"""What is sent and what comes back: `Request`, `Body`, `Response`, and the type of a sender."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain
from types import MappingProxyType, TracebackType
from typing import NamedTuple, Self
from urllib.parse import quote, urljoin, urlsplit

from artificer.errors import Unavailable

CHUNK = 1 << 18
"""Bytes that are read or sent in one go."""

# What a URL may hold besides letters and digits; "%" stays, what is escaped is not escaped again.
_URL_SAFE = "%/:=&?~#+!$,;'@()*[]-._|"


class AnswerTooLong(Unavailable):
    """An answer is longer than what it can honestly be."""


class Body(NamedTuple):
    """What is sent: *open* gives the bytes from an offset on, again whenever it is asked.

    *file* names a file and the offset in it where the same bytes lie, for the kernel to send them.
    """

    size: int
    open: Callable[[int], Iterable[bytes]]
    file: tuple[str, int] | None = None


def body_of(data: bytes) -> Body:
    """*data* as a body."""
    return Body(len(data), lambda offset: (data[offset:],))


def file_body(path: str, size: int, *, offset: int = 0) -> Body:
    """*size* bytes of the file *path* from *offset* on, as a body."""

    def chunks(start: int) -> Iterator[bytes]:
        left = size - start
        with open(path, "rb") as file:
            file.seek(offset + start)
            while left and (data := file.read(min(CHUNK, left))):
                left -= len(data)
                yield data

    return Body(size, chunks, (path, offset))


class Request(NamedTuple):
    """One request; *url* is absolute, *headers* are those that matter to the caller.

    One that is *resumed* is never sent again where it broke: whoever sent it asks how far it came.
    """

    method: str
    url: str
    headers: Mapping[str, str] = MappingProxyType({})
    body: Body | None = None
    resumed: bool = False

    def having(self, headers: Mapping[str, str]) -> "Request":
        """The same request with *headers* too; a name in any case takes the old one's place."""
        return self._replace(headers=dict(header_pairs(self.headers, headers)))


class Headers:
    """The headers of an answer; names are found in any case, repeated ones keep their order."""

    __slots__ = ("_pairs",)

    def __init__(self, pairs: Iterable[tuple[str, str]] | Mapping[str, str] = ()) -> None:
        found = pairs.items() if isinstance(pairs, Mapping) else pairs
        self._pairs = tuple((name.lower(), value.strip()) for name, value in found)

    def get(self, name: str, default: str = "") -> str:
        """The first value of *name*, or *default*."""
        return next((value for key, value in self._pairs if key == name.lower()), default)

    def all(self, name: str) -> tuple[str, ...]:
        """Every value of *name*, in order."""
        return tuple(value for key, value in self._pairs if key == name.lower())

    def without(self, *names: str) -> "Headers":
        """The same headers but for *names* (in lower case)."""
        return Headers(pair for pair in self._pairs if pair[0] not in names)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and any(key == name.lower() for key, _ in self._pairs)

    def __getitem__(self, name: str) -> str:
        if name not in self:
            raise KeyError(name)
        return self.get(name)

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self._pairs)

    def __repr__(self) -> str:
        return f"Headers({[key for key, _ in self._pairs]})"


class Response:
    """A streamed answer. Use it in ``with``; read to its end, its connection serves again.

    *pull* gives at most as many bytes as asked for, and none at the end.
    """

    __slots__ = ("_close", "_pull", "headers", "status", "url")

    def __init__(
        self,
        status: int,
        headers: Headers | Mapping[str, str],
        *,
        url: str,
        pull: Callable[[int], bytes],
        close: Callable[[], None],
    ) -> None:
        self.status = status
        self.headers = headers if isinstance(headers, Headers) else Headers(headers)
        self.url = url
        self._pull = pull
        self._close = close

    @classmethod
    def of(
        cls,
        status: int,
        headers: Headers | Mapping[str, str] = MappingProxyType({}),
        data: bytes = b"",
        *,
        url: str = "",
    ) -> Self:
        """A whole answer that is at hand (what a fake sender gives)."""
        rest = memoryview(data)

        def pull(size: int) -> bytes:
            nonlocal rest
            piece, rest = rest[:size], rest[size:]
            return bytes(piece)

        return cls(status, headers, url=url, pull=pull, close=lambda: None)

    def read(self, limit: int) -> bytes:
        """The whole rest; more than *limit* bytes are an error, found without reading them."""
        parts: list[bytes] = []
        left = limit + 1
        while left > 0 and (data := self._pull(min(left, CHUNK))):
            parts.append(data)
            left -= len(data)
        if left <= 0:
            self.close()
            raise AnswerTooLong(f"{redacted(self.url)}: the answer is longer than {limit} bytes")
        return b"".join(parts)

    def chunks(self, size: int = CHUNK) -> Iterator[bytes]:
        """The rest as it comes, in pieces of at most *size* bytes."""
        while data := self._pull(size):
            yield data

    def close(self) -> None:
        """Let go of the connection; a second time does nothing."""
        self._close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


Send = Callable[[Request], Response]
"""Sends one request. What goes wrong is an `ArtificerError`; every status is an answer."""


class Authority(NamedTuple):
    """Who is spoken to: *host* in lower case without brackets, *port* always known."""

    scheme: str
    host: str
    port: int

    @property
    def netloc(self) -> str:
        """``host[:port]`` as a registry's name writes it: without the scheme's own port."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS.get(self.scheme) else f"{host}:{self.port}"


_PORTS = {"http": 80, "https": 443}


def authority(url: str) -> Authority:
    """Who *url* speaks to; a URL of another scheme, or without a host, is an error."""
    # urlsplit drops line ends, which would let two parts of a program see two URLs.
    if not url.isascii() or not url.isprintable() or " " in url:
        raise InvalidUrl(f"not a URL, as it is not escaped: {redacted(url)!r}")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise InvalidUrl(f"not a URL: {redacted(url)!r}") from error
    if parts.scheme not in _PORTS or not parts.hostname:
        raise InvalidUrl(f"not an http or https URL: {redacted(url)!r}")
    return Authority(parts.scheme, parts.hostname, port or _PORTS[parts.scheme])


class InvalidUrl(Unavailable):
    """Somebody gave something else than a URL of http or https."""


def joined(url: str, location: str) -> str:
    """The URL that the header ``Location: location`` of an answer from *url* stands for.

    distribution-spec: it "MAY be relative". Bytes that a URL cannot hold are escaped.
    """
    try:
        return urljoin(url, quote(location.encode("latin-1", "ignore"), safe=_URL_SAFE))
    except ValueError as error:
        raise InvalidUrl(f"{redacted(url)}: answers with a Location that is no URL") from error


def redacted(url: str) -> str:
    """*url* fit for a message: no password, and of the query only what is known to be harmless."""
    head, _, query = url.partition("#")[0].partition("?")
    scheme, slashes, rest = head.rpartition("://")
    host, slash, path = rest.partition("/")
    if "@" in path and not _PORT.search(host):
        # A password with an unescaped slash: not a URL, but often met where one is expected.
        host, slash, path = path.rpartition("@")[2].partition("/")
    words = [_word(word) for word in query.split("&") if word]
    tail = "?" + "&".join(words) if words else ""
    return f"{scheme}{slashes}{host.rpartition('@')[2]}{slash}{path}{tail}"


_PORT = re.compile(r"^[^:@]*$|[:\]]\d*$|\]$|@")
_HARMLESS = frozenset(("digest", "mount", "from", "n", "last", "ns", "service", "scope", "tag"))


def _word(word: str) -> str:
    name, equals, value = word.partition("=")
    return f"{name}{equals}{value if name in _HARMLESS else '…'}" if equals else "…"


def header_pairs(*groups: Mapping[str, str]) -> list[tuple[str, str]]:
    """The headers of *groups*; a later one takes the place of an earlier one, in any case."""
    merged = {name.lower(): (name, value) for name, value in chain(*(g.items() for g in groups))}
    return list(merged.values())
