"""Each way to run commands, and whether it can be used here: ``artificer doctor run``."""

import os
from collections.abc import Iterator
from typing import NamedTuple

from artificer.cli.terminal.table import table

_NEEDS = {
    "root": "root that may mount (CAP_SYS_ADMIN)",
    "full-map": "root that may make user namespaces (a pod without a seccomp profile)",
    "range-map": "user namespaces, newuidmap, ids in /etc/subuid and /etc/subgid",
    "single-map": "user namespaces; owners of files are recorded",
    "root-directory": "the same where overlays are not to be had: files are copied",
    "full-map-directory": "the same as full-map, without overlays",
    "range-map-directory": "the same as range-map, without overlays",
    "chroot": "root with the capabilities of a default pod; what reads /proc is served",
    "proot": "the program proot, and to trace one's own processes; owners are lost without root",
}


class Way(NamedTuple):
    """One way: *reason* is why it cannot be used here, "" where it can."""

    name: str
    identity: str
    reason: str


def ways(state: str) -> list[Way]:
    """Try every way, the best first; *state* is where roots would be."""
    # Only Linux has what they need, even to be imported.
    from artificer.sandbox.ladder import rungs, why_not

    os.makedirs(state, exist_ok=True)
    return [Way(rung.name, rung.identity, why_not(rung, state)) for rung in rungs()]


def ladder(found: list[Way]) -> str:
    """Return the page for people: which way is used, and what the others lack."""
    rows = [
        (way.name, "no" if way.reason else "yes", way.identity, line)
        for way in found
        for line in _lines(way)
    ]
    # The words of one way are told once.
    shown = [
        row if number == 0 or rows[number - 1][0] != row[0] else ("", "", "", row[3])
        for number, row in enumerate(rows)
    ]
    return table(("way", "here", "owners", "what it needs"), shown)


def _lines(way: Way) -> Iterator[str]:
    yield _NEEDS[way.name]
    if way.reason:
        yield f"but: {way.reason}"
