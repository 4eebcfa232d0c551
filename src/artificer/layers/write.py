"""Entries to a layer: one pass over the files, a blob in the store, its digest and diff_id."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from artificer.layers.encode import Encoder
from artificer.layers.entry import Entry
from artificer.layers.pack import pack, pour
from artificer.layers.pool import Pool
from artificer.layers.tar import BLOCK_SIZE
from artificer.oci.digest import Digest
from artificer.stop import Stop
from artificer.store.blobs import Store

HELD = 64 * 1024 * 1024
"""A tar up to this size is held uncompressed until somebody says whether it is known."""


class Known(NamedTuple):
    """A blob somewhere that is this tar, made by this encoder."""

    digest: Digest
    size: int


class Written(NamedTuple):
    """A layer: its blob, its tar, how many entries it has, and whether somebody had it."""

    digest: Digest
    size: int
    diff_id: Digest
    tar_size: int
    entries: int
    reused: bool = False


def write_layer(
    entries: Sequence[Entry],
    encoder: Encoder,
    store: Store,
    *,
    known: Callable[[Digest], Known | None] | None = None,
    stop: Stop,
    threads: int = 0,
) -> Written:
    """Write *entries* as a layer into *store*, unless *known* knows a blob of the same tar.

    Every byte is read once. Only where *known* is given and the tar is larger than `HELD`, it is
    hashed first and read again if it is unknown: the second time out of the page cache, which is
    cheaper than compressing in vain, and memory stays bounded. Give None when nobody can know.

    *threads* compress; 0 means one a processor. After an error the store is as it was.
    `ChangedWhileRead` may be mended by a new walk: the caller tries that once.
    """
    work = _Work(entries, encoder, store, stop, threads or os.cpu_count() or 1)
    if known is None:
        return work.written_at_once()
    if size_about(entries) > HELD:
        return work.hashed_first(known)
    return work.held(known)


def tar_digest(entries: Sequence[Entry], stop: Stop) -> tuple[Digest, int]:
    """Return the digest and the size of the tar of *entries*; nothing is written or compressed."""
    pool = Pool()
    with pool.hashing():
        pack(entries, pool, stop)
    return Digest("sha256:" + pool.tar_hex), pool.tar_size


@contextmanager
def temporary_tar(
    entries: Sequence[Entry], store: Store, stop: Stop
) -> Iterator[tuple[Digest, str]]:
    """Write the tar of *entries* to a file that is there while inside: its digest and its path."""
    pool = Pool()
    with store.writer() as writer:
        with pool.encoding(None, writer.write, 1):
            pack(entries, pool, stop)
        yield Digest("sha256:" + pool.tar_hex), writer.path


class Tar(NamedTuple):
    """A tar that is ready: *size* bytes in *chunks*, which are read once, of *entries* files."""

    size: int
    chunks: Iterable[bytes]
    entries: int


def write_tar(
    tar: Tar,
    encoder: Encoder,
    store: Store,
    *,
    known: Callable[[Digest], Known | None],
    stop: Stop,
    threads: int = 0,
) -> Written:
    """Write *tar* as a layer into *store* as it is, unless *known* knows a blob of it.

    Up to `HELD` bytes are held until *known* has answered; more are compressed as they come, for
    they cannot be read again, and *known* is asked afterwards.
    """
    work = _Work(tar, encoder, store, stop, threads or os.cpu_count() or 1)
    if tar.size <= HELD:
        return work.held(known)
    written = work.written_at_once()
    found = known(written.diff_id)
    return work.reused(written.diff_id, written.tar_size, found) if found else written


def write_stream(
    entries: Iterable[Entry],
    size: int,
    encoder: Encoder,
    store: Store,
    *,
    known: Callable[[Digest], Known | None],
    stop: Stop,
) -> Written:
    """Write *entries*, which come by and by and once, as a layer, unless *known* knows its tar.

    *size* is how large the tar will be, more or less. If that is up to `HELD`, its bytes are held
    until *known* has answered; else they are compressed as they come, and *known* is asked
    afterwards.
    """
    work = _Work(_Counted(entries), encoder, store, stop, os.cpu_count() or 1)
    if size <= HELD:
        return work.held(known)
    written = work.written_at_once()
    found = known(written.diff_id)
    return work.reused(written.diff_id, written.tar_size, found) if found else written


class _Counted:
    """Entries that can be gone through once, and how many there were."""

    __slots__ = ("_source", "entries")

    def __init__(self, source: Iterable[Entry]) -> None:
        self._source = source
        self.entries = 0

    def __iter__(self) -> Iterator[Entry]:
        for entry in self._source:
            self.entries += 1
            yield entry


class _Work(NamedTuple):
    source: Sequence[Entry] | Tar | _Counted
    encoder: Encoder
    store: Store
    stop: Stop
    threads: int

    def written_at_once(self) -> Written:
        pool = Pool()
        with self.store.writer() as writer:
            with pool.encoding(self.encoder.compress, writer.write, self.threads):
                self._feed(pool)
            writer.commit(Digest("sha256:" + pool.blob_hex))
        return self._written(pool)

    def hashed_first(self, known: Callable[[Digest], Known | None]) -> Written:
        assert isinstance(self.source, Sequence)  # noqa: S101 - others are read once
        assert not isinstance(self.source, Tar)  # noqa: S101 - a tar is read once
        diff_id, size = tar_digest(self.source, self.stop)
        found = known(diff_id)
        return self.reused(diff_id, size, found) if found else self.written_at_once()

    def held(self, known: Callable[[Digest], Known | None]) -> Written:
        pool = Pool()
        with pool.holding():
            self._feed(pool)
        diff_id = Digest("sha256:" + pool.tar_hex)
        found = known(diff_id)
        if found:
            return self.reused(diff_id, pool.tar_size, found)
        with self.store.writer() as writer:
            with pool.encoding(self.encoder.compress, writer.write, self.threads):
                pool.give_held()
            writer.commit(Digest("sha256:" + pool.blob_hex))
        return self._written(pool)

    def reused(self, diff_id: Digest, tar_size: int, found: Known) -> Written:
        return Written(found.digest, found.size, diff_id, tar_size, self._count, reused=True)

    def _feed(self, pool: Pool) -> None:
        if isinstance(self.source, Tar):
            pour(self.source.chunks, pool, self.stop)
        else:
            pack(self.source, pool, self.stop)

    def _written(self, pool: Pool) -> Written:
        digest, diff_id = Digest("sha256:" + pool.blob_hex), Digest("sha256:" + pool.tar_hex)
        return Written(digest, pool.blob_size, diff_id, pool.tar_size, self._count)

    @property
    def _count(self) -> int:
        source = self.source
        return source.entries if isinstance(source, Tar | _Counted) else len(source)


def size_about(entries: Sequence[Entry]) -> int:
    """How large the tar of *entries* is, a little too much: what `HELD` is compared with."""
    return sum(entry.size for entry in entries) + 2 * BLOCK_SIZE * len(entries)
