"""A Content-Encoding that somebody on the way applied although we asked for none."""

import zlib
from collections.abc import Callable

from artificer.http.failure import BadAnswer, ConnectionLost
from artificer.http.request import CHUNK, Headers
from artificer.limits import EXPANSION, MIB

_GZIP = zlib.MAX_WBITS | 16


def decoded(
    headers: Headers, pull: Callable[[int], bytes], *, host: str
) -> tuple[Headers, Callable[[int], bytes]]:
    """The headers and bytes before a proxy packed them; any other packing is refused."""
    encoding = headers.get("content-encoding").lower()
    if encoding in ("", "identity"):
        return headers, pull
    if encoding not in ("gzip", "x-gzip") or "content-range" in headers:
        raise BadAnswer(
            f"{host}: sends an encoding that was not asked for: {encoding[:40]!r}",
            hint="is there a proxy that compresses?",
        )
    return headers.without("content-encoding", "content-length"), _Unzipped(pull, host)


class _Unzipped:
    """Pulls gzip members and gives their contents, never much more than is honest."""

    __slots__ = ("_host", "_inflate", "_packed", "_pull", "_read", "_written")

    def __init__(self, pull: Callable[[int], bytes], host: str) -> None:
        self._pull = pull
        self._host = host
        self._inflate = zlib.decompressobj(_GZIP)
        self._packed = b""
        self._read = 0
        self._written = 0

    def __call__(self, size: int) -> bytes:
        while True:
            if not self._packed:
                self._packed = self._pull(CHUNK)
                self._read += len(self._packed)
            if not self._packed:
                if self._read and not self._inflate.eof:
                    raise ConnectionLost(f"{self._host}: connection lost: the answer is cut short")
                return b""
            data = self._step(size)
            if data:
                return data

    def _step(self, size: int) -> bytes:
        if self._inflate.eof:
            self._inflate = zlib.decompressobj(_GZIP)
        try:
            data = self._inflate.decompress(self._packed, size)
        except zlib.error as error:
            raise BadAnswer(f"{self._host}: sends an answer that is not gzip") from error
        self._packed = self._inflate.unconsumed_tail or self._inflate.unused_data
        self._written += len(data)
        if self._written > MIB + EXPANSION * self._read:
            raise BadAnswer(f"{self._host}: sends an answer that expands more than {EXPANSION}:1")
        return data
