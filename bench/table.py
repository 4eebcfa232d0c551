"""Rows to tables: medians, ratios in the same rounds, and what was recorded beside them."""

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from bench.floor import Floor
from bench.rounds import CHANGED, COLD, FRESH, UNCHANGED, Row

OURS = {"gzip": "artificer", "zstd": "artificer-zstd"}
RECORDED = Path(__file__).with_name("baseline.json")
SAYS = {
    COLD: "a new repository, an empty client",
    UNCHANGED: "the same command again",
    FRESH: "the same command on an empty client",
    CHANGED: "one small file changed",
}
HEAD = ("tool", "n", "wall s", "min–max", "× ours", "× zstd", "cpu s", "peak MiB", "sent MB")


def recorded() -> dict[str, Any]:
    """The peers' rows of an earlier day, as they were written down."""
    document: dict[str, Any] = json.loads(RECORDED.read_text())
    return document


def of_case(rows: Iterable[Row], workload: str, case: str) -> list[Row]:
    """The rows of one table."""
    return [row for row in rows if (row.workload, row.case) == (workload, case)]


def ratio(rows: Sequence[Row], peer: str, ours: str) -> float | None:
    """How many times longer *peer* took than *ours*: the median of the rounds that both did."""
    walls = {(row.peer, row.round): row.sample.wall for row in rows}
    both = [
        wall / walls[ours, number]
        for (name, number), wall in walls.items()
        if name == peer and (ours, number) in walls
    ]
    return median(both) if both else None


def case_table(rows: Sequence[Row], old: dict[str, Any]) -> list[str]:
    """One workload's case: what was measured now, then what was recorded."""
    workload, case = rows[0].workload, rows[0].case
    peers = list(dict.fromkeys(row.peer for row in rows))
    lines = [_line_of(rows, peer) for peer in sorted(peers, key=lambda peer: _wall(rows, peer))]
    earlier = [_line_of_recorded(row) for row in _recorded_rows(old, workload, case)]
    if earlier:
        lines += [(f"recorded {old['measured']}:", *[""] * 8), *earlier]
    return [f"### {workload} {case}: {SAYS[case]}", "", *aligned([HEAD, *lines]), ""]


def _wall(rows: Iterable[Row], peer: str) -> float:
    return median(row.sample.wall for row in rows if row.peer == peer)


def _line_of(rows: Sequence[Row], peer: str) -> tuple[str, ...]:
    own = [row for row in rows if row.peer == peer]
    walls = [row.sample.wall for row in own]
    ratios = [ratio(rows, peer, ours) for ours in OURS.values()]
    return (
        peer,
        str(len(own)),
        f"{median(walls):.2f}",
        f"{min(walls):.2f}–{max(walls):.2f}",
        *("" if number is None else f"{number:.2f}" for number in ratios),
        f"{median(row.sample.cpu for row in own):.2f}",
        f"{max(row.sample.peak for row in own) / 2**20:.0f}",
        _sent(own),
    )


def _sent(rows: Sequence[Row]) -> str:
    blobs = median(row.sent.blobs for row in rows)
    return f"{median(row.sent.size for row in rows) / 1e6:.2f}" if blobs else "nothing"


def _recorded_rows(old: dict[str, Any], workload: str, case: str) -> Iterator[dict[str, Any]]:
    for row in old["rows"]:
        if (row["workload"], row["case"]) == (workload, case):
            yield row


def _line_of_recorded(row: dict[str, Any]) -> tuple[str, ...]:
    wall, between = f"{row['wall']:.2f}", f"{row['min']:.2f}–{row['max']:.2f}"
    rest = (f"{row['cpu']:.2f}", str(row["peak"]), "")
    return (row["peer"], str(row["n"]), wall, between, "", "", *rest)


def floor_lines(floor: Floor, rows: Sequence[Row]) -> list[str]:
    """The floor of a workload, and how far above it a cold build of ours is."""
    parts = " + ".join(f"{name} {seconds:.2f}" for name, seconds in floor.parts.items())
    lines = [
        f"floor, {floor.compression}: cpu {floor.cpu:.2f} s = {parts}; "
        f"two threads {floor.wall:.2f} s"
    ]
    own = [row.sample for row in rows if row.peer == OURS[floor.compression]]
    if own:
        cpu = median(sample.cpu for sample in own)
        wall = median(sample.wall for sample in own)
        lines.append(
            f"  ours, start and push included: cpu {cpu:.2f} s, {cpu / floor.cpu:.2f} × the floor;"
            f" wall {wall:.2f} s, {wall / floor.wall:.2f} ×"
        )
    return lines


def aligned(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """A table that reads as text and as Markdown; the first row is its head."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    rule = tuple("-" * width for width in widths)
    return [
        "| " + " | ".join(_cell(cell, widths[i], i) for i, cell in enumerate(row)) + " |"
        for row in (rows[0], rule, *rows[1:])
    ]


def _cell(text: str, width: int, column: int) -> str:
    return text.rjust(width) if column else text.ljust(width)
