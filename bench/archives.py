"""Debian's archive read and resolved in: its index parsed and loaded, 125 packages chosen.

The archive is the one that this machine's apt has its packages from; indexes are fetched anew
only where they are parsed.
"""

import resource
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import TypeVar

from artificer.sources.debian.archives.acquire import open_universe
from artificer.sources.debian.archives.documents import Trust
from artificer.sources.debian.archives.universe import Universe
from artificer.sources.debian.resolving.resolve import resolve
from artificer.sources.debian.values import Wanted
from artificer.sources.url import Web
from artificer.store.blobs import open_store
from bench.builds import Case, Section
from bench.measure import Runner, Sample
from bench.targets import Verdict
from tests.parts.machine_archive import KEYRING, archive_store, machine_archives, web_over

PARSED, LOADED, OPENED, RESOLVED = (
    "index parsed, from nothing",
    "index loaded from the cache",
    "all suites opened, signatures verified",
    "default-jre-headless resolved from nothing",
)
SECONDS = {LOADED: 0.3, RESOLVED: 0.2}
_Value = TypeVar("_Value")


def archives(run: Runner, rounds: int) -> Section:
    """Measure it all, so many times."""
    suites = machine_archives()
    samples: dict[str, list[Sample]] = {}
    counts: list[int] = []

    def opened(suites_: int, web: Web) -> Universe:
        trust = Trust((KEYRING,), time.time())
        return open_universe(suites[:suites_], ["amd64"], web, trust=trust)

    def take(case: str, act: Callable[[], _Value]) -> _Value:
        value, sample = timed(act)
        samples.setdefault(case, []).append(sample)
        return value

    with web_over(archive_store()) as kept:
        opened(len(suites), kept)
        for number in range(rounds):
            with web_over(open_store(str(run.folder / f"store-{number}"))) as fresh:
                take(PARSED, partial(opened, 1, fresh))
            offline = kept._replace(offline=True)
            take(LOADED, partial(opened, 1, offline))
            universe = take(OPENED, partial(opened, len(suites), kept))
            counts.append(take(RESOLVED, partial(_resolved, universe)))
    cases = [Case(name, found) for name, found in samples.items()]
    title = f"{len(suites)} suites, {len(list(universe.names()))} packages, {counts[-1]} chosen"
    return Section("archives", title, cases, list(_verdicts(cases)))


def _resolved(universe: Universe) -> int:
    wanted = Wanted(packages=("default-jre-headless",), essential=True, apt=True)
    return len(resolve(wanted, universe, (), "amd64").install)


def timed(act: Callable[[], _Value]) -> tuple[_Value, Sample]:
    """What *act* gives, and what it cost this process."""
    wall, cpu = time.perf_counter(), time.process_time()
    value = act()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return value, Sample(time.perf_counter() - wall, time.process_time() - cpu, peak)


def _verdicts(cases: list[Case]) -> Iterator[Verdict]:
    for case in cases:
        most = SECONDS.get(case.name)
        if most is not None:
            yield Verdict(case.name, f"≤ {most:g} s", f"{case.wall:.3f} s", case.wall <= most)
