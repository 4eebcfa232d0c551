"""Lines of a log, each told once, however often its stream breaks."""

from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from artificer.kubernetes.cluster import Busy, LogLine
from artificer.kubernetes.logs import lines
from artificer.kubernetes.resume import Clock

# As nodes write times: without the zeros at the end, and several lines in one moment.
TIMES = [f"2026-11-21T21:35:{second:02}.{part}Z" for second in range(3) for part in (1, 12)]


def _in_order(times: list[str]) -> list[str]:
    return sorted(times, key=TIMES.index)


@given(
    st.lists(st.sampled_from(TIMES), max_size=20).map(_in_order),
    st.lists(st.integers(0, 25), max_size=4),
)
def test_each_line_is_told_once_and_in_order(times: list[str], breaks: list[int]) -> None:
    log = [LogLine(time, f"line {number}") for number, time in enumerate(times)]
    left = list(breaks)

    def stream(since: str) -> Iterator[LogLine]:
        # `sinceTime` is of whole seconds.
        found = [line for line in log if line.time[:19] >= since[:19]]
        if left:
            yield from found[: left.pop()]
            raise Busy("broken")
        yield from found

    clock = Clock(lambda: 0.0, lambda _: False)

    assert list(lines(stream, clock, lambda: not left)) == [line.text for line in log]


def test_a_stream_that_ends_before_its_container_is_taken_up_again() -> None:
    log = [LogLine("2026-11-21T21:35:34Z", "one"), LogLine("2026-11-21T21:35:35Z", "two")]
    streams = [log[:1], log]
    over = [False, True, True]

    found = lines(
        lambda _: iter(streams.pop(0)), Clock(lambda: 0.0, lambda _: False), lambda: over.pop(0)
    )

    assert list(found) == ["one", "two"]


def test_who_stops_is_not_kept_waiting() -> None:
    def broken(since: str) -> Iterator[LogLine]:
        yield from ()
        raise Busy(since)

    assert list(lines(broken, Clock(lambda: 0.0, lambda _: True), lambda: False)) == []


def test_a_clock_that_is_put_back_loses_no_line() -> None:
    log = [LogLine(TIMES[at], str(at)) for at in (3, 4, 0, 1)]

    found = lines(lambda _: iter(log), Clock(lambda: 0.0, lambda _: False), lambda: True)

    assert list(found) == ["3", "4", "0", "1"]
