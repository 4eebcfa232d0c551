"""Whether a store is what it says: every blob hashed again, every pointer followed."""

import hashlib
from collections.abc import Iterator
from typing import NamedTuple

from artificer.oci import media
from artificer.oci.digest import Digest
from artificer.stop import Stop
from artificer.store.blobs import Store
from artificer.store.census import blobs
from artificer.store.files import usable
from artificer.store.names import entries, named, read_index
from artificer.store.reach import Root, references, repository_roots
from artificer.store.repositories import repositories

_BUFFER = 1 << 20


class Fault(NamedTuple):
    """Something that is not as it should be; *kind* is ``blob``, ``name``, ``record`` …"""

    kind: str
    subject: str
    reason: str


class Verified(NamedTuple):
    """What was looked at, and what is wrong with it."""

    blobs: int
    bytes: int
    faults: tuple[Fault, ...]


def verify(store: Store, *, stop: Stop | None = None) -> Verified:
    """Hash every blob, and look whether names, repositories and records point to whole ones.

    Nothing is changed; what is damaged can be thrown away with `Store.discard`.
    """
    sizes: dict[Digest, int] = {}
    faults: list[Fault] = []
    for digest, file in blobs(store):
        found = None if digest is None else _hashed(store, file.path, digest, stop)
        if digest is None:
            faults.append(Fault("blob", file.path, "its name is no digest"))
        elif found is not None and found[0] != digest:
            faults.append(Fault("blob", digest, f"its bytes are those of {found[0]}"))
        elif found is not None:
            sizes[digest] = found[1]
    faults.extend(_names(store, sizes))
    faults.extend(_repositories(store, sizes))
    faults.extend(_records(store, sizes))
    return Verified(len(sizes), sum(sizes.values()), tuple(faults))


def _hashed(
    store: Store, path: str, digest: Digest, stop: Stop | None
) -> tuple[Digest, int] | None:
    """What the file hashes to, and its size; None when it is gone by now."""
    hasher, size, buffer = hashlib.new(digest.algorithm), 0, memoryview(bytearray(_BUFFER))
    with usable(store.root):
        try:
            with open(path, "rb", buffering=0) as file:
                while count := file.readinto(buffer):
                    hasher.update(buffer[:count])
                    size += count
                    if stop is not None:
                        stop.check()
        except FileNotFoundError:
            return None
    return Digest(f"{digest.algorithm}:{hasher.hexdigest()}"), size


def _names(store: Store, sizes: dict[Digest, int]) -> Iterator[Fault]:
    for entry in entries(read_index(store)):
        subject = named(entry) or f"an entry without a name ({entry.digest})"
        if entry.digest not in sizes:
            yield Fault("name", subject, f"{entry.digest} is missing or damaged")
        elif sizes[entry.digest] != entry.size:
            yield Fault("name", subject, f"{entry.digest} has not its {entry.size} bytes")
        else:
            for reason in _broken(store, (entry.media_type, entry.digest), sizes):
                yield Fault("name", subject, reason)


def _repositories(store: Store, sizes: dict[Digest, int]) -> Iterator[Fault]:
    for repository in repositories(store):
        for root in repository_roots(store, repository):
            if root[1] not in sizes:
                yield Fault("repository", repository, f"{root[1]} is missing or damaged")
            for reason in _broken(store, root, sizes):
                yield Fault("repository", repository, reason)


def _records(store: Store, sizes: dict[Digest, int]) -> Iterator[Fault]:
    for kind in store.kinds():
        for record in store.records(kind):
            for digest in record.needs:
                if digest not in sizes:
                    reason = f"needs {digest}, which is missing or damaged"
                    yield Fault("record", f"{kind} {record.key}", reason)


def _broken(store: Store, root: Root, sizes: dict[Digest, int]) -> Iterator[str]:
    """What is wrong with the blobs that *root* lists, directly or not."""
    waiting, seen = [root], set[Digest]()
    while waiting:
        media_type, digest = waiting.pop()
        if digest in seen:
            continue
        seen.add(digest)
        for child in references(store, media_type, digest):
            # An index may list platforms that were never fetched; foreign layers never are.
            optional = media.is_index(media_type) or media.is_foreign(child.media_type)
            if child.digest in sizes:
                waiting.append((child.media_type, child.digest))
                if sizes[child.digest] != child.size:
                    yield f"{child.digest} has not its {child.size} bytes"
            elif not optional:
                yield f"{child.digest} is missing or damaged"
