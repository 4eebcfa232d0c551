import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from artificer.sandbox.command import Command
from bench.__main__ import choose, site_of
from bench.commands import in_sandbox, lines_of_run, rungs
from bench.contents import MIB
from bench.dockerfiles import COPYING, RUNNING, context, dockerfile_verdicts, small_context
from bench.files import Files, kept, many_files, within_reach
from bench.measure import Runner, Sample, runner
from bench.memory import watched
from bench.peers import dockerfile_peers
from bench.rounds import CHANGED, COLD, UNCHANGED, Result, Row, run_rounds
from bench.traffic import Sent
from bench.workloads import File, Shape, Workload, made
from tests.parts import images
from tests.parts.commands import SEARCH
from tests.sandbox import roots

CASES = (COLD, UNCHANGED, CHANGED)


def _context() -> Iterator[File]:
    return context(program=MIB // 8, files=20, size=100_000)


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return images.base_layout(tmp_path_factory.mktemp("base")).path


@pytest.fixture(scope="module")
def workloads(tmp_path_factory: pytest.TempPathFactory) -> list[Workload]:
    cache = tmp_path_factory.mktemp("cache")
    # busybox has no groupadd, and this base no /usr/lib.
    running = RUNNING.replace("groupadd -r app && useradd -r -g app app", "true")
    running = running.replace("/usr/lib", "/bin")
    return [
        made("D1", Shape("tiny", _context, "conf/07.conf", COPYING), cache),
        made("D2", Shape("tiny", small_context, "conf/07.conf", running), cache),
    ]


@pytest.fixture(scope="module")
def measured(layout: Path, workloads: list[Workload]) -> list[Result]:
    with ExitStack() as stack:
        chosen = choose(dockerfile_peers(stack), ())
        site = stack.enter_context(site_of(layout))
        return [run_rounds(site, one, chosen, rounds=1, cases=CASES) for one in workloads]


@pytest.fixture
def run(tmp_path: Path) -> Runner:
    return runner(tmp_path, SEARCH)


def _rows(name: str, case: str, **walls: float) -> list[Row]:
    return [
        Row(name, case, peer.replace("_", "-"), 1, Sample(wall, 0.1, MIB), Sent())
        for peer, wall in walls.items()
    ]


def test_dockerfiles_are_built_in_every_case(measured: list[Result]) -> None:
    for result in measured:
        assert result.failed == {}
        assert [row.case for row in result.rows] == list(CASES)


def test_an_unchanged_dockerfile_sends_nothing(measured: list[Result]) -> None:
    sent = {row.case: row.sent.size for result in measured for row in result.rows}

    assert sent[UNCHANGED] == 0
    assert sent[CHANGED] > 0


def test_builds_are_held_against_the_fastest_without_a_daemon() -> None:
    cold = _rows("D2", COLD, artificer=1.0, buildah=3.5, podman=5.0, docker=0.9)

    found = {one.what: (one.got, one.reached) for one in dockerfile_verdicts(cold)}

    assert found["D2 cold, without a daemon"] == ("3.50 × buildah", True)
    assert found["D2 cold, docker's daemon runs"] == ("0.90 × docker", False)


def test_an_unchanged_build_is_held_against_its_processor_time() -> None:
    rows = _rows("D2", UNCHANGED, artificer=0.2, buildah=0.5)

    found = {one.what: (one.got, one.reached) for one in dockerfile_verdicts(rows)}

    assert found["D2 unchanged: cpu"] == ("100 ms", True)


def test_lines_of_run_are_measured_one_by_one(run: Runner, layout: Path) -> None:
    none = roots.layer(run.folder, [])
    files = Files(_tagged(layout, run.folder), none, none, none, none, (), 0)

    rows = list(lines_of_run(run, 1, files, 2))

    assert [case.name for case, _ in rows][:2] == ["one RUN true, root", "3 times RUN true, root"]
    assert all(verdict is None or "ms" in verdict.got for _, verdict in rows)


def _tagged(layout: Path, folder: Path) -> Path:
    """The layout with one image, which needs no name."""
    return Path(shutil.copytree(layout, folder / "layout"))


def test_what_a_command_uses_is_counted_with_all_below_it(tmp_path: Path) -> None:
    script = "(i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done)"
    with roots.sandbox("root", tmp_path) as box:
        chain = (roots.base(tmp_path),)
        busy = in_sandbox(box, chain, Command(("/bin/sh", "-c", script)))
        idle = in_sandbox(box, chain, Command(("/bin/sh", "-c", "true")))

    assert busy.sample.cpu > idle.sample.cpu + 0.05


def test_what_changed_among_many_files_is_found(tmp_path: Path) -> None:
    many = kept(tmp_path / "many.tar", lambda path: many_files(path, 1_500))
    none = roots.layer(tmp_path, [])
    here = Files(tmp_path, none, none, none, none, (roots.base(tmp_path), many), 1_500)
    (tmp_path / "reach").mkdir()

    files = within_reach(here, tmp_path / "reach")
    with roots.sandbox("chroot", tmp_path) as box:
        cost = in_sandbox(box, files.many, Command(("/bin/sh", "-c", "echo >/many/1/7")))

    assert "chroot" in rungs()
    assert 0 < cost.look < 10


def test_memory_is_that_of_all_processes_together(tmp_path: Path) -> None:
    script = "head -c 30000000 /dev/zero | tail -c 25000000 | { sleep 0.3; wc -c; }"

    sample = watched(["/bin/sh", "-c", script], {"PATH": SEARCH})

    assert sample.peak > 20_000_000
