"""Entries to a layer: one pass over the files, a blob in the store, its digest and diff_id."""

import os
from collections.abc import Callable, Sequence
from typing import NamedTuple

from artificer.layers.encode import Encoder
from artificer.layers.entry import Entry
from artificer.layers.pack import pack
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
    if _size_about(entries) > HELD:
        return work.hashed_first(known)
    return work.held(known)


def tar_digest(entries: Sequence[Entry], stop: Stop) -> tuple[Digest, int]:
    """Return the digest and the size of the tar of *entries*; nothing is written or compressed."""
    pool = Pool()
    with pool.hashing():
        pack(entries, pool, stop)
    return Digest("sha256:" + pool.tar_hex), pool.tar_size


class _Work(NamedTuple):
    entries: Sequence[Entry]
    encoder: Encoder
    store: Store
    stop: Stop
    threads: int

    def written_at_once(self) -> Written:
        pool = Pool()
        with self.store.writer() as writer:
            with pool.encoding(self.encoder.compress, writer.write, self.threads):
                pack(self.entries, pool, self.stop)
            writer.commit(Digest("sha256:" + pool.blob_hex))
        return self._written(pool)

    def hashed_first(self, known: Callable[[Digest], Known | None]) -> Written:
        diff_id, size = tar_digest(self.entries, self.stop)
        found = known(diff_id)
        return self._reused(diff_id, size, found) if found else self.written_at_once()

    def held(self, known: Callable[[Digest], Known | None]) -> Written:
        pool = Pool()
        with pool.holding():
            pack(self.entries, pool, self.stop)
        diff_id = Digest("sha256:" + pool.tar_hex)
        found = known(diff_id)
        if found:
            return self._reused(diff_id, pool.tar_size, found)
        with self.store.writer() as writer:
            with pool.encoding(self.encoder.compress, writer.write, self.threads):
                pool.give_held()
            writer.commit(Digest("sha256:" + pool.blob_hex))
        return self._written(pool)

    def _written(self, pool: Pool) -> Written:
        digest, diff_id = Digest("sha256:" + pool.blob_hex), Digest("sha256:" + pool.tar_hex)
        return Written(digest, pool.blob_size, diff_id, pool.tar_size, len(self.entries))

    def _reused(self, diff_id: Digest, tar_size: int, found: Known) -> Written:
        count = len(self.entries)
        return Written(found.digest, found.size, diff_id, tar_size, count, reused=True)


def _size_about(entries: Sequence[Entry]) -> int:
    return sum(entry.size for entry in entries) + 2 * BLOCK_SIZE * len(entries)
