"""How long what breaks is tried again."""

import pytest

from artificer.errors import ArtificerError
from artificer.events import Event, Retrying
from artificer.kubernetes.cluster import Busy, Forbidden, Killed, NoCluster, Unidentified
from artificer.kubernetes.resume import GIVEN_UP, Breaks, Clock


class Hours:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.at = 0.0
        self.events: list[Event] = []

    def sleep(self, seconds: float) -> bool:
        self.at += seconds
        return False

    def breaks(self) -> Breaks:
        return Breaks("watching pods", Clock(lambda: self.at, self.sleep), self.events.append)


def _for_ever(breaks: Breaks, error: ArtificerError) -> None:
    while True:
        breaks.broke(error)


@pytest.mark.parametrize("error", [Busy("starting"), NoCluster("away")])
def test_a_server_that_restarts_has_minutes(error: ArtificerError) -> None:
    hours = Hours()
    breaks = hours.breaks()

    with pytest.raises(type(error)):
        _for_ever(breaks, error)

    assert GIVEN_UP < hours.at < GIVEN_UP + 30
    assert {type(event) for event in hours.events} == {Retrying}


def test_what_works_again_begins_anew() -> None:
    hours = Hours()
    breaks = hours.breaks()
    while hours.at < 5 * GIVEN_UP:
        breaks.broke(Busy("x"))
        breaks.well()

    assert hours.events == []


def test_a_login_that_is_being_renewed_has_a_moment() -> None:
    hours = Hours()
    breaks = hours.breaks()

    with pytest.raises(Unidentified):
        _for_ever(breaks, Unidentified("who?"))

    assert 0 < hours.at < 10


def test_what_somebody_kills_is_told_each_time_and_given_up_at_last() -> None:
    hours = Hours()
    breaks = hours.breaks()

    for _ in range(10):
        breaks.well()
        breaks.broke(Killed("signal 9"))
    breaks.well()
    with pytest.raises(Killed):
        breaks.broke(Killed("signal 9"))

    assert len(hours.events) == 10


def test_what_is_forbidden_stays_so() -> None:
    hours = Hours()

    with pytest.raises(Forbidden):
        hours.breaks().broke(Forbidden("no"))

    assert hours.at == 0


def test_a_stream_that_ends_in_order_is_taken_up_for_ever() -> None:
    hours = Hours()
    breaks = hours.breaks()
    while hours.at < 5 * GIVEN_UP:
        assert breaks.broke(None)

    assert hours.events == []


def test_who_stops_is_not_tried_again() -> None:
    breaks = Breaks("x", Clock(lambda: 0.0, lambda _: True), lambda _: None)

    assert not breaks.broke(Busy("x"))


def test_a_quiet_watch_does_not_use_up_the_patience() -> None:
    hours = Hours()
    breaks = hours.breaks()
    while hours.at < 2 * GIVEN_UP:
        breaks.broke(None)

    assert breaks.broke(Busy("restarting"))
