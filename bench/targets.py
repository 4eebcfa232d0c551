"""The numbers to reach, and whether they were."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from statistics import median
from typing import NamedTuple

from bench.rounds import CHANGED, COLD, FRESH, UNCHANGED, Row
from bench.table import OURS, aligned, of_case
from bench.workloads import Workload

MIB = 1024 * 1024
SECONDS, PER_FILE = 0.100, 4e-6
PEAK = 150 * MIB
# These have a daemon that keeps everything warm.
DAEMONS = ("docker", "docker-bk")

FASTER = (
    ("W1", COLD, "artificer", 1.2),
    ("W1", COLD, "artificer-zstd", 1.6),
    ("W1", UNCHANGED, "artificer", 1.0),
    ("W2", COLD, "artificer", 1.3),
    ("W2", COLD, "artificer-zstd", 1.8),
    ("W2", CHANGED, "artificer", 3.5),
    ("W3", COLD, "artificer", 2.0),
    ("W3", CHANGED, "artificer", 12.0),
)


class Verdict(NamedTuple):
    """One target: what was asked, what came of it."""

    what: str
    asked: str
    got: str
    reached: bool


def verdicts(rows: Sequence[Row], workloads: Iterable[Workload]) -> list[Verdict]:
    """Every target about which something was measured."""
    found = [verdict for target in FASTER for verdict in _faster(rows, *target)]
    for workload in workloads:
        for ours in OURS.values():
            found += _unchanged(of_case(rows, workload.name, UNCHANGED), workload, ours)
            found += _nothing_sent(of_case(rows, workload.name, FRESH), ours)
    found += _sent_of_changed(of_case(rows, "W3", CHANGED))
    return found + [verdict for ours in OURS.values() for verdict in _peak(rows, ours)]


def verdict_table(found: Sequence[Verdict]) -> list[str]:
    """The targets as a table."""
    lines = [(v.what, v.asked, v.got, "yes" if v.reached else "NO") for v in found]
    return aligned([("target", "asked", "got", "reached"), *lines]) if lines else []


def fastest(rows: Sequence[Row], ours: str, *, daemons: bool = True) -> tuple[float, str] | None:
    """How many times longer the fastest peer took: the median over the rounds, and who it was."""
    ratios, names = [], []
    for own in (row for row in rows if row.peer == ours):
        others = [
            (row.sample.wall, row.peer)
            for row in rows
            if row.round == own.round
            and row.peer not in OURS.values()
            and (daemons or row.peer not in DAEMONS)
        ]
        if others:
            wall, name = min(others)
            ratios.append(wall / own.sample.wall)
            names.append(name)
    return (median(ratios), max(set(names), key=names.count)) if ratios else None


def _faster(
    rows: Sequence[Row], workload: str, case: str, ours: str, times: float
) -> Iterator[Verdict]:
    # An unchanged build is compared with those who also start from nothing.
    told = fastest(of_case(rows, workload, case), ours, daemons=case != UNCHANGED)
    if told is not None:
        got = f"{told[0]:.2f} × {told[1]}"
        yield Verdict(f"{workload} {case}, {ours}", f"≥ {times} ×", got, told[0] >= times)


def _unchanged(rows: Sequence[Row], workload: Workload, ours: str) -> Iterator[Verdict]:
    own = [row for row in rows if row.peer == ours]
    if not own:
        return
    most = SECONDS + PER_FILE * workload.files
    cpu = _middle(own, lambda row: row.sample.cpu)
    what = f"{workload.name} {UNCHANGED}, {ours}: cpu"
    yield Verdict(what, f"≤ {most * 1000:.0f} ms", f"{cpu * 1000:.0f} ms", cpu <= most)
    yield from _nothing_sent(own, ours)


def _nothing_sent(rows: Sequence[Row], ours: str) -> Iterator[Verdict]:
    own = [row for row in rows if row.peer == ours]
    if own:
        size = max(row.sent.size for row in own)
        what = f"{own[0].workload} {own[0].case}, {ours}: sent"
        yield Verdict(what, "nothing", f"{size / 1e6:.2f} MB", size == 0)


def _sent_of_changed(rows: Sequence[Row]) -> Iterator[Verdict]:
    for ours in OURS.values():
        own = [row for row in rows if row.peer == ours]
        if own:
            size = max(row.sent.size for row in own)
            what = f"W3 {CHANGED}, {ours}: sent"
            yield Verdict(what, "≤ 64 MiB", f"{size / MIB:.1f} MiB", size <= 64 * MIB)


def _peak(rows: Sequence[Row], ours: str) -> Iterator[Verdict]:
    own = [row for row in rows if row.peer == ours]
    if own:
        most = max(own, key=lambda row: row.sample.peak)
        got = f"{most.sample.peak / MIB:.0f} MiB ({most.workload} {most.case})"
        yield Verdict(f"{ours}: peak memory", "≤ 150 MiB", got, most.sample.peak <= PEAK)


def _middle(rows: Sequence[Row], of: Callable[[Row], float]) -> float:
    return median(of(row) for row in rows)
