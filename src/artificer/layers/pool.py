"""The encoder pool: pieces of a tar in, hashed and compressed by threads, written in order."""

import hashlib
import mmap
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import SimpleQueue

from artificer.errors import ArtificerError
from artificer.layers.encode import PIECE, Compress, Packed

ROOM = PIECE + PIECE // 2
"""Bytes of a buffer: a piece, and what the last small file had too many for it."""

_SPARE = 4  # buffers beside those being compressed: being filled, hashed, written

Write = Callable[[Packed], object]


class Piece:
    """One buffer, and what became of its first *length* bytes."""

    __slots__ = ("buffer", "done", "error", "hashed", "length", "packed", "view")

    def __init__(self) -> None:
        # Unlike a bytearray, this takes memory when touched, and gives it back to the system.
        self.buffer = mmap.mmap(-1, ROOM)
        self.view = memoryview(self.buffer)
        self.length = 0
        self.hashed = False
        self.packed: Packed | None = None
        self.error: BaseException | None = None
        self.done = threading.Lock()


class Pool:
    """Threads that compress, and one that hashes and writes in order; fed by one other thread.

    Inside `holding`, `hashing` or `encoding`, `take` an empty piece, fill it and `give` it, again
    and again. `take` waits for one that is written, so memory is bounded. The first error of a
    thread is raised by `take` or at the end of the block.
    """

    def __init__(self) -> None:
        self._tar = hashlib.sha256()
        self._blob = self._tar
        self.tar_size = self.blob_size = 0
        self._write: Write | None = None
        self._free: SimpleQueue[Piece] = SimpleQueue()
        self._full: SimpleQueue[Piece | None] = SimpleQueue()
        self._order: SimpleQueue[Piece | None] = SimpleQueue()
        self._workers = 0
        self._held: list[Piece] | None = None
        self._error: BaseException | None = None

    @property
    def tar_hex(self) -> str:
        """The sha256 of the tar, once a block has ended."""
        return self._tar.hexdigest()

    @property
    def blob_hex(self) -> str:
        """The sha256 of the blob, once an `encoding` block has ended."""
        return self._blob.hexdigest()

    @contextmanager
    def holding(self) -> Iterator[None]:
        """Hash the pieces and keep them, for `give_held`."""
        self._held = []
        with self._running([]):
            yield

    @contextmanager
    def hashing(self) -> Iterator[None]:
        """Hash the pieces and forget them."""
        self._add_pieces(_SPARE)
        with self._running([]):
            yield

    @contextmanager
    def encoding(self, compress: Compress | None, write: Write, threads: int) -> Iterator[None]:
        """Hash and compress the pieces, give them to *write* in order and hash them again.

        Without *compress* the tar is the blob, and is hashed once.
        """
        self._write = write
        workers: list[threading.Thread] = []
        if compress:
            self._blob = hashlib.sha256()
            self._workers = threads
            workers = [
                threading.Thread(target=self._compress, args=[compress]) for _ in range(threads)
            ]
        self._add_pieces(len(workers) + _SPARE)
        with self._running(workers):
            yield

    def take(self) -> Piece:
        """Return an empty piece, as soon as there is one."""
        if self._error:
            raise self._error
        return self._free.get() if self._held is None else Piece()

    def give(self, piece: Piece) -> None:
        """Hand over a filled piece; it is not the caller's any more."""
        if self._held is not None:
            self._held.append(piece)
        elif self._workers:
            piece.done.acquire()
            self._full.put(piece)
        self._order.put(piece)

    def give_held(self) -> None:
        """Hand over, inside `encoding`, what a block of `holding` has kept.

        One piece is let go for each, so that no more is compressed than can be written.
        """
        held, self._held = self._held or [], None
        held.reverse()
        while held:
            self.take()
            self.give(held.pop())

    def _add_pieces(self, count: int) -> None:
        for _ in range(count):
            self._free.put(Piece())

    @contextmanager
    def _running(self, workers: list[threading.Thread]) -> Iterator[None]:
        begun: list[threading.Thread] = []
        try:
            for thread in (*workers, threading.Thread(target=self._hash_and_write)):
                _start(thread)
                begun.append(thread)
            yield
        except BaseException as error:
            # The threads empty their queues without doing anything more.
            self._error = self._error or error
            raise
        finally:
            for _ in workers:
                self._full.put(None)
            self._order.put(None)
            for thread in begun:
                thread.join()
        if self._error:
            raise self._error

    def _compress(self, compress: Compress) -> None:
        while piece := self._full.get():
            try:
                if self._error is None:
                    piece.packed = compress(piece.view[: piece.length])
            except BaseException as error:  # raised in the thread that feeds
                piece.error = error
            piece.done.release()

    def _hash_and_write(self) -> None:
        while piece := self._order.get():
            try:
                if self._error is None:
                    self._finish(piece)
            except BaseException as error:
                self._error = error
            if self._held is None:
                self._free.put(piece)

    def _finish(self, piece: Piece) -> None:
        packed: Packed = piece.view[: piece.length]
        if not piece.hashed:
            self._tar.update(packed)
            self.tar_size += piece.length
        piece.hashed = self._held is not None
        if self._write is None or piece.hashed:
            return
        if self._workers:
            with piece.done:
                packed, piece.packed = piece.packed or b"", None
            if piece.error:
                raise piece.error
            self._blob.update(packed)
        self._write(packed)
        self.blob_size += len(packed)


def _start(thread: threading.Thread) -> None:
    try:
        thread.start()
    except RuntimeError as error:
        raise ArtificerError(
            f"a thread cannot be started: {error}",
            hint="allow more processes (`ulimit -u`, or the container's limit), or more memory",
        ) from error
