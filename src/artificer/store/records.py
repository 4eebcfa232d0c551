"""Small records as files: what is known about a key, and which blobs that needs.

A record's first line is JSON: its key, and the blobs without which it is worth nothing. The rest
is its owner's.
"""

import hashlib
import json
import os
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from artificer.errors import ArtificerError
from artificer.oci.digest import Digest, InvalidDigest
from artificer.store.files import Folder, disk_bytes, into_place, remove, usable, used

_KIND = re.compile(r"[a-z0-9][a-z0-9.-]*")


class NeedsMissing(ArtificerError):
    """A record was to be kept that needs a blob which is not in the store."""


class Record(NamedTuple):
    """One record as it lies on the disk."""

    kind: str
    key: str
    data: bytes
    needs: tuple[Digest, ...]
    used: float
    disk: int
    path: str


class Records(Folder):
    """What the store knows besides blobs and names."""

    __slots__ = ()

    def record(self, kind: str, key: str) -> bytes | None:
        """The record, unless there is none or a blob that it needs is gone; to ask is to use."""
        path = self._record_path(kind, key)
        data = self._content(path, key)
        if data is not None:
            used(path)
        return data

    def set_record(self, kind: str, key: str, *data: bytes, needs: Sequence[Digest] = ()) -> None:
        """Keep *data*, instead of what was there; the blobs it *needs* must be here by now."""
        for digest in needs:
            if self.has(digest) is None:
                raise NeedsMissing(f"the record {kind} {key!r} needs {digest}, which is not here")
        header = json.dumps([key, *needs], separators=(",", ":")).encode()
        self.replace(self._record_path(kind, key), header, b"\n", *data)

    def take_record(self, kind: str, key: str) -> bytes | None:
        """The record, which is gone from here on: of several takers one gets it."""
        taken = self.temporary_name()
        try:
            with usable(self.root):
                path = self._record_path(kind, key)
                if not os.path.exists(path):
                    return None
                try:
                    into_place(path, taken)
                except FileNotFoundError:  # somebody else was faster
                    return None
            return self._content(taken, key)
        finally:
            remove(taken)

    def remove_record(self, kind: str, key: str) -> bool:
        """Forget the record; say whether there was one."""
        with usable(self.root):
            return remove(self._record_path(kind, key))

    def records(self, kind: str) -> Iterator[Record]:
        """Every record of *kind*, also those whose blobs are gone; to list is not to use."""
        with usable(self.root):
            for folder in _listed(f"{self.root}/records/{_checked(kind)}"):
                for path in _listed(folder):
                    record = _read(kind, path)
                    if record is not None:
                        yield record

    def kinds(self) -> list[str]:
        """The kinds of records that were ever set, sorted."""
        with usable(self.root):
            return [os.path.basename(path) for path in _listed(f"{self.root}/records")]

    def _record_path(self, kind: str, key: str) -> str:
        name = hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
        return f"{self.root}/records/{_checked(kind)}/{name[:2]}/{name[2:]}"

    def _content(self, path: str, key: str) -> bytes | None:
        with usable(self.root):
            try:
                with open(path, "rb", buffering=0) as file:
                    content = file.readall()
            except FileNotFoundError:
                return None
        found = _parsed(content)
        if found is None or found[0] != key:
            return None
        if any(self.has(digest) is None for digest in found[1]):
            return None
        return found[2]


def _checked(kind: str) -> str:
    if not _KIND.fullmatch(kind):
        raise ValueError(f"not a kind of records: {kind!r}")
    return kind


def _parsed(content: bytes) -> tuple[str, tuple[Digest, ...], bytes] | None:
    """Key, needs and data; None for what this version did not write."""
    header, _, data = content.partition(b"\n")
    try:
        key, *needs = json.loads(header)
        return str(key), tuple(Digest(digest) for digest in needs), data
    except (ValueError, TypeError, AttributeError, InvalidDigest):
        return None


def _read(kind: str, path: str) -> Record | None:
    try:
        with open(path, "rb", buffering=0) as file:
            found, content = os.fstat(file.fileno()), file.readall()
    except FileNotFoundError:
        return None
    key, needs, data = _parsed(content) or ("", (), content)
    return Record(kind, key, data, needs, found.st_mtime, disk_bytes(found), path)


def _listed(folder: str) -> list[str]:
    try:
        return [f"{folder}/{name}" for name in sorted(os.listdir(folder))]
    except FileNotFoundError:
        return []
