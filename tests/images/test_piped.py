import threading
import time
from collections.abc import Iterator

import pytest

from artificer.errors import ArtificerError
from artificer.images.piped import piped


def test_chunks_come_in_their_order() -> None:
    chunks = [b"%d" % number for number in range(1_000)]

    assert list(piped(chunks)) == chunks


def test_what_goes_wrong_is_raised_after_what_came_before_it() -> None:
    def chunks() -> Iterator[bytes]:
        yield b"one"
        raise ArtificerError("broken")

    found = piped(chunks())

    assert next(found) == b"one"
    with pytest.raises(ArtificerError, match="broken"):
        next(found)


def test_nobody_makes_chunks_once_they_are_closed() -> None:
    made = []

    def chunks() -> Iterator[bytes]:
        for number in range(1_000_000):
            made.append(number)
            yield b"x"

    others = set(threading.enumerate())
    found = piped(chunks())
    next(found)
    (maker,) = set(threading.enumerate()) - others
    found.close()

    assert not maker.is_alive()
    assert len(made) < 1_000


def test_only_a_few_chunks_are_made_ahead() -> None:
    made = []

    def chunks() -> Iterator[bytes]:
        for number in range(1_000):
            made.append(number)
            yield b"x"

    found = piped(chunks())
    next(found)
    time.sleep(0.05)

    assert len(made) < 50
    found.close()
