"""A blob read to its end: taken up again where it broke, verified, never too long."""

import re
from collections.abc import Iterator, Sequence

from artificer.errors import ArtificerError, Cancelled, Transient, Unavailable
from artificer.events import Note, Retrying
from artificer.http.redirect import BadRedirect
from artificer.http.request import Request, Response
from artificer.http.retry import Patience
from artificer.oci.descriptor import Descriptor
from artificer.oci.digest import hasher_of
from artificer.registry.auth import pulling
from artificer.registry.link import Link
from artificer.registry.problems import Refused, not_verified

_RANGE = re.compile(r"bytes ([0-9]+)-")


class Broken(Transient):
    """A blob's bytes ended too early."""


class TooLong(ArtificerError):
    """A registry sends more bytes than the descriptor says."""


def blob_chunks(
    links: Sequence[Link], descriptor: Descriptor, patience: Patience, *, offset: int = 0
) -> Iterator[bytes]:
    """The bytes of the blob from *offset* on, from the first of *links* that gives them.

    Where it breaks, the rest is asked for. Read from the start, the bytes are verified: when they
    are not what the digest names, the iterator ends with an error.
    """
    reading = _Reading(links, descriptor, patience, offset)
    hasher = None if offset else hasher_of(descriptor.digest.algorithm)
    while reading.at < descriptor.size or not reading.asked:
        for chunk in reading.chunks():
            if hasher is not None:
                hasher.update(chunk)
            yield chunk
    if hasher is not None and hasher.hexdigest() != descriptor.digest.hex:
        where = links[-1].endpoint.repository
        raise not_verified(where, f"blob {descriptor.digest} arrived with other bytes")


class _Reading:
    """How far it came, and who is asked for the rest."""

    __slots__ = ("_descriptor", "_failures", "_links", "_patience", "asked", "at")

    def __init__(
        self, links: Sequence[Link], descriptor: Descriptor, patience: Patience, offset: int
    ) -> None:
        self._links = list(links)
        self._descriptor = descriptor
        self._patience = patience
        self._failures = 0
        self.at = offset
        self.asked = False

    def chunks(self) -> Iterator[bytes]:
        """What comes until it ends or breaks; a break that may be mended is no error."""
        link, start = self._links[0], self.at
        try:
            yield from self._part(link)
            if self.at < self._descriptor.size:
                raise Broken(f"{link.endpoint.repository}: {self._name} broke at byte {self.at}")
        except Cancelled:
            raise
        except ArtificerError as error:
            self._failures = 1 if self.at > start else self._failures + 1
            self._mend(link, error)

    @property
    def _name(self) -> str:
        return f"blob {self._descriptor.digest}"

    def _part(self, link: Link) -> Iterator[bytes]:
        headers = {"Range": f"bytes={self.at}-"} if self.at else {}
        request = Request("GET", link.url(f"blobs/{self._descriptor.digest}"), headers)
        with link.send(request, pulling(link.endpoint)) as response:
            skip = self._skipped(link, response)
            self.asked = True
            for chunk in response.chunks():
                data = chunk[skip:]
                skip -= min(skip, len(chunk))
                if self.at + len(data) > self._descriptor.size:
                    raise TooLong(
                        f"{link.endpoint.repository}: {self._name} is longer than the "
                        f"{self._descriptor.size} bytes that its manifest states"
                    )
                if data:
                    self.at += len(data)
                    yield data

    def _skipped(self, link: Link, response: Response) -> int:
        """How many of the bytes that come we have already."""
        if response.status == 200:
            return self.at
        match = _RANGE.match(response.headers.get("content-range"))
        if response.status != 206:
            raise link.problem(f"reading {self._name}", response)
        if match is None or int(match[1]) != self.at:
            raise Refused(f"{link.endpoint.repository}: sends another range than was asked for")
        return 0

    def _mend(self, link: Link, error: ArtificerError) -> None:
        """Turn to the next place, or wait and ask again; raise *error* when neither helps."""
        if self.at == self._descriptor.size and self.asked:
            return  # all bytes are here; whatever else was wrong
        if len(self._links) > 1:
            link.report(Note(f"{link.endpoint.base}: {error.message}; asking the next place"))
            del self._links[0]
            return
        pauses = self._patience.pauses
        passing = isinstance(error, Transient | Unavailable) and not isinstance(error, BadRedirect)
        if not passing or self._failures > len(pauses):
            raise error
        pause = pauses[self._failures - 1] * (1 + self._patience.jitter())
        link.report(Retrying(f"reading {self._name}", error.message, pause))
        if self._patience.sleep(pause):
            raise Cancelled
