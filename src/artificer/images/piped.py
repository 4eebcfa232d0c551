"""Chunks that are made while others of them are used: inflating beside hashing."""

from collections.abc import Generator, Iterable
from queue import Empty, Queue
from threading import Event, Thread

_DEPTH = 16
_GLANCE = 0.01


def piped(chunks: Iterable[bytes]) -> Generator[bytes, None, None]:
    """Yield *chunks*, which a thread makes, a few of them ahead.

    Once this is closed, or raises what they raised, nobody uses *chunks* any more.
    """
    made: Queue[bytes | BaseException | None] = Queue(_DEPTH)
    closed = Event()
    thread = Thread(target=_make, args=(chunks, made, closed), daemon=True)
    thread.start()
    try:
        while (one := made.get()) is not None:
            if isinstance(one, BaseException):
                raise one
            yield one
    finally:
        closed.set()
        _end(thread, made)


def _make(
    chunks: Iterable[bytes], made: "Queue[bytes | BaseException | None]", closed: Event
) -> None:
    try:
        for chunk in chunks:
            made.put(chunk)
            if closed.is_set():
                return
        made.put(None)
    except BaseException as error:
        made.put(error)


def _end(thread: Thread, made: "Queue[bytes | BaseException | None]") -> None:
    while thread.is_alive():
        try:
            made.get_nowait()
        except Empty:
            thread.join(_GLANCE)
