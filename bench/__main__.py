"""``./dev bench``: artificer beside the peers that are installed, as a table."""

import argparse
import compileall
import fcntl
import json
import os
import platform
import shutil
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, NamedTuple

import pytest

import artificer
from bench.archives import archives
from bench.base import base_layout, publish
from bench.builds import Section
from bench.commands import commands
from bench.debian import debian
from bench.dockerfiles import BASES, DOCKERFILES, dockerfile_verdicts
from bench.files import files
from bench.floor import Floor, floor_of
from bench.jobs import jobs
from bench.measure import Runner, runner
from bench.memory import memory
from bench.peers import Peer, dockerfile_peers, missing, peers
from bench.pods import pods
from bench.programs import programs
from bench.rounds import CASES, COLD, FRESH, Row, Site, run_rounds
from bench.table import OURS, case_table, floor_lines, of_case, recorded
from bench.targets import verdict_table, verdicts
from bench.traffic import listening
from bench.workloads import SHAPES, Workload, cache_folder, made
from bench.workspace import workspace
from tests.parts.commands import SEARCH
from tests.parts.registries import registry


def _commands(run: Runner, rounds: int) -> Section:
    return commands(run, rounds, files(cache_folder(dict(os.environ))))


def _memory(run: Runner, rounds: int) -> Section:
    return memory(run, rounds, cache_folder(dict(os.environ)))


def _debian(run: Runner, rounds: int) -> Section:
    return debian(run, rounds, cache_folder(dict(os.environ)))


BUILDS = {
    "workspace": workspace,
    "programs": programs,
    "commands": _commands,
    "memory": _memory,
    "archives": archives,
    "debian": _debian,
    "jobs": jobs,
    "pods": pods,
}


class Measured(NamedTuple):
    """All that was measured of one workload."""

    workload: Workload
    rows: list[Row]
    failed: dict[str, str]
    floors: list[Floor]


def main(words: Sequence[str]) -> int:
    """Measure and print."""
    options = parsed(words)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    # As an installed artificer has them, whatever was edited since.
    compileall.compile_dir(os.path.dirname(artificer.__file__), quiet=1)
    with ExitStack() as stack:
        chosen = choose(peers(stack), options.peers) if {*options.only} & {*SHAPES} else []
        cache = cache_folder(dict(os.environ))
        cache.mkdir(parents=True, exist_ok=True)
        stack.enter_context(alone(cache))
        workloads = [made(name, SHAPES[name], cache) for name in options.only if name in SHAPES]
        loads = [os.getloadavg()[0]]
        sections = [built(name, options.rounds) for name in options.only if name in BUILDS]
        told = []
        if workloads:
            site = stack.enter_context(site_of(base_layout(cache)))
            told = [measured(site, workload, chosen, options) for workload in workloads]
        told += [
            measured_dockerfile(name, cache, options)
            for name in options.only
            if name in DOCKERFILES
        ]
        loads.append(os.getloadavg()[0])
    machine = {**machine_of(), "load": [round(load, 1) for load in loads]}
    print("\n".join(report(told, machine, sections)))
    if options.json:
        Path(options.json).write_text(json.dumps(document(told, machine, sections), indent=1))
    return 0


def parsed(words: Sequence[str]) -> argparse.Namespace:
    """The options."""

    def several(text: str) -> list[str]:
        return text.split(",")

    every = [*BUILDS, *SHAPES, *DOCKERFILES]
    parser = argparse.ArgumentParser("bench", description=__doc__)
    add = parser.add_argument
    add("--rounds", type=int, default=3, metavar="N", help="how often each does each case (3)")
    add("--only", type=several, default=every, metavar="W1,…", help="these workloads")
    add("--cases", type=several, default=list(CASES), metavar="cold,…", help="these cases")
    add(
        "--peers", type=several, metavar="NAME,…", help="ours and these peers (all that are found)"
    )
    add("--json", metavar="FILE", help="write every single run there")
    options = parser.parse_args(words)
    for word, known in ((options.only, every), (options.cases, CASES)):
        if unknown := set(word) - set(known):
            parser.error(f"no {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    return options


def choose(every: dict[str, Peer], wanted: Sequence[str] | None) -> list[Peer]:
    """Ours, and of the others those that are wanted and here."""
    chosen = []
    for peer in every.values():
        if wanted is not None and peer.name not in {*wanted, *OURS.values()}:
            continue
        reason = missing(peer, SEARCH)
        if reason is None:
            chosen.append(peer)
        else:
            say(f"{peer.name} is left out: {reason}")
    return chosen


@contextmanager
def alone(cache: Path) -> Iterator[None]:
    """Wait for other benchmarks: they change the same files, and take the same processors."""
    with (cache / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another benchmark is running: waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def built(name: str, rounds: int) -> Section:
    """One kind of workspace with BUILD files."""
    with folder() as place:
        say(f"{name}: {rounds} rounds")
        return BUILDS[name](runner(place, SEARCH), rounds)


@contextmanager
def folder() -> Iterator[Path]:
    """A directory that is gone afterwards."""
    place = Path(mkdtemp(prefix="artificer-bench-"))
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


@contextmanager
def site_of(layout: Path) -> Iterator[Site]:
    """A registry with the base of *layout* in it, until the block ends."""
    with (
        folder() as place,
        listening() as traffic,
        registry(place / "registry", notifications=traffic.section) as served,
    ):
        base = publish(layout, served.host)
        yield Site(served.host, base, runner(place / "runs", SEARCH), traffic, say)


def measured(
    site: Site, workload: Workload, chosen: Sequence[Peer], options: argparse.Namespace
) -> Measured:
    """One workload: the rounds, then its floor."""
    result = run_rounds(site, workload, chosen, rounds=options.rounds, cases=options.cases)
    floors = [floor_of(workload, compression) for compression in OURS if COLD in options.cases]
    return Measured(workload, result.rows, result.failed, floors)


def measured_dockerfile(name: str, cache: Path, options: argparse.Namespace) -> Measured:
    """One of the Dockerfiles, on its own base."""
    with ExitStack() as stack:
        chosen = choose(dockerfile_peers(stack), options.peers)
        site = stack.enter_context(site_of(BASES[name](cache)))
        workload = made(name, DOCKERFILES[name], cache)
        cases = [case for case in options.cases if case != FRESH]
        result = run_rounds(site, workload, chosen, rounds=options.rounds, cases=cases)
    return Measured(workload, result.rows, result.failed, [])


def report(
    told: Sequence[Measured], machine: dict[str, Any], sections: Sequence[Section] = ()
) -> Iterator[str]:
    """Everything as lines."""
    old = recorded()
    yield from (f"{name}: {value}" for name, value in machine.items())
    for section in sections:
        yield from ("", *section.lines())
    for one in told:
        yield from ("", f"## {one.workload.name}: {one.workload.title}", "")
        for case in CASES:
            if rows := of_case(one.rows, one.workload.name, case):
                yield from case_table(rows, old)
        cold = of_case(one.rows, one.workload.name, COLD)
        yield from (line for floor in one.floors for line in floor_lines(floor, cold))
        yield from (f"{name} failed, {reason}" for name, reason in one.failed.items())
    rows = [row for one in told for row in one.rows]
    found = [verdict for section in sections for verdict in section.verdicts]
    plain = [one.workload for one in told if not one.workload.dockerfile]
    lines = verdict_table([*found, *verdicts(rows, plain), *dockerfile_verdicts(rows)])
    yield from ("", "## Targets, against the fastest peer of the same rounds", "", *lines, "")
    yield f"recorded rows: {old['measured']}, {old['machine']}; {old['note']}"


def machine_of() -> dict[str, Any]:
    """What the numbers depend on."""
    return {
        "machine": f"{os.cpu_count()} cores, {platform.machine()}, {platform.system()} "
        f"{platform.release()}",
        "python": platform.python_version(),
        "artificer": artificer.__version__,
    }


def document(
    told: Sequence[Measured], machine: dict[str, Any], sections: Sequence[Section] = ()
) -> dict[str, Any]:
    """Every single run, for other tools."""
    return {
        "machine": machine,
        "rows": [
            {**row._asdict(), "sample": row.sample._asdict(), "sent": row.sent._asdict()}
            for one in told
            for row in one.rows
        ],
        "floors": {one.workload.name: [floor._asdict() for floor in one.floors] for one in told},
        "failed": {one.workload.name: one.failed for one in told},
        "builds": {
            section.name: {
                case.name: [sample._asdict() for sample in case.samples] for case in section.cases
            }
            for section in sections
        },
    }


def say(text: str) -> None:
    """Progress goes where it is not in the way of the table."""
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    try:
        raise SystemExit(main(sys.argv[1:]))
    except (pytest.skip.Exception, pytest.fail.Exception) as absent:
        # What the tests skip for want of, a benchmark cannot do without.
        raise SystemExit(f"error: {absent.msg}") from None
