"""Blobs on their way to registries while later ones are still being made."""

import queue
import threading
from collections.abc import Iterable, Sequence

from artificer.errors import Cancelled
from artificer.images.parts import is_foreign
from artificer.images.push import carry
from artificer.images.reach import Reach
from artificer.oci.digest import Digest
from artificer.oci.image import Blob
from artificer.oci.reference import Repository

THREADS = 2


class Ahead:
    """Sends blobs to *targets* on threads of its own, in the order in which they are given.

    No manifest and no tag is written: until the push that follows, nobody sees anything of it.
    The first failure ends it, and is raised by the next `send` or by `finish`.
    """

    def __init__(self, targets: Sequence[Repository], reach: Reach) -> None:
        self._targets = tuple(targets)
        self._reach = reach
        self._waiting: queue.SimpleQueue[Blob | None] = queue.SimpleQueue()
        self._given: set[Digest] = set()
        self._carried: set[Digest] = set()
        self._failure: BaseException | None = None
        self._over = False
        self._lock = threading.Lock()
        self._threads = [
            threading.Thread(target=self._run, name=f"ahead-{number}", daemon=True)
            for number in range(THREADS)
        ]
        for thread in self._threads:
            thread.start()

    def send(self, blobs: Iterable[Blob]) -> None:
        """Let *blobs* be sent, each once; foreign ones stay where they are. Returns at once."""
        self._raise_failure()
        for blob in blobs:
            if blob.digest not in self._given and not is_foreign(blob):
                self._given.add(blob.digest)
                self._waiting.put(blob)

    def finish(self) -> frozenset[Digest]:
        """Wait for all of them; give the digests that every target has now."""
        self._end()
        for thread in self._threads:
            thread.join()
        self._raise_failure()
        return frozenset(self._carried)

    def close(self) -> None:
        """Begin nothing more. What is under way ends with its connection."""
        self._over = True
        self._end()

    def _end(self) -> None:
        for _ in self._threads:
            self._waiting.put(None)

    def _run(self) -> None:
        while (blob := self._waiting.get()) is not None:
            if self._over or self._failure is not None:
                continue
            try:
                carry(blob, self._targets, self._reach, self._check)
            except BaseException as error:
                self._fail(error)
            else:
                self._carried.add(blob.digest)

    def _fail(self, error: BaseException) -> None:
        with self._lock:
            if self._failure is None:
                self._failure = error

    def _check(self) -> None:
        self._reach.stop.check()
        if self._over or self._failure is not None:
            raise Cancelled

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure
