"""A workspace of 1,000 images over 20 packages: cold, unchanged, and with one file changed.

``python -m bench.workspace`` prints a table; no registry, and nobody to compare with.
"""

import argparse
import random
import shutil
import statistics
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp
from typing import NamedTuple

from bench.measure import Sample, runner
from tests.parts.commands import SEARCH

PACKAGES = 20
IMAGES = 50
LAYERS = 3
LAYER_BYTES = 1 << 20

_LOAD = 'load("@io_bazel_rules_docker//container:container.bzl", "container_image", '
_SHARED = """\
package(default_visibility = ["//visibility:public"])

[container_layer(
    name = "layer%d" % number,
    directory = "/opt/%d" % number,
    files = ["data%d.bin" % number],
) for number in range({layers})]

container_image(
    name = "base",
    env = {{"PATH": "/usr/bin:/bin"}},
    files = ["base.bin"],
)
"""
_PACKAGE = """\
[container_image(
    name = "image%d" % number,
    base = "//shared:base",
    cmd = ["/file%d.txt" % number],
    env = {{"NUMBER": str(number)}},
    files = ["file%d.txt" % number],
    labels = {{"package": package_name()}},
    layers = ["//shared:layer%d" % one for one in range({layers})],
) for number in range({images})]
"""


class Case(NamedTuple):
    """What was measured, and how much it may be."""

    name: str
    wall: float
    memory: int | None = None


CASES = (
    Case("cold", 60),
    Case("unchanged", 1.5, 300 * 1000 * 1000),
    Case("one file changed", 2.5, 300 * 1000 * 1000),
)


def main(words: Sequence[str]) -> int:
    """Measure and print; 1 if a case took more than it may."""
    parser = argparse.ArgumentParser(prog="python -m bench.workspace", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args(words)
    with place() as folder:
        write_workspace(folder / "workspace")
        taken = dict(measured(folder, options.rounds))
    print("| case | wall | cpu | peak | may be |\n|---|---|---|---|---|")
    late = 0
    for case in CASES:
        samples = taken[case.name]
        wall = statistics.median(sample.wall for sample in samples)
        peak = max(sample.peak for sample in samples)
        cpu = statistics.median(sample.cpu for sample in samples)
        late += wall > case.wall or (case.memory is not None and peak > case.memory)
        print(
            f"| {case.name} | {wall:.2f} s | {cpu:.2f} s | {peak / 1e6:.0f} MB | {case.wall} s |"
        )
    return int(bool(late))


@contextmanager
def place() -> Iterator[Path]:
    """A directory that is gone afterwards."""
    folder = Path(mkdtemp(prefix="artificer-bench-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def write_workspace(root: Path) -> None:
    """The workspace: the same on every machine."""
    noise = random.Random(1)
    shared = root / "shared"
    shared.mkdir(parents=True)
    (root / "WORKSPACE").write_text('workspace(name = "bench")\n')
    (shared / "BUILD").write_text(f'{_LOAD}"container_layer")\n\n{_SHARED.format(layers=LAYERS)}')
    (shared / "base.bin").write_bytes(noise.randbytes(4 * LAYER_BYTES))
    for number in range(LAYERS):
        (shared / f"data{number}.bin").write_bytes(noise.randbytes(LAYER_BYTES))
    for number in range(PACKAGES):
        package = root / f"package{number:02}"
        package.mkdir()
        text = _PACKAGE.format(layers=LAYERS, images=IMAGES)
        (package / "BUILD").write_text(f"{_LOAD[:-2]})\n\n{text}")
        for image in range(IMAGES):
            (package / f"file{image}.txt").write_text(f"{number} {image}\n" * 20)


def measured(folder: Path, rounds: int) -> Iterator[tuple[str, list[Sample]]]:
    """Each case, measured as often as there are rounds."""
    state, root = folder / "state", folder / "workspace"
    state.mkdir()
    run = runner(folder, SEARCH)
    script = f'"{sys.executable}" -m artificer build -q //... >"{state}/digests"'

    def build() -> Sample:
        return run.run(script, state, root, ARTIFICER_STORE=str(folder / "store"))

    yield "cold", [build()]
    before = (state / "digests").read_text().splitlines()
    yield "unchanged", [build() for _ in range(rounds)]
    samples = []
    for number in range(rounds):
        (root / "package07" / "file7.txt").write_text(f"changed {number}\n")
        samples.append(build())
        after = (state / "digests").read_text().splitlines()
        changed = [line for line in after if line not in before]
        if [line.split()[0] for line in changed] != ["//package07:image7"]:
            raise SystemExit(f"one file changed {len(changed)} targets")
    yield "one file changed", samples


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
