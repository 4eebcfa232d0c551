"""Encoders: pieces of a tar to pieces of a blob, the same bytes on every machine."""

import sys
from collections.abc import Callable
from typing import NamedTuple

import deflate

from artificer.errors import Misused
from artificer.layers.members import gzip_members

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

GZIP, ZSTD, NONE = "gzip", "zstd", "none"
PIECE = 1024 * 1024
"""The tar is cut every so many bytes; each piece is a gzip member or a zstd frame of its own."""

Packed = bytes | bytearray | memoryview
Compress = Callable[[memoryview], Packed]

_LEVELS = {GZIP: range(1, 13), ZSTD: range(1, 20), NONE: range(1)}
_USUAL = {GZIP: 1, ZSTD: 1, NONE: 0}


class Encoder(NamedTuple):
    """How a layer is compressed. Made by `encoder`, which checks it."""

    kind: str
    level: int

    @property
    def identity(self) -> str:
        """Name what decides about the bytes; equal identities give equal bytes."""
        if self.kind == GZIP:
            return f"gzip-libdeflate-{self.level}-1m-{deflate.__version__}"
        if self.kind == ZSTD:
            return f"zstd-{self.level}-1m-{zstd.zstd_version}"
        return NONE

    @property
    def compress(self) -> Compress | None:
        """The function that makes one piece, for several threads at once; None leaves the tar."""
        if self.kind == GZIP:
            return _gzip(self.level)
        if self.kind == ZSTD:
            return _zstd(self.level)
        return None


def encoder(kind: str, level: int | None = None) -> Encoder:
    """Return the encoder of *kind*, at its usual level unless another is asked for."""
    levels = _LEVELS.get(kind)
    if levels is None:
        raise Misused(f"unknown compression {kind!r}", hint=f"choose one of {', '.join(_LEVELS)}")
    if level is None:
        return Encoder(kind, _USUAL[kind])
    if level not in levels:
        hint = f"{kind} has levels {levels[0]} to {levels[-1]}"
        if kind == NONE:
            hint = "there is nothing to choose without compression"
        raise Misused(f"no compression level {level} of {kind}", hint=hint)
    return Encoder(kind, level)


def _gzip(level: int) -> Compress:
    return lambda piece: gzip_members(piece, level)


def _zstd(level: int) -> Compress:
    # A fresh context a frame: a used one salts its tables from level 5 on.
    options: dict[int, int] = {
        zstd.CompressionParameter.compression_level: level,
        zstd.CompressionParameter.checksum_flag: 1,
    }
    return lambda piece: zstd.compress(piece, options=options)
