"""Digests: what bytes are called (image-spec, descriptor.md, "Digests")."""

import hashlib
import re
from typing import TYPE_CHECKING, Self

from artificer.errors import ArtificerError

if TYPE_CHECKING:
    from hashlib import _Hash

_SHAPES = {"sha256": re.compile(r"[0-9a-f]{64}"), "sha512": re.compile(r"[0-9a-f]{128}")}


class InvalidDigest(ArtificerError):
    """A text that should be a digest is none."""


class Digest(str):
    """``sha256:…`` or ``sha512:…``, checked once, when it is made."""

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        """Raise `InvalidDigest` unless *text* is a digest of a known algorithm."""
        algorithm, _, encoded = text.partition(":")
        shape = _SHAPES.get(algorithm)
        if shape is None or not shape.fullmatch(encoded):
            raise InvalidDigest(f"not a sha256 or sha512 digest: {text[:200]!r}")
        return super().__new__(cls, text)

    @classmethod
    def of(cls, data: bytes | bytearray | memoryview) -> Self:
        """The sha256 digest of *data*."""
        return cls("sha256:" + hashlib.sha256(data).hexdigest())

    @classmethod
    def sha256(cls, hasher: "_Hash") -> Self:
        """The digest that a sha256 *hasher* has come to."""
        return cls("sha256:" + hasher.hexdigest())

    @property
    def algorithm(self) -> str:
        """``sha256`` or ``sha512``."""
        return self.partition(":")[0]

    @property
    def hex(self) -> str:
        """The part after the colon."""
        return self.partition(":")[2]

    @property
    def short(self) -> str:
        """Enough of it for a person to tell two apart."""
        return self.hex[:12]

    def matches(self, data: bytes) -> bool:
        """Whether *data* is what this digest names."""
        return hasher_of(self.algorithm, data).hexdigest() == self.hex


def hasher_of(algorithm: str, data: bytes = b"") -> "_Hash":
    """A running hash of *algorithm* (``sha256`` or ``sha512``), already fed with *data*."""
    return hashlib.sha512(data) if algorithm == "sha512" else hashlib.sha256(data)
