"""What is told of pods that wait, and when it is enough."""

from typing import TYPE_CHECKING

from artificer.events import Warned, unheard
from artificer.kubernetes.board import Board, Tellers
from artificer.kubernetes.cluster import Change
from artificer.kubernetes.graph import Node
from artificer.kubernetes.job import Work
from artificer.kubernetes.logs import Logs
from artificer.stop import Stop
from tests.kubernetes.recordings import Fake, recording

if TYPE_CHECKING:
    from artificer.events import Event


def test_a_registry_that_is_away_is_one_trouble_however_it_is_worded(fake: Fake) -> None:
    events: list[Event] = []
    hours = [0.0]
    logs = Logs(fake.cluster(), Stop(), unheard)
    board = Board(Tellers(events.append, lambda _: None, logs), lambda: hours[0])
    pod = recording("image-not-found")["pods"][0]
    job = pod["metadata"]["labels"]["batch.kubernetes.io/job-name"]
    board.expect(job, [Node(Work("//:t", ()))])
    status = next(one for one in pod["status"]["containerStatuses"] if "waiting" in one["state"])[
        "state"
    ]
    failure = None
    while failure is None and hours[0] < 1000:
        port = 40_000 + int(hours[0])
        why = f"failed to pull: read udp 10.0.0.1:{port}->10.0.0.2:53: i/o timeout"
        word = "ErrImagePull" if port % 20 else "ImagePullBackOff"
        status["waiting"] = {"reason": word, "message": why}
        board.hear(Change("pods", "MODIFIED", pod))
        failure = board.hopeless()
        hours[0] += 10

    assert failure is not None
    assert (failure.code, hours[0]) == (69, 130)
    assert len([one for one in events if isinstance(one, Warned)]) == 1
