"""Debian packages installed: an image of nginx from nothing, and upon a base, beside the others.

The packages are files on this machine for all of them, so that nobody waits for a network.
"""

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import NamedTuple

import pytest

from bench.base import TAG, base_layout
from bench.builds import Case, Section
from bench.measure import Runner, Sample
from bench.mirror import mirror, packages_in
from bench.peers import artificer_command
from bench.targets import Verdict
from tests.parts import engines

NOTHING, BASE, CHANGED = "nginx from nothing", "nginx on a base", "a file above nginx changed"
LOCKED = "a file above nginx changed, packages locked"
UNPACKED = "nginx from nothing, unpacked only"
TIMES = {NOTHING: 2.0, BASE: 1.5}
TIMES_CHANGED = 20.0
# What is written, beside what stays in the end: documents, records, the file above the packages.
BESIDE = 1.05

MMDEBSTRAP = "mmdebstrap -q --variant=apt --include=nginx '' {state}/root.tar '{copied}'"
DOCKERFILE = """\
FROM {base}
RUN rm -f /etc/apt/sources.list.d/* && echo '{copied}' >/etc/apt/sources.list \\
 && apt-get -qq update \\
 && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends nginx
COPY app /srv/app
"""
BUILDAH = (
    "buildah build -q --disable-compression=false {layers} -v {mirror}:{mirror}:ro "
    "-t oci:{state}/image:1 -f {state}/Dockerfile {context}"
)
OURS = (
    '{artificer} {base} -q --archive "[trusted=yes] file://{mirror} ./" '
    "--apt {packages} --files {context}/app:/srv/app {more} -t oci:{state}/image:1"
)
UNPACK = "--deb-level unpack"


class Site(NamedTuple):
    """Where packages, the base, and the file above them are."""

    run: Runner
    mirror: Path
    base: Path
    context: Path

    def edit(self, number: int) -> None:
        """Change the file above the packages."""
        self.context.joinpath("app").write_text(f"version {number}\n")


Do = Callable[[Site, int], Iterator[tuple[str, Sample]]]


def debian(run: Runner, rounds: int, cache: Path) -> Section:
    """Measure it all, in turn; whoever is not installed is left out."""
    context = run.folder / "context"
    context.mkdir()
    site = Site(run, mirror(cache), base_layout(cache), context)
    site.edit(0)
    samples: dict[tuple[str, str], list[Sample]] = {}
    kept: list[float] = []
    peers: Sequence[tuple[str, Do]] = (
        ("artificer", _ours),
        ("mmdebstrap", _mmdebstrap),
        ("buildah", _buildah),
        ("buildah --layers", _buildah_layers),
    )
    for number in range(rounds):
        for who, measure in peers:
            try:
                for case, sample in measure(site, number):
                    samples.setdefault((case, who), []).append(sample)
            except (pytest.skip.Exception, pytest.fail.Exception):
                continue
        sample, share = _unpacked(site)
        samples.setdefault((UNPACKED, "artificer"), []).append(sample)
        kept.append(share)
    cases = [Case(f"{case}, {who}", found) for (case, who), found in sorted(samples.items())]
    title = f"Debian packages, {packages_in(site.mirror)} of them from nothing"
    streamed = Verdict(
        "packages unpacked past the disk",
        f"≤ {BESIDE:g} × what is kept",
        f"{max(kept):.2f} × written",
        max(kept) <= BESIDE,
    )
    return Section("debian", title, cases, [*_verdicts(samples), streamed])


def _verdicts(samples: dict[tuple[str, str], list[Sample]]) -> Iterator[Verdict]:
    for (case, who), theirs in sorted(samples.items()):
        ours = samples.get((case, "artificer"))
        if who in {"mmdebstrap", "buildah"} and ours:
            ratio = _times(theirs, ours)
            told = f"{ratio:.2f} × {who}"
            if case in TIMES:
                yield Verdict(case, f"≥ {TIMES[case]:g} ×", told, ratio >= TIMES[case])
    yield from _of_changes(samples)


def _of_changes(samples: dict[tuple[str, str], list[Sample]]) -> Iterator[Verdict]:
    # Where nothing is kept, which is what buildah does unless it is told to, all is done again.
    peers = (
        ((BASE, "buildah"), "buildah's whole build"),
        ((CHANGED, "buildah --layers"), "buildah --layers"),
    )
    for case in (CHANGED, LOCKED):
        for key, who in peers:
            theirs, ours = samples.get(key), samples.get((case, "artificer"))
            if theirs and ours:
                ratio = _times(theirs, ours)
                told, reached = f"{ratio:.1f} × {who}", ratio >= TIMES_CHANGED
                yield Verdict(case, f"≥ {TIMES_CHANGED:g} ×", told, reached)


def _times(theirs: Sequence[Sample], ours: Sequence[Sample]) -> float:
    """How many times longer they took, round by round: a busy machine slows both."""
    return median(one.wall / own.wall for one, own in zip(theirs, ours, strict=False))


def _ours(site: Site, number: int) -> Iterator[tuple[str, Sample]]:
    with _state(site.run) as state:
        yield NOTHING, _artificer(site, state, "-b scratch", "apt nginx")
    with _state(site.run) as state:
        base = f"-b oci:{site.base}:{TAG}"
        yield BASE, _artificer(site, state, base, "nginx")
        site.edit(1000 + number)
        yield CHANGED, _artificer(site, state, base, "nginx")
        # Where what the base came to is locked, archives are not asked for news.
        _artificer(site, state, f"lock {base}", "nginx")
        site.edit(3000 + number)
        yield LOCKED, _artificer(site, state, base, "nginx")


def _unpacked(site: Site) -> tuple[Sample, float]:
    """Packages' files without their scripts: how much is written for what is kept of it."""
    with _state(site.run) as state:
        sample = _artificer(site, state, "-b scratch", "apt nginx", UNPACK)
        # The image's files are names of the store's.
        found = {one.stat().st_ino: one.stat() for one in state.rglob("*") if one.is_file()}
        return sample, sample.written / sum(one.st_blocks * 512 for one in found.values())


def _artificer(site: Site, state: Path, base: str, packages: str, more: str = "") -> Sample:
    script = OURS.format(
        artificer=artificer_command(),
        base=base,
        mirror=site.mirror,
        packages=packages,
        context=site.context,
        more=more,
        state=state,
    )
    # Where a lock is written, and found again.
    return site.run.run(script, state, state, ARTIFICER_STORE=f"{state}/store")


def _mmdebstrap(site: Site, number: int) -> Iterator[tuple[str, Sample]]:
    if shutil.which("mmdebstrap", path=site.run.environ["PATH"]):
        with _state(site.run) as state:
            script = MMDEBSTRAP.format(state=state, copied=_copied(site))
            yield NOTHING, site.run.run(script, state, site.context)


def _buildah(site: Site, number: int) -> Iterator[tuple[str, Sample]]:
    """As it is without further words: every instruction is carried out again."""
    return _built(site, number, "")


def _buildah_layers(site: Site, number: int) -> Iterator[tuple[str, Sample]]:
    """With layers that it keeps between builds."""
    return _built(site, number, "--layers")


def _built(site: Site, number: int, layers: str) -> Iterator[tuple[str, Sample]]:
    with (
        _state(site.run) as state,
        engines.storage(state / "storage", site.run.environ) as environ,
    ):
        # buildah makes a name of the layout's path, in which no part may begin with a dot.
        (state / "base").symlink_to(site.base)
        text = DOCKERFILE.format(base=f"oci:base:{TAG}", copied=_copied(site))
        (state / "Dockerfile").write_text(text)
        words = {"mirror": site.mirror, "state": state, "context": site.context}
        script = BUILDAH.format(layers=layers, **words)
        yield BASE, site.run.run(script, state, state, **environ)
        site.edit(2000 + number)
        yield CHANGED, site.run.run(script, state, state, **environ)


def _copied(site: Site) -> str:
    return f"deb [trusted=yes] copy:{site.mirror} ./"


@contextmanager
def _state(run: Runner) -> Iterator[Path]:
    """An empty directory for what one of them keeps."""
    state = run.folder / f"state-{os.getpid()}"
    state.mkdir()
    try:
        yield state
    finally:
        shutil.rmtree(state, ignore_errors=True)
