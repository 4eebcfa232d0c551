"""The benchmark of archives, on this machine's own."""

from pathlib import Path

import pytest

from bench.archives import LOADED, RESOLVED, archives
from bench.measure import Runner


@pytest.mark.archive
def test_archives_are_measured(tmp_path: Path) -> None:
    section = archives(Runner(tmp_path, {}, alone=False), 1)

    assert [verdict.what for verdict in section.verdicts] == [LOADED, RESOLVED]
    assert all(len(case.samples) == 1 for case in section.cases)
    assert " chosen" in section.title
