"""Rounds: every peer in turn, case after case, then all of it again."""

import os
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple, Self

from bench.largest import small_file_in_largest_layer
from bench.measure import Failed, Runner, Sample
from bench.peers import DOCKERFILE, Peer, Words, script_of
from bench.traffic import Sent, Traffic
from bench.workloads import Workload

COLD, UNCHANGED, FRESH, CHANGED = "cold", "unchanged", "fresh-store", "changed"
CASES = (COLD, UNCHANGED, CHANGED, FRESH)


class Site(NamedTuple):
    """The registry with the base in it, and where commands run."""

    host: str
    base: str
    runner: Runner
    traffic: Traffic
    say: Callable[[str], None]

    @property
    def manifest(self) -> str:
        """Where the base's manifest is read."""
        repository, _, tag = self.base.partition("/")[2].rpartition(":")
        return f"http://{self.host}/v2/{repository}/manifests/{tag}"


class Row(NamedTuple):
    """One run of one peer."""

    workload: str
    case: str
    peer: str
    round: int
    sample: Sample
    sent: Sent


class Contender(NamedTuple):
    """A peer at work on a workload: where it keeps things and what it is told now."""

    peer: Peer
    workload: Workload
    state: Path
    environ: dict[str, str]

    def forget(self, site: Site) -> "Contender":
        """Empty the peer's memory."""
        return self._replace(environ=self.peer.fresh(self.state, site.runner.environ))


class Edits:
    """The one small file that changes: another content for every run, its own at the end."""

    def __init__(self, workload: Workload) -> None:
        self.workload = workload
        self.path: Path | None = None
        self.original = b""
        self.mtime = 0
        self.last: dict[str, bytes] = {}
        self.count = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.undo()

    def edit(self, peer: str, host: str, repository: str) -> None:
        """Change it: a file in the largest layer of the first image that is asked about."""
        if self.path is None:
            folder, found = self.workload.folder, None
            if not self.workload.dockerfile:
                found = small_file_in_largest_layer(host, repository, folder)
            self.path = folder / (found or self.workload.edited)
            self.original, self.mtime = self.path.read_bytes(), self.path.stat().st_mtime_ns
        self.count += 1
        self.last[peer] = self.original[:-32] + b"%032d" % self.count
        self.path.write_bytes(self.last[peer])

    def again(self, peer: str) -> None:
        """Give the file the content that it had when it changed for *peer*."""
        if self.path is not None and peer in self.last:
            self.path.write_bytes(self.last[peer])

    def undo(self) -> None:
        """Give the file its own content and time."""
        if self.path is not None:
            self.path.write_bytes(self.original)
            os.utime(self.path, ns=(self.mtime, self.mtime))
            # A build that begins in the same tick of the clock could not trust the file's times.
            time.sleep(0.1)
        self.last.clear()


class Turn(NamedTuple):
    """Which case of which round it is."""

    case: str
    number: int
    edits: Edits


class Result(NamedTuple):
    """The rows of one workload, and why some peers have none."""

    rows: list[Row]
    failed: dict[str, str]


def run_rounds(
    site: Site, workload: Workload, peers: Sequence[Peer], *, rounds: int, cases: Sequence[str]
) -> Result:
    """Let every peer do every case, round by round; a peer that fails does no more of it."""
    result = Result([], {})
    folder = site.runner.folder / workload.name
    here = [Contender(peer, workload, folder / peer.name, {}) for peer in peers]
    with Edits(workload) as edits:
        for number in range(1, rounds + 1):
            # Without the cold run there is nothing that could be unchanged.
            for case in (case for case in CASES if case == COLD or case in cases):
                here = _all(site, here, Turn(case, number, edits), result)
            edits.undo()
    shutil.rmtree(folder, ignore_errors=True)
    wanted = [row for row in result.rows if row.case in cases]
    return Result(wanted, result.failed)


def _all(site: Site, here: list[Contender], turn: Turn, result: Result) -> list[Contender]:
    able = []
    for contender in here:
        name, place = contender.peer.name, f"{contender.workload.name} {turn.case} {turn.number}"
        try:
            contender, row = _one(site, contender, turn)
        except Failed as error:
            result.failed[name] = f"{turn.case}: {error}"
            site.say(f"{place} {name}: failed: {error}")
            continue
        site.say(f"{place} {name}: {row.sample.wall:.2f} s")
        result.rows.append(row)
        able.append(contender)
    return able


def _one(site: Site, contender: Contender, turn: Turn) -> tuple[Contender, Row]:
    peer, workload = contender.peer, contender.workload
    repository = f"{workload.name.lower()}/{peer.name}-{turn.number}"
    target = f"{site.host}/{repository}:1"
    if turn.case in {COLD, FRESH}:
        contender = contender.forget(site)
    if turn.case == CHANGED:
        turn.edits.edit(peer.name, site.host, repository)
    if turn.case == FRESH:
        turn.edits.again(peer.name)
    text, names = workload.dockerfile or DOCKERFILE, " ".join(workload.names)
    script = script_of(peer, Words(site.base, target, names, contender.state), text)
    # What others wrote is not this one's to wait for, nor what they pushed out of memory.
    os.sync()
    _warm(workload.folder)
    site.traffic.since(site.manifest)
    sample = site.runner.run(script, contender.state, workload.folder, **contender.environ)
    sent = site.traffic.since(site.manifest)
    return contender, Row(workload.name, turn.case, peer.name, turn.number, sample, sent)


def _warm(folder: Path) -> None:
    for directory, _, names in os.walk(folder):
        for name in names:
            with open(os.path.join(directory, name), "rb", buffering=0) as file:
                while file.read(1 << 20):
                    pass
