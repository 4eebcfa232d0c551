"""Archives of blobs: where the members of an uncompressed tar lie, and tars of blobs written."""

import os
from collections.abc import Iterable, Iterator
from typing import BinaryIO, NamedTuple

from artificer.errors import ArtificerError, reason
from artificer.images.place import NotFound
from artificer.images.reach import Reach
from artificer.images.tarred import Part, tarred
from artificer.images.unwritable import writing
from artificer.images.written import write_file
from artificer.layers.entry import FILE, HARDLINK, SYMLINK
from artificer.layers.header import BadArchive
from artificer.layers.read import members
from artificer.layers.tape import FileTape
from artificer.oci.image import Stored

_HOPS = 8


class InvalidArchive(ArtificerError):
    """A file that should be an archive of images is none."""


class Member(NamedTuple):
    """One member of an archive: where its bytes are, or the member that it is a link to."""

    offset: int
    size: int
    link: str = ""


class Archive:
    """The members of the uncompressed tar at *path*, each by its name."""

    def __init__(self, path: str, name: str) -> None:
        self.path = os.path.abspath(path)
        self.name = name
        try:
            with open(path, "rb") as file:
                self._members = dict(_members(file))
        except BadArchive as error:
            raise InvalidArchive(f"{name}: {error.message}", hint=error.hint) from error
        except OSError as error:
            raise NotFound(f"{name}: cannot be read: {reason(error)}") from error

    def __contains__(self, member: str) -> bool:
        return _plain(member) in self._members

    def member(self, name: str) -> Member:
        """Return the file called *name*, at the end of its links."""
        at = _plain(name)
        for _ in range(_HOPS):
            found = self._members.get(at)
            if found is None:
                break
            if not found.link:
                return found
            at = found.link
        raise NotFound(f"{self.name} has no member {name!r}")

    def origin(self, name: str) -> Stored:
        """Return where the bytes of *name* lie."""
        return Stored(self.path, self.member(name).offset)

    def read(self, name: str, limit: int) -> bytes:
        """Return the bytes of *name*, at most one more than *limit* of them."""
        member = self.member(name)
        with open(self.path, "rb") as file:
            file.seek(member.offset)
            return file.read(min(member.size, limit + 1))


def write_archive(path: str, parts: Iterable[Part], reach: Reach) -> None:
    """Write *parts* in their order, the same bytes every time; whole, or nothing of it."""
    with writing(path):
        write_file(path, tarred(parts, reach))


def _plain(name: str) -> str:
    return os.path.normpath(name).lstrip("/")


def _members(file: BinaryIO) -> Iterator[tuple[str, Member]]:
    """Yield every file and link; what else a tar may hold matters to nobody here."""
    for member in members(FileTape(file)):
        entry = member.entry
        if entry.kind == FILE:
            yield entry.path, Member(member.offset, entry.size)
        elif entry.kind == HARDLINK:
            yield entry.path, Member(0, 0, entry.link)
        elif entry.kind == SYMLINK:
            # As docker before 25 saved a layer that it had saved already: ../ID/layer.tar
            link = os.path.join(os.path.dirname(entry.path), entry.link)
            yield entry.path, Member(0, 0, _plain(link))
