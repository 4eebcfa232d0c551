"""Compressed bytes to plain ones: told apart by magic, bounded in what they may become."""

import sys
import zlib
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import NamedTuple, Protocol

from isal import igzip_lib

from artificer import limits
from artificer.errors import ArtificerError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

_OUT = 1 << 18
_IN = 1 << 15  # A member's rest is copied once per member: small pieces bound what that costs.
_LONGEST_MAGIC = 6


class Corrupt(ArtificerError):
    """Compressed data that is broken or ends too early."""


class Bomb(ArtificerError):
    """Data that becomes more than it may, in number or in size."""


class Decoder(Protocol):
    """One member or frame: what gzip, zstd, xz and bz2 have in common."""

    @property
    def eof(self) -> bool:
        """Whether the end of the member was reached."""

    @property
    def needs_input(self) -> bool:
        """Whether nothing more can be had without more input."""

    @property
    def unused_data(self) -> bytes:
        """What follows the end of the member."""

    def decompress(self, data: bytes, max_length: int = ..., /) -> bytes:
        """Take *data*, give at most *max_length* bytes."""


class Format(NamedTuple):
    """A compression: how it begins, how a member of it is read, and how that fails."""

    name: str
    begins: Callable[[bytes], bool]
    decoder: Callable[[], Decoder]
    errors: tuple[type[Exception], ...]


def _gzip() -> Decoder:
    decoder: Decoder = igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP)
    return decoder


def _is_zstd(head: bytes) -> bool:
    # A frame, or a frame to skip (magic 0x184D2A5?), which zstd:chunked and pzstd begin with.
    return head.startswith(b"\x28\xb5\x2f\xfd") or (
        head[1:4] == b"\x2a\x4d\x18" and head[0] & 0xF0 == 0x50
    )


# isal's stubs declare its error as a value.
_ISAL_ERROR: type[Exception] = igzip_lib.IsalError  # type: ignore[assignment]

GZIP = Format("gzip", lambda head: head.startswith(b"\x1f\x8b"), _gzip, (_ISAL_ERROR, zlib.error))
ZSTD = Format("zstd", _is_zstd, zstd.ZstdDecompressor, (zstd.ZstdError,))
LAYER_FORMATS = (GZIP, ZSTD)
"""What a layer may be compressed with."""


def plain(
    chunks: Iterable[bytes],
    formats: tuple[Format, ...] = LAYER_FORMATS,
    *,
    expansion: int = limits.EXPANSION,
    free: int = limits.EXPANSION_FREE,
) -> Iterator[bytes]:
    """Yield what *chunks* hold, decompressed if they begin as one of *formats* does.

    Members and frames may follow one another, zeros may follow the last. More than *free*
    bytes must not be more than *expansion* times what was read for them.
    """
    stream = iter(chunks)
    head = b""
    for chunk in stream:
        head += chunk
        if len(head) >= _LONGEST_MAGIC:
            break
    whole = chain((head,), stream) if head else stream
    for form in formats:
        if head and form.begins(head):
            return _inflated(whole, form, _Most(expansion, free))
    return whole


class _Most(NamedTuple):
    """How much data may become: so many times its size, or so many bytes."""

    expansion: int
    free: int


def _inflated(chunks: Iterable[bytes], form: Format, most: _Most) -> Iterator[bytes]:
    taken = made = 0
    decoder = form.decoder()
    try:
        for data in _pieces(chunks):
            taken += len(data)
            # What follows the end of a member is another one, or zeros.
            while data and not (decoder.eof and not data.strip(b"\0")):
                decoder = form.decoder() if decoder.eof else decoder
                for out in _member(decoder, data):
                    made += len(out)
                    _check_expansion(form, made, taken, most)
                    yield out
                data = decoder.unused_data if decoder.eof else b""
    except form.errors as error:
        raise Corrupt(f"broken {form.name} data: {error}") from error
    if not decoder.eof:
        raise Corrupt(f"{form.name} data that ends too early")


def _check_expansion(form: Format, made: int, taken: int, most: _Most) -> None:
    if made > most.free and made > most.expansion * taken:
        raise Bomb(f"{form.name} data that becomes more than {most.expansion} times its size")


def _pieces(chunks: Iterable[bytes]) -> Iterator[bytes]:
    for chunk in chunks:
        for at in range(0, len(chunk), _IN):
            yield chunk[at : at + _IN]


def _member(decoder: Decoder, data: bytes) -> Iterator[bytes]:
    out = decoder.decompress(data, _OUT)
    while out:
        yield out
        if decoder.eof or decoder.needs_input:
            return
        out = decoder.decompress(b"", _OUT)
