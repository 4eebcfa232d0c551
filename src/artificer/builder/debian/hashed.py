"""What the files of packages hash to, found out while their scripts run."""

from collections.abc import Sequence
from contextlib import suppress
from threading import Thread

from artificer.errors import ArtificerError
from artificer.layers.entry import FILE, Entry, Source
from artificer.sources.debian.installing.unpack import sha256_of
from artificer.stop import Stop


class Hashed:
    """The sha256 of entries' bytes, of *entries* by the time they are asked for, once begun.

    Whoever looks for a place in the layer that they become needs them in its index. Scripts take
    one processor, and longer than this, which would else be done after them.
    """

    def __init__(self, entries: Sequence[Entry], stop: Stop) -> None:
        self._known: dict[Source, bytes] = {}
        self._entries = entries
        self._stop = stop
        self._thread: Thread | None = None

    def begin(self) -> None:
        """Begin with *entries*."""
        self._thread = Thread(target=self._ahead, daemon=True)
        self._thread.start()

    def __call__(self, entry: Entry) -> bytes:
        """The sha256 of *entry*, a file."""
        if self._thread is not None:
            self._thread.join()
        known = self._known.get(entry.source)
        return sha256_of(entry) if known is None else known

    def _ahead(self) -> None:
        # What cannot be read is told when it is asked for.
        with suppress(ArtificerError, OSError):
            for entry in self._entries:
                self._stop.check()
                if entry.kind == FILE and not isinstance(entry.source, bytes):
                    self._known[entry.source] = sha256_of(entry)
