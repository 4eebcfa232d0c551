"""Dockerfiles as people write them, beside those who build them too; their numbers to reach."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import median

from bench.base import base_layout, large_layout
from bench.contents import MIB, Texts, programs
from bench.rounds import COLD, UNCHANGED, Row
from bench.table import of_case, ratio
from bench.targets import DAEMONS, Verdict, fastest
from bench.workloads import File, Shape

OURS = "artificer"
CPU = 0.150

COPYING = """\
FROM {base} AS build
WORKDIR /src
COPY . .
COPY conf/ /out/conf/
COPY server /out/bin/

FROM {base}
COPY --from=build /out/ /app/
COPY static/ /app/static/
ENV MODE=bench
CMD ["/app/bin/server"]
"""
# The shape of the peers' recorded one: two stages, three times RUN, two times COPY.
RUNNING = """\
FROM {base} AS build
COPY . /src
RUN mkdir /out && cat /src/conf/*.conf >/out/all.conf
RUN find /usr/bin /usr/lib -type f | sort >/out/files && gzip -n /out/files

FROM {base}
RUN groupadd -r app && useradd -r -g app app && mkdir -p /var/cache/app
COPY --from=build /out/ /app/
ENV MODE=bench
CMD ["cat", "/app/all.conf"]
"""


def context(program: int = 10 * MIB, files: int = 1_000, size: int = 8_000_000) -> Iterator[File]:
    """A program, twenty files of settings, and many of text."""
    yield "server", b"".join(data for _, data in programs(program))
    texts = Texts("D")
    for number in range(20):
        yield f"conf/{number:02}.conf", texts.text(300 + 150 * number)
    for number, length in enumerate(texts.sizes(files, size)):
        yield f"static/{number % 40:02}/{number:04}.js", texts.text(length)


def small_context() -> Iterator[File]:
    """Twenty files of settings."""
    texts = Texts("D2")
    for number in range(20):
        yield f"conf/{number:02}.conf", texts.text(300 + 150 * number)


DOCKERFILES = {
    "D1": Shape("COPY alone, two stages on 300 MB", context, "conf/07.conf", COPYING),
    "D2": Shape("two stages, 3 RUN, 2 COPY", small_context, "conf/07.conf", RUNNING),
}
BASES: dict[str, Callable[[Path], Path]] = {"D1": large_layout, "D2": base_layout}


def dockerfile_verdicts(rows: Sequence[Row]) -> Iterator[Verdict]:
    """Every target about which something was measured."""
    for name, times in (("D1", 4.0), ("D2", 3.0)):
        cold = of_case(rows, name, COLD)
        yield from _against(f"{name} {COLD}, without a daemon", fastest_of(cold), times)
    cold, unchanged = of_case(rows, "D2", COLD), of_case(rows, "D2", UNCHANGED)
    daemons = [(found, peer) for peer in DAEMONS if (found := ratio(cold, peer, OURS))]
    yield from _against(f"D2 {COLD}, docker's daemon runs", min(daemons, default=None), 1.0)
    yield from _against(f"D2 {UNCHANGED}, without a daemon", fastest_of(unchanged), 1.0)
    own = [row.sample.cpu for row in unchanged if row.peer == OURS]
    if own:
        cpu = median(own)
        told = f"{cpu * 1000:.0f} ms"
        yield Verdict(f"D2 {UNCHANGED}: cpu", f"≤ {CPU * 1000:.0f} ms", told, cpu <= CPU)


def fastest_of(rows: Sequence[Row]) -> tuple[float, str] | None:
    """How many times longer the fastest took that has no daemon running, and who it was."""
    return fastest(rows, OURS, daemons=False)


def _against(what: str, told: tuple[float, str] | None, times: float) -> Iterator[Verdict]:
    if told is not None:
        yield Verdict(what, f"≥ {times:g} ×", f"{told[0]:.2f} × {told[1]}", told[0] >= times)
