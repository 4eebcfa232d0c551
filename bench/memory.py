"""The most memory that a whole build takes: all its processes at once, on bases of two sizes."""

import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from bench.base import base_layout, large_layout
from bench.builds import Case, Section
from bench.dockerfiles import COPYING, DOCKERFILES, RUNNING
from bench.measure import Failed, Runner, Sample
from bench.targets import Verdict
from bench.workloads import Shape, made, small_files

MOST = 200_000_000
MANY = Shape(
    "200,000 small files",
    lambda: small_files(200_000, 100_000_000, "many"),
    "",
    "FROM scratch\nCOPY . /srv/\n",
)
_PAUSE = 0.005


def memory(run: Runner, rounds: int, cache: Path) -> Section:
    """Measure it; the sample's time is that of a build that is looked at all the time."""
    folder = made("D1", DOCKERFILES["D1"], cache).folder
    many = made("many", MANY, cache)
    small, large = base_layout(cache), large_layout(cache)
    cases, verdicts = [], []
    for number, (what, context, text, base) in enumerate(
        (
            ("COPY on 126 MB", folder, COPYING, small),
            ("COPY on 300 MB", folder, COPYING, large),
            ("RUN on 126 MB", folder, RUNNING, small),
            (f"COPY of {many.title}", many.folder, many.dockerfile, small),
        )
    ):
        dockerfile = run.folder / f"{number}.Dockerfile"
        dockerfile.write_text(text.format(base="base"))
        words = [
            *(sys.executable, "-m", "artificer", "build", str(context), "-q", "-t", "memory"),
            *("-f", str(dockerfile), "--build-context", f"base=oci-layout://{base}"),
        ]
        samples = [
            watched([*words, "--store", f"{run.folder}/store-{number}-{turn}"], run.environ)
            for turn in range(rounds)
        ]
        case = Case(what, samples, "all processes")
        cases.append(case)
        told = f"{case.peak / 1e6:.0f} MB"
        asked = f"≤ {MOST / 1e6:.0f} MB"
        verdicts.append(Verdict(f"{what}: peak memory", asked, told, case.peak <= MOST))
    return Section("memory", "the most memory of all processes of a build", cases, verdicts)


def watched(words: Sequence[str], environ: Mapping[str, str]) -> Sample:
    """Run a command to its end, and look all the time how much memory it and its own take."""
    start, peak = time.perf_counter(), 0
    pipe = subprocess.PIPE
    with subprocess.Popen(words, env=dict(environ), stdout=pipe, stderr=pipe) as process:
        while process.poll() is None:
            peak = max(peak, sum(_shares(str(process.pid))))
            time.sleep(_PAUSE)
        assert process.stderr is not None
        said = process.stderr.read().decode(errors="replace")
    if process.returncode:
        raise Failed(said.strip().splitlines()[-1])
    return Sample(time.perf_counter() - start, 0, peak)


def below(process: str) -> Iterator[str]:
    """All processes that *process* started, and theirs."""
    try:
        for task in Path(f"/proc/{process}/task").iterdir():
            for child in (task / "children").read_text().split():
                yield child
                yield from below(child)
    except OSError:
        # It ended meanwhile.
        return


def _shares(process: str) -> Iterator[int]:
    """What each process has of memory for itself, and its share of what several have."""
    for each in (process, *below(process)):
        try:
            text = Path(f"/proc/{each}/smaps_rollup").read_text()
        except OSError:
            continue
        yield (
            next((int(line.split()[1]) for line in text.splitlines() if line[:4] == "Pss:"), 0)
            * 1024
        )
