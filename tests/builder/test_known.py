"""Who is asked for layers, and what their silence means."""

from pathlib import Path

import pytest

from artificer.builder.known import Known
from artificer.errors import Cancelled, Unavailable
from artificer.events import Warned
from artificer.oci.descriptor import Descriptor
from artificer.oci.reference import Named, parse_name
from tests.images.made import FakeRegistry, reach_of

TARGET = parse_name("a.example/x:1")


class Failing(FakeRegistry):
    """A registry that answers nothing but *error*."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error

    def head_manifest(self, name: Named) -> Descriptor | None:
        raise self.error


def test_a_target_that_cannot_be_asked_is_told_once_and_no_obstacle(tmp_path: Path) -> None:
    reach, events = reach_of(f"{tmp_path}/store", Failing(Unavailable("nobody is there")))
    known = Known(reach, [TARGET])

    assert not known.beyond(())
    assert not known.beyond(())
    assert events == [Warned("a.example/x:1 is not asked for its layers: nobody is there")]


def test_who_cancels_hears_of_nothing_else(tmp_path: Path) -> None:
    reach, events = reach_of(f"{tmp_path}/store", Failing(Cancelled()))

    with pytest.raises(Cancelled):
        assert Known(reach, [TARGET]).beyond(())
    assert events == []
