"""Directories as artifacts of a registry: packed so that what did not change is not sent again.

An artifact's blobs are tars. Which file is in which of them is told by its path alone, and their
number by the size of the whole: change one file, and one blob changes.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from artificer import limits
from artificer.errors import ArtificerError
from artificer.images.bytes_of import chunks_of
from artificer.images.directory import Directory
from artificer.images.fetch import find_in_registry
from artificer.images.place import whole
from artificer.images.push import Delivery, push
from artificer.images.reach import Reach
from artificer.layers.encode import Encoder, encoder
from artificer.layers.entry import DIRECTORY, FILE, HARDLINK, Entry
from artificer.layers.read import layer_members
from artificer.layers.write import Known, write_layer
from artificer.oci import media
from artificer.oci.descriptor import Descriptor
from artificer.oci.digest import Digest, InvalidDigest
from artificer.oci.document import dump
from artificer.oci.edit import artifact
from artificer.oci.image import Artifact, Blob, Stored, manifest_document
from artificer.oci.reference import Named, Repository
from artificer.registry.problems import BlobMissing

ARTIFACT_TYPE = "application/vnd.artificer.context.v1+json"

BUCKET = limits.MIB // 4
"""About as much goes into one blob, until there are `MOST` of them."""
MOST = 256
LARGE = BUCKET // 8
"""A file from this size on is placed by its own path, not by its directory's."""

_PACKED, _SENT = "context", "context-sent"


class NotAContext(ArtificerError):
    """What a name stands for is no directory that was packed."""


def packed(entries: Sequence[Entry], reach: Reach) -> Artifact:
    """*entries* as an artifact, whose blobs are in the store; the same whoever makes it."""
    encoding = encoder("zstd")
    blobs = [_blob(group, encoding, reach) for group in _groups(entries)]
    config = dump(
        {"files": sum(entry.kind != DIRECTORY for entry in entries), "size": _size(entries)}
    )
    reach.store.put(config)
    manifest = artifact(ARTIFACT_TYPE, config, [blob.descriptor for blob in blobs])
    described = Descriptor.for_bytes(ARTIFACT_TYPE, config)
    where = Stored(reach.store.blob_path(described.digest))
    return Artifact(manifest, (Blob(described, where), *blobs))


def send(content: Artifact, target: Named, reach: Reach) -> None:
    """Have *content* at *target*. What was sent there before is not even asked for."""
    known = _sent(target.repository, reach)
    delivery = Delivery(content, target)
    try:
        push([delivery], reach, carried=known)
    except BlobMissing:
        # The registry has dropped some since.
        push([delivery], reach)
    digests = [blob.digest for blob in content.blobs]
    reach.store.set_record(_SENT, str(target.repository), json.dumps(digests).encode())


def fetch(name: Named, path: str, reach: Reach) -> None:
    """Write the directory that *name* stands for into *path*, which is there and empty."""
    found = find_in_registry(name, reach)
    content = whole(found)
    document = manifest_document(content.manifest)
    if not isinstance(content, Artifact) or document.get("artifactType") != ARTIFACT_TYPE:
        raise NotAContext(
            f"{name} is not a directory that was packed",
            hint="`artificer source pack DIR NAME` makes one, and prints what to fetch",
        )
    directory, size = Directory(path, owners=False), 0
    for blob in content.blobs[1:]:
        for member in layer_members(chunks_of(blob, reach)):
            reach.stop.check()
            size += member.entry.size
            if size > limits.CONTEXT_BYTES:
                raise NotAContext(f"{name} has more than {limits.CONTEXT_BYTES} bytes")
            directory.add(member.entry, member.chunks())
    directory.finish()


def _size(entries: Sequence[Entry]) -> int:
    return sum(entry.size for entry in entries if entry.kind == FILE)


class _Tar(NamedTuple):
    """What tells a blob before it is compressed."""

    diff_id: Digest
    encoding: Encoder

    def __str__(self) -> str:
        return f"{self.encoding.identity} {self.diff_id}"


def _blob(entries: Sequence[Entry], encoding: Encoder, reach: Reach) -> Blob:
    store = reach.store

    def known(diff_id: Digest) -> Known | None:
        data = store.record(_PACKED, str(_Tar(diff_id, encoding)))
        if data is None:
            return None
        try:
            digest = Digest(data.decode())
        except (InvalidDigest, UnicodeDecodeError):
            return None
        size = store.has(digest)
        return None if size is None else Known(digest, size)

    written = write_layer(entries, encoding, store, known=known, stop=reach.stop)
    if not written.reused:
        key = str(_Tar(written.diff_id, encoding))
        store.set_record(_PACKED, key, written.digest.encode(), needs=[written.digest])
    descriptor = Descriptor.make(media.OCI_LAYER_ZSTD, written.digest, written.size)
    return Blob(descriptor, Stored(store.blob_path(written.digest)))


def _groups(entries: Sequence[Entry]) -> Iterator[list[Entry]]:
    """Part *entries* by their paths, keeping their order; a hard link stays with its file."""
    count = min(MOST, max(1, -(-_size(entries) // BUCKET)))
    groups: list[list[Entry]] = [[] for _ in range(count)]
    homes: dict[str, int] = {}
    for entry in entries:
        path = entry.path
        if entry.kind == HARDLINK and entry.link in homes:
            home = homes[entry.link]
        else:
            own = entry.kind == DIRECTORY or entry.size >= LARGE
            home = _bucket(path if own else path.rpartition("/")[0], count)
        homes[path] = home
        groups[home].append(entry)
    return (group for group in groups if group)


def _bucket(path: str, count: int) -> int:
    """Linear hashing: one bucket more takes from one other only."""
    number = int.from_bytes(hashlib.sha256(path.encode("utf-8", "surrogateescape")).digest()[:8])
    mask = (1 << (count - 1).bit_length()) - 1
    bucket = number & mask
    return bucket if bucket < count else bucket & (mask >> 1)


def _sent(repository: Repository, reach: Reach) -> frozenset[Digest]:
    """What was sent to *repository* the last time: a registry keeps it, or says what it lacks."""
    data = reach.store.record(_SENT, str(repository))
    try:
        return frozenset(map(Digest, json.loads(data or b"[]")))
    except (ValueError, TypeError, InvalidDigest):
        return frozenset()
