from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from bench.__main__ import Measured, choose, document, report, site_of
from bench.contents import MIB, Texts, programs
from bench.floor import PARTS, floor_of
from bench.measure import runner
from bench.peers import peers
from bench.rounds import CASES, CHANGED, FRESH, UNCHANGED, Row, Site, run_rounds
from bench.targets import verdicts
from bench.workloads import File, Shape, Workload, made
from bench.workspace import Extent, workspace
from tests.parts import images
from tests.parts.commands import SEARCH

# The others take seconds each to say what these do.
QUICK = ("crane-stream", "umoci")


def _tree() -> Iterator[File]:
    texts = Texts("tiny", lines=500)
    yield "server", b"".join(data for _, data in programs(MIB // 2))
    for number, size in enumerate(texts.sizes(40, MIB // 2)):
        yield f"conf/{number}.conf", texts.text(size)


TINY = Shape("1 MiB", _tree, "conf/7.conf")


@pytest.fixture(scope="module")
def workload(tmp_path_factory: pytest.TempPathFactory) -> Workload:
    return made("W1", TINY, tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    layout = images.base_layout(tmp_path_factory.mktemp("base"))
    with site_of(layout.path) as site:
        yield site


@pytest.fixture(scope="module")
def measured(site: Site, workload: Workload) -> Measured:
    with ExitStack() as stack:
        chosen = choose(peers(stack), QUICK)
        result = run_rounds(site, workload, chosen, rounds=1, cases=CASES)
    return Measured(workload, result.rows, result.failed, [floor_of(workload, "gzip")])


def _ours(measured: Measured, case: str) -> list[Row]:
    return [r for r in measured.rows if r.case == case and r.peer.startswith("artificer")]


def test_everybody_does_every_case(measured: Measured) -> None:
    peers_seen = {row.peer for row in measured.rows}

    assert measured.failed == {}
    assert peers_seen >= {"artificer", "artificer-zstd"}
    assert len(measured.rows) == len(peers_seen) * len(CASES)
    assert all(row.sample.wall > 0 and row.sample.peak > MIB for row in measured.rows)


@pytest.mark.parametrize("case", [UNCHANGED, FRESH])
def test_what_the_registry_has_is_not_sent_to_it(measured: Measured, case: str) -> None:
    assert [row.sent.size for row in _ours(measured, case)] == [0, 0]


def test_what_changed_is_counted_when_it_is_sent(measured: Measured) -> None:
    assert all(0 < row.sent.size < MIB for row in _ours(measured, CHANGED))


def test_the_edited_file_has_its_own_content_in_the_end(
    measured: Measured, workload: Workload, tmp_path: Path
) -> None:
    again = made("W1", TINY, tmp_path)

    assert measured.rows
    path = workload.folder / workload.edited
    assert path.read_bytes() == (again.folder / workload.edited).read_bytes()


def test_the_report_has_a_table_for_each_case_and_the_targets(measured: Measured) -> None:
    lines = list(report([measured], {"machine": "this"}))

    for case in CASES:
        assert any(line.startswith(f"### W1 {case}: ") for line in lines)
    assert any(line.startswith("| kaniko ") for line in lines)
    assert any(line.startswith("floor, gzip: ") for line in lines)
    assert any("peak memory" in verdict.what for verdict in verdicts(measured.rows, []))
    assert len(document([measured], {})["rows"]) == len(measured.rows)


def test_the_floor_has_a_price_for_each_part(measured: Measured) -> None:
    assert tuple(measured.floors[0].parts) == PARTS
    assert measured.floors[0].cpu > 0


def test_a_workload_is_made_once(workload: Workload) -> None:
    stamp = workload.folder / "server"
    before = stamp.stat().st_ctime_ns

    assert made("W1", TINY, workload.folder.parent) == workload
    assert stamp.stat().st_ctime_ns == before
    assert (workload.files, workload.names) == (41, ("conf", "server"))


def test_workspaces_are_measured_and_judged(tmp_path: Path) -> None:
    section = workspace(runner(tmp_path, SEARCH), 1, Extent(packages=2, images=2))
    lines = list(report([], {}, [section]))

    assert [case.name for case in section.cases][:3] == ["cold", "unchanged", "one file changed"]
    assert [verdict.what for verdict in section.verdicts if not verdict.reached] == []
    assert any(line.startswith("| 1,000 images, unchanged: peak memory") for line in lines)
    assert document([], {}, [section])["builds"]["workspace"]["unchanged"][0]["wall"] > 0
