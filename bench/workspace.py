"""A workspace of 1,000 images over 20 packages: cold, unchanged, and with one file changed.

Beside it Bazel, if it is there, on as many genrules with the same inputs: without our rules, as
they would have to be fetched.
"""

import random
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

from bench.builds import Case, Section, Shop, at_most, shop
from bench.measure import Failed, Runner, Sample
from bench.targets import Verdict

LAYERS = 3
LAYER_BYTES = 1 << 20
PEAK = 300 * 1000 * 1000


class Extent(NamedTuple):
    """How many packages there are, and how many images in each."""

    packages: int = 20
    images: int = 50


WHOLE = Extent()
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
_SHARED_TARS = """\
package(default_visibility = ["//visibility:public"])

[genrule(
    name = name,
    srcs = [name + ".bin"],
    outs = [name + ".tar"],
    cmd = "tar -cf $@ $<",
) for name in ["base"] + ["data%d" % number for number in range({layers})]]
"""
_TARS = """\
[genrule(
    name = "image%d" % number,
    srcs = ["file%d.txt" % number, "//shared:base"]
        + ["//shared:data%d" % one for one in range({layers})],
    outs = ["image%d.tar" % number],
    cmd = "tar -cf $@ $(location file%d.txt)" % number,
) for number in range({images})]
"""


def workspace(run: Runner, rounds: int, extent: Extent = WHOLE) -> Section:
    """Measure it all."""
    own = shop(run, "workspace")
    write_workspace(own.root, extent)
    cold = [own.artificer("build -q //...")]
    before = own.said()
    unchanged = [own.artificer("build -q //...") for _ in range(rounds)]
    if own.said() != before:
        raise Failed("an unchanged workspace has other digests")
    changed = [_changed(own, before, number) for number in range(rounds)]
    cases = [
        Case("cold", cold),
        Case("unchanged", unchanged),
        Case("one file changed", changed, "one target made"),
    ]
    verdicts = [
        at_most("1,000 images, cold", cases[0], 60),
        at_most("1,000 images, unchanged", cases[1], 1.5),
        Verdict(
            "1,000 images, unchanged: peak memory",
            f"≤ {PEAK / 1e6:.0f} MB",
            f"{cases[1].peak / 1e6:.0f} MB",
            cases[1].peak <= PEAK,
        ),
        Verdict("1,000 images, one file changed", "one target", "one target", reached=True),
    ]
    cases += bazel(run, rounds, extent)
    return Section("workspace", "1,000 images over 20 packages", cases, verdicts)


def _changed(own: Shop, before: list[str], number: int) -> Sample:
    (own.root / "package01" / "file1.txt").write_text(f"changed {number}\n")
    sample = own.artificer("build -q //...")
    changed = [line.split()[0] for line in own.said() if line not in before]
    if changed != ["//package01:image1"]:
        raise Failed(f"one file changed {len(changed)} targets")
    return sample


def bazel(run: Runner, rounds: int, extent: Extent) -> list[Case]:
    """What Bazel takes, with and without its server; nothing where there is no Bazel."""
    found = shutil.which("bazel", path=run.environ["PATH"])
    if found is None or not _is_bazel(found):
        return []
    place = shop(run, "genrules")
    write_files(place.root, extent, _SHARED_TARS, _TARS)
    command = f'bazel --output_user_root="{place.state}/out"'
    script = f"{command} build --color=no //..."

    def build() -> Sample:
        return run.run(script, place.state, place.root)

    def end() -> None:
        run.run(f"{command} shutdown", place.state, place.root)

    def without_server() -> Sample:
        end()
        return build()

    note = "genrules; processor and memory of its server are not counted"
    try:
        return [
            Case("Bazel, cold", [build()], note),
            Case("Bazel, unchanged, its server runs", [build() for _ in range(rounds)]),
            Case("Bazel, unchanged, no server", [without_server() for _ in range(rounds)]),
        ]
    finally:
        end()


def _is_bazel(path: str) -> bool:
    words = [path, "help", "startup_options"]
    told = subprocess.run(words, check=False, capture_output=True, text=True, cwd="/").stdout
    return "--output_user_root" in told


def write_workspace(root: Path, extent: Extent) -> None:
    """The workspace: the same on every machine."""
    load = f"{_LOAD.removesuffix(', ')})"
    write_files(root, extent, f'{_LOAD}"container_layer")\n\n{_SHARED}', f"{load}\n\n{_PACKAGE}")


def write_files(root: Path, extent: Extent, shared_text: str, package_text: str) -> None:
    """The files, with these BUILD files."""
    noise = random.Random(1)
    shared = root / "shared"
    shared.mkdir(parents=True)
    (shared / "BUILD").write_text(shared_text.format(layers=LAYERS))
    (shared / "base.bin").write_bytes(noise.randbytes(4 * LAYER_BYTES))
    for number in range(LAYERS):
        (shared / f"data{number}.bin").write_bytes(noise.randbytes(LAYER_BYTES))
    for number in range(extent.packages):
        package = root / f"package{number:02}"
        package.mkdir()
        (package / "BUILD").write_text(package_text.format(layers=LAYERS, images=extent.images))
        for image in range(extent.images):
            (package / f"file{image}.txt").write_text(f"{number} {image}\n" * 20)
