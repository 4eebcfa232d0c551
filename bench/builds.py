"""Builds of BUILD files: what was measured of them, as rows with a number that each may take."""

import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple

from bench.measure import Runner, Sample
from bench.table import aligned
from bench.targets import Verdict

HEAD = ("case", "n", "wall s", "min–max", "cpu s", "peak MiB", "")


class Case(NamedTuple):
    """What was measured, how often, and what else there is to say of it."""

    name: str
    samples: Sequence[Sample]
    note: str = ""

    @property
    def wall(self) -> float:
        """The time in the middle."""
        return median(sample.wall for sample in self.samples)

    @property
    def peak(self) -> int:
        """The most memory."""
        return max(sample.peak for sample in self.samples)


class Section(NamedTuple):
    """One kind of workspace: its rows, and which numbers were reached."""

    name: str
    title: str
    cases: Sequence[Case]
    verdicts: Sequence[Verdict]

    def lines(self) -> list[str]:
        """The section as text."""
        rows = [_row(case) for case in self.cases]
        return [f"## {self.name}: {self.title}", "", *aligned([HEAD, *rows])]


class Shop(NamedTuple):
    """Where a workspace is built: *root* has its files, *state* what is kept."""

    run: Runner
    root: Path
    state: Path

    def artificer(self, *words: str, **environ: str) -> Sample:
        """Run artificer in the workspace; what it prints is in `said`."""
        line = " ".join((f'"{sys.executable}"', "-m artificer", *words))
        script = f'{line} >"{self.state}/said"'
        store = str(self.state / "store")
        return self.run.run(script, self.state, self.root, ARTIFICER_STORE=store, **environ)

    def said(self) -> list[str]:
        """What the last build printed."""
        return (self.state / "said").read_text().splitlines()


def shop(run: Runner, name: str) -> Shop:
    """An empty workspace called *name*."""
    root, state = run.folder / name, run.folder / f"{name}-state"
    root.mkdir()
    state.mkdir()
    (root / "WORKSPACE").write_text(f'workspace(name = "{name}")\n')
    return Shop(run, root, state)


def at_most(what: str, case: Case, seconds: float) -> Verdict:
    """Whether *case* took no longer than that."""
    return Verdict(what, f"≤ {seconds:g} s", f"{case.wall:.2f} s", case.wall <= seconds)


def _row(case: Case) -> tuple[str, ...]:
    walls = [sample.wall for sample in case.samples]
    return (
        case.name,
        str(len(walls)),
        f"{median(walls):.2f}",
        f"{min(walls):.2f}–{max(walls):.2f}",
        f"{median(sample.cpu for sample in case.samples):.2f}",
        f"{case.peak / 2**20:.0f}",
        case.note,
    )
