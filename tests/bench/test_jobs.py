"""The benchmark of Jobs, on a few targets."""

from pathlib import Path

from bench.jobs import jobs
from bench.measure import runner
from tests.parts.commands import SEARCH


def test_jobs_are_measured_to_their_end(tmp_path: Path) -> None:
    section = jobs(runner(tmp_path, SEARCH), rounds=1, targets=3)

    assert [case.name for case in section.cases] == ["3 targets"]
    assert [verdict.reached for verdict in section.verdicts] == [True, True]
